"""The thresholds of a class by the false alarms that one accepts."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


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
