"""One patch of an image, or of a recorded detection, beside its nearest normal patch."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Query, Request, UploadFile

from patchbank.answers.nearest import Comparison, NearestReference
from patchbank.api.detect import OnlyKnownFields, read_image
from patchbank.api.learning import learning
from patchbank.api.state import ApiState, state_of
from patchbank.api.waiting import Waiting, while_waiting
from patchbank.errors import InvalidParameters

router = APIRouter()


@router.post(
    "/detect/nearest",
    tags=["detection"],
    dependencies=[Depends(OnlyKnownFields("file", "class_name", "version", "x", "y", options=False))],
)
async def nearest(
    request: Request,
    file: Annotated[UploadFile, File()],
    class_name: Annotated[str, Form()],
    x: Annotated[
        float, Form(ge=0, allow_inf_nan=False, description="in pixels of the upright original, from the left")
    ],
    y: Annotated[float, Form(ge=0, allow_inf_nan=False, description="the same, from the top")],
    version: Annotated[str | None, Form(description="compare with this version, not with the serving one")] = None,
) -> Comparison:
    """Which normal patch the place (x, y) of an image is compared with, and how far it is from that. Nothing is
    recorded."""
    state = state_of(request)

    async def compared(waiting: Waiting) -> Comparison:
        data = await read_image(state, file)
        work = lambda: _compare(state, data, class_name, (int(x), int(y)), version or None)  # noqa: E731
        return await state.admission.run_for(waiting, work)

    return await while_waiting(request, state.settings.request_timeout_s, compared)


@router.get("/detections/{detection_id}/nearest", tags=["history"])
async def nearest_of_detection(
    request: Request,
    detection_id: str,
    x: Annotated[
        float | None, Query(ge=0, allow_inf_nan=False, description="a place; else the highest score's")
    ] = None,
    y: Annotated[float | None, Query(ge=0, allow_inf_nan=False)] = None,
) -> Comparison:
    """The same of a recorded detection whose picture is kept, with the version that judged it, or the serving one where
    that is no longer kept, which a warning says."""
    state = state_of(request)
    return await learning(state, lambda: _compare_recorded(state, detection_id, x, y))


def _compare_recorded(state: ApiState, detection_id: str, x: float | None, y: float | None) -> Comparison:
    row = state.history.records.detection(detection_id)
    if row.class_name is None:
        raise InvalidParameters("this detection is of no known product, so it was compared with no class")
    peak = next((region["peak"] for region in row.regions if "peak" in region), None)
    if x is not None and y is not None:
        place = int(x), int(y)
    elif x is None and y is None and peak is not None:
        place = int(peak[0]), int(peak[1])
    else:
        raise InvalidParameters("name a place with x and y: this detection has no region that tells its own")
    data = state.history.records.picture(detection_id)
    kept = row.version in state.inspector.store.versions(row.class_name)
    told = _compare(state, data, row.class_name, place, row.version if kept else None)
    if not kept:
        told.warnings.append(f"version {row.version}, which judged it, is no longer kept: {told.bank_version} is asked")
    return told


def _compare(state: ApiState, data: bytes, class_name: str, point: tuple[int, int], version: str | None) -> Comparison:
    begin = time.perf_counter()
    found = state.inspector.nearest(data, class_name, point, version=version)
    return Comparison(
        class_name=found.class_name,
        bank_version=found.bank_version,
        box=found.box,
        counts=found.counts,
        nearest=NearestReference(**asdict(found.nearest), source=found.source),
        processing_time_ms=round((time.perf_counter() - begin) * 1e3, 3),
        warnings=list(found.warnings),
    )
