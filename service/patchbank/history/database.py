"""The SQL database of what was judged: a file in the data directory, or a PostgreSQL server."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from filelock import FileLock
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from patchbank.disk import free_bytes, is_full, require_space
from patchbank.errors import DiskFull, HistoryFull, HistoryUnavailable, InvalidSettings, NewerHistory
from patchbank.reason import reason_of
from patchbank.settings import Settings

FILE: Final = "history.sqlite3"
_TIMEOUT_S: Final = 5
"""Seconds that a statement may wait for a server, or for another process that writes."""

_PAGES_GIVEN_BACK: Final = 4_096
"""16 MB: others wait as long as it takes."""

_RESERVE: Final = 12 << 20
"""Bytes that stay free for the log of changes, so that what is full can still be cleared."""

_FULL: Final = "database or disk is full"
_PERHAPS_FULL: Final = ("disk I/O error", "unable to open database file")
_FEW: Final = 1 << 20
_SERVER_FULL: Final = "53100"
"""PostgreSQL's code for a disk without room."""

_LOCK: Final = 0x70617463
"""Of PostgreSQL's advisory locks that which keeps two processes from making the tables at the same time."""


class Database:
    """Connections to the database, and its tables, which are made or brought up to date at the first use.

    Nothing is opened before that, so a service starts where the database does not answer. Thread-safe; call ``close``.
    All errors of the database are raised as ``HistoryUnavailable``, and ``HistoryFull`` where its disk is full.
    """

    def __init__(self, settings: Settings) -> None:
        url = settings.history_url.get_secret_value()
        self._file = None if url else settings.data_dir / FILE
        self._engine = _server(url) if url else _embedded(str(self._file))
        self._ready = False
        self._guard = threading.RLock()

    @property
    def place(self) -> str:
        """Where it is, in words for people; no password."""
        return str(self._file) if self._file else self._engine.url.render_as_string(hide_password=True)

    @property
    def is_server(self) -> bool:
        """Whether it is a server, which services on several machines share."""
        return self._file is None

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that sees one state of the database."""
        self.prepare()
        with self._errors(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A connection in a transaction, which is written whole or not at all."""
        self.prepare()
        with self._writing() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with self._errors(), self._engine.connect() as opened:
            connection = opened.execution_options(patchbank_writes=True)
            with connection.begin():
                yield connection

    def prepare(self) -> None:
        """Make the tables, or bring them up to date. Raises ``NewerHistory`` where a newer Patchbank made them."""
        if self._ready:
            return
        with self._guard:
            if self._ready:
                return
            if self._file is not None:
                self._make(self._file)
            with self._writing() as connection:
                self._migrate(connection)
            self._ready = True

    def _make(self, file: Path) -> None:
        """Make the file, so that readers go on while somebody writes (WAL), and room that becomes free can be given
        back; both can be said only once."""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            # The change to WAL does not wait for others that make the same change, so they take turns.
            with FileLock(file.with_suffix(".lock")), closing(sqlite3.connect(file, timeout=_TIMEOUT_S)) as raw:
                if raw.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                    raw.execute("PRAGMA auto_vacuum=INCREMENTAL")
                    raw.execute("PRAGMA journal_mode=WAL")
        except OSError as error:
            kind = HistoryFull if is_full(error) else HistoryUnavailable
            raise kind(f"the history in {file} cannot be made: {reason_of(error)}") from error
        except sqlite3.Error as error:
            raise self._unavailable(error) from error

    def _migrate(self, connection: sa.Connection) -> None:
        from alembic import command  # noqa: PLC0415  # only who opens a history needs it, and not each command
        from alembic.config import Config  # noqa: PLC0415
        from alembic.script import ScriptDirectory  # noqa: PLC0415
        from alembic.util import CommandError  # noqa: PLC0415

        if self.is_server:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        config = Config()
        config.set_main_option("script_location", "patchbank.history:migrations")
        newest = ScriptDirectory.from_config(config).get_current_head()
        if sa.inspect(connection).has_table("alembic_version"):
            made = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
            if made == newest:
                return
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise NewerHistory(
                f"the history in {self.place} was made by a newer Patchbank (its step {made} is not known here): "
                "update this one, or name another database with PATCHBANK_HISTORY_URL"
            ) from error

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: SQLAlchemyError | sqlite3.Error) -> HistoryUnavailable:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        reason = str(cause).strip().split("\n")[0]
        if self._is_full(cause, reason):
            return HistoryFull(f"the disk of the history in {self.place} is full ({reason}). Make room, then try again")
        return HistoryUnavailable(f"the history in {self.place} does not work: {reason}")

    def _is_full(self, cause: BaseException, reason: str) -> bool:
        """SQLite says so of its own file alone; its log and the index of that fail with an I/O error."""
        if self._file is None:
            return getattr(cause, "sqlstate", None) == _SERVER_FULL
        free = free_bytes(self._file.parent)
        return reason == _FULL or (reason in _PERHAPS_FULL and free is not None and free < _FEW)

    def require_space(self, size: int) -> None:
        """Raise ``HistoryFull`` where so many bytes do not fit beside what the database needs to work; a server
        knows by itself."""
        if self._file is None:
            return
        try:
            require_space(self._file.parent, _RESERVE + 2 * size, "the history")  # first into the log, then the file
        except DiskFull as error:
            raise HistoryFull(error.message, **error.detail) from error

    def shrink(self) -> None:
        """Give room that became free back to the file system, a part of it; a server does so by itself."""
        if self._file is not None:
            with self._errors(), self._engine.connect() as connection:
                connection.exec_driver_sql(f"PRAGMA incremental_vacuum({_PAGES_GIVEN_BACK})").close()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _server(url: str) -> sa.Engine:
    try:
        address = sa.make_url(url).set(drivername="postgresql+psycopg")
        return sa.create_engine(
            address,
            pool_size=4,
            max_overflow=12,
            pool_pre_ping=True,
            pool_timeout=_TIMEOUT_S,
            connect_args={
                "connect_timeout": _TIMEOUT_S,
                # A connection that leads nowhere must end: without these it hangs for a quarter of an hour.
                "tcp_user_timeout": _TIMEOUT_S * 2000,
                "keepalives_idle": _TIMEOUT_S,
                "keepalives_interval": 2,
                "keepalives_count": 3,
                "options": f"-c statement_timeout={_TIMEOUT_S * 4000} -c lock_timeout={_TIMEOUT_S * 1000}",
            },
        )
    except ModuleNotFoundError as error:
        raise InvalidSettings(
            "PATCHBANK_HISTORY_URL names a PostgreSQL server, for which psycopg is needed: pip install "
            "'patchbank[postgres]'"
        ) from error
    except SQLAlchemyError as error:
        raise InvalidSettings("PATCHBANK_HISTORY_URL: use postgresql://user:password@host/database") from error


def _embedded(file: str) -> sa.Engine:
    engine = sa.create_engine(sa.URL.create("sqlite", database=file), connect_args={"timeout": _TIMEOUT_S})

    def opened(connection: Any, _: object) -> None:
        connection.isolation_level = None  # transactions begin as below, not where the driver thinks
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    def begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("patchbank_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    sa.event.listen(engine, "connect", opened)
    sa.event.listen(engine, "begin", begin)
    return engine
