"""The use case of learning from a detection: it is accepted as normal, and that is undone again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from patchbank.bank.manifest import Manifest
from patchbank.bank.names import BankRef
from patchbank.bank.store import PatchStore
from patchbank.embedding.embedder import Embedder
from patchbank.errors import HistoryUnavailable, InvalidParameters, UnknownReference
from patchbank.history.actions import Action, Actions, already_undone
from patchbank.history.database import Database
from patchbank.history.detection import RecordedDetection
from patchbank.history.records import Records
from patchbank.history.rejudging import Judgement, RejudgedRecent, Rejudger
from patchbank.progress import SILENT, Progress
from patchbank.settings import Settings
from patchbank.teaching.acceptance import Acceptor, Picture, stays
from patchbank.teaching.teacher import TeachReport
from patchbank.teaching.withdrawer import Withdrawer, remarks_on
from patchbank.text import quoted

RECENT: Final = 50
"""Recent detections that a trial judges again where nothing else is asked for."""


@dataclass(frozen=True)
class TrialReport:
    """What accepting a detection would do. ``itself`` is what would be said of it then. ``recent`` are detections that
    were not passed, judged with the bank as it is and as it would be."""

    detection: RecordedDetection
    class_name: str
    version: str
    itself: Judgement
    recent: RejudgedRecent

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        flips = [row for row in self.recent.rows if row.flips]
        return {
            "detection_id": self.detection.id,
            "class_name": self.class_name,
            "version": self.version,
            "itself": self.itself.as_dict(),
            "looked_at": len(self.recent.rows),
            "without_picture": self.recent.without_picture,
            "failed": list(self.recent.failed),
            "flips": [row.as_dict() for row in flips],
            "confirmed_defects_hidden": sum(row.detection.word in ("correct", "missed") for row in flips),
            "changed": [row.as_dict() for row in self.recent.rows if not row.agrees and not row.flips],
        }


@dataclass(frozen=True)
class AcceptReport:
    """An acceptance: what was done, and the report of teaching. ``remarks`` are for people."""

    action: Action
    taught: TeachReport
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class UndoReport:
    """What was undone, and the ``version`` that serves now. ``activated``: it is the one that served before."""

    action: Action
    version: str
    activated: bool
    remarks: tuple[str, ...]


class Learner:
    """Turns what people say of detections into better banks, each time as a new version."""

    def __init__(self, settings: Settings, embedder: Embedder, store: PatchStore, database: Database) -> None:
        self._settings = settings
        self._store = store
        self._records = Records(database)
        self._actions = Actions(database)
        self._acceptor = Acceptor(settings, embedder, store)
        self._rejudger = Rejudger(settings, embedder, store, self._records)

    def trial(
        self, detection_id: str, class_name: str | None = None, *, recent: int = RECENT, progress: Progress = SILENT
    ) -> TrialReport:
        """What accepting a detection would do; nothing is changed. The class need be named only where the detection has
        none. Raises ``UnknownDetection``, ``PictureNotKept`` and ``AlreadyKnown``."""
        row, name, picture = self._picture(detection_id, class_name)
        source = self._acceptor.trial(name, picture)
        version = source.pointers().classes[name]
        others = [each for each in self._rejudger.recent(name, ("reject", "review"), recent + 1) if each.id != row.id]
        compared = self._rejudger.compare(others[:recent], name, version, source=source, progress=progress)
        return TrialReport(row, name, version, self._rejudger.judge(row, name, source=source), compared)

    def accept(
        self,
        detection_id: str,
        class_name: str | None = None,
        *,
        by: str = "",
        note: str = "",
        serve: bool = True,
        progress: Progress = SILENT,
    ) -> AcceptReport:
        """Let the class serve with the detection's picture among its references, and write down that it was a false
        alarm. Raises ``UnknownDetection``, ``PictureNotKept``, ``AlreadyKnown`` and the errors of teaching."""
        row, name, picture = self._picture(detection_id, class_name)
        report = self._acceptor.accept(name, picture, by=by, note=note, serve=serve, progress=progress)
        before = report.before
        assert before is not None  # noqa: S101  # a class was extended
        try:
            action = self._actions.add(
                "accepted",
                row.id,
                name,
                done_by=by,
                note=note,
                added=report.joined[0].image_id,
                before_version=before.version,
                version=report.manifest.version,
            )
        except HistoryUnavailable:
            self._take_back(report.manifest, before)
            raise
        if row.decision in ("review", "reject"):
            self._records.say(row.id, "false_alarm", note, by)
        return AcceptReport(action, report, tuple(stays(report)))

    def _take_back(self, made: Manifest, before: Manifest) -> None:
        """Let the version before serve: what is not written down cannot be undone by its id."""
        if self._store.active().get(made.class_name) == made.version:
            self._store.activate(before.ref)

    def undo(self, action_id: str, *, by: str = "", progress: Progress = SILENT) -> UndoReport:
        """Undo an action. Where the version that it made serves still, the one before serves again; else what it added
        is withdrawn from the version that serves now. Raises ``UnknownAction`` and ``AlreadyUndone``."""
        action = self._actions.action(action_id)
        if action.undone_at is not None:
            raise already_undone(action)
        name = action.class_name
        serving = self._store.bank(name).manifest.version
        remarks: list[str] = []
        activated = serving == action.version and action.before_version in self._store.versions(name)
        if activated:
            self._store.activate(BankRef(name, action.before_version))
            version = action.before_version
        else:
            version = self._taken_out(action, serving, remarks, progress)
        return UndoReport(self._actions.undone(action, by, version), version, activated, tuple(remarks))

    def _taken_out(self, action: Action, serving: str, remarks: list[str], progress: Progress) -> str:
        """The version that serves once what the action added is withdrawn."""
        withdrawer = Withdrawer(self._settings, self._store)
        try:
            report = withdrawer.withdraw(action.class_name, [action.added], progress=progress)
        except UnknownReference:
            remarks.append(f"{serving}, which serves, does not hold {action.added}: nothing was to be withdrawn")
            return serving
        remarks += remarks_on(report.manifest)
        return report.manifest.version

    def _picture(self, detection_id: str, class_name: str | None) -> tuple[RecordedDetection, str, Picture]:
        row = self._records.detection(detection_id)
        name = row.class_name or class_name
        if name is None:
            raise InvalidParameters("the detection is of no known product: name the class that it belongs to")
        if class_name not in (None, name):
            raise InvalidParameters(f"the detection is of {name!r}, not of {quoted(str(class_name))}")
        if row.frame_fault is not None:
            raise InvalidParameters(
                f"the picture is {row.frame_fault}: it shows a fault of the camera, and is no picture to learn from"
            )
        data = self._records.picture(detection_id)
        return row, name, Picture(data, row.file_name or f"{row.id}.png", row.id)
