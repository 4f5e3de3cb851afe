"""API keys: made, listed and revoked in the database, which knows no key itself."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, get_args

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field

from patchbank.errors import InvalidParameters, KeyNameTaken, UnknownKey
from patchbank.history.database import Database
from patchbank.history.detection import utc_now
from patchbank.history.tables import API_KEYS

Scope = Literal["detect", "review", "teach", "admin"]
"""What a key is good for: each scope includes those before it."""

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

ADMIN_KEY: Final = "PATCHBANK_ADMIN_KEY"
"""The name of the key that the environment holds, where the history names keys."""

_SECRET_BYTES: Final = 32
_ID_BYTES: Final = 4
_NAME: Final = re.compile(r"[^\W_](?:[\w .@+-]{0,62}[\w.@+-])?")
_KEY: Final = re.compile(r"pb_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")
_SEEN: Final = re.compile(r"pb_([0-9a-f]{8})_[A-Za-z0-9_-]{8,}")


class ApiKey(BaseModel):
    """What is known of a key. The key itself is not: it is shown once, when it is made."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    scope: Scope
    made_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None = Field(description="when it was used last, to about a minute")

    @property
    def usable(self) -> bool:
        """Whether it opens anything."""
        return self.revoked_at is None

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return self.model_dump(mode="json")


class KeyRing:
    """The keys in the database. All methods raise ``HistoryUnavailable`` where it does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, scope: Scope) -> tuple[ApiKey, str]:
        """A new key: what is known of it, and the key itself, ``pb_<id>_<secret>``, which nobody can ask for again.

        A name is given once, so that the history stays clear. Raises ``KeyNameTaken`` and ``InvalidParameters``.
        """
        _check_name(name)
        made = ApiKey(
            id=secrets.token_hex(_ID_BYTES), name=name, scope=scope, made_at=utc_now(), revoked_at=None, used_at=None
        )
        key = f"pb_{made.id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        with self._database.writing() as connection:
            if connection.scalar(sa.select(API_KEYS.c.id).where(API_KEYS.c.name == name)) is not None:
                raise KeyNameTaken(
                    f"there is, or was, a key named {name!r}: take another name, because the history names keys"
                )
            connection.execute(API_KEYS.insert().values(sha256=digest(key.encode()), **made.model_dump()))
        return made, key

    def all_keys(self) -> list[ApiKey]:
        """All of them, the revoked ones too, oldest first."""
        return [key for key, _ in self._read(sa.true())]

    def usable(self) -> dict[str, tuple[ApiKey, str]]:
        """Those that are not revoked, each with its SHA-256, by id."""
        return {key.id: (key, sha256) for key, sha256 in self._read(API_KEYS.c.revoked_at.is_(None))}

    def revoke(self, name_or_id: str) -> ApiKey:
        """Revoke a key by its name, or by its id; one that was revoked stays as it was. Raises ``UnknownKey``."""
        columns = API_KEYS.c
        matching = [key for key, _ in self._read(sa.or_(columns.name == name_or_id, columns.id == name_or_id))]
        if not matching:
            raise UnknownKey(f"there is no key {name_or_id!r}: `keys list` shows all")
        key = next((key for key in matching if key.name == name_or_id), matching[0])
        with self._database.writing() as connection:
            mine = API_KEYS.update().where(columns.id == key.id, columns.revoked_at.is_(None))
            connection.execute(mine.values(revoked_at=utc_now()))
        return next(known for known, _ in self._read(columns.id == key.id))

    def note_use(self, used: Mapping[str, datetime]) -> None:
        """Write down when keys, by id, were used last."""
        with self._database.writing() as connection:
            for key_id, at in used.items():
                connection.execute(API_KEYS.update().where(API_KEYS.c.id == key_id).values(used_at=at))

    def _read(self, wanted: sa.ColumnElement[bool]) -> list[tuple[ApiKey, str]]:
        query = sa.select(API_KEYS).where(wanted).order_by(API_KEYS.c.made_at, API_KEYS.c.id)
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [(ApiKey.model_validate(dict(row)), str(row["sha256"])) for row in rows]


def digest(key: bytes) -> str:
    """The SHA-256 of a whole key, in hexadecimal: what is stored.

    A slow hash, as for passwords, would add nothing: it makes guessing costly where there is little to guess, and here
    it is one of 2^256 secrets. It would cost each detection its time, though.
    """
    return hashlib.sha256(key).hexdigest()


def id_of(key: bytes) -> str | None:
    """The id that a key names; None where it has not the form of one."""
    match = _KEY.fullmatch(key.decode("latin-1"))
    return match[1] if match else None


def without_keys(text: str) -> str:
    """A text, with the secret taken out of each key in it: somebody may have sent one in an address."""
    return _SEEN.sub(r"pb_\1_...", text) if "pb_" in text else text


def _check_name(name: str) -> None:
    if name == ADMIN_KEY or not _NAME.fullmatch(name):
        raise InvalidParameters(
            "name a key by 1 to 64 letters, digits, spaces and _ . @ + -, beginning with a letter or a digit, such as "
            "line-3"
        )
