"""The taught product classes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class ClassSummary(BaseModel):
    """One taught product class."""

    class_name: str
    version: str
    created_at: str
    backbone: str
    references: int
    patches: int
    vector_bytes: int = Field(
        description="bytes of its embeddings in full precision; ids, thumbnails and, where it is large, a graph come "
        "on top, and versions share what is the same"
    )
    threshold: float
    review_threshold: float
    usable: bool = Field(description="false where this service refuses the bank")
    self_test: str = Field(description="passed, not recorded, failed, or other backbone")
    refusal: str | None = Field(description="why the bank is refused")


class ClassList(BaseModel):
    """All taught product classes."""

    classes: list[ClassSummary]
    damaged: list[str] = Field(description="classes whose bank cannot be read")


class SmallestVisible(BaseModel):
    """How finely pictures of the size of the references are seen: a thing much smaller than a patch is not."""

    shrunk: float = Field(description="how many times a picture is shrunk before it is seen; below 1 it is enlarged")
    patch: tuple[float, float] = Field(description="width and height of what one patch covers, in original pixels")


class ClassDetail(ClassSummary):
    """One class with where its threshold comes from."""

    versions: list[str]
    reason: str | None = Field(default=None, description="why the version was made; null where that is not recorded")
    coreset: dict[str, float] | None
    scoring: dict[str, Any]
    calibration: dict[str, Any]
    retrieval: dict[str, Any]
    inspected_percentage: float = Field(description="share of the picture that the class's mask inspects, 0..100")
    pixel_range: dict[str, int] | None = Field(
        description="white, and greatest values, of the references that are 16-bit grey without a range; null: none is"
    )
    detail: str = Field(description="how finely pictures are seen: fast, standard or fine, or the scales themselves")
    scales: dict[str, Any] = Field(description="the input scales, as multiples of the backbone's own, and the grid's")
    subspace: dict[str, int] | None = Field(
        description="number of axes of the subspace that patches are scored by; null where they are not"
    )
    parts: list[dict[str, Any]] = Field(
        description="what the version is made of: per part the version that added it, and what of it is withdrawn"
    )
    smallest_visible: SmallestVisible | None = Field(description="null where the class was taught before it was told")
    known_defects: int = Field(description="number of known defects")
