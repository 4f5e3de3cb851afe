"""How finely a class must be seen, so that the smallest defect that matters is found."""

from __future__ import annotations

from dataclasses import dataclass

from patchbank.bank.manifest import ScoringRule
from patchbank.embedding.embedder import Embedder
from patchbank.errors import InvalidParameters
from patchbank.scales import BASE, FINEST, LEAST, Scales, scales_for


@dataclass(frozen=True)
class Sight:
    """``scales`` at which a defect is one patch wide, or the finest ones; it covers ``cells`` of the ``grid``, which is
    (rows, columns)."""

    scales: Scales
    cells: float
    grid: tuple[int, int]

    def rule(self, rule: ScoringRule) -> ScoringRule:
        """The rule with an image score that is made of no more patches than the defect covers, but of three at least,
        as many as of a picture at the backbone's own input size."""
        rows, columns = self.grid
        return rule.model_copy(update={"share": min(rule.share, max(3.0, self.cells) / (rows * columns))})


def sight_of(defect: float, size: tuple[int, int], embedder: Embedder) -> Sight:
    """The sight that a ``defect`` of so many pixels takes in pictures of ``size`` (width, height). Raises
    ``InvalidParameters`` where it is too small."""
    width, height = size
    rows, columns = embedder.geometry(size, BASE).grid
    patch = max(width / columns, height / rows)
    scales = scales_for(defect / patch)
    if scales is None:
        raise InvalidParameters(
            f"a defect of {defect:g} pixels is too small in pictures of {width} x {height}: even the finest scale sees "
            f"nothing below {patch * LEAST / FINEST:.1f} pixels. Photograph a smaller part, or cut the pictures"
        )
    rows, columns = embedder.geometry(size, scales).grid
    return Sight(scales, max(1.0, defect * columns / width) * max(1.0, defect * rows / height), (rows, columns))
