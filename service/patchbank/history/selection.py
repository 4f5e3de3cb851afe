"""Which detections are asked for."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any, Final, Literal

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, field_validator

from patchbank.errors import InvalidParameters
from patchbank.history.detection import Word, first_id, utc_now
from patchbank.history.tables import DETECTIONS
from patchbank.judging.decision import Decision

Order = Literal["newest", "nearest"]
"""Newest first, or those whose score is nearest to the threshold first."""

_AGO: Final = re.compile(r"(\d{1,6})\s*(min|h|d)")
_UNITS: Final = {"min": "minutes", "h": "hours", "d": "days"}


class Selection(BaseModel):
    """A filter; what is None does not count. ``since`` is included, ``until`` is not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    class_name: str | None = None
    status: Literal["ok", "unknown_product"] | None = None
    decision: Decision | None = None
    word: Word | Literal["none", "any"] | None = Field(
        default=None, description="what people said of it; `none`: nobody did; `any`: somebody did"
    )
    version: str | None = None
    asked_by: str | None = None
    since: datetime | None = Field(
        default=None, description="a time (UTC where it names no zone), or `30min`, `8h`, `7d` ago"
    )
    until: datetime | None = Field(default=None, description="the same")

    @field_validator("since", "until", mode="before")
    @classmethod
    def _moment(cls, value: object) -> object:
        ago = _AGO.fullmatch(value.strip()) if isinstance(value, str) else None
        return value if ago is None else utc_now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})

    @field_validator("since", "until")
    @classmethod
    def _zoned(cls, value: datetime | None) -> datetime | None:
        return value.replace(tzinfo=timezone.utc) if value is not None and value.tzinfo is None else value

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """What a row keeps that is asked for."""
        columns = DETECTIONS.c
        wanted: list[sa.ColumnElement[bool]] = [
            columns[name] == value
            for name in ("class_name", "status", "decision", "version", "asked_by")
            if (value := getattr(self, name)) is not None
        ]
        if self.word == "none":
            wanted.append(columns.word.is_(None))
        elif self.word == "any":
            wanted.append(columns.word.is_not(None))
        elif self.word is not None:
            wanted.append(columns.word == self.word)
        if self.since is not None:
            wanted.append(columns.id >= first_id(self.since))
        if self.until is not None:
            wanted.append(columns.id < first_id(self.until))
        return wanted

    def unjudged(self) -> Selection:
        """The same, of those of which nobody has said anything, unless it says which."""
        return self if self.word is not None else self.model_copy(update={"word": "none"})


class Page(BaseModel):
    """Where a page begins: after the row that ``after`` names, as an earlier page told; None: at the begin."""

    model_config = ConfigDict(frozen=True)

    order: Order = "newest"
    limit: int = 100
    after: str | None = None

    def query(self, selection: Selection, *columns: Any) -> sa.Select[Any]:
        """The rows of the page, and one more if there is one. Raises ``InvalidParameters`` for an ``after`` that no
        page told."""
        chosen = selection.unjudged() if self.order == "nearest" else selection
        query = sa.select(*(columns or (DETECTIONS,))).where(*chosen.conditions()).limit(self.limit + 1)
        row = DETECTIONS.c
        if self.order == "newest":
            query = query.order_by(row.id.desc())
            return query if self.after is None else query.where(row.id < self.after)
        query = query.where(row.margin.is_not(None)).order_by(row.margin, row.id)
        if self.after is None:
            return query
        margin, _, last = self.after.partition("_")
        try:
            place = float.fromhex(margin)
        except (ValueError, OverflowError):
            raise InvalidParameters("after: no page told this") from None
        return query.where(sa.tuple_(row.margin, row.id) > sa.tuple_(sa.literal(place), sa.literal(last)))

    def after_row(self, row: Any) -> str:
        """What names this row as the end of a page."""
        return str(row.id) if self.order == "newest" else f"{float(row.margin).hex()}_{row.id}"
