"""What was judged, looked up and judged by people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from patchbank.errors import PictureNotKept, UnknownDetection
from patchbank.history.database import Database
from patchbank.history.detection import RecordedDetection, Said, Word, check_word, new_id, utc_now
from patchbank.history.selection import Page, Selection
from patchbank.history.tables import DETECTIONS, MAPS, PICTURES, THUMBNAILS, WORDS
from patchbank.judging.decision import Decision

_ROWS_AT_ONCE: Final = 1_000


@dataclass(frozen=True)
class RecordedPage:
    """Detections, and where the next page begins; None where this is the last one."""

    detections: list[RecordedDetection]
    after: str | None


class Records:
    """Reads the history, and writes what people say. Errors of the database are ``HistoryUnavailable``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, selection: Selection, page: Page) -> RecordedPage:
        """Some detections. Raises ``InvalidParameters`` for a page that cannot be."""
        with self._database.reading() as connection:
            rows = connection.execute(page.query(selection)).all()
        more = len(rows) > page.limit
        shown = rows[: page.limit]
        return RecordedPage([_detection(row) for row in shown], page.after_row(shown[-1]) if more else None)

    def all(self, selection: Selection) -> Iterator[RecordedDetection]:
        """All detections that are asked for, newest first, a page at a time: others may write meanwhile."""
        page: Page | None = Page(limit=_ROWS_AT_ONCE)
        while page is not None:
            told = self.page(selection, page)
            yield from told.detections
            page = None if told.after is None else page.model_copy(update={"after": told.after})

    def newest(self, class_name: str, decisions: Sequence[Decision], limit: int) -> list[RecordedDetection]:
        """The newest detections of a class that were decided so, of a camera that worked, newest first."""
        columns = DETECTIONS.c
        wanted = (columns.class_name == class_name, columns.decision.in_(decisions), columns.frame_fault.is_(None))
        query = sa.select(DETECTIONS).where(*wanted).order_by(columns.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return [_detection(row) for row in connection.execute(query)]

    def detection(self, detection_id: str) -> RecordedDetection:
        """One detection. Raises ``UnknownDetection``."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(DETECTIONS).where(DETECTIONS.c.id == detection_id)).one_or_none()
        if row is None:
            raise _unknown(detection_id)
        return _detection(row)

    def thumbnail(self, detection_id: str) -> bytes:
        """Its picture as JPEG, at most 256 pixels a side. Raises ``UnknownDetection``."""
        data = self._blob(THUMBNAILS.c.jpeg, THUMBNAILS, detection_id)
        if data is None:
            raise _unknown(detection_id)
        return data

    def picture(self, detection_id: str) -> bytes:
        """The file that was sent. Raises ``UnknownDetection``, and ``PictureNotKept`` where it is gone."""
        why = (
            f"the picture of detection {detection_id} is not kept, or no longer: PATCHBANK_HISTORY_MB says "
            "how many megabytes of pictures are"
        )
        return self._kept(PICTURES.c.data, PICTURES, detection_id, why)

    def map(self, detection_id: str) -> bytes:
        """Its anomaly map as a PNG, a pixel a patch, as ``scoring.heatmap.small_map`` makes it. Raises
        ``UnknownDetection``, and ``PictureNotKept`` where there is none."""
        why = (
            f"no map of detection {detection_id} is kept: an unknown product has none, nor has what an earlier "
            "release recorded"
        )
        return self._kept(MAPS.c.png, MAPS, detection_id, why)

    def has_map(self, detection_id: str) -> bool:
        """Whether there is one."""
        query = sa.select(MAPS.c.detection_id).where(MAPS.c.detection_id == detection_id)
        with self._database.reading() as connection:
            return connection.scalar(query) is not None

    def _kept(self, column: sa.Column[Any], table: sa.Table, detection_id: str, why: str) -> bytes:
        """What is kept of a detection; where it is not, ``PictureNotKept`` says ``why``."""
        data = self._blob(column, table, detection_id)
        if data is None:
            self.detection(detection_id)  # an unknown one is another error
            raise PictureNotKept(why)
        return data

    def _blob(self, column: sa.Column[Any], table: sa.Table, detection_id: str) -> bytes | None:
        with self._database.reading() as connection:
            data = connection.scalar(sa.select(column).where(table.c.detection_id == detection_id))
        return None if data is None else bytes(data)

    def say(self, detection_id: str, word: Word, comment: str = "", by: str = "") -> Said:
        """Write down what a person says of a detection; what was said before stays, and the last word counts. Raises
        ``UnknownDetection``, and ``InvalidParameters`` for a word that contradicts the decision."""
        now = utc_now()
        said = Said(id=new_id(now), detection_id=detection_id, word=word, comment=comment, said_by=by, said_at=now)
        with self._database.writing() as connection:
            known = connection.execute(
                sa.select(DETECTIONS.c.decision).where(DETECTIONS.c.id == detection_id)
            ).one_or_none()
            if known is None:
                raise _unknown(detection_id)
            check_word(word, known.decision)
            connection.execute(WORDS.insert().values(**said.model_dump()))
            connection.execute(DETECTIONS.update().where(DETECTIONS.c.id == detection_id).values(word=word))
        return said

    def words(self, detection_id: str) -> list[Said]:
        """All that was said of a detection, oldest first."""
        query = sa.select(WORDS).where(WORDS.c.detection_id == detection_id).order_by(WORDS.c.id)
        with self._database.reading() as connection:
            return [Said(**row._mapping) for row in connection.execute(query)]

    def counts(self, selection: Selection) -> list[dict[str, Any]]:
        """Numbers of detections per class, decision and word, and of these those of a camera that did not work."""
        columns = (DETECTIONS.c.class_name, DETECTIONS.c.decision, DETECTIONS.c.word)
        numbers = (sa.func.count().label("detections"), sa.func.count(DETECTIONS.c.frame_fault).label("bad_frames"))
        query = sa.select(*columns, *numbers).where(*selection.conditions())
        with self._database.reading() as connection:
            rows: Sequence[sa.Row[Any]] = connection.execute(query.group_by(*columns).order_by(*columns)).all()
        return [dict(row._mapping) for row in rows]


def _detection(row: sa.Row[Any]) -> RecordedDetection:
    return RecordedDetection(**row._mapping)


def _unknown(detection_id: str) -> UnknownDetection:
    return UnknownDetection(f"the history has no detection {detection_id!r}, or no longer")
