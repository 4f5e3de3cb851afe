"""A known defect of a class, as a manifest stores it."""

from __future__ import annotations

import base64
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from patchbank.arrays import FloatArray

MOST_PATCHES: Final = 1_000
"""Most patches of all known defects of a class together. A manifest is read whole: with 1,536 numbers per patch these
are 4 MB of it."""

MOST_OF_ONE: Final = 100
"""Most patches of one defect; of more, those are kept that stand for the others best."""

THUMBNAIL: Final = 160
"""Longest side of a defect's picture, in pixels."""


class DefectRecord(BaseModel):
    """What a person confirmed to be a defect: its ``name`` and the patches that make it.

    ``patches`` is base64 of little-endian float16, (``count``, D), unit length. ``source`` is where the picture came
    from: a path, the name that it was sent under, or the id of a detection; ``image_id`` is that of the picture and
    ``box`` (left, top, right, bottom) the patches' place in it, in pixels. ``added_by`` is who confirmed it and
    ``note`` what they said of it, both empty where that is not known. ``thumbnail`` is a JPEG of that place in base64,
    at most 160 pixels a side.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    id: str
    name: str
    added_at: str
    added_by: str = ""
    note: str = ""
    source: str = ""
    image_id: str
    box: tuple[int, int, int, int]
    count: int = Field(ge=1, le=MOST_OF_ONE)
    patches: str
    thumbnail: str

    @field_validator("thumbnail")
    @classmethod
    def _is_base64(cls, value: str) -> str:
        base64.b64decode(value, validate=True)
        return value

    @model_validator(mode="after")
    def _check(self) -> DefectRecord:
        self.vectors()
        return self

    def vectors(self) -> FloatArray:
        """The patches, float32 (M, D). Raises ``ValueError`` where the numbers are not so many patches."""
        values = np.frombuffer(base64.b64decode(self.patches, validate=True), dtype="<f2").astype(np.float32)
        if not len(values) or len(values) % self.count:
            raise ValueError(f"a defect of {self.count} patches with {len(values)} numbers in all")
        if not np.isfinite(values).all():
            raise ValueError("a defect with numbers that are not finite")
        rows = values.reshape(self.count, -1)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        if (lengths == 0).any():
            raise ValueError("a defect with a patch of length 0")
        return np.asarray(rows / lengths, dtype=np.float32)

    @property
    def picture(self) -> bytes:
        """The thumbnail as JPEG."""
        return base64.b64decode(self.thumbnail)


def encoded(patches: FloatArray) -> str:
    """Patches (M, D) as a record holds them."""
    return base64.b64encode(np.ascontiguousarray(patches, dtype="<f2").tobytes()).decode()
