"""``/classes/{class}/sensitivity``: the thresholds of a class by the false alarms that one accepts."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request

from patchbank.answers.sensitivity import Sensitivity, SensitivitySetting
from patchbank.api.state import state_of
from patchbank.scoring import sensitivity
from patchbank.scoring.threshold import sample_of, shortfall

router = APIRouter(tags=["classes"])

_PARTS: Final = 1_000.0


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
        present=_told(sensitivity.present(calibration)),
        settings=[_told(setting) for setting in sensitivity.settings(calibration)],
        warnings=[] if doubt is None else [doubt],
    )


def _told(setting: sensitivity.Setting) -> SensitivitySetting:
    """The answer for one setting."""
    return SensitivitySetting(
        false_alarms_per_1000=_PARTS * setting.rate,
        threshold=setting.threshold,
        within_sample=setting.reached,
        review_threshold=setting.review_threshold,
        marked_parts_per_1000=None if setting.pixel_rate is None else _PARTS * setting.pixel_rate,
        pixel_threshold=setting.pixel_threshold,
        pixels_within_sample=setting.pixel_reached,
    )
