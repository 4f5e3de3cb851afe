"""The tables of the history. ``migrations`` holds the steps that make them; a test holds both to each other."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

METADATA: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID: Final = sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql")
"""Ids are compared as bytes, whatever the database's language."""


class UtcTime(sa.TypeDecorator[datetime]):
    """A moment, in UTC; SQLite has no time zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        if value is None:
            return None
        moment = value.astimezone(timezone.utc)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """From the database."""
        if not isinstance(value, datetime):
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


DETECTIONS: Final = sa.Table(
    "detections",
    METADATA,
    sa.Column("id", ID, primary_key=True),  # begins with the time, so ids are in the order of time
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("class_name", sa.Text),
    sa.Column("version", sa.Text),
    sa.Column("decision", sa.String(8)),
    sa.Column("reasons", sa.JSON, nullable=False),
    sa.Column("frame_fault", sa.String(16)),
    sa.Column("score", sa.Float(53)),
    sa.Column("threshold", sa.Float(53)),
    sa.Column("review_threshold", sa.Float(53)),
    sa.Column("pixel_threshold", sa.Float(53)),
    sa.Column("p_value", sa.Float(53)),
    sa.Column("similarity", sa.Float(53)),
    sa.Column("brightness", sa.Float(53)),
    sa.Column("margin", sa.Float(53)),  # |score / threshold - 1|: how near it was
    sa.Column("class_confidence", sa.Float(53)),
    sa.Column("anomaly_percentage", sa.Float(53)),
    sa.Column("regions", sa.JSON, nullable=False),
    sa.Column("warnings", sa.JSON, nullable=False),
    sa.Column("file_name", sa.Text, nullable=False),
    sa.Column("image_id", sa.String(24), nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("own_rule", sa.Boolean, nullable=False),  # the caller gave a threshold, or a version
    sa.Column("backbone", sa.Text, nullable=False),
    sa.Column("milliseconds", sa.Float(53), nullable=False),
    sa.Column("word", sa.String(16)),  # the latest of WORDS
    sa.Column("picture_bytes", sa.Integer, nullable=False),  # 0: not kept
)

_UNJUDGED: Final = DETECTIONS.c.word.is_(None)
_KEPT: Final = DETECTIONS.c.picture_bytes > 0


def _index(name: str, *columns: sa.Column[Any], where: sa.ColumnElement[bool] | None = None) -> sa.Index:
    return sa.Index(name, *columns, sqlite_where=where, postgresql_where=where)


_index("ix_detections_class_name_id", DETECTIONS.c.class_name, DETECTIONS.c.id)
_index("ix_detections_unjudged_margin", DETECTIONS.c.margin, DETECTIONS.c.id, where=_UNJUDGED)
_index(
    "ix_detections_unjudged_class_name_margin",
    DETECTIONS.c.class_name,
    DETECTIONS.c.margin,
    DETECTIONS.c.id,
    where=_UNJUDGED,
)
_index(
    "ix_detections_judged_class_name_word_id",
    DETECTIONS.c.class_name,
    DETECTIONS.c.word,
    DETECTIONS.c.id,
    where=DETECTIONS.c.word.is_not(None),
)
_index("ix_detections_kept", DETECTIONS.c.id, DETECTIONS.c.decision, DETECTIONS.c.picture_bytes, where=_KEPT)


def _of_detection(*, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(
        "detection_id",
        ID,
        sa.ForeignKey(DETECTIONS.c.id, ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
    )


THUMBNAILS: Final = sa.Table(
    "thumbnails", METADATA, _of_detection(primary_key=True), sa.Column("jpeg", sa.LargeBinary, nullable=False)
)

PICTURES: Final = sa.Table(
    "pictures", METADATA, _of_detection(primary_key=True), sa.Column("data", sa.LargeBinary, nullable=False)
)

MAPS: Final = sa.Table(
    "maps", METADATA, _of_detection(primary_key=True), sa.Column("png", sa.LargeBinary, nullable=False)
)

WORDS: Final = sa.Table(
    "words",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    _of_detection(),
    sa.Column("word", sa.String(16), nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("said_by", sa.Text, nullable=False),
    sa.Column("said_at", UtcTime, nullable=False),
)
sa.Index("ix_words_detection_id", WORDS.c.detection_id)

ACTIONS: Final = sa.Table(
    "actions",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("detection_id", ID, nullable=False),  # which may be gone
    sa.Column("class_name", sa.Text, nullable=False),
    sa.Column("done_at", UtcTime, nullable=False),
    sa.Column("done_by", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("added", sa.Text, nullable=False),  # the id of the reference or of the known defect
    sa.Column("before_version", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("undone_at", UtcTime),
    sa.Column("undone_by", sa.Text),
    sa.Column("undone_version", sa.Text),
)
sa.Index("ix_actions_class_name_id", ACTIONS.c.class_name, ACTIONS.c.id)
sa.Index("ix_actions_detection_id", ACTIONS.c.detection_id)

SHADOWS: Final = sa.Table(
    "shadows",
    METADATA,
    sa.Column("class_name", sa.Text, primary_key=True),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("share", sa.Float(53), nullable=False),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("started_by", sa.Text, nullable=False),
)

SHADOW_VERDICTS: Final = sa.Table(
    "shadow_verdicts",
    METADATA,
    _of_detection(primary_key=True),
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("class_name", sa.Text, nullable=False),
    sa.Column("decision", sa.String(8), nullable=False),
    sa.Column("reasons", sa.JSON, nullable=False),
    sa.Column("score", sa.Float(53), nullable=False),
    sa.Column("threshold", sa.Float(53), nullable=False),
    sa.Column("agrees", sa.Boolean, nullable=False),
)
sa.Index(
    "ix_shadow_verdicts_class_name_version_agrees",
    SHADOW_VERDICTS.c.class_name,
    SHADOW_VERDICTS.c.version,
    SHADOW_VERDICTS.c.agrees,
    SHADOW_VERDICTS.c.detection_id,
)

API_KEYS: Final = sa.Table(
    "api_keys",
    METADATA,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("scope", sa.String(16), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("made_at", UtcTime, nullable=False),
    sa.Column("revoked_at", UtcTime),
    sa.Column("used_at", UtcTime),
)
