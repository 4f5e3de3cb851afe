"""Recorded detections judged once more: by another version, or by banks as they would be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from patchbank.bank.store import PatchStore, ViewSource
from patchbank.embedding.embedder import Embedder
from patchbank.errors import PatchbankError, PictureNotKept, UnknownDetection
from patchbank.history.detection import RecordedDetection, label_of
from patchbank.history.records import Records
from patchbank.judging.decision import Decision
from patchbank.judging.inspector import Inspector
from patchbank.judging.verdict import Verdict
from patchbank.progress import SILENT, Progress
from patchbank.settings import Settings


@dataclass(frozen=True)
class Judgement:
    """What one version said, or says."""

    version: str
    decision: Decision
    reasons: tuple[str, ...]
    score: float
    threshold: float

    @classmethod
    def of(cls, verdict: Verdict) -> Judgement:
        """That of a verdict."""
        return cls(verdict.bank_version, verdict.decision, verdict.reasons, verdict.score, verdict.threshold)

    @classmethod
    def recorded(cls, row: RecordedDetection) -> Judgement | None:
        """That of a recorded detection; None where it has none."""
        if row.decision is None or row.version is None or row.score is None or row.threshold is None:
            return None
        return cls(row.version, row.decision, tuple(row.reasons), row.score, row.threshold)

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "version": self.version,
            "decision": self.decision,
            "reasons": list(self.reasons),
            "score": self.score,
            "threshold": self.threshold,
        }


@dataclass(frozen=True)
class Rejudged:
    """A recorded detection with two judgements."""

    detection: RecordedDetection
    before: Judgement
    after: Judgement

    @property
    def agrees(self) -> bool:
        """Whether both decide the same."""
        return self.before.decision == self.after.decision

    @property
    def flips(self) -> bool:
        """Whether an anomalous one becomes normal, or a normal one anomalous."""
        return (self.before.decision == "reject") != (self.after.decision == "reject")

    @property
    def hides_defect(self) -> bool:
        """Whether it becomes normal though people said that it is a defect."""
        return self.flips and self.after.decision != "reject" and label_of(self.detection) == "defect"

    @property
    def rejects_good(self) -> bool:
        """Whether it becomes anomalous though people said that it is good."""
        return self.flips and self.after.decision == "reject" and label_of(self.detection) == "good"

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "detection_id": self.detection.id,
            "at": self.detection.as_dict()["at"],
            "file_name": self.detection.file_name,
            "word": self.detection.word,
            "before": self.before.as_dict(),
            "after": self.after.as_dict(),
        }


@dataclass(frozen=True)
class RejudgedRecent:
    """Recent detections of a class with two judgements, newest first. So many could not be judged again:
    ``without_picture`` because their pictures are not kept, ``failed`` for other reasons, each told."""

    rows: tuple[Rejudged, ...]
    without_picture: int
    failed: tuple[str, ...]


class Rejudger:
    """Judges recorded pictures once more, as a request would, but for the test of frozen frames: the pictures did not
    come from the camera again."""

    def __init__(self, settings: Settings, embedder: Embedder, store: PatchStore, records: Records) -> None:
        self._inspector = Inspector(settings, embedder, store)  # not closed: its parts belong to the caller
        self._store = store
        self._records = records

    def judge(
        self, row: RecordedDetection, class_name: str, version: str | None = None, source: ViewSource | None = None
    ) -> Judgement:
        """What a version of a class, or the banks of ``source``, say of a recorded picture. Raises ``PictureNotKept``
        and the errors of ``Inspector.inspect``."""
        return self.judge_picture(self._records.picture(row.id), class_name, version, source)

    def judge_picture(
        self, data: bytes, class_name: str, version: str | None = None, source: ViewSource | None = None
    ) -> Judgement:
        """The same of the bytes of a picture. Raises the errors of ``Inspector.inspect``."""
        verdict = self._inspector.inspect(data, class_name, version=version, source=source).verdict
        assert verdict is not None  # noqa: S101  # a class was named
        return Judgement.of(verdict)

    def compare(
        self,
        rows: Sequence[RecordedDetection],
        class_name: str,
        before: str,
        after: str | None = None,
        source: ViewSource | None = None,
        progress: Progress = SILENT,
    ) -> RejudgedRecent:
        """These detections judged by the version ``before`` and by another one, or by the banks of ``source``. What
        ``before`` said when they were recorded is not asked again."""
        compared: list[Rejudged] = []
        failed: list[str] = []
        missing = 0
        steps = progress.begin("judging recent detections again", len(rows))
        for row in rows:
            try:
                known = None if row.own_rule or row.version != before else Judgement.recorded(row)
                then = known or self.judge(row, class_name, before)
                compared.append(Rejudged(row, then, self.judge(row, class_name, after, source)))
            except (PictureNotKept, UnknownDetection):
                missing += 1
            except PatchbankError as error:
                failed.append(f"{row.id}: {error.message} [{error.code}]")
            steps.advance()
        return RejudgedRecent(tuple(compared), missing, tuple(failed))
