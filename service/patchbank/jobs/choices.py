"""How a class is taught or calibrated, as callers say it: the options of commands and the form fields of the API."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from patchbank.bank.manifest import ScoringRule
from patchbank.embedding.turned import EIGHTHS, QUARTERS, Turn
from patchbank.errors import InvalidParameters
from patchbank.reason import message_of
from patchbank.scales import DETAILS
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.provenance import Provenance
from patchbank.teaching.rates import Rates
from patchbank.teaching.roi_drawing import Box, RoiDrawing

Augment = Literal["none", "rotate", "rotate45"]

_TURNS: Final[dict[Augment, tuple[Turn, ...]]] = {"none": (), "rotate": QUARTERS, "rotate45": EIGHTHS}


def read_box(value: object) -> object:
    """The numbers of a box that is given as text; anything else as it is. Raises ``ValueError``."""
    if not isinstance(value, str):
        return value
    try:
        left, top, width, height = map(int, value.split(","))
    except ValueError:
        raise ValueError(f"{value!r} is no box: give X,Y,WIDTH,HEIGHT in pixels, such as 40,20,300,200") from None
    return left, top, width, height


Boxes = tuple[Annotated[Box, BeforeValidator(read_box), WithJsonSchema({"type": "string"})], ...]


class _Choices(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    target_far: float | None = Field(default=None, ge=0.0001, le=0.5, description="target false-alarm rate")
    review_far: float | None = Field(
        default=None, ge=0.0001, le=0.9, description="target rate of good parts rejected or for review"
    )
    confidence: float | None = Field(
        default=None, ge=0, le=0.9999, description="let both rates hold with this confidence; 0: on average"
    )
    keep_all: bool = Field(
        default=False, description="take every picture, also what is unlike the others, and let each count for itself"
    )
    strict: bool = Field(default=False, description="fail on the first bad file instead of skipping it")
    activate: bool = Field(
        default=True, description="let the new version serve; else it waits, to be tried and activated"
    )


class UpdateChoices(_Choices):
    """How references are added to a class."""

    added_by: str = Field(default="", max_length=200, description="who adds the references")
    note: str = Field(default="", max_length=2_000, description="what they say of them")

    coreset: float | None = Field(default=None, ge=0.001, le=1, description="share of patches to keep")
    augment: Augment = Field(
        default="none", description="teach turned copies of the references too: every 90 or 45 degrees"
    )

    def options(self) -> TeachOptions:
        """As the teacher takes them."""
        return TeachOptions(
            coreset=self.coreset,
            target_far=self.target_far,
            strict=self.strict,
            turns=_TURNS[self.augment],
            keep_all=self.keep_all,
            review_far=self.review_far,
            confidence=self.confidence,
            provenance=Provenance(self.added_by, self.note),
            serve=self.activate,
        )


class TeachChoices(UpdateChoices):
    """How a class is taught anew."""

    patch_score: Literal["nearest", "subspace"] = Field(
        default="nearest",
        description="distance to the nearest normal patches, or to the subspace in which they vary (docs/detection.md)",
    )
    neighbours: int = Field(default=1, ge=1, le=50, description="patch score: mean distance to so many neighbours")
    image_score: Literal["top", "top1", "max"] = Field(
        default="top", description="mean of the highest patch scores, of the highest 1 %, or max"
    )
    share: float = Field(
        default=ScoringRule().share, ge=0.0001, le=0.5, description="share of the patches that `top` takes"
    )
    detail: Literal["fast", "standard", "fine"] | None = Field(
        default=None, description="how finely pictures are seen (docs/scales.md)"
    )
    smallest_defect: float | None = Field(
        default=None, ge=1, description="width in pixels of the smallest defect that must be found"
    )
    foreground: Literal["off", "auto", "on"] = Field(default="off", description="mask what the part lies on")
    mask: Path | None = Field(default=None, description="picture of what is inspected: white is, black is ignored")
    roi: Boxes = Field(default=(), description="inspect only these boxes: X,Y,WIDTH,HEIGHT")
    ignore: Boxes = Field(default=(), description="ignore these boxes: X,Y,WIDTH,HEIGHT")

    @field_validator("smallest_defect")
    @classmethod
    def _one_of_both(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is not None and info.data.get("detail") is not None:
            raise ValueError("detail and it both choose the scales: give one")
        return value

    def options(self) -> TeachOptions:
        rule = {name: getattr(self, name) for name in ("patch_score", "neighbours", "image_score", "share")}
        drawn = self.mask is not None or self.roi or self.ignore
        return replace(
            super().options(),
            scoring=ScoringRule.model_validate(rule),
            foreground=self.foreground,
            roi=RoiDrawing(self.mask, self.roi, self.ignore) if drawn else None,
            scales=None if self.detail is None else DETAILS[self.detail],
            smallest_defect=self.smallest_defect,
        )


class CalibrateChoices(_Choices):
    """How a class gets new thresholds."""

    again: Literal["stale", "all"] | None = Field(
        default=None,
        description="score references again, each left out: those whose scores are stale, or all that the thresholds "
        "come from",
    )

    pixel_target_far: float | None = Field(
        default=None, ge=0.0001, le=0.9, description="share of normal images that may have any pixel above"
    )

    @property
    def rates(self) -> Rates:
        """The rates that are asked for."""
        return Rates(self.target_far, self.pixel_target_far, self.review_far, self.confidence)


def wrong_fields(error: ValidationError) -> dict[str, str]:
    """What is wrong with each field, by name."""
    return {
        str(item["loc"][0]) if item["loc"] else "request": message_of(item["msg"])
        for item in reversed(error.errors(include_url=False))
    }


def refused(error: ValidationError) -> InvalidParameters:
    """The error that says which fields are wrong."""
    fields: dict[str, Any] = wrong_fields(error)
    return InvalidParameters("; ".join(f"{name}: {text}" for name, text in fields.items()), **fields)
