"""API keys in the database: stored hashed, named once, revoked for good."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from patchbank.errors import InvalidParameters, KeyNameTaken, UnknownKey
from patchbank.history.database import FILE, Database
from patchbank.history.detection import utc_now
from patchbank.history.keys import ADMIN_KEY, KeyRing, digest, without_keys
from patchbank.history.tables import API_KEYS
from patchbank.settings import Settings


@pytest.fixture
def ring(database: Database) -> KeyRing:
    return KeyRing(database)


def test_a_key_is_long_random_and_stored_as_its_hash_alone(ring: KeyRing, database: Database) -> None:
    made, key = ring.create("line-3", "detect")
    assert re.fullmatch(rf"pb_{made.id}_[A-Za-z0-9_-]{{43}}", key), "256 random bits"
    with database.reading() as connection:
        row = connection.execute(sa.select(API_KEYS)).mappings().one()
    assert row["sha256"] == hashlib.sha256(key.encode()).hexdigest()
    assert key not in str(dict(row))
    assert key.split("_", 2)[2] not in str(dict(row))
    assert ring.create("line-4", "detect")[1] != key


def test_the_file_does_not_hold_a_key(settings: Settings) -> None:
    database = Database(settings)
    _, key = KeyRing(database).create("line-3", "detect")
    database.close()
    parts = [path.read_bytes() for path in settings.data_dir.glob(f"{FILE}*")]
    assert parts
    assert not [part for part in parts if key.encode() in part or key.split("_", 2)[2].encode() in part]


def test_keys_are_listed_oldest_first_without_what_opens(ring: KeyRing) -> None:
    secrets = [ring.create(name, "review")[1] for name in ("a", "b", "c")]
    assert [key.name for key in ring.all_keys()] == ["a", "b", "c"]
    told = str([key.as_dict() for key in ring.all_keys()])
    assert not [key for key in secrets if key in told or digest(key.encode()) in told]


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_revoked_key_stays_listed_and_is_no_longer_usable(ring: KeyRing, by: str) -> None:
    made, _ = ring.create("line-3", "detect")
    kept, key = ring.create("line-4", "teach")
    revoked = ring.revoke(getattr(made, by))
    assert revoked.revoked_at is not None
    assert not revoked.usable
    assert [known.name for known in ring.all_keys()] == ["line-3", "line-4"]
    assert ring.usable() == {kept.id: (kept, digest(key.encode()))}
    assert ring.revoke("line-3").revoked_at == revoked.revoked_at, "when it was revoked first"


def test_a_name_is_given_once_even_after_it_was_revoked(ring: KeyRing) -> None:
    ring.create("line-3", "detect")
    for _ in range(2):
        with pytest.raises(KeyNameTaken, match="line-3"):
            ring.create("line-3", "admin")
        ring.revoke("line-3")


def test_a_key_that_nobody_made_cannot_be_revoked(ring: KeyRing) -> None:
    with pytest.raises(UnknownKey, match="'nobody'"):
        ring.revoke("nobody")


@pytest.mark.parametrize("name", ["", " a", "a ", "-a", "a\nb", "a\0", "a" * 65, "a/b", "<b>", ADMIN_KEY])
def test_names_that_would_confuse_are_refused(ring: KeyRing, name: str) -> None:
    with pytest.raises(InvalidParameters, match="name a key"):
        ring.create(name, "detect")


@pytest.mark.parametrize("name", ["a", "line-3", "Jörg Müller", "ops@plant.example", "a" * 64])
def test_names_of_people_and_lines_are_taken(ring: KeyRing, name: str) -> None:
    assert ring.create(name, "detect")[0].name == name


def test_the_last_use_is_written_down(ring: KeyRing) -> None:
    made, _ = ring.create("line-3", "detect")
    at = utc_now() + timedelta(minutes=1)
    ring.note_use({made.id: at, "gone": at})
    (known,) = ring.all_keys()
    assert known.used_at == at


def test_a_key_in_a_text_is_shortened_to_its_id(ring: KeyRing) -> None:
    made, key = ring.create("line-3", "detect")
    assert without_keys(f"GET /classes?key={key}&x=1") == f"GET /classes?key=pb_{made.id}_...&x=1"
    assert without_keys("nothing to hide, pb_or so") == "nothing to hide, pb_or so"
