"""The use case of learning from a detection: it is accepted as normal, or becomes a known defect; both are undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from patchbank.bank.manifest import Manifest
from patchbank.bank.names import BankRef
from patchbank.bank.store import PatchStore, ViewSource
from patchbank.bank.view import View
from patchbank.bank.widened import ChangedSource, RedescribedBank
from patchbank.embedding.embedder import Embedder
from patchbank.errors import HistoryUnavailable, InvalidParameters, UnknownDefect, UnknownReference
from patchbank.history.action import Action, Kind
from patchbank.history.actions import Actions, already_undone
from patchbank.history.database import Database
from patchbank.history.detection import RecordedDetection
from patchbank.history.records import Records
from patchbank.history.rejudging import Rejudger
from patchbank.history.trial import RECENT, TrialReport
from patchbank.judging.decision import Decision
from patchbank.progress import SILENT, Progress
from patchbank.settings import Settings
from patchbank.teaching.acceptance import Acceptor, Picture, stays
from patchbank.teaching.defect_list import remove_defect
from patchbank.teaching.defect_teacher import DefectFacts, DefectReport, DefectTeacher
from patchbank.teaching.roi_drawing import Box
from patchbank.teaching.teacher import TeachReport
from patchbank.teaching.withdrawer import Withdrawer, remarks_on
from patchbank.text import quoted


@dataclass(frozen=True)
class AcceptReport:
    """An acceptance: what was done, and the report of teaching. ``remarks`` are for people."""

    action: Action
    taught: TeachReport
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class DefectLearntReport:
    """A detection that joined the known defects: what was done, and the report of teaching it."""

    action: Action
    taught: DefectReport


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
        self._defects = DefectTeacher(settings, embedder, store)
        self._rejudger = Rejudger(settings, embedder, store, self._records)

    def trial(
        self, detection_id: str, class_name: str | None = None, *, recent: int = RECENT, progress: Progress = SILENT
    ) -> TrialReport:
        """What accepting a detection would do; nothing is changed. The class need be named only where the detection has
        none. Raises ``UnknownDetection``, ``PictureNotKept`` and ``AlreadyKnown``."""
        row, name, picture = self._picture(detection_id, class_name)
        source = self._acceptor.trial(name, picture)
        return self._tried(row, name, source, ("reject", "review"), recent, progress)

    def defect_trial(
        self,
        detection_id: str,
        name: str,
        class_name: str | None = None,
        *,
        box: Box | None = None,
        recent: int = RECENT,
        progress: Progress = SILENT,
    ) -> TrialReport:
        """What learning a detection's defect would do: which recent detections that were not rejected would be. Nothing
        is changed. Raises what ``learn_defect`` raises."""
        row, class_name, picture = self._picture(detection_id, class_name)
        view = View(self._store)
        bank = view.bank(class_name)
        proposal = self._defects.proposed(bank, picture.data, DefectFacts(name), box=box)
        manifest = bank.manifest.model_copy(update={"defects": (*bank.manifest.defects, proposal.record)})
        source = ChangedSource(self._store, view.pointers, RedescribedBank(bank, manifest))
        return self._tried(row, class_name, source, ("pass", "review"), recent, progress)

    def _tried(
        self,
        row: RecordedDetection,
        class_name: str,
        source: ViewSource,
        decisions: Sequence[Decision],
        recent: int,
        progress: Progress,
    ) -> TrialReport:
        version = source.pointers().classes[class_name]
        others = [each for each in self._records.newest(class_name, decisions, recent + 1) if each.id != row.id]
        compared = self._rejudger.compare(others[:recent], class_name, version, source=source, progress=progress)
        return TrialReport(row, class_name, version, self._rejudger.judge(row, class_name, source=source), compared)

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
        added = report.joined[0].image_id
        action = self._written("accepted", row, before, report.manifest, added=added, done_by=by, note=note)
        if row.decision in ("review", "reject"):
            self._records.say(row.id, "false_alarm", note, by)
        return AcceptReport(action, report, tuple(stays(report)))

    def learn_defect(
        self,
        detection_id: str,
        name: str,
        class_name: str | None = None,
        *,
        box: Box | None = None,
        by: str = "",
        note: str = "",
        serve: bool = True,
    ) -> DefectLearntReport:
        """Let the class know the defect that a detection shows, under a name, and write down that the verdict was
        right, or that the defect was missed. ``box`` (left, top, width, height, in pixels) says where it is. Raises
        ``UnknownDetection``, ``PictureNotKept`` and the errors of ``DefectTeacher.add``."""
        row, class_name, picture = self._picture(detection_id, class_name)
        facts = DefectFacts(name, by, note, picture.detection_id)
        report = self._defects.add(class_name, picture.data, facts, box=box, serve=serve)
        added = report.defect.id
        action = self._written("defect", row, report.before, report.manifest, added=added, done_by=by, note=note)
        self._records.say(
            row.id, "correct" if row.decision == "reject" else "missed", f"{name}: {note}" if note else name, by
        )
        return DefectLearntReport(action, report)

    def _written(self, kind: Kind, row: RecordedDetection, before: Manifest, made: Manifest, **facts: str) -> Action:
        """Write down what was done. Where that fails the version before serves again: what is not written down cannot
        be undone by its id."""
        versions = {"before_version": before.version, "version": made.version}
        try:
            return self._actions.add(kind, row.id, made.class_name, **versions, **facts)
        except HistoryUnavailable:
            if self._store.active().get(made.class_name) == made.version:
                self._store.activate(before.ref)
            raise

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
        try:
            if action.kind == "defect":
                return remove_defect(self._store, action.class_name, action.added).manifest.version
            withdrawer = Withdrawer(self._settings, self._store)
            report = withdrawer.withdraw(action.class_name, [action.added], progress=progress)
        except (UnknownReference, UnknownDefect):
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
