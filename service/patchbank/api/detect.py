"""``POST /detect`` and ``POST /detect/batch``."""

from __future__ import annotations

import inspect
import io
import shutil
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from typing import IO, Annotated, Final

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile

from patchbank.answers.detection import BatchAnswer, BatchDetection, Detection, FailedDetection, GreyValues
from patchbank.answers.errors import ErrorBody
from patchbank.api.caller import caller_of
from patchbank.api.errors import error_body
from patchbank.api.form_fields import check_fields
from patchbank.api.in_order import in_order
from patchbank.api.json_answer import JsonAnswer, json_with
from patchbank.api.request_id import current_request_id
from patchbank.api.state import ApiState, state_of
from patchbank.api.waiting import Waiting, while_waiting
from patchbank.errors import ImageTooLarge, InvalidParameters, PatchbankError
from patchbank.history.recorder import Asked
from patchbank.judging.verdict import Inspection
from patchbank.scoring.heatmap import GREY_STEP, MapFormat, render

router = APIRouter(tags=["detection"])


class Options:
    """Form fields that both endpoints take."""

    def __init__(
        self,
        class_name: Annotated[str | None, Form(description="skip class retrieval")] = None,
        version: Annotated[
            str | None, Form(description="judge with this version of the named class, not with the serving one")
        ] = None,
        threshold: Annotated[float | None, Form(ge=0, le=2, description="instead of the calibrated one")] = None,
        pixel_threshold: Annotated[
            float | None, Form(ge=0, le=2, description="for the map alone; else threshold, else the calibrated one")
        ] = None,
        map_format: Annotated[MapFormat, Form()] = "heatmap",
        explain: Annotated[bool, Form(description="name the nearest normal patch of every region")] = False,
    ) -> None:
        self.class_name = class_name or None
        self.version = version or None
        self.threshold = threshold
        self.pixel_threshold = pixel_threshold
        self.map_format: MapFormat = map_format
        self.explain = explain


_IN_MEMORY: Final = 16_000_000
"""Bytes of a batch's answer that are held in memory; one with maps may be larger by far."""

_RESULTS: Final = b'{"results":['

Form_ = Annotated[Options, Depends()]

_NOT_RECORDED: Final = "this detection was not recorded: the history does not answer (the service's log says why)"

_GREY_VALUES: Final = GreyValues(scale=GREY_STEP, offset=0.0)

_OPTIONS: Final = tuple(inspect.signature(Options).parameters)


class OnlyKnownFields:
    """Refuses a form with a field that the endpoint does not have, or with two of one that counts once.

    Such a field would be passed over otherwise: an image would not be judged, or not as asked. ``singles`` are the
    endpoint's own fields beside ``Options``, ``lists`` those that may come several times. An endpoint without
    ``options`` has its own fields alone.
    """

    def __init__(self, *singles: str, lists: tuple[str, ...] = (), options: bool = True) -> None:
        self._singles = (*singles, *(_OPTIONS if options else ()))
        self._lists = lists

    async def __call__(self, request: Request) -> None:
        form = await request.form()
        sent = [name for name, _ in form.multi_items()]
        more = "; several images go to /detect/batch, as files"
        check_fields(sent, request.query_params, self._singles, self._lists, more)


@router.post(
    "/detect",
    response_model=Detection,
    dependencies=[Depends(OnlyKnownFields("file", "return_map"))],
)
async def detect(
    request: Request,
    file: Annotated[UploadFile, File()],
    options: Form_,
    return_map: Annotated[bool, Form()] = True,
) -> JsonAnswer:
    """Judge one image. Without ``class_name`` the product is found by class retrieval."""
    state = state_of(request)
    asked = _asked(request, file, options)

    async def judged(waiting: Waiting) -> IO[bytes]:
        data = await read_image(state, file)
        return await state.admission.run_for(
            waiting, lambda: _judge(state, data, options, return_map, asked).document()
        )

    return JsonAnswer(await while_waiting(request, state.settings.request_timeout_s, judged))


@router.post(
    "/detect/batch",
    response_model=BatchAnswer,
    dependencies=[Depends(OnlyKnownFields("return_maps", lists=("files",)))],
)
async def detect_batch(
    request: Request,
    files: Annotated[list[UploadFile], File()],
    options: Form_,
    return_maps: Annotated[bool, Form()] = False,
) -> JsonAnswer:
    """Judge several images; one that can't be judged does not fail the others."""
    state = state_of(request)
    if len(files) > state.settings.max_batch:
        raise InvalidParameters(
            f"{len(files)} files, the limit is {state.settings.max_batch}", limit=state.settings.max_batch
        )
    begin = time.perf_counter()
    document: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  # the answer closes it
    document.write(_RESULTS)

    async def judged(waiting: Waiting) -> None:
        works = [partial(_judge_one, waiting, request, file, options, return_maps) for file in files]
        await in_order(works, state.admission.concurrency, partial(_append, document))

    try:
        await while_waiting(request, state.settings.request_timeout_s, judged)
    except BaseException:
        document.close()
        raise
    spent = (time.perf_counter() - begin) * 1e3
    rest = BatchAnswer(results=[], total_images=len(files), total_time_ms=spent, avg_time_ms=spent / max(1, len(files)))
    document.write(b"]")
    document.write(b"," + rest.model_dump_json(exclude={"results"}).encode()[1:])
    return JsonAnswer(document)


@dataclass(frozen=True)
class _Judged:
    """The answer for an image, but for the picture of its map, a PNG."""

    answer: Detection
    picture: bytes | None

    def document(self) -> IO[bytes]:
        return self._with(self.answer)

    def of_batch(self, file_name: str | None) -> IO[bytes]:
        return self._with(BatchDetection(**dict(self.answer), file_name=file_name))

    def _with(self, answer: Detection) -> IO[bytes]:
        pictures = {} if self.picture is None else {"anomaly_map_base64": self.picture}
        return io.BytesIO(b"".join(json_with(answer, pictures)))


async def _judge_one(
    waiting: Waiting, request: Request, file: UploadFile, options: Options, return_maps: bool
) -> IO[bytes]:
    """The answer for one image of a batch, or what is wrong with it."""
    state = state_of(request)
    asked = _asked(request, file, options)
    try:
        data = await read_image(state, file)
        return await state.admission.run_for(
            waiting, lambda: _judge(state, data, options, return_maps, asked).of_batch(file.filename)
        )
    except PatchbankError as error:
        state.metrics.failed(error.code)
        failed = FailedDetection(file_name=file.filename, error=ErrorBody(**error_body(request, error)))
        return io.BytesIO(failed.model_dump_json().encode())


def _append(document: IO[bytes], result: IO[bytes]) -> None:
    if document.tell() > len(_RESULTS):
        document.write(b",")
    shutil.copyfileobj(result, document)


async def read_image(state: ApiState, file: UploadFile) -> bytes:
    """The bytes of an image that was sent. Raises ``ImageTooLarge``."""
    limit = state.settings.max_upload_mb
    if file.size is not None and file.size > limit * 1e6:
        raise ImageTooLarge(f"{file.filename}: {file.size / 1e6:.1f} MB, the limit is {limit:g} MB")
    return await file.read()


def _asked(request: Request, file: UploadFile, options: Options) -> Asked:
    own_rule = options.version is not None or options.threshold is not None
    return Asked(file.filename or "", caller_of(request), current_request_id(), own_rule)


def _judge(state: ApiState, data: bytes, options: Options, return_map: bool, asked: Asked) -> _Judged:
    begin = time.perf_counter()
    inspection = state.inspector.inspect(
        data,
        options.class_name,
        version=options.version,
        threshold=options.threshold,
        pixel_threshold=options.pixel_threshold,
        explain=options.explain,
    )
    picture = _picture(inspection, options.map_format) if return_map else None
    rendered = time.perf_counter()
    recorded = state.history.recorder.try_to_record(inspection, data, asked) if state.history.on else None
    done = time.perf_counter()
    timings = {
        **inspection.timings_ms,
        "render": (rendered - begin) * 1e3 - sum(inspection.timings_ms.values()),
        "record": (done - rendered) * 1e3,
    }
    told = {
        **inspection.as_dict(),
        "anomaly_map_base64": None,
        "grey_values": _GREY_VALUES if picture is not None and options.map_format == "gray16" else None,
        "timings_ms": {stage: round(ms, 3) for stage, ms in timings.items()},
        "processing_time_ms": round((done - begin) * 1e3, 3),
        "detection_id": recorded,
    }
    if recorded is not None:
        state.feed.recorded()
    if recorded is not None and not asked.own_rule:
        state.shadowing.offer(recorded, inspection, data)
    if state.history.on and recorded is None:
        told["warnings"].append(_NOT_RECORDED)
        state.metrics.not_recorded()
    if options.class_name:
        told["class_confidence"] = None  # nobody voted
    answer = Detection(**told)
    verdict = inspection.verdict
    ratio = verdict.score_ratio if verdict else None
    state.metrics.judged(answer.class_name, answer.decision, timings, ratio)
    if answer.frame_fault is not None:
        state.metrics.bad_frame(answer.frame_fault)
    return _Judged(answer, picture)


def _picture(inspection: Inspection, kind: MapFormat) -> bytes | None:
    verdict = inspection.verdict
    if verdict is None:
        return None
    regions = [explained.region for explained in verdict.regions]
    return render(kind, verdict.map, verdict.pixel_threshold, inspection.image.pixels, regions, verdict.inspected)
