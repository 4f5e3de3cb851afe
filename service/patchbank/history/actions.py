"""What was done to banks because of a detection, and undone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from patchbank.errors import AlreadyUndone, UnknownAction
from patchbank.history.action import Action, Kind
from patchbank.history.database import Database
from patchbank.history.detection import new_id, utc_now
from patchbank.history.tables import ACTIONS


class Actions:
    """Reads and writes them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, kind: Kind, detection_id: str, class_name: str, **facts: str) -> Action:
        """Write down what was done; ``facts`` are ``done_by``, ``note``, ``added``, ``before_version``, ``version``."""
        now = utc_now()
        action = Action.model_validate(
            {
                "id": new_id(now),
                "kind": kind,
                "detection_id": detection_id,
                "class_name": class_name,
                "done_at": now,
                **facts,
            }
        )
        with self._database.writing() as connection:
            connection.execute(ACTIONS.insert().values(**action.model_dump()))
        return action

    def action(self, action_id: str) -> Action:
        """One of them. Raises ``UnknownAction``."""
        rows = self._read(ACTIONS.c.id == action_id, 1)
        if not rows:
            raise UnknownAction(f"the history has no action {action_id!r}")
        return rows[0]

    def latest(self, class_name: str | None = None, detection_id: str | None = None, limit: int = 100) -> list[Action]:
        """The latest, newest first, of one class or of one detection where these are named."""
        wanted: list[sa.ColumnElement[bool]] = [sa.true()]
        if class_name is not None:
            wanted.append(ACTIONS.c.class_name == class_name)
        if detection_id is not None:
            wanted.append(ACTIONS.c.detection_id == detection_id)
        return self._read(sa.and_(*wanted), limit)

    def _read(self, wanted: sa.ColumnElement[bool], limit: int) -> list[Action]:
        query = sa.select(ACTIONS).where(wanted).order_by(ACTIONS.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            rows: Sequence[sa.Row[Any]] = connection.execute(query).all()
        return [Action(**row._mapping) for row in rows]

    def undone(self, action: Action, by: str, version: str) -> Action:
        """Write down that it was undone, and which version serves now. Raises ``AlreadyUndone``."""
        facts = {"undone_at": utc_now(), "undone_by": by, "undone_version": version}
        with self._database.writing() as connection:
            mine = ACTIONS.update().where(ACTIONS.c.id == action.id, ACTIONS.c.undone_at.is_(None))
            if connection.execute(mine.values(**facts)).rowcount == 0:
                raise already_undone(action)
        return action.model_copy(update=facts)


def already_undone(action: Action) -> AlreadyUndone:
    """The error of an action that was undone before."""
    return AlreadyUndone(f"action {action.id} was undone before")
