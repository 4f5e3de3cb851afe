"""A real PostgreSQL server for tests: Debian's package (or any other), started in a temporary folder.

PostgreSQL refuses to run as root, so there it runs as ``nobody``. A server that is there already is used where
PATCHBANK_TEST_POSTGRES_URL names it; its user must be allowed to create databases.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

_GIVEN = os.environ.get("PATCHBANK_TEST_POSTGRES_URL", "")
_DEBIAN = Path("/usr/lib/postgresql")
_USER = "nobody"


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a server, without a database; skips the test where no server is installed."""
    if _GIVEN:
        yield _GIVEN.rstrip("/")
        return
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed (Debian: apt-get install postgresql)")
    root = os.geteuid() == 0
    folder = Path(tempfile.mkdtemp(prefix="patchbank-pg-"))
    try:
        if root:
            shutil.chown(folder, _USER)
        data, port = folder / "data", _free_port()
        _run([programs / "initdb", "-D", data, "-U", "patchbank", "-A", "trust", "-E", "UTF8", "--no-sync"], folder)
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        _run([programs / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start"], folder)
        try:
            yield f"postgresql://patchbank@127.0.0.1:{port}"
        finally:
            _run([programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """The URL of a database of its own on that server, dropped at the end."""
    name = f"t{uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield f"{server}/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _programs() -> Path | None:
    """The newest server's folder; Debian keeps them apart from the clients."""
    versions = sorted(_DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name))
    if versions:
        return versions[-1]
    known = shutil.which("initdb")
    return None if known is None else Path(known).parent


def _run(command: Sequence[Path | str], folder: Path) -> None:
    user = _USER if os.geteuid() == 0 else None
    with (folder.parent / f"{folder.name}.out").open("w+") as out:
        try:
            subprocess.run(command, cwd=folder, stdout=out, stderr=out, check=True, user=user, timeout=120)
        except subprocess.CalledProcessError:
            out.seek(0)
            raise AssertionError(out.read()) from None
        finally:
            Path(out.name).unlink()


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
