"""The candidates of the classes, and what they said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from patchbank.errors import UnknownShadow
from patchbank.history.database import Database
from patchbank.history.detection import RecordedDetection, first_id, utc_now
from patchbank.history.rejudging import Judgement, Rejudged
from patchbank.history.shadow import Shadow
from patchbank.history.shadow_counts import DecisionPair, ServingVersion, ShadowCounts
from patchbank.history.tables import DETECTIONS, SHADOW_VERDICTS, SHADOWS

_SAID: Final = SHADOW_VERDICTS.c
_OWN: Final = ("version", "decision", "reasons", "score", "threshold")


@dataclass(frozen=True)
class DisagreementPage:
    """Detections that the serving version (``before``) and the candidate (``after``) decide differently, newest first,
    and where the next page begins; None where this is the last one."""

    rows: list[Rejudged]
    after: str | None


class Shadows:
    """Reads and writes them. Errors of the database are ``HistoryUnavailable``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, class_name: str, version: str, share: float, by: str = "") -> Shadow:
        """Let a version be judged beside the serving one, in the place of another candidate. Of the same one only the
        share changes, and what it said counts on. ``check_candidate`` says whether it can be."""
        began = Shadow(class_name=class_name, version=version, share=share, since=utc_now(), started_by=by)
        mine = SHADOWS.c.class_name == class_name
        with self._database.writing() as connection:
            row = connection.execute(sa.select(SHADOWS).where(mine)).one_or_none()
            if row is not None and row.version == version:
                began = Shadow(**row._mapping).model_copy(update={"share": share})
            if row is None:
                connection.execute(SHADOWS.insert().values(**began.model_dump()))
            else:
                connection.execute(SHADOWS.update().where(mine).values(**began.model_dump()))
        return began

    def stop(self, class_name: str) -> Shadow:
        """Drop the candidate of a class; its version stays. Raises ``UnknownShadow``."""
        shadow = self.of(class_name)
        with self._database.writing() as connection:
            connection.execute(SHADOWS.delete().where(SHADOWS.c.class_name == class_name))
        return shadow

    def of(self, class_name: str) -> Shadow:
        """The candidate of a class. Raises ``UnknownShadow``."""
        rows = self._read(SHADOWS.c.class_name == class_name)
        if not rows:
            raise UnknownShadow(f"no version of {class_name!r} is judged beside the serving one")
        return rows[0]

    def all(self) -> list[Shadow]:
        """All of them, by class."""
        return self._read(sa.true())

    def _read(self, wanted: sa.ColumnElement[bool]) -> list[Shadow]:
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(SHADOWS).where(wanted).order_by(SHADOWS.c.class_name)).all()
        return [Shadow(**row._mapping) for row in rows]

    def record(self, shadow: Shadow, detection_id: str, said: Judgement, *, agrees: bool) -> None:
        """Write what the candidate said of a detection; nothing where the detection is gone."""
        told = {
            "detection_id": detection_id,
            "version": shadow.version,
            "class_name": shadow.class_name,
            "decision": said.decision,
            "reasons": list(said.reasons),
            "score": said.score,
            "threshold": said.threshold,
            "agrees": agrees,
        }
        values = [sa.literal(value, _SAID[name].type) for name, value in told.items()]
        still_there = sa.select(*values).where(sa.exists().where(DETECTIONS.c.id == detection_id))
        with self._database.writing() as connection:
            connection.execute(SHADOW_VERDICTS.insert().from_select(list(told), still_there))

    def counts(self, shadow: Shadow) -> ShadowCounts:
        """How often the candidate and the serving version decided what."""
        columns = (DETECTIONS.c.version, DETECTIONS.c.decision, _SAID.decision.label("candidate"))
        query = sa.select(*columns, sa.func.count().label("detections")).join_from(SHADOW_VERDICTS, DETECTIONS)
        query = query.where(*_said_since(shadow)).group_by(*columns)
        pairs: Counter[tuple[Any, Any]] = Counter()
        judged: Counter[str] = Counter()
        agreed: Counter[str] = Counter()
        with self._database.reading() as connection:
            for version, serving, candidate, detections in connection.execute(query):
                pairs[serving, candidate] += detections
                judged[version] += detections
                agreed[version] += detections if serving == candidate else 0
        total, same = sum(judged.values()), sum(agreed.values())
        return ShadowCounts(
            judged=total,
            agreed=same,
            disagreed=total - same,
            decisions=[
                DecisionPair(serving=serving, candidate=candidate, detections=count)
                for (serving, candidate), count in sorted(pairs.items())
            ],
            serving_versions=[
                ServingVersion(version=version, judged=count, agreed=agreed[version])
                for version, count in sorted(judged.items())
            ],
        )

    def disagreements(self, shadow: Shadow, limit: int, after: str | None = None) -> DisagreementPage:
        """Detections that the two decide differently, after the one that an earlier page told as its end."""
        own = [_SAID[name].label(f"candidate_{name}") for name in _OWN]
        query = sa.select(DETECTIONS, *own).join_from(SHADOW_VERDICTS, DETECTIONS)
        query = query.where(*_said_since(shadow), _SAID.agrees.is_(False))
        if after is not None:
            query = query.where(_SAID.detection_id < after)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(_SAID.detection_id.desc()).limit(limit + 1)).all()
        told = list(_rejudged(rows[:limit]))
        return DisagreementPage(told, told[-1].detection.id if len(rows) > limit else None)


def _said_since(shadow: Shadow) -> tuple[sa.ColumnElement[bool], ...]:
    """What it said since it began; an earlier time as a candidate does not count."""
    return (
        _SAID.class_name == shadow.class_name,
        _SAID.version == shadow.version,
        _SAID.detection_id >= first_id(shadow.since),
    )


def _rejudged(rows: Sequence[sa.Row[Any]]) -> Iterator[Rejudged]:
    for row in rows:
        told = dict(row._mapping)
        candidate = {name: told.pop(f"candidate_{name}") for name in _OWN}
        candidate["reasons"] = tuple(candidate["reasons"])
        detection = RecordedDetection(**told)
        before = Judgement.recorded(detection)
        assert before is not None  # noqa: S101  # what was not decided is not judged by a candidate
        yield Rejudged(detection, before, Judgement(**candidate))
