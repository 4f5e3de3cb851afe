"""``POST /detect/nearest``: one patch of an image beside its nearest normal patch."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from pydantic import BaseModel, Field

from patchbank.api.detect import OnlyKnownFields, read_image
from patchbank.api.schemas import NearestPatchOut, Source
from patchbank.api.state import ApiState, state_of
from patchbank.api.waiting import Waiting, while_waiting

router = APIRouter(tags=["detection"])


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


@router.post(
    "/detect/nearest",
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
