"""A picture ready for the network, and what the network makes of it."""

from __future__ import annotations

from dataclasses import dataclass

from patchbank.arrays import ByteArray, FloatArray
from patchbank.embedding.preprocess import Geometry
from patchbank.scales import BASE, Scales


@dataclass(frozen=True)
class Prepared:
    """A picture ready for the network at some ``scales``: ``inputs`` and how its grid lies on the original, for each
    scale; ``geometry`` is that of the patches of all scales together.

    An input is float32 (3, H, W), normalised. One that the network cuts into tiles is uint8 (H, W, 3), a quarter of
    that, and each tile is normalised when its turn comes.
    """

    inputs: tuple[FloatArray | ByteArray, ...]
    levels: tuple[Geometry, ...]
    geometry: Geometry
    scales: Scales = BASE


@dataclass(frozen=True)
class Embedding:
    """What a backbone makes of one image.

    ``patches`` float32 (N, D) and ``cls`` float32 (D',), both L2-normalised; patches in row-major order of the
    grid, N = rows x columns; ``geometry`` maps cells back to original pixels. ``plain`` is the embedding at the
    backbone's own input size, by which classes are retrieved; None where this is it.
    """

    patches: FloatArray
    cls: FloatArray
    geometry: Geometry
    plain: Embedding | None = None

    @property
    def base(self) -> Embedding:
        """The embedding at the backbone's own input size."""
        return self if self.plain is None else self.plain

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.geometry.grid
