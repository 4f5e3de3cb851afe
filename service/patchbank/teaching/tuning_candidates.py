"""The candidates of tuning: input scales, and how many patches make the image score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from patchbank.bank.manifest import Manifest, ScoringRule
from patchbank.scales import DETAILS, Scales, detail_of
from patchbank.scoring.image_score import deciding_count

SHARES: Final = (0.003, 0.01, 0.001)
"""Shares of the patches that are tried in the image score, the usual one first."""

PATCH_SCORES: Final = ("nearest", "subspace")
"""Ways to score a patch."""

_MANY: Final = 1_000_000


@dataclass(frozen=True)
class Candidate:
    """One way to see and score the pictures of a class."""

    scales: Scales
    rule: ScoringRule

    @property
    def detail(self) -> str:
        """The name of the input scales."""
        return detail_of(self.scales)

    @property
    def share(self) -> str:
        """The share of patches in the image score as people write it: ``0.003``, or ``max``."""
        if self.rule.image_score == "max":
            return "max"
        return f"{deciding_count(_MANY, self.rule) / _MANY:g}"

    @property
    def name(self) -> str:
        """``DETAIL,SHARE``, with ``,subspace`` where patches are scored so."""
        return f"{self.detail},{self.share}" + (",subspace" if self.rule.patch_score == "subspace" else "")


def present_candidate(manifest: Manifest) -> Candidate:
    """The one that the class has."""
    return Candidate(manifest.scales, manifest.scoring)


def rules_for(manifest: Manifest) -> list[ScoringRule]:
    """The class's own scoring rule, and the same with other shares and other patch scores."""
    own = manifest.scoring
    rules = [own]
    known = {Candidate(manifest.scales, own).name}
    for kind in sorted(PATCH_SCORES, key=lambda kind: kind != own.patch_score):
        for share in SHARES:
            rule = own.model_copy(update={"patch_score": kind, "image_score": "top", "share": share})
            if Candidate(manifest.scales, rule).name not in known:
                rules.append(rule)
    return rules


def scales_for(manifest: Manifest) -> list[Scales]:
    """All details and the class's own scales, the cheapest first."""
    return sorted({*DETAILS.values(), manifest.scales}, key=_cost)


def widest(rules: Sequence[ScoringRule]) -> ScoringRule:
    """The rule that asks for the most patches: its exact search makes the scores of all others exact."""
    return max(rules, key=lambda rule: deciding_count(_MANY, rule))


def _cost(scales: Scales) -> tuple[float, float]:
    """Pixels of all inputs, then cells of the grid."""
    return sum(factor**2 for factor in scales.factors), scales.grid**2
