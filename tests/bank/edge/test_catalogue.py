"""The pointer file and its locks."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from patchbank.atomic_file import replace_file
from patchbank.bank.edge import catalogue as catalogue_module
from patchbank.bank.edge.catalogue import Catalogue
from patchbank.bank.pointers import Pointers, Route
from patchbank.bank.sealed_document import sealed
from patchbank.errors import ClassBusy, DamagedBank, DataDirNotWritable, StoreUnavailable
from tests.helpers.places import ROOT

HOLDER = """
import sys
from pathlib import Path
from patchbank.bank.edge.catalogue import Catalogue
lock = Catalogue(Path(sys.argv[1])).class_lock(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


ROUTE = Route("print", (("v1", ("0" * 24,)), ("v3", ())))


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path / "data")


def publish(catalogue: Catalogue, aliases: Pointers) -> None:
    catalogue.switch(lambda _: aliases)


def put(catalogue: Catalogue, class_name: str, version: str | None) -> None:
    catalogue.switch(lambda aliases: aliases.with_class(class_name, version))


@contextmanager
def other_process_holding(data_dir: Path, class_name: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, str(data_dir), class_name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            yield holder
        finally:
            holder.kill()


def test_a_class_is_switched_and_taken_out() -> None:
    first = Pointers().with_class("bolt", "v1")
    second = first.with_class("nut", "v1").with_class("bolt", "v2")
    assert first.classes == {"bolt": "v1"}
    assert second.classes == {"bolt": "v2", "nut": "v1"}
    assert second.with_class("bolt", None).classes == {"nut": "v1"}
    assert second.with_class("washer", None) == second
    routed = first.with_class("nut", "v3", ROUTE)
    assert routed.with_class("bolt", "v2").routes == {"nut": ROUTE}
    assert routed.with_class("nut", "v4").routes == {}, "a route is of one version"


def test_a_fresh_directory_has_no_classes(catalogue: Catalogue) -> None:
    assert catalogue.read() == Pointers()
    assert not catalogue.data_dir.exists(), "reading creates nothing"


def test_a_switch_is_seen_by_all(catalogue: Catalogue) -> None:
    other = Catalogue(catalogue.data_dir)
    for version in ("v1", "v2", "v10"):
        put(catalogue, "bolt", version)
        assert catalogue.read() == other.read() == Pointers({"bolt": version}, {})
    put(other, "bolt", None)
    assert catalogue.read() == Pointers()


def test_a_switch_builds_on_what_others_did(catalogue: Catalogue) -> None:
    put(catalogue, "bolt", "v1")
    put(Catalogue(catalogue.data_dir), "nut", "v1")
    put(catalogue, "washer", "v1")
    assert catalogue.read().classes == {"bolt": "v1", "nut": "v1", "washer": "v1"}


def test_a_change_that_fails_changes_nothing_and_frees_the_lock(catalogue: Catalogue) -> None:
    put(catalogue, "bolt", "v1")

    def fail(aliases: Pointers) -> Pointers:
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        catalogue.switch(fail)
    assert catalogue.read().classes == {"bolt": "v1"}
    put(Catalogue(catalogue.data_dir), "bolt", "v2")
    assert catalogue.read().classes == {"bolt": "v2"}


def test_routes_are_kept_and_files_of_older_versions_have_none(catalogue: Catalogue) -> None:
    catalogue.switch(lambda pointers: pointers.with_class("nut", "v3", ROUTE))
    put(catalogue, "bolt", "v1")
    assert Catalogue(catalogue.data_dir).read() == Pointers({"nut": "v3", "bolt": "v1"}, {"nut": ROUTE})
    (catalogue.data_dir / "aliases.json").write_text('{"classes": {"bolt": "v1"}, "routers": {"print": "router-1"}}')
    assert Catalogue(catalogue.data_dir).read() == Pointers({"bolt": "v1"}, {})


def test_reading_costs_no_parsing_while_nothing_changes(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    put(catalogue, "bolt", "v1")
    first = catalogue.read()
    monkeypatch.setattr(json, "loads", lambda _: pytest.fail("it was parsed again"))
    assert catalogue.read() is first


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"classes": 3}',
        '{"classes": {}, "routes": {"a": 1}}',
        '{"classes": {}, "routes": []}',
        "\x00",
    ],
)
def test_a_damaged_file_is_told_and_never_reads_as_empty(catalogue: Catalogue, text: str) -> None:
    catalogue.data_dir.mkdir()
    (catalogue.data_dir / "aliases.json").write_text(text)
    with pytest.raises(DamagedBank, match=r"aliases\.json"):
        catalogue.read()


def test_a_file_that_is_not_text_is_damaged(catalogue: Catalogue) -> None:
    (catalogue.data_dir / "aliases.json").mkdir(parents=True)
    with pytest.raises(StoreUnavailable):
        catalogue.read()
    (catalogue.data_dir / "aliases.json").rmdir()
    (catalogue.data_dir / "aliases.json").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DamagedBank):
        catalogue.read()


def test_a_directory_that_went_away_is_an_error_until_it_is_back(catalogue: Catalogue) -> None:
    put(catalogue, "bolt", "v1")
    away = catalogue.data_dir.rename(catalogue.data_dir.with_name("away"))
    with pytest.raises(StoreUnavailable, match="is gone"):
        catalogue.read()
    away.rename(catalogue.data_dir)
    assert catalogue.read().classes == {"bolt": "v1"}


def test_what_a_killed_switch_left_is_cleared_by_the_next(catalogue: Catalogue) -> None:
    put(catalogue, "bolt", "v1")
    (catalogue.data_dir / ".aliases.json-k9x2a_b1").write_text("{")
    put(catalogue, "bolt", "v2")
    assert sorted(path.name for path in catalogue.data_dir.iterdir()) == ["aliases.copy.json", "aliases.json", "locks"]


def test_classes_that_are_being_removed_are_kept_in_the_file(catalogue: Catalogue) -> None:
    catalogue.switch(lambda _: Pointers({"bolt": "v1"}, {}, frozenset({"nut"})))
    assert Catalogue(catalogue.data_dir).read() == Pointers({"bolt": "v1"}, {}, frozenset({"nut"}))


def test_a_damaged_file_is_not_overwritten(catalogue: Catalogue) -> None:
    catalogue.data_dir.mkdir()
    (catalogue.data_dir / "aliases.json").write_text("{")
    with pytest.raises(DamagedBank):
        put(catalogue, "bolt", "v1")
    assert (catalogue.data_dir / "aliases.json").read_text() == "{"


def test_a_data_directory_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(DataDirNotWritable):
        Catalogue(tmp_path / "data").class_lock("bolt")
    with pytest.raises(DataDirNotWritable):
        put(Catalogue(tmp_path / "data"), "bolt", "v1")


def test_readers_never_see_a_torn_file_while_a_writer_switches(catalogue: Catalogue) -> None:
    """In every published state, the number of classes equals the number that each of its versions states."""
    states = [{f"class-{place}": str(count) for place in range(count)} for count in (1, 300, 40, 7)]
    done = threading.Event()
    torn: list[object] = []
    seen: set[int] = set()

    def read(fresh: bool) -> None:
        reader = Catalogue(catalogue.data_dir)
        while not done.wait(0.0002):
            try:
                classes = (Catalogue(catalogue.data_dir) if fresh else reader).read().classes
            except DamagedBank as error:
                torn.append(error)
                return
            seen.add(len(classes))
            if classes not in states:
                torn.append(classes)

    publish(catalogue, Pointers(states[0]))
    readers = [threading.Thread(target=read, args=(fresh,)) for fresh in (True, False)]
    for thread in readers:
        thread.start()
    for step in range(200):
        publish(catalogue, Pointers(states[step % 4]))
    done.set()
    for thread in readers:
        thread.join()
    assert torn == []
    assert len(seen) > 1
    assert sorted(path.name for path in catalogue.data_dir.iterdir()) == ["aliases.copy.json", "aliases.json", "locks"]


def test_switches_of_threads_are_not_lost(catalogue: Catalogue) -> None:
    def work(worker: int) -> None:
        own = Catalogue(catalogue.data_dir)
        for step in range(10):
            put(own, f"class-{worker}-{step}", "v1")

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(catalogue.read().classes) == 40


def test_a_class_lock_excludes_a_second_one(catalogue: Catalogue) -> None:
    held = catalogue.class_lock("bolt")
    for contender in (catalogue, Catalogue(catalogue.data_dir)):
        with pytest.raises(ClassBusy, match="'bolt'"):
            contender.class_lock("bolt")
    catalogue.class_lock("nut").release()
    held.release()
    catalogue.class_lock("bolt").release()


def test_a_class_lock_does_not_hinder_a_switch(catalogue: Catalogue) -> None:
    held = catalogue.class_lock("bolt")
    put(Catalogue(catalogue.data_dir), "bolt", "v1")
    held.release()
    assert catalogue.read().classes == {"bolt": "v1"}


def test_a_class_lock_excludes_another_process_and_dies_with_it(catalogue: Catalogue) -> None:
    with other_process_holding(catalogue.data_dir, "bolt") as holder:
        with pytest.raises(ClassBusy):
            catalogue.class_lock("bolt")
        catalogue.class_lock("nut").release()
        holder.kill()
        holder.wait()
        catalogue.class_lock("bolt").release()


def test_a_held_lock_keeps_another_process_out(catalogue: Catalogue) -> None:
    held = catalogue.class_lock("bolt")
    command = [sys.executable, "-c", HOLDER, str(catalogue.data_dir), "bolt"]
    refused = subprocess.run(command, cwd=ROOT, input="", capture_output=True, text=True, check=False)
    held.release()
    assert refused.returncode != 0
    assert "ClassBusy" in refused.stderr


def test_a_class_lock_can_be_used_in_a_with_block(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path)
    with catalogue.class_lock("bolt") as held:
        pass
    catalogue.class_lock("bolt").release()
    assert not held.is_locked


FILES = ("aliases.json", "aliases.copy.json")


def taught(catalogue: Catalogue) -> None:
    put(catalogue, "bolt", "v1")
    catalogue.switch(lambda pointers: pointers.with_class("nut", "v3", ROUTE))


def damaged(path: Path, how: str) -> None:
    raw = path.read_bytes()
    if how == "deleted":
        path.unlink()
    elif how == "cut":
        path.write_bytes(raw[: len(raw) // 2])
    elif how == "another version":
        path.write_bytes(raw.replace(b'"v1"', b'"v2"'))
    else:
        path.write_bytes(b"")


@pytest.mark.parametrize("how", ["deleted", "cut", "another version", "empty"])
@pytest.mark.parametrize("file", FILES)
def test_one_damaged_file_of_the_two_is_told_and_written_anew_by_the_next_change(
    catalogue: Catalogue, file: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    taught(catalogue)
    before = catalogue.read()
    damaged(catalogue.data_dir / file, how)
    for reader in (catalogue, Catalogue(catalogue.data_dir)):
        caplog.clear()
        assert [reader.read() for _ in range(3)] == [before] * 3
        assert file in (reader.state() or "")
        assert len(caplog.records) == (file == "aliases.json"), "once, where it matters"
    put(Catalogue(catalogue.data_dir), "washer", "v1")
    fresh = Catalogue(catalogue.data_dir)
    assert fresh.state() is None
    assert fresh.read().classes == {"bolt": "v1", "nut": "v3", "washer": "v1"}


@pytest.mark.parametrize("file", FILES)
def test_one_damaged_file_of_the_two_is_written_anew_by_repairing(catalogue: Catalogue, file: str) -> None:
    taught(catalogue)
    was = (catalogue.data_dir / file).read_bytes()
    damaged(catalogue.data_dir / file, "cut")
    fresh = Catalogue(catalogue.data_dir)
    assert file in (fresh.repair() or "")
    assert (fresh.repair(), (catalogue.data_dir / file).read_bytes()) == (None, was)


def test_no_flipped_bit_of_the_file_is_read_as_another_content(catalogue: Catalogue) -> None:
    taught(catalogue)
    before = catalogue.read()
    path = catalogue.data_dir / "aliases.json"
    raw = path.read_bytes()
    (catalogue.data_dir / "aliases.copy.json").unlink()
    for place in range(len(raw)):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 1 << place % 8]) + raw[place + 1 :])
        try:
            assert Catalogue(catalogue.data_dir).read() == before
        except DamagedBank:
            continue


def test_both_files_lost_is_an_error_where_banks_are_and_none_where_no_class_was_taught(catalogue: Catalogue) -> None:
    taught(catalogue)
    folder = catalogue.data_dir / "collections" / "patchbank__bolt__v1"
    folder.mkdir(parents=True)
    for file in FILES:
        (catalogue.data_dir / file).unlink()
    (folder / "pending").touch()
    (folder / "manifest.json").touch()
    assert Catalogue(catalogue.data_dir).read() == Pointers(), "nobody was told of that version"
    (folder / "pending").unlink()
    for reader in (catalogue, Catalogue(catalogue.data_dir)):
        with pytest.raises(DamagedBank, match="nobody knows which versions serve"):
            reader.read()
        with pytest.raises(DamagedBank):
            put(reader, "nut", "v9")


def test_a_change_that_ends_between_the_two_files_did_not_happen(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught(catalogue)
    before = catalogue.read()
    replace = replace_file

    def end(path: Path, text: str) -> None:
        if path.name == "aliases.json":
            raise KeyboardInterrupt
        replace(path, text)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(catalogue_module, "replace_file", end)
        put(catalogue, "bolt", "v2")
    fresh = Catalogue(catalogue.data_dir)
    assert fresh.read() == before
    assert "older" in (fresh.repair() or "")
    (catalogue.data_dir / "aliases.json").unlink()
    assert Catalogue(catalogue.data_dir).read() == before


@pytest.mark.parametrize("version", ["../../etc", "a/b", "", "a__b", "v1\n"])
def test_a_name_that_leads_elsewhere_is_damage(catalogue: Catalogue, version: str) -> None:
    catalogue.data_dir.mkdir()
    (catalogue.data_dir / "aliases.json").write_text(json.dumps(sealed({"classes": {"bolt": version}})))
    with pytest.raises(DamagedBank, match="no name of a version"):
        catalogue.read()


def test_what_interrupted_switches_left_is_swept(catalogue: Catalogue) -> None:
    taught(catalogue)
    for name in (".aliases.json-k9x2a_b1", ".aliases.copy.json-k9x2a_b1"):
        (catalogue.data_dir / name).write_text("{")
    catalogue.sweep()
    assert sorted(path.name for path in catalogue.data_dir.iterdir()) == sorted([*FILES, "locks"])
