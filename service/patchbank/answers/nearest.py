"""One patch of an image beside its nearest normal patch."""

from __future__ import annotations

from pydantic import BaseModel, Field

from patchbank.answers.detection import NearestPatchOut
from patchbank.answers.source import Source


class NearestReference(NearestPatchOut):
    """The nearest normal patch, and where its reference image came from."""

    source: Source = Field(description="where it came from: a file's name, or the path that it was sent under")


class Comparison(BaseModel):
    """One patch of an image beside its nearest normal patch."""

    class_name: str
    bank_version: str
    box: tuple[int, int, int, int] = Field(description="the patch: left, top, right, bottom in original pixels")
    counts: bool = Field(
        description="false where the patch is outside of what the class inspects, or background: no score has it"
    )
    nearest: NearestReference = Field(description="searched exhaustively")
    processing_time_ms: float
    warnings: list[str]
