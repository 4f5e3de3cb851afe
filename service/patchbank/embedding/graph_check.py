"""Checks at load that a graph takes the input size asked for. The error says what to do if it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from patchbank.embedding.backbones import Backbone
from patchbank.embedding.input_size import Sides
from patchbank.embedding.preprocess import Geometry
from patchbank.errors import ModelUnavailable

_OBLONG: Final = (300, 200)
_SQUARE: Final = (200, 200)


@dataclass(frozen=True)
class Probe:
    """The outcome of one trial: ``tokens`` patch tokens of ``patch_dim``, and a CLS embedding of ``cls_dim``."""

    geometry: Geometry
    tokens: int
    patch_dim: int
    cls_dim: int

    @property
    def fits(self) -> bool:
        """Whether there is one token per grid cell."""
        rows, columns = self.geometry.grid
        return self.tokens == rows * columns


def require_sides(backbone: Backbone, fixed: tuple[int, int] | None) -> None:
    """``ModelUnavailable`` if the graph takes only inputs of ``fixed`` (width, height) and the backbone has others."""
    if fixed is None or backbone.size == Sides(*fixed):
        return
    wide, high = fixed
    raise ModelUnavailable(
        f"{backbone.name}: this graph takes inputs of {wide} x {high} alone, asked for is {_asked(backbone)}. "
        f"Set PATCHBANK_INPUT_SIZE={wide}x{high} (every image is then stretched to it), {_MAKE_ANOTHER}"
    )


def probe(backbone: Backbone, try_out: Callable[[tuple[int, int]], Probe]) -> tuple[int, int]:
    """Run the graph on an image size with ``try_out``, and return the dimensions (D, D').

    If images keep their aspect, an oblong image is tried first: some graphs take only squares, and the error says so.
    Raises ``ModelUnavailable`` if the graph fails or does not give one token per grid cell.
    """
    images = (_OBLONG, _SQUARE) if not isinstance(backbone.size, Sides) else (_OBLONG,)
    trouble = []
    for image in images:
        try:
            outcome = try_out(image)
        except ModelUnavailable as error:
            trouble.append(error.message)
            continue
        if outcome.fits and not trouble:
            return outcome.patch_dim, outcome.cls_dim
        wide, high = outcome.geometry.inputs
        if outcome.fits:
            raise ModelUnavailable(
                f"{backbone.name}: this graph takes squares alone ({trouble[0]}). Set "
                f"PATCHBANK_INPUT_SIZE={wide}x{high} (every image is then stretched to it), {_MAKE_ANOTHER}"
            )
        rows, columns = outcome.geometry.grid
        trouble.append(f"{outcome.tokens} patch tokens for {wide} x {high}, where {rows} x {columns} were expected")
    raise ModelUnavailable(
        f"{backbone.name}: this graph does not take the input size {_asked(backbone)}: {trouble[-1]}. "
        f"If it was made for another size, set PATCHBANK_INPUT_SIZE to that, {_MAKE_ANOTHER}"
    )


_MAKE_ANOTHER: Final = "or make a graph for any size with `indexer model export`"


def _asked(backbone: Backbone) -> str:
    size = backbone.size
    return str(size) if isinstance(size, Sides) else f"{size} x {size} pixels in each image's own aspect"
