"""Does a graph take the input size that is asked for? Found out at load, with a word on what to do if not."""

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
    """What came out of one trial: ``tokens`` patch tokens of ``patch_dim``, and a CLS embedding of ``cls_dim``."""

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
    """Refuse a graph of one size, (width, height), at any other."""
    if fixed is None or backbone.size == Sides(*fixed):
        return
    wide, high = fixed
    raise ModelUnavailable(
        f"{backbone.name}: this graph takes inputs of {wide} x {high} alone, asked for is {_asked(backbone)}. "
        f"Set PATCHBANK_INPUT_SIZE={wide}x{high} (every image is then stretched to it), {_MAKE_ANOTHER}"
    )


def probe(backbone: Backbone, try_out: Callable[[tuple[int, int]], Probe]) -> tuple[int, int]:
    """Run the graph once, by ``try_out`` on an image size, and return the dimensions (D, D').

    Where images keep their aspect an oblong one is tried, as a graph may take squares alone. Raises
    ``ModelUnavailable`` where the graph fails or gives another number of tokens than the grid has cells.
    """
    images = (_OBLONG, _SQUARE) if not isinstance(backbone.size, Sides) else (_OBLONG,)
    trouble = []
    for image in images:
        try:
            found = try_out(image)
        except ModelUnavailable as error:
            trouble.append(error.message)
            continue
        if found.fits and not trouble:
            return found.patch_dim, found.cls_dim
        wide, high = found.geometry.inputs
        if found.fits:
            raise ModelUnavailable(
                f"{backbone.name}: this graph takes squares alone ({trouble[0]}). Set "
                f"PATCHBANK_INPUT_SIZE={wide}x{high} (every image is then stretched to it), {_MAKE_ANOTHER}"
            )
        rows, columns = found.geometry.grid
        trouble.append(f"{found.tokens} patch tokens for {wide} x {high}, where {rows} x {columns} were expected")
    raise ModelUnavailable(
        f"{backbone.name}: this graph does not take the input size {_asked(backbone)}: {trouble[-1]}. "
        f"If it was made for another size, set PATCHBANK_INPUT_SIZE to that, {_MAKE_ANOTHER}"
    )


_MAKE_ANOTHER: Final = "or make a graph for any size with `indexer model export`"


def _asked(backbone: Backbone) -> str:
    size = backbone.size
    return str(size) if isinstance(size, Sides) else f"{size} x {size} pixels in each image's own aspect"
