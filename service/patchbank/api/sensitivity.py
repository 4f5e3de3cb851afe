"""``/classes/{class}/sensitivity``: the thresholds of a class by the false alarms that one accepts."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from patchbank.api.state import state_of
from patchbank.scoring import sensitivity
from patchbank.scoring.threshold import sample_of, shortfall

router = APIRouter(tags=["classes"])

_PARTS: Final = 1_000.0


class SensitivitySetting(BaseModel):
    """The thresholds at one rate of false alarms."""

    false_alarms_per_1000: float = Field(description="good parts of 1,000 whose score is above the threshold")
    threshold: float
    within_sample: bool = Field(
        description="false: the calibration images are too few to promise this; the threshold is their highest score, "
        "for which least_false_alarms_per_1000 holds. No threshold is extrapolated"
    )
    review_threshold: float = Field(description="the class's own, or the threshold where that is lower")
    marked_parts_per_1000: float | None = Field(
        description="good parts of 1,000 with any pixel above the pixel threshold: its odds keep their ratio to those "
        "of a false alarm; null where the class was calibrated without a pixel threshold, and threshold cuts the map"
    )
    pixel_threshold: float
    pixels_within_sample: bool = Field(description="the same for the pixel threshold")

    @classmethod
    def of(cls, setting: sensitivity.Setting) -> SensitivitySetting:
        """The answer for one setting."""
        return cls(
            false_alarms_per_1000=_PARTS * setting.rate,
            threshold=setting.threshold,
            within_sample=setting.reached,
            review_threshold=setting.review_threshold,
            marked_parts_per_1000=None if setting.pixel_rate is None else _PARTS * setting.pixel_rate,
            pixel_threshold=setting.pixel_threshold,
            pixels_within_sample=setting.pixel_reached,
        )


class Sensitivity(BaseModel):
    """The thresholds of a class as a function of the false alarms that one accepts."""

    class_name: str
    version: str
    method: Literal["leave-one-image-out", "held-out"] = Field(description="where the calibration scores come from")
    images: int = Field(description="calibration images")
    independent: int = Field(description="series of them; an image that is alone is one")
    set_aside: int = Field(description="images that were left out, and count as alarms")
    stale: int = Field(description="scores that may be too low, because a reference was withdrawn since")
    confidence: float | None = Field(description="with which the rates hold; null: they hold on average")
    least_false_alarms_per_1000: float = Field(description="the fewest that the calibration images can promise")
    present: SensitivitySetting = Field(description="what the class has")
    settings: list[SensitivitySetting] = Field(
        description="from 0.1 to 100 false alarms per 1,000 good parts, evenly spaced in their logarithm, the fewest "
        "first; no threshold rises along them"
    )
    warnings: list[str]


@router.get("/classes/{class_name}/sensitivity")
def show_sensitivity(
    request: Request,
    class_name: str,
    version: Annotated[str | None, Query(description="another version than the serving one")] = None,
) -> Sensitivity:
    """Which thresholds so many false alarms per 1,000 good parts take, for the score and for the map."""
    manifest = state_of(request).inspector.store.bank(class_name, version).manifest
    calibration = manifest.calibration
    sample, doubt = sample_of(calibration), shortfall(calibration)
    return Sensitivity(
        class_name=manifest.class_name,
        version=manifest.version,
        method=calibration.method,
        images=calibration.count,
        independent=sample.independent,
        set_aside=calibration.set_aside,
        stale=calibration.stale_count,
        confidence=calibration.confidence,
        least_false_alarms_per_1000=_PARTS * sample.least_rate(calibration.confidence),
        present=SensitivitySetting.of(sensitivity.present(calibration)),
        settings=[SensitivitySetting.of(setting) for setting in sensitivity.settings(calibration)],
        warnings=[] if doubt is None else [doubt],
    )
