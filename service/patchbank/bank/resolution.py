"""How finely a class's pictures are seen: what the network's input makes of their size."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

COARSER: Final = 2.0
"""So many times the pixels per patch of the references, and a picture is worth a warning."""

_SHRUNK: Final = 1.05
"""Rounding to whole patches alone makes a picture so much smaller."""

_Size = Annotated[int, Field(ge=1)]


class Resolution(BaseModel):
    """The usual picture among the references: ``picture`` and ``inputs``, the network's input that is made of it, are
    (width, height) in pixels; ``grid`` is (rows, columns) of patches. Of several input scales it is the finest."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    picture: tuple[_Size, _Size]
    inputs: tuple[_Size, _Size]
    grid: tuple[_Size, _Size] = Field(description="rows, columns")

    @property
    def shrunk(self) -> float:
        """By how much the picture is shrunk, on the side where it is shrunk more; below 1 it is enlarged."""
        return max(before / after for before, after in zip(self.picture, self.inputs, strict=True))

    @property
    def patch(self) -> tuple[float, float]:
        """(width, height) of what one patch covers, in pixels of the picture."""
        (width, height), (rows, columns) = self.picture, self.grid
        return width / columns, height / rows

    @property
    def patch_pixels(self) -> float:
        """Pixels of the picture per patch."""
        return self.patch[0] * self.patch[1]

    @property
    def facts(self) -> dict[str, Any]:
        """For machines."""
        return {"shrunk": round(self.shrunk, 2), "patch": [round(side, 1) for side in self.patch]}

    @property
    def line(self) -> str:
        """For people; ``docs/thresholds.md`` says what it comes from."""
        size, patch = _sides(self.picture), _sides(self.patch)
        shrunk = f"shrunk {self.shrunk:.1f} times" if self.shrunk > _SHRUNK else "not shrunk"
        return f"pictures of {size} are {shrunk}: one patch covers {patch} pixels; things much smaller are not seen"

    def doubt(self, seen: Resolution) -> str | None:
        """What to say of a picture that is ``seen`` much more coarsely than the references; None where it is not."""
        if seen.patch_pixels < COARSER * self.patch_pixels:
            return None
        return (
            f"the picture has {_sides(seen.picture)} pixels, the references {_sides(self.picture)}: one patch covers "
            f"{_sides(seen.patch)} of its pixels, {_sides(self.patch)} of theirs, so what is small in pixels is not "
            "seen in it"
        )


def _sides(sides: tuple[float, float]) -> str:
    return f"{sides[0]:.0f} x {sides[1]:.0f}"
