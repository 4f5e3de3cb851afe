"""The database of the history: made, brought up to date, away, newer."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from patchbank.errors import HistoryUnavailable, InvalidSettings, NewerHistory, PictureNotKept, UnknownDetection
from patchbank.history.database import FILE, Database
from patchbank.history.records import Records
from patchbank.history.tables import API_KEYS, DETECTIONS, METADATA
from patchbank.settings import Settings, load_settings
from tests.helpers.detections import add_detection


def test_the_steps_make_the_tables_as_they_are_declared(database: Database) -> None:
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_the_indexes_of_the_review_queue_are_partial(database: Database) -> None:
    with database.reading() as connection:
        dialect = connection.dialect.name
        indexes = {index["name"]: index for index in sa.inspect(connection).get_indexes("detections")}
    options = indexes["ix_detections_unjudged_margin"]["dialect_options"]
    assert "word" in str(options[f"{dialect}_where"]).lower()


def test_a_second_opening_finds_what_the_first_wrote(history_settings: Settings) -> None:
    for _ in range(2):
        opened = Database(history_settings)
        with opened.writing() as connection:
            connection.execute(
                API_KEYS.insert().values(id="a", name="a", scope="detect", sha256="0", made_at=sa.func.now())
            ) if connection.scalar(sa.select(sa.func.count()).select_from(API_KEYS)) == 0 else None
        opened.close()
    opened = Database(history_settings)
    with opened.reading() as connection:
        assert connection.scalar(sa.select(API_KEYS.c.name)) == "a"
    opened.close()


def test_several_that_open_it_first_at_once_make_it_once(history_settings: Settings) -> None:
    opened = [Database(history_settings) for _ in range(6)]
    failed: list[BaseException] = []

    def prepare(database: Database) -> None:
        try:
            database.prepare()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=prepare, args=(each,)) for each in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in opened:
        each.close()
    assert failed == []


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    add_detection(database)
    with pytest.raises(HistoryUnavailable), database.writing() as connection:
        connection.execute(DETECTIONS.delete())
        connection.execute(sa.text("SELECT nothing FROM nowhere"))
    with database.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(DETECTIONS)) == 1


def test_readers_go_on_while_somebody_writes(database: Database) -> None:
    add_detection(database)
    with database.writing() as writing:
        writing.execute(DETECTIONS.delete())
        with database.reading() as reading:
            assert reading.scalar(sa.select(sa.func.count()).select_from(DETECTIONS)) == 1


def test_tables_of_a_newer_release_are_refused_by_name(database: Database, history_settings: Settings) -> None:
    with database.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    again = Database(history_settings)
    with pytest.raises(NewerHistory, match="newer Patchbank"):
        again.prepare()
    again.close()


def test_a_history_of_an_earlier_release_is_read_and_its_detections_have_no_map(
    database: Database, history_settings: Settings
) -> None:
    known = add_detection(database)
    with database.writing() as connection:  # as the first release made it
        connection.execute(sa.text("DROP TABLE maps"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    again = Database(history_settings)
    records = Records(again)
    assert not records.has_map(known)
    assert records.thumbnail(known) == b"jpeg"
    with pytest.raises(PictureNotKept, match="earlier release"):
        records.map(known)
    with pytest.raises(UnknownDetection):
        records.map("0" * 32)
    again.close()


def test_a_file_that_is_no_database_is_a_coded_error(settings: Settings) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / FILE).write_bytes(b"no database at all, but long enough to be looked at" * 40)
    database = Database(settings)
    with pytest.raises(HistoryUnavailable, match="not a database"):
        database.prepare()
    database.close()


def test_a_server_that_is_away_is_a_coded_error_without_its_password(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, history_url="postgresql://me:geheim@127.0.0.1:1/x")
    database = Database(settings)
    with pytest.raises(HistoryUnavailable) as caught, database.reading():
        pass
    assert "geheim" not in caught.value.message
    assert "127.0.0.1:1" in database.place
    assert "geheim" not in repr(settings)
    database.close()


def test_nothing_is_opened_before_the_first_use(settings: Settings) -> None:
    Database(settings).close()
    assert not settings.data_dir.exists()


@pytest.mark.parametrize("url", ["mysql://a/b", "history.db", "sqlite:///x.db"])
def test_other_databases_are_refused_by_the_setting(url: str) -> None:
    with pytest.raises(InvalidSettings, match="PATCHBANK_HISTORY_URL"):
        load_settings(history_url=url)


def test_a_reader_of_the_file_needs_no_library_of_ours(settings: Settings) -> None:
    database = Database(settings)
    add_detection(database)
    database.close()
    with sqlite3.connect(settings.data_dir / FILE) as plain:
        assert plain.execute("SELECT class_name, decision FROM detections").fetchall() == [("tile", "pass")]
    plain.close()
