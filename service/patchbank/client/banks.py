"""Requests about classes: references, known defects, versions."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import replace
from typing import Any

from patchbank.answers.classes import ClassDetail, ClassList
from patchbank.answers.defects import DefectAdded, DefectList, DefectRemoved
from patchbank.answers.drift import ClassDrift, DriftList
from patchbank.answers.references import Added, ReferenceList, ReferenceOut, Withdrawn
from patchbank.answers.sensitivity import Sensitivity
from patchbank.answers.versions import Activated, Pruned, VersionDiffOut, VersionList
from patchbank.client.call import Call, Pages, Pause, Script, Value, data, model, path
from patchbank.client.errors import ClientError
from patchbank.client.files import Image, part, parts

_PAGE = 1_000


def classes() -> Call[ClassList]:
    """All product classes with their active versions."""
    return Call("GET", "/classes", model(ClassList))


def show_class(class_name: str) -> Call[ClassDetail]:
    """One class: its bank, its thresholds and where they come from."""
    return Call("GET", path("classes", class_name), model(ClassDetail))


def sensitivity(class_name: str, *, version: str | None = None) -> Call[Sensitivity]:
    """Which thresholds so many false alarms per 1,000 good parts take."""
    return Call("GET", path("classes", class_name, "sensitivity"), model(Sensitivity), query={"version": version})


def references(class_name: str, *, version: str | None = None, page: int = _PAGE) -> Pages[ReferenceOut]:
    """The reference images of a class, by name; ``page`` of them are asked for at once."""
    where = path("classes", class_name, "references")
    first = Call("GET", where, model(ReferenceList), query={"version": version, "offset": 0, "limit": page})

    def after(call: Call[ReferenceList], answer: ReferenceList) -> Call[ReferenceList] | None:
        end = int(str(call.query["offset"])) + len(answer.references)
        if end >= answer.total or not answer.references:
            return None
        return replace(call, query={"version": answer.version, "offset": end, "limit": page})

    return Pages(first, lambda answer: answer.references, after)


def reference_thumbnail(class_name: str, image_id: str, *, version: str | None = None) -> Call[bytes]:
    """A reference image as JPEG, at most 512 pixels a side."""
    where = path("classes", class_name, "references", image_id, "thumbnail")
    return Call("GET", where, data, query={"version": version})


def add_references(class_name: str, images: Iterable[Image], **fields: Value) -> Call[Added]:
    """Add a few reference images; the next request is judged with them. ``fields`` are those of the form, such as
    ``note="camera 2"``."""
    where = path("classes", class_name, "references")
    return Call("POST", where, model(Added), fields=fields, files=parts("files", images))


def withdraw_reference(class_name: str, image_id: str, *, activate: bool = True) -> Call[Withdrawn]:
    """Withdraw a reference image; without ``activate`` the new version waits."""
    where = path("classes", class_name, "references", image_id)
    return Call("DELETE", where, model(Withdrawn), query={"activate": activate})


def defects(class_name: str, *, version: str | None = None) -> Call[DefectList]:
    """The known defects of a class."""
    return Call("GET", path("classes", class_name, "defects"), model(DefectList), query={"version": version})


def defect_thumbnail(class_name: str, defect_id: str, *, version: str | None = None) -> Call[bytes]:
    """The place of a known defect in its picture as JPEG, at most 160 pixels a side."""
    where = path("classes", class_name, "defects", defect_id, "thumbnail")
    return Call("GET", where, data, query={"version": version})


def add_defect(
    class_name: str, image: Image, name: str, *, mask: Image | None = None, **fields: Value
) -> Call[DefectAdded]:
    """Teach a class a defect that an image shows. ``fields`` are those of the form, such as ``box="40,20,30,30"``."""
    sent = [part("file", image)] if mask is None else [part("file", image), part("mask", mask)]
    told = {"name": name, **fields}
    return Call("POST", path("classes", class_name, "defects"), model(DefectAdded), fields=told, files=sent)


def remove_defect(class_name: str, defect_id: str, *, activate: bool = True) -> Call[DefectRemoved]:
    """Forget a known defect; without ``activate`` the new version waits."""
    where = path("classes", class_name, "defects", defect_id)
    return Call("DELETE", where, model(DefectRemoved), query={"activate": activate})


def versions(class_name: str) -> Call[VersionList]:
    """The versions of a class that are kept, oldest first."""
    return Call("GET", path("classes", class_name, "versions"), model(VersionList))


def diff(class_name: str, before: str, after: str | None = None, *, recent: int = 0) -> Call[VersionDiffOut]:
    """What changed from one version to another, else to the one that serves; and what both say of so many ``recent``
    detections."""
    query = {"before": before, "after": after, "recent": recent}
    return Call("GET", path("classes", class_name, "diff"), model(VersionDiffOut), query=query)


def activate(class_name: str, version: str) -> Call[Activated]:
    """Let a kept version serve; the next request is judged with it."""
    where = path("classes", class_name, "activate")
    return Call("POST", where, model(Activated), document={"version": version})


def roll_back(class_name: str) -> Script[Activated]:
    """Let the version serve that was made before the one that does. Raises ``ClientError`` where none is kept."""
    return Script(_rolling_back(class_name))


def _rolling_back(class_name: str) -> Generator[Call[Any] | Pause, Any, Activated]:
    kept: VersionList = yield versions(class_name)
    names = [str(each["version"]) for each in kept.versions]
    place = names.index(kept.active) if kept.active in names else 0
    if place == 0:
        raise ClientError(f"no version of {class_name} is kept that was made before the one that serves")
    activated: Activated = yield activate(class_name, names[place - 1])
    return activated


def prune(class_name: str, *, keep: int = 1) -> Call[Pruned]:
    """Remove all versions but the newest so many, and the one that serves. This cannot be undone."""
    return Call("POST", path("classes", class_name, "prune"), model(Pruned), query={"keep": keep})


def drift() -> Call[DriftList]:
    """Whether what the classes are shown is still what they were taught from."""
    return Call("GET", "/drift", model(DriftList))


def show_drift(class_name: str) -> Call[ClassDrift]:
    """The same of one class."""
    return Call("GET", path("classes", class_name, "drift"), model(ClassDrift))
