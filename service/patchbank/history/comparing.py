"""Two versions compared on the recent detections of their class."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa

from patchbank.bank.store import PatchStore
from patchbank.embedding.embedder import Embedder
from patchbank.history.database import Database
from patchbank.history.detection import RecordedDetection
from patchbank.history.records import Records
from patchbank.history.rejudging import Rejudged, RejudgedRecent, Rejudger
from patchbank.history.tables import DETECTIONS
from patchbank.progress import SILENT, Progress
from patchbank.settings import Settings

MOST: Final = 500
"""Detections that are compared at most."""


@dataclass(frozen=True)
class RecentComparison:
    """What both versions say of the newest ``asked`` detections whose pictures are kept. ``without_picture`` are those
    of the same time whose pictures are not."""

    asked: int
    judged: RejudgedRecent

    @property
    def changed(self) -> list[Rejudged]:
        """Those that they decide differently, newest first."""
        return [row for row in self.judged.rows if not row.agrees]

    @property
    def decisions(self) -> dict[tuple[str, str], int]:
        """How often each pair of decisions came."""
        return dict(sorted(Counter((row.before.decision, row.after.decision) for row in self.judged.rows).items()))

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "asked": self.asked,
            "looked_at": len(self.judged.rows),
            "without_picture": self.judged.without_picture,
            "failed": list(self.judged.failed),
            "decisions": [
                {"before": before, "after": after, "detections": count}
                for (before, after), count in self.decisions.items()
            ],
            "changed": [row.as_dict() for row in self.changed],
        }


class RecentComparer:
    """Lets two versions of a class judge what was recorded."""

    def __init__(self, settings: Settings, embedder: Embedder, store: PatchStore, database: Database) -> None:
        self._database = database
        self._rejudger = Rejudger(settings, embedder, store, Records(database))

    def compare(
        self, class_name: str, before: str, after: str, recent: int, progress: Progress = SILENT
    ) -> RecentComparison:
        """The newest ``recent`` detections of the class, of a camera that worked, judged by both versions."""
        rows, without = self._newest(class_name, recent)
        judged = self._rejudger.compare(rows, class_name, before, after, progress=progress)
        return RecentComparison(recent, replace(judged, without_picture=judged.without_picture + without))

    def _newest(self, class_name: str, limit: int) -> tuple[list[RecordedDetection], int]:
        """Those whose pictures are kept, and the number of those between them and now whose pictures are not."""
        columns = DETECTIONS.c
        of_class = (columns.class_name == class_name, columns.decision.is_not(None), columns.frame_fault.is_(None))
        kept = sa.select(DETECTIONS).where(*of_class, columns.picture_bytes > 0).order_by(columns.id.desc())
        gone = sa.select(sa.func.count()).where(*of_class, columns.picture_bytes == 0)
        with self._database.reading() as connection:
            rows = [RecordedDetection(**row._mapping) for row in connection.execute(kept.limit(limit))]
            if len(rows) == limit:  # else all detections of the class were looked at
                gone = gone.where(columns.id >= rows[-1].id)
            return rows, int(connection.scalar(gone) or 0)
