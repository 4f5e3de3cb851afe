"""A detection as the history keeps it, and what people may say of one."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timezone
from typing import Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from patchbank.errors import InvalidParameters
from patchbank.judging.decision import Decision
from patchbank.scoring.frame_fault import FrameFault

Word = Literal["correct", "false_alarm", "missed", "unsure"]
"""What a person says of a verdict: it was right; the part is good; the part has a defect; they cannot tell."""

WORDS: Final[tuple[Word, ...]] = get_args(Word)

Label = Literal["defect", "good"]
"""What people said of a part."""

_TIME_DIGITS: Final = 12
_RANDOM_BYTES: Final = 10
_ID: Final = re.compile(rf"[0-9a-f]{{{_TIME_DIGITS + 2 * _RANDOM_BYTES}}}")


class RecordedDetection(BaseModel):
    """One detection. Without a verdict (an unknown product) what belongs to one is null."""

    model_config = ConfigDict(frozen=True)

    id: str
    at: datetime
    status: Literal["ok", "unknown_product"]
    class_name: str | None
    version: str | None = Field(description="the bank version that judged")
    decision: Decision | None
    reasons: list[str]
    frame_fault: FrameFault | None
    score: float | None
    threshold: float | None
    review_threshold: float | None
    pixel_threshold: float | None
    p_value: float | None
    similarity: float | None = Field(description="of its CLS embedding to the nearest reference of the class, -1..1")
    brightness: float | None = Field(description="mean luminance of the picture, 0..255")
    margin: float | None = Field(description="how near the score was to the threshold: |score / threshold - 1|")
    class_confidence: float | None
    anomaly_percentage: float | None
    regions: list[dict[str, Any]]
    warnings: list[str]
    file_name: str
    image_id: str
    width: int
    height: int
    asked_by: str = Field(description="the name of the API key; empty where none was asked for")
    request_id: str
    own_rule: bool = Field(description="the caller gave a threshold or a version, so it is not the class's own verdict")
    backbone: str
    milliseconds: float
    word: Word | None = Field(description="what people said of it last; null: nobody did")
    picture_bytes: int = Field(description="size of the picture that is kept; 0: none is")

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return self.model_dump(mode="json")


class Said(BaseModel):
    """What a person said of a detection."""

    model_config = ConfigDict(frozen=True)

    id: str
    detection_id: str
    word: Word
    comment: str
    said_by: str
    said_at: datetime


def new_id(at: datetime) -> str:
    """An id that nobody else makes; ids are in the order of their time, to the millisecond."""
    return first_id(at) + secrets.token_hex(_RANDOM_BYTES)


def first_id(at: datetime) -> str:
    """What lies before all ids of that moment and after all earlier ones."""
    since_1970 = int(at.astimezone(timezone.utc).timestamp() * 1e3)
    return f"{max(0, since_1970):0{_TIME_DIGITS}x}"


def time_of(detection_id: str) -> datetime:
    """The moment in an id. Raises ``InvalidParameters`` where it is none."""
    if not _ID.fullmatch(detection_id):
        raise InvalidParameters("this is no id of a detection")
    try:
        return datetime.fromtimestamp(int(detection_id[:_TIME_DIGITS], 16) / 1e3, timezone.utc)
    except (ValueError, OverflowError, OSError):
        raise InvalidParameters("this is no id of a detection") from None


def utc_now() -> datetime:
    """This moment."""
    return datetime.now(timezone.utc)


def label_of(row: RecordedDetection) -> Label | None:
    """What the last word says of the part: ``missed``, or ``correct`` of a rejected one, is a defect; ``false_alarm``,
    or ``correct`` of a passed one, is good. None where it says neither, and where the camera did not work."""
    if row.frame_fault is not None:
        return None
    if row.word == "missed" or (row.word == "correct" and row.decision == "reject"):
        return "defect"
    if row.word == "false_alarm" or (row.word == "correct" and row.decision == "pass"):
        return "good"
    return None


def check_word(word: Word, decision: Decision | None) -> None:
    """Raise ``InvalidParameters`` for a word that contradicts what was decided: a part that passed was no alarm, and
    one that was rejected was not missed."""
    if word == "false_alarm" and decision not in ("review", "reject"):
        raise InvalidParameters("it was no alarm, so it cannot be a false one: say correct, missed or unsure")
    if word == "missed" and decision == "reject":
        raise InvalidParameters("it was rejected, so its defect was not missed: say correct, false_alarm or unsure")
