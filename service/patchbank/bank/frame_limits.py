"""Beyond what the pictures of a class are no longer pictures of a camera that works, as its manifest holds it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class FrameLimits(BaseModel):
    """What a picture of the class has at least, computed from ``count`` references.

    ``contrast`` (0..255) and ``sharpness`` are limits: far below the least of the references, see ``scoring.frame``.
    ``usual_contrast`` and ``usual_sharpness`` are the references' medians.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    contrast: float = Field(ge=0)
    sharpness: float = Field(ge=0)
    usual_contrast: float = Field(ge=0)
    usual_sharpness: float = Field(ge=0)
    count: int = Field(ge=1)
