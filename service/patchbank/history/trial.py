"""What a change of a bank would do to recent detections, told before it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from patchbank.history.detection import RecordedDetection
from patchbank.history.rejudging import Judgement, Rejudged, RejudgedRecent

RECENT: Final = 50
"""Recent detections that a trial judges again where nothing else is asked for."""


@dataclass(frozen=True)
class TrialReport:
    """What learning from a detection would do. ``itself`` is what would be said of it then. ``recent`` are recent
    detections of the class, judged with the bank as it is and as it would be."""

    detection: RecordedDetection
    class_name: str
    version: str
    itself: Judgement
    recent: RejudgedRecent

    @property
    def flips(self) -> list[Rejudged]:
        """Anomalous ones that would be normal, or normal ones that would be anomalous."""
        return [row for row in self.recent.rows if row.flips]

    @property
    def changed(self) -> list[Rejudged]:
        """Others whose decision would be another one."""
        return [row for row in self.recent.rows if not row.agrees and not row.flips]

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "detection_id": self.detection.id,
            "class_name": self.class_name,
            "version": self.version,
            "itself": self.itself.as_dict(),
            "looked_at": len(self.recent.rows),
            "without_picture": self.recent.without_picture,
            "failed": list(self.recent.failed),
            "flips": [row.as_dict() for row in self.flips],
            "confirmed_defects_hidden": sum(row.hides_defect for row in self.recent.rows),
            "confirmed_good_rejected": sum(row.rejects_good for row in self.recent.rows),
            "changed": [row.as_dict() for row in self.changed],
        }
