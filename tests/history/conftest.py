"""The history on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from patchbank.history.database import Database
from patchbank.settings import Settings, load_settings
from tests.helpers.postgres import new_database, postgres_server

KINDS = ["sqlite", "postgres"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server."""
    with postgres_server() as url:
        yield url


@pytest.fixture(params=KINDS)
def history_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Settings with an empty history of each kind."""
    if request.param == "sqlite":
        yield load_settings(data_dir=tmp_path / "data")
        return
    with new_database(request.getfixturevalue("postgres")) as url:
        yield load_settings(data_dir=tmp_path / "data", history_url=url)


@pytest.fixture
def database(history_settings: Settings) -> Iterator[Database]:
    """An empty history of each kind."""
    opened = Database(history_settings)
    yield opened
    opened.close()
