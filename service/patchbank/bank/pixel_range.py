"""The range of a class's references: which value of 16-bit grey is white where files do not say so."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from patchbank.images import FULL, UNKNOWN, RangeRule, TaughtRange, UnknownRange

_White = Literal[255, 1023, 4095, 16383, 65535]


class PixelRange(BaseModel):
    """What the references show that are 16-bit grey and whose files do not say which value is white.

    ``white`` is the value that they were read with: the smallest of a usual depth that held them all. There were so
    many ``references`` of the kind; ``least`` and ``greatest`` are the extremes of their own greatest values.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    white: _White
    least: int = Field(ge=1, le=FULL)
    greatest: int = Field(ge=1, le=FULL)
    references: int = Field(ge=1)

    def and_one(self, greatest: int) -> PixelRange:
        """With one more reference, whose greatest value this is."""
        return PixelRange(
            white=self.white,
            least=min(self.least, greatest),
            greatest=max(self.greatest, greatest),
            references=self.references + 1,
        )

    @property
    def line(self) -> str:
        """The range, for people."""
        spread = f"{self.greatest}" if self.least == self.greatest else f"{self.least} to {self.greatest}"
        return (
            f"0 to {self.white} where a file names no range; the greatest value of {self.references} "
            f"reference{'s' * (self.references > 1)} is {spread}"
        )


def rule_of(pixel_range: PixelRange | None, class_name: str | None) -> RangeRule:
    """How pictures of a class are read, whose references showed this range; None: of no class that is known."""
    if class_name is None:
        return UNKNOWN
    if pixel_range is None:
        return UnknownRange(f"no reference of {class_name!r} is such a file")
    return TaughtRange(pixel_range.white, pixel_range.least, class_name)
