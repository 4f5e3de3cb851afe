"""The work of each kind of job, from its request to its result. Importing it takes a second: it is the whole of
teaching."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol

from pydantic import ValidationError

from patchbank.errors import MixedReferences
from patchbank.jobs.audit import AuditRequest, audit, audited_document
from patchbank.jobs.calibrate import (
    CalibrateRequest,
    calibrate,
    calibrated_document,
    rescore,
    rescored_document,
    rescored_lines,
)
from patchbank.jobs.choices import refused
from patchbank.jobs.evaluate import EvaluateRequest, evaluate, evaluated_document, evaluated_line
from patchbank.jobs.job import Kind
from patchbank.jobs.picture_report import doubtful_line, skipped_lines, warning_lines
from patchbank.jobs.rebuild import (
    CompactRequest,
    RebuildRequest,
    compact,
    compacted_document,
    rebuild,
    rebuilt_document,
)
from patchbank.jobs.teach import (
    References,
    TeachRequest,
    UpdateRequest,
    advice_lines,
    picture_lines,
    taught_document,
    teach,
)
from patchbank.progress import Progress
from patchbank.scoring.threshold import shortfall
from patchbank.settings import Settings
from patchbank.teaching.teacher import TeachReport


class Listener(Progress, Protocol):
    """Who is told of a job's work: its stages, lines for people, and pictures that it set aside."""

    def tell(self, text: str) -> None:
        """Something that people should know."""
        ...

    def keep_picture(self, image_id: str, jpeg: bytes) -> bool:
        """A picture that did not become a reference: people look at it beside the reason. Whether it is kept."""
        ...


DECODERS: Final = 2
"""Processes that decode a job's pictures, which strangers may have sent."""


def work(kind: Kind, settings: Settings, request: Mapping[str, Any], told: Listener) -> dict[str, Any]:
    """Do the work of one job; the result is what the command prints with ``--json``. Raises the errors of the work,
    and ``InvalidParameters`` for a request that makes no sense."""
    try:
        return _WORK[kind](settings, request, told)
    except ValidationError as error:
        raise refused(error) from error


def _teach(settings: Settings, asked: Mapping[str, Any], told: Listener) -> dict[str, Any]:
    return _references(settings, TeachRequest.model_validate(asked), told)


def _update(settings: Settings, asked: Mapping[str, Any], told: Listener) -> dict[str, Any]:
    return _references(settings, UpdateRequest.model_validate(asked), told)


def _references(settings: Settings, request: References, told: Listener) -> dict[str, Any]:
    with _kept_where_refused(told):
        report = teach(settings, request, told, told.tell, DECODERS)
    kept = _kept(report, told)
    for line in [*picture_lines(report), *advice_lines(request, report)]:
        told.tell(line)
    return taught_document(report, kept=kept)


def _rebuild(settings: Settings, asked: Mapping[str, Any], told: Listener) -> dict[str, Any]:
    with _kept_where_refused(told):
        report = rebuild(settings, RebuildRequest.model_validate(asked), told, told.tell, DECODERS)
    kept = _kept(report.taught, told)
    for line in [*picture_lines(report.taught), *report.taught.remarks]:
        told.tell(line)
    return rebuilt_document(report, kept)


def _kept(report: TeachReport, told: Listener) -> set[str]:
    """The ids of the pictures that were set aside and are kept."""
    pictures = {aside.picture.image_id: aside.picture.thumbnail for aside in report.set_aside}
    return {image_id for image_id, jpeg in pictures.items() if told.keep_picture(image_id, jpeg)}


@contextmanager
def _kept_where_refused(told: Listener) -> Iterator[None]:
    """Keeps the pictures for which teaching is refused, and says in the error's detail which are."""
    try:
        yield
    except MixedReferences as error:
        for aside in error.detail["set_aside"]:
            image_id = str(aside["image_id"])
            aside["kept"] = told.keep_picture(image_id, error.pictures[image_id])
        raise


def _compact(settings: Settings, asked: Mapping[str, Any], told: Listener) -> dict[str, Any]:
    return compacted_document(compact(settings, CompactRequest.model_validate(asked), told))


def _calibrate(settings: Settings, asked: Mapping[str, Any], told: Listener) -> dict[str, Any]:
    request = CalibrateRequest.model_validate(asked)
    if request.choices.again is not None:
        again = rescore(settings, request, told, told.tell, DECODERS)
        for line in rescored_lines(again):
            told.tell(line)
        return rescored_document(again)
    report = calibrate(settings, request, told, told.tell, DECODERS)
    calibration = report.manifest.calibration
    short = shortfall(calibration)
    for line in [
        *skipped_lines(report.skipped),
        *warning_lines(report.warnings),
        *doubtful_line(report.doubtful, calibration.count),
        *([] if short is None else [short]),
    ]:
        told.tell(line)
    return calibrated_document(report)


def _evaluate(settings: Settings, asked: Mapping[str, Any], told: Listener) -> dict[str, Any]:
    report = evaluate(settings, EvaluateRequest.model_validate(asked), told, told.tell, DECODERS)
    document = evaluated_document(report)
    for line in [*skipped_lines(report.skipped), evaluated_line(document)]:
        told.tell(line)
    return document


def _audit(settings: Settings, asked: Mapping[str, Any], told: Listener) -> dict[str, Any]:
    return audited_document(audit(settings, AuditRequest.model_validate(asked), told, told.tell))


_WORK: Final[dict[Kind, Callable[[Settings, Mapping[str, Any], Listener], dict[str, Any]]]] = {
    "teach": _teach,
    "update": _update,
    "rebuild": _rebuild,
    "calibrate": _calibrate,
    "compact": _compact,
    "evaluate": _evaluate,
    "audit": _audit,
}
