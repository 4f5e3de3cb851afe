"""The inspected part of a class's pictures: a mask that is stored with the bank."""

from __future__ import annotations

import base64
import io
from typing import Final

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, field_validator

from patchbank.arrays import BoolArray

SIDE: Final = 1024
"""Longest side of a stored mask, in pixels. It adds a few kilobytes to a manifest, whatever the cameras are."""

HALF: Final = 0.5 - 1e-4
"""At least half of an area, with a tolerance for rounding."""


class RegionOfInterest(BaseModel):
    """The inspected part of the picture, stretched over every image of the class.

    ``png`` is a mask in base64: a PNG with 1 bit per pixel, neither side above 1,024, white where the class is
    inspected. ``width`` and ``height`` are those of the picture that it was drawn for, in pixels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    png: str
    width: int = Field(ge=1)
    height: int = Field(ge=1)

    @field_validator("png")
    @classmethod
    def _holds_something(cls, png: str) -> str:
        if not _decode(png).any():
            raise ValueError("the mask inspects nothing")
        return png

    @classmethod
    def of(cls, inspected: BoolArray, picture: tuple[int, int]) -> RegionOfInterest:
        """Store a mask (H, W), True where inspected, drawn for a ``picture`` of this (width, height). Raises
        ``ValueError`` where nothing is inspected, or nothing is left at the stored size."""
        high, wide = inspected.shape
        shrink = SIDE / max(wide, high)
        if shrink < 1:
            size = max(1, round(wide * shrink)), max(1, round(high * shrink))
            shares = Image.fromarray(inspected.astype(np.float32)).resize(size, Image.Resampling.BOX)
            inspected = np.asarray(shares) >= HALF
        out = io.BytesIO()
        Image.fromarray(inspected).save(out, "PNG", optimize=True)
        return cls(png=base64.b64encode(out.getvalue()).decode(), width=picture[0], height=picture[1])

    @property
    def inspected(self) -> BoolArray:
        """The mask (H, W) at its stored size."""
        return _decode(self.png)

    @property
    def share(self) -> float:
        """Share of the picture that is inspected, above 0 and at most 1."""
        return float(self.inspected.mean())


def _decode(png: str) -> BoolArray:
    try:
        with Image.open(io.BytesIO(base64.b64decode(png, validate=True)), formats=("PNG",)) as picture:
            # Checked before pixels are decoded: a manifest may come from anywhere.
            fits = picture.mode == "1" and max(picture.size) <= SIDE
            mask = np.asarray(picture, dtype=np.bool_) if fits else np.zeros((1, 1), dtype=np.bool_)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"the mask cannot be read: {error}") from error
    return mask
