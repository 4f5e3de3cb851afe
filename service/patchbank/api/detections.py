"""``/detections``: what was judged, and what people say of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from patchbank.answers.history import DetectionDetail, DetectionList, WordCount, WordCounts
from patchbank.api.caller import caller_of
from patchbank.api.state import state_of
from patchbank.errors import InvalidParameters
from patchbank.history.detection import RecordedDetection, Said, Word
from patchbank.history.export import Format, as_csv, as_json
from patchbank.history.records import Records
from patchbank.history.selection import Order, Page, Selection
from patchbank.jobs.choices import wrong_fields

router = APIRouter(prefix="/detections", tags=["history"])

_TYPES: Final[dict[Format, str]] = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
_KINDS: Final = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"II*\0": "image/tiff", b"MM\0*": "image/tiff"}
_COMMENT: Final = 2_000


class WordForm(BaseModel):
    """What a person says of a verdict."""

    model_config = ConfigDict(extra="forbid")

    word: Word
    comment: str = Field(default="", max_length=_COMMENT)
    by: str = Field(
        default="", max_length=200, description="who says it; where keys are asked for it is the key's name"
    )


def selected(
    class_name: str | None = None,
    status: Annotated[str | None, Query(description="`ok`, or `unknown_product`")] = None,
    decision: Annotated[str | None, Query(description="`pass`, `review` or `reject`")] = None,
    word: Annotated[
        str | None,
        Query(
            description="what people said of it last: `correct`, `false_alarm`, `missed` or `unsure`; `none`: nobody "
            "said anything; `any`: somebody did"
        ),
    ] = None,
    version: str | None = None,
    asked_by: Annotated[str | None, Query(description="the name of an API key")] = None,
    since: Annotated[
        str | None, Query(description="from this time on (UTC where it names no zone), or `30min`, `8h`, `7d` ago")
    ] = None,
    until: Annotated[str | None, Query(description="before this time")] = None,
) -> Selection:
    """The filter that the query asks for. Raises ``InvalidParameters``."""
    given = {
        "class_name": class_name,
        "status": status,
        "decision": decision,
        "word": word,
        "version": version,
        "asked_by": asked_by,
        "since": since,
        "until": until,
    }
    try:
        return Selection.model_validate({name: value for name, value in given.items() if value})
    except ValidationError as error:
        wrong = wrong_fields(error)
        raise InvalidParameters("; ".join(f"{name}: {text}" for name, text in wrong.items()), **wrong) from None


Selected = Annotated[Selection, Depends(selected)]


@router.get("")
def list_detections(
    request: Request,
    selection: Selected,
    order: Annotated[
        Order,
        Query(
            description="`newest` first; or those whose score is `nearest` to the threshold, of which nobody has said "
            "anything unless `word` asks for others: the review queue"
        ),
    ] = "newest",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str | None, Query(description="the end of the page before, as that page told it")] = None,
) -> DetectionList:
    """What was judged, a page of it."""
    told = _records(request).page(selection, Page(order=order, limit=limit, after=after))
    return DetectionList(detections=told.detections, after=told.after)


@router.get("/counts")
def count_detections(request: Request, selection: Selected) -> WordCounts:
    """How many were decided how, per class, and what people said of them."""
    return WordCounts(counts=[WordCount(**row) for row in _records(request).counts(selection)])


@router.get("/export", response_class=StreamingResponse)
def export_detections(
    request: Request,
    selection: Selected,
    format: Annotated[Format, Query()] = "csv",  # noqa: A002  # a query's name
) -> StreamingResponse:
    """All that is asked for, newest first, as one file. Regions and warnings are in JSON alone."""
    rows = _started(_records(request).all(selection))
    headers = {"Content-Disposition": f'attachment; filename="detections.{format}"'}
    return StreamingResponse((as_csv if format == "csv" else as_json)(rows), media_type=_TYPES[format], headers=headers)


@router.get("/{detection_id}")
def show_detection(request: Request, detection_id: str) -> DetectionDetail:
    """One detection, and what was said of it."""
    records = _records(request)
    return DetectionDetail(
        detection=records.detection(detection_id),
        words=records.words(detection_id),
        map=f"/detections/{detection_id}/map" if records.has_map(detection_id) else None,
    )


@router.get("/{detection_id}/thumbnail", response_class=Response)
def thumbnail(request: Request, detection_id: str) -> Response:
    """Its picture as JPEG, at most 256 pixels a side."""
    return Response(_records(request).thumbnail(detection_id), media_type="image/jpeg")


@router.get("/{detection_id}/map", response_class=Response)
def anomaly_map(request: Request, detection_id: str) -> Response:
    """Its anomaly map as a small PNG, a pixel a patch, in 8-bit grey: score = value / 255 x 2 x `pixel_threshold`, so
    that the threshold is mid-scale; 255 is so much or more, and 0 where nothing was inspected."""
    return Response(_records(request).map(detection_id), media_type="image/png")


@router.get("/{detection_id}/picture", response_class=Response)
def picture(request: Request, detection_id: str) -> Response:
    """The file that was sent, as far as it is kept."""
    data = _records(request).picture(detection_id)
    kind = next((kind for begin, kind in _KINDS.items() if data.startswith(begin)), "application/octet-stream")
    headers = {"X-Content-Type-Options": "nosniff"}
    return Response(data, media_type=kind, headers=headers)


@router.post("/{detection_id}/words", status_code=201)
def say(request: Request, detection_id: str, said: WordForm) -> Said:
    """Say what a verdict was: right, a false alarm, a missed defect, or that one cannot tell. The last word counts."""
    return _records(request).say(detection_id, said.word, said.comment, caller_of(request) or said.by)


def _records(request: Request) -> Records:
    return state_of(request).history.records


def _started(rows: Iterator[RecordedDetection]) -> Iterator[RecordedDetection]:
    """The same rows, with the first one read: so an error is an answer, not the end of one that has begun."""
    first = next(rows, None)

    def again() -> Iterator[RecordedDetection]:
        if first is not None:
            yield first
            yield from rows

    return again()
