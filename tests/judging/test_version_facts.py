"""Why a bank version was made, told from the times that are stored with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.manifest import Reason
from patchbank.bank.names import begun_at, new_version
from patchbank.errors import InvalidClassName, UnknownClass
from patchbank.judging.version_facts import kept_versions, reason_of
from tests.helpers.banks import reference, teach

BEGUN = "20260131-120000-500000"


@pytest.mark.parametrize(
    ("created", "added", "reason"),
    [
        ("12:00:09", ("12:00:00", "12:00:03"), "taught"),
        ("12:00:09", ("11:00:00", "12:00:03"), "extended"),
        ("12:00:09", ("11:00:00", "11:30:00"), "recalibrated"),
        ("11:59:59", ("11:00:00", "11:30:00"), "copied or restored"),
        ("12:00:09", (), "unknown"),
        ("12:00:09", ("yesterday",), "unknown"),
    ],
)
def test_a_version_s_reason_follows_from_its_times(
    tmp_path: Path, created: str, added: tuple[str, ...], reason: Reason
) -> None:
    store = EdgeStore(tmp_path)
    teach(store, "part")
    made = store.bank("part").manifest
    store.close()
    day = "2026-01-31T{}+00:00"
    manifest = made.model_copy(update={"version": BEGUN, "created_at": day.format(created)})
    references = [replace(reference(number), added_at=day.format(time)) for number, time in enumerate(added)]
    assert reason_of(manifest, references) == reason
    assert reason_of(manifest.model_copy(update={"version": "by-hand"}), references) == "unknown"


def test_a_version_s_name_tells_when_it_was_begun() -> None:
    moment = datetime(2026, 1, 31, 23, 59, 59, 12345, tzinfo=timezone.utc)
    assert begun_at(new_version(moment)) == moment.replace(microsecond=0)
    assert begun_at("first") is None


def test_a_damaged_version_is_told_of_and_the_others_are_whole(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path)
    refs = [teach(store, "part", seed) for seed in range(3)]
    (tmp_path / "collections" / refs[0].collection / "manifest.json").write_text("{")
    (tmp_path / "collections" / refs[2].collection / "manifest.json").unlink()
    store.close()
    store = EdgeStore(tmp_path)
    first, second, third = kept_versions(store, "part")
    assert [facts.version for facts in (first, second, third)] == [ref.version for ref in refs]
    assert [facts.serves for facts in (first, second, third)] == [False, False, True]
    assert (first.as_dict()["damaged"], first.as_dict()["error"]["code"]) == (True, "damaged_bank")
    assert (third.manifest, third.as_dict()["error"]["code"]) == (None, "damaged_bank")
    assert (second.damage, second.as_dict()["references"]) == (None, 3)
    store.close()


def test_versions_of_a_class_that_is_not_taught_are_an_error(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path)
    with pytest.raises(UnknownClass):
        kept_versions(store, "part")
    with pytest.raises(InvalidClassName):
        kept_versions(store, "a/b")
    store.close()
