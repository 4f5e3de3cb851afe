"""Requests about what was judged, and what people say of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Literal

from patchbank.answers.actions import Accepted, ActionList, DefectLearnt, DryRun, Undone
from patchbank.answers.history import DetectionDetail, DetectionList, WordCounts
from patchbank.answers.nearest import Comparison
from patchbank.answers.overview import OverviewAnswer
from patchbank.client.call import Call, Pages, Stream, Value, data, model, path
from patchbank.history.action import Action
from patchbank.history.detection import RecordedDetection, Said, Word
from patchbank.judging.decision import Decision

Box = tuple[int, int, int, int]
"""Left, top, width, height in pixels."""


Status = Literal["ok", "unknown_product"]
AskedWord = Word | Literal["none", "any"]
"""A word that was said last; ``none``: nobody said any; ``any``: somebody did."""

Moment = datetime | str
"""A time, or how long ago, such as ``8h`` or ``7d``."""


def detections(
    *,
    class_name: str | None = None,
    status: Status | None = None,
    decision: Decision | None = None,
    word: AskedWord | None = None,
    version: str | None = None,
    asked_by: str | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    order: Literal["newest", "nearest"] = "newest",
    page: int = 100,
) -> Pages[RecordedDetection]:
    """What was judged, newest first, or ``nearest`` to the threshold first; ``page`` of them are asked for at once."""
    query = _selected(class_name, status, decision, word, version, asked_by, since, until)
    query.update(order=order, limit=page)

    def after(call: Call[DetectionList], answer: DetectionList) -> Call[DetectionList] | None:
        return None if answer.after is None else replace(call, query={**query, "after": answer.after})

    return Pages(Call("GET", "/detections", model(DetectionList), query=query), lambda answer: answer.detections, after)


def counts(
    *,
    class_name: str | None = None,
    status: Status | None = None,
    decision: Decision | None = None,
    word: AskedWord | None = None,
    version: str | None = None,
    asked_by: str | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
) -> Call[WordCounts]:
    """Numbers of detections per class, decision and word."""
    query = _selected(class_name, status, decision, word, version, asked_by, since, until)
    return Call("GET", "/detections/counts", model(WordCounts), query=query)


def export(
    file_format: Literal["csv", "json"] = "csv",
    *,
    class_name: str | None = None,
    status: Status | None = None,
    decision: Decision | None = None,
    word: AskedWord | None = None,
    version: str | None = None,
    asked_by: str | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
) -> Stream[bytes]:
    """All that was judged, newest first, as one file: its bytes, piece by piece, however large it is. Regions and
    warnings are in JSON alone. Raises ``Unreachable`` where it breaks off."""
    query = _selected(class_name, status, decision, word, version, asked_by, since, until)
    query["format"] = file_format
    return Stream(Call("GET", "/detections/export", data, query=query), lambda: lambda piece: (piece,))


def overview(*, hours: float = 24, bucket: int = 60, class_name: str | None = None) -> Call[OverviewAnswer]:
    """Numbers of images and their times per class, in stretches of ``bucket`` minutes."""
    query: dict[str, Value] = {"hours": hours, "bucket": bucket, "class_name": class_name}
    return Call("GET", "/overview", model(OverviewAnswer), query=query)


def show_detection(detection_id: str) -> Call[DetectionDetail]:
    """One detection, and all that was said of it."""
    return Call("GET", path("detections", detection_id), model(DetectionDetail))


def detection_thumbnail(detection_id: str) -> Call[bytes]:
    """Its picture as JPEG, at most 256 pixels a side."""
    return Call("GET", path("detections", detection_id, "thumbnail"), data)


def detection_map(detection_id: str) -> Call[bytes]:
    """Its anomaly map as a small PNG, a pixel a patch: score = grey value / 255 x 2 x ``pixel_threshold``. ``map`` of
    ``show_detection`` is None where none is kept."""
    return Call("GET", path("detections", detection_id, "map"), data)


def detection_picture(detection_id: str) -> Call[bytes]:
    """The file that was sent, as far as it is kept."""
    return Call("GET", path("detections", detection_id, "picture"), data)


def nearest_of_detection(detection_id: str, x: float | None = None, y: float | None = None) -> Call[Comparison]:
    """A place of its picture, else that of the highest score, beside its nearest normal patch."""
    return Call("GET", path("detections", detection_id, "nearest"), model(Comparison), query={"x": x, "y": y})


def say(detection_id: str, word: Word, *, comment: str = "", by: str = "") -> Call[Said]:
    """Say what a verdict was: right, a false alarm, a missed defect, or that one cannot tell. The last word counts."""
    document = {"word": word, "comment": comment, "by": by}
    return Call("POST", path("detections", detection_id, "words"), model(Said), document=document)


def accept_dry_run(detection_id: str, *, class_name: str | None = None, recent: int = 50) -> Call[DryRun]:
    """What would change if a detection were accepted as normal."""
    where = path("detections", detection_id, "accept", "dry-run")
    return Call("POST", where, model(DryRun), document={"class_name": class_name, "recent": recent})


def accept(
    detection_id: str, *, class_name: str | None = None, note: str = "", by: str = "", activate: bool = True
) -> Call[Accepted]:
    """Accept a detection as normal: its picture joins the references. ``undo`` goes back."""
    document = {"class_name": class_name, "note": note, "by": by, "activate": activate}
    return Call("POST", path("detections", detection_id, "accept"), model(Accepted), document=document)


def defect_dry_run(
    detection_id: str, name: str, *, class_name: str | None = None, box: Box | None = None, recent: int = 50
) -> Call[DryRun]:
    """What would change if the defect that a detection shows were known."""
    where = path("detections", detection_id, "defect", "dry-run")
    document = {"name": name, "class_name": class_name, "box": box, "recent": recent}
    return Call("POST", where, model(DryRun), document=document)


def learn_defect(
    detection_id: str,
    name: str,
    *,
    class_name: str | None = None,
    box: Box | None = None,
    note: str = "",
    by: str = "",
    activate: bool = True,
) -> Call[DefectLearnt]:
    """Say that a detection shows a defect that must be found. ``undo`` goes back."""
    document = {"name": name, "class_name": class_name, "box": box, "note": note, "by": by, "activate": activate}
    return Call("POST", path("detections", detection_id, "defect"), model(DefectLearnt), document=document)


def actions(*, class_name: str | None = None, detection_id: str | None = None, limit: int = 100) -> Call[ActionList]:
    """What was learnt from detections, newest first."""
    query: dict[str, Value] = {"class_name": class_name, "detection_id": detection_id, "limit": limit}
    return Call("GET", "/actions", model(ActionList), query=query)


def show_action(action_id: str) -> Call[Action]:
    """One of them."""
    return Call("GET", path("actions", action_id), model(Action))


def undo(action_id: str, *, by: str = "") -> Call[Undone]:
    """Undo an action."""
    return Call("POST", path("actions", action_id, "undo"), model(Undone), document={"by": by})


def _selected(
    class_name: str | None,
    status: Status | None,
    decision: Decision | None,
    word: AskedWord | None,
    version: str | None,
    asked_by: str | None,
    since: Moment | None,
    until: Moment | None,
) -> dict[str, Value]:
    """The query of a filter; what is None does not count."""
    return {
        "class_name": class_name,
        "status": status,
        "decision": decision,
        "word": word,
        "version": version,
        "asked_by": asked_by,
        "since": since,
        "until": until,
    }
