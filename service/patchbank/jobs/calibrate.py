"""The job ``calibrate``: new thresholds for a class whose patches stay."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from patchbank.bank.manifest import Manifest
from patchbank.bank.open_store import open_store
from patchbank.bank.store import PatchStore
from patchbank.embedding.embedder import Embedder
from patchbank.errors import ClassBusy
from patchbank.jobs.choices import CalibrateChoices
from patchbank.jobs.picture_report import doubtful_list, skipped_list, warning_list
from patchbank.judging.backbone_choice import settled
from patchbank.judging.bank_facts import calibration_facts, threshold_facts
from patchbank.progress import Progress
from patchbank.settings import Settings
from patchbank.teaching.recalibrator import RecalibrateReport, Recalibrator
from patchbank.teaching.rescorer import Rescorer, RescoreReport

_TRIES: Final = 10
_PAUSE: Final = 0.5


class CalibrateRequest(BaseModel):
    """Which class, and by what: normal images ``files`` that the bank does not hold, None for the scores that it has;
    ``series`` are those that the images belong to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    class_name: str
    files: tuple[Path, ...] | None = None
    series: dict[Path, str] = {}
    choices: CalibrateChoices = CalibrateChoices()


def calibrate(
    settings: Settings, request: CalibrateRequest, progress: Progress, tell: Callable[[str], None], decoders: int = 0
) -> RecalibrateReport:
    """Calibrate, and let the new version serve; ``tell`` and ``decoders`` as in ``teach``. Raises the errors of
    ``Recalibrator``, and those of the store and the backbone."""
    choices = request.choices
    with closing(open_store(settings)) as store:
        recalibrator = Recalibrator(settings, store)
        if request.files is None:
            return recalibrator.from_known_scores(request.class_name, choices.rates, serve=choices.activate)
        with Embedder.open(settled(settings, store, tell), decoders) as embedder:
            return recalibrator.from_images(
                request.class_name,
                request.files,
                embedder,
                choices.rates,
                series=request.series,
                strict=choices.strict,
                keep_all=choices.keep_all,
                serve=choices.activate,
                progress=progress,
            )


def rescore(
    settings: Settings, request: CalibrateRequest, progress: Progress, tell: Callable[[str], None], decoders: int = 0
) -> RescoreReport:
    """Score references again, as ``again`` says. Raises the errors of ``Rescorer``, and those of the store and the
    backbone."""
    everything, serve = request.choices.again == "all", request.choices.activate
    with closing(open_store(settings)) as store:
        return rescore_in(
            settings, store, request.class_name, progress, tell, decoders, everything=everything, serve=serve
        )


def rescore_in(
    settings: Settings,
    store: PatchStore,
    class_name: str,
    progress: Progress,
    tell: Callable[[str], None],
    decoders: int = 0,
    *,
    everything: bool = False,
    serve: bool = True,
) -> RescoreReport:
    """The same in a store that is open. Where the class is changed meanwhile, the work begins anew with what it is
    then, a few times. Raises ``ClassBusy`` after that."""
    rescorer = Rescorer(settings, store, lambda: Embedder.open(settled(settings, store, tell), decoders))
    for _ in range(_TRIES - 1):
        try:
            return rescorer.rescore(class_name, everything=everything, serve=serve, progress=progress)
        except ClassBusy:
            time.sleep(_PAUSE)
    return rescorer.rescore(class_name, everything=everything, serve=serve, progress=progress)


def rescored_document(report: RescoreReport) -> dict[str, Any]:
    """The report as JSON."""
    return {
        "class_name": report.manifest.class_name,
        "version": report.manifest.version,
        "before": _facts(report.before),
        "after": _facts(report.manifest),
        "scored": report.scored,
        "without_picture": [
            {"image_id": reference.image_id, "name": reference.name} for reference in report.without_picture
        ],
    }


def rescored_lines(report: RescoreReport) -> list[str]:
    """What people should know of it."""
    missing = len(report.without_picture)
    why = "could not be scored again: the bank holds a coreset, and their pictures were not found"
    return [*report.remarks, *([f"{missing} references {why}"] if missing else [])]


def calibrated_document(report: RecalibrateReport, left_out: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The report as JSON; ``left_out`` are files that were no calibration images."""
    return {
        "class_name": report.manifest.class_name,
        "version": report.manifest.version,
        "before": _facts(report.before),
        "after": _facts(report.manifest),
        "skipped": skipped_list(report.skipped),
        "doubtful": doubtful_list(report.doubtful),
        "warnings": warning_list(report.warnings),
        "left_out": list(left_out),
    }


def _facts(manifest: Manifest) -> dict[str, Any]:
    calibration = manifest.calibration
    return {"version": manifest.version, **threshold_facts(calibration), **calibration_facts(calibration)}
