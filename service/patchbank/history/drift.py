"""The use case of drift: are recent detections of a class like the images that it was taught from?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from patchbank.bank.store import Bank, PatchStore
from patchbank.bank.view import View
from patchbank.errors import DamagedBank, UnknownVersion
from patchbank.history.history import History
from patchbank.history.normal_images import NormalImages
from patchbank.history.tables import DETECTIONS
from patchbank.scoring.drift import WINDOWS, Drift, compare
from patchbank.scoring.drift_state import QUANTITIES, DriftState, Quantity

_MOST: Final = WINDOWS[-1]
_LOOKED_AT: Final = 5 * _MOST
"""Newest detections of a class that are looked at for those that can be compared, so that a look stays cheap."""

_COLUMNS: Final = tuple(
    DETECTIONS.c[name] for name in ("id", "at", "version", "decision", "frame_fault", "word", "image_id", *QUANTITIES)
)


@dataclass(frozen=True)
class DriftReport:
    """How far a class has drifted. ``images`` recent ones were compared at most, judged from ``since`` to ``until``;
    ``notes`` tell what was left out."""

    class_name: str
    version: str
    drift: Drift
    images: int
    since: datetime | None
    until: datetime | None
    notes: tuple[str, ...] = ()

    @property
    def state(self) -> DriftState:
        """The state."""
        return self.drift.state

    @property
    def shift(self) -> float | None:
        """Of the strongest comparison: 0, nothing changed; 1, nothing is as it was. None where it is unknown."""
        strongest = self.drift.strongest
        return None if strongest is None else strongest.shift

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        strongest = self.drift.strongest
        return {
            "class_name": self.class_name,
            "version": self.version,
            "state": self.state,
            "shift": self.shift,
            "false_alarm": None if strongest is None else strongest.false_alarm,
            "reason": self.drift.reason,
            "images": self.images,
            "since": None if self.since is None else self.since.isoformat(),
            "until": None if self.until is None else self.until.isoformat(),
            "comparisons": [comparison.as_dict() for comparison in self.drift.comparisons],
            "notes": list(self.notes),
        }


class DriftWatch:
    """Tells the drift of classes from the history. What is known of a version is kept while it serves. Thread-safe."""

    def __init__(self, history: History, store: PatchStore) -> None:
        self._history = history
        self._store = store
        self._normals: dict[str, tuple[str, NormalImages]] = {}
        self._told: dict[str, tuple[_Recent, DriftReport]] = {}

    def of(self, class_name: str, view: View | None = None) -> DriftReport:
        """The drift of one class. Raises ``UnknownClass``, ``DamagedBank``, ``HistoryOff`` and
        ``HistoryUnavailable``."""
        self._history.require()
        view = view or View(self._store)
        bank = view.bank(class_name)
        version = bank.manifest.version
        normal = self._normal(bank)
        recent = self._recent(class_name, version, normal.references)
        known = self._told.get(class_name)
        if known is not None and known[0] == recent and known[1].version == version:
            return known[1]
        report = DriftReport(
            class_name=class_name,
            version=version,
            drift=compare(normal.values, recent.values(), normal.shared),
            images=len(recent.rows),
            since=recent.rows[0].at if recent.rows else None,
            until=recent.rows[-1].at if recent.rows else None,
            notes=normal.notes,
        )
        self._told[class_name] = recent, report
        return report

    def all(self) -> list[DriftReport]:
        """The drift of every taught class, by name; of a class whose bank cannot be read it is unknown."""
        self._history.require()
        view = View(self._store)
        for kept in (self._normals, self._told):
            for name in {*kept} - view.active.keys():
                kept.pop(name, None)
        reports = []
        for name in sorted(view.active):
            try:
                reports.append(self.of(name, view))
            except (DamagedBank, UnknownVersion) as error:
                drift = Drift("unknown", (), error.message)
                reports.append(DriftReport(name, view.active[name], drift, 0, None, None))
        return reports

    def _normal(self, bank: Bank) -> NormalImages:
        manifest = bank.manifest
        known = self._normals.get(manifest.class_name)
        if known is not None and known[0] == manifest.version:
            return known[1]
        normal = NormalImages.of(bank)
        self._normals[manifest.class_name] = manifest.version, normal
        return normal

    def _recent(self, class_name: str, version: str, references: frozenset[str]) -> _Recent:
        """The newest detections that can be compared, newest last; each picture once, and no reference."""
        columns = DETECTIONS.c
        newest = sa.select(*_COLUMNS).where(columns.class_name == class_name).order_by(columns.id.desc())
        chosen = newest.limit(_LOOKED_AT).subquery().c
        confirmed = sa.or_(chosen.word == "missed", sa.and_(chosen.word == "correct", chosen.decision != "pass"))
        query = (
            sa.select(*chosen)
            .where(chosen.version == version, chosen.frame_fault.is_(None), chosen.score.is_not(None))
            .where(sa.or_(chosen.word.is_(None), sa.not_(confirmed)))
            .order_by(chosen.id.desc())
        )
        rows: dict[str, _Row] = {}
        with self._history.database.reading() as connection:
            for made in connection.execute(query):
                if made.image_id not in references:
                    rows.setdefault(made.image_id, _Row(made.id, made.at, made.score, made.similarity, made.brightness))
        return _Recent(tuple(reversed(list(rows.values())[:_MOST])))


class _Row(NamedTuple):
    id: str
    at: datetime
    score: float
    similarity: float | None
    brightness: float | None


class _Recent(NamedTuple):
    """Recent detections, newest last."""

    rows: tuple[_Row, ...]

    def values(self) -> dict[Quantity, list[float]]:
        """What is compared."""
        return {name: [value for row in self.rows if (value := getattr(row, name)) is not None] for name in QUANTITIES}
