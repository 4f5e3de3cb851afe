"""What was judged, and what people say of it."""

from __future__ import annotations

from pydantic import BaseModel, Field

from patchbank.history.detection import RecordedDetection, Said, Word
from patchbank.judging.decision import Decision


class DetectionList(BaseModel):
    """A page of detections."""

    detections: list[RecordedDetection]
    after: str | None = Field(description="pass it to have the next page; null: this is the last one")


class DetectionDetail(BaseModel):
    """One detection, with all that was said of it."""

    detection: RecordedDetection
    words: list[Said]
    map: str | None = Field(description="path of its small anomaly map; null where none is kept")


class WordCount(BaseModel):
    """So many detections of a class were decided so, and people said that of them."""

    class_name: str | None
    decision: Decision | None
    word: Word | None
    detections: int
    bad_frames: int = Field(description="of these, pictures of a camera that did not work")


class WordCounts(BaseModel):
    """Numbers of detections."""

    counts: list[WordCount]


class DetectionEvent(BaseModel):
    """The data of an event ``detection``; its id is that of the detection."""

    detection: RecordedDetection
    thumbnail: str = Field(description="path of its picture as JPEG, at most 256 pixels a side")
    picture: str | None = Field(description="path of the file that was sent; null where it is not kept")


class GapEvent(BaseModel):
    """The data of an event ``gap``: more was missed than is told again."""

    after: str = Field(description="the id that Last-Event-ID named")
    told: int = Field(description="so many of the newest follow; GET /detections has the others")
