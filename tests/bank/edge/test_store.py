"""What only the embedded store has: its files, its pointer, its locks."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from patchbank.bank.edge.store import EdgeStore
from patchbank.errors import DamagedBank, DataDirNotWritable, PatchbankError, UnknownVersion
from tests.helpers.banks import FINGERPRINT, SPEC, teach, vectors
from tests.helpers.places import ROOT


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EdgeStore]:
    opened = EdgeStore(tmp_path / "data", keep_versions=2)
    yield opened
    opened.close()


def test_a_bank_whose_files_are_missing_is_an_error_and_can_be_removed(store: EdgeStore, tmp_path: Path) -> None:
    ref = teach(store, "part", 0)
    shutil.rmtree(tmp_path / "data" / "collections" / ref.collection)
    fresh = EdgeStore(tmp_path / "data")
    with pytest.raises(DamagedBank):
        fresh.bank("part")
    fresh.remove("part")
    assert dict(fresh.active()) == {}
    fresh.close()


def test_a_damaged_pointer_file_is_an_error_not_an_empty_store(store: EdgeStore, tmp_path: Path) -> None:
    teach(store, "part")
    (tmp_path / "data" / "aliases.json").write_text('{"classes": ')
    with pytest.raises(DamagedBank):
        store.bank("part")
    with pytest.raises(DamagedBank):
        store.active()


def test_a_bank_that_cannot_be_opened_for_writing_is_not_called_damaged(
    store: EdgeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = teach(store, "part", 0)
    (tmp_path / "data" / "collections" / ref.collection / "shard" / "edge_config.json").write_text("{")
    fresh = EdgeStore(tmp_path / "data")
    with pytest.raises(DamagedBank):
        fresh.bank("part").references()
    monkeypatch.setattr("patchbank.bank.edge.shard.os.access", lambda *_: False)
    with pytest.raises(DataDirNotWritable, match="cannot be written; let this user write to the data directory"):
        fresh.bank("part").references()
    fresh.close()


def test_a_data_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = EdgeStore(tmp_path / "file" / "data")
    with pytest.raises(DataDirNotWritable):
        store.draft("part", SPEC)
    store.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.helpers.banks import SPEC, fill, manifest, vectors
from patchbank.bank.edge.store import EdgeStore

store = EdgeStore(Path(sys.argv[1]), keep_versions=2)
where = sys.argv[2]
def die(*_args, **_kwargs): os.kill(os.getpid(), signal.SIGKILL)
if where == "pointer": store._catalogue.switch = die
with store.draft("part", SPEC) as draft:
    fill(draft, [vectors(800)], vectors(9, 1, 4))
    if where == "filling": die()
    draft.seal()
    draft.activate(manifest(draft, references=1, patches=6, dims=(8, 4)))
"""


@pytest.mark.parametrize("where", ["filling", "pointer"])
def test_a_killed_indexer_leaves_the_old_version_serving_and_the_next_one_cleans_up(
    store: EdgeStore, tmp_path: Path, where: str
) -> None:
    ref = teach(store, "part", 0)
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "data"), where], cwd=ROOT, check=False)
    assert done.returncode == -9
    assert store.bank("part").manifest.ref == ref
    assert np.abs(store.bank("part").nearest(vectors(1), 1).distances).max() < 1e-6
    assert len(store.nearest_references(FINGERPRINT, vectors(7, 3, 4)[0], 10)) == 3
    newer = teach(store, "part", 4)
    assert store.bank("part").manifest.ref == newer
    folders = [folder.name for folder in (tmp_path / "data" / "collections").iterdir()]
    assert not [name for name in folders if name.endswith(".partial")]


@pytest.mark.parametrize("then", ["teach", "remove"])
def test_a_removal_that_ends_at_the_pointer_file_is_gone_through_with(
    store: EdgeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    teach(store, "part", 0)
    old = teach(store, "part", 1)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store, "_end_removal", interrupt)
        store.remove("part")
    fresh = EdgeStore(tmp_path / "data")
    assert fresh.versions("part") == []
    with pytest.raises(UnknownVersion):
        fresh.activate(old)
    if then == "teach":
        taught = teach(fresh, "part", 2)
        assert fresh.versions("part") == [taught.version]
    else:
        fresh.remove("part")
        assert not list((tmp_path / "data" / "collections").iterdir())
    assert fresh.pointers().removed == frozenset()
    fresh.close()


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_bank_that_is_slow_to_open_holds_up_no_other_and_is_closed_with_the_store(
    store: EdgeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = teach(store, "slow", 0)
    teach(store, "quick", 1)
    begun, go_on = threading.Event(), threading.Event()
    closed: list[Shard] = []
    load, close = Shard.load, Shard.close

    def load_late(folder: Path) -> Shard:
        if slow.collection in folder.parts:
            begun.set()
            assert go_on.wait(20)
        return load(folder)

    def note(shard: Shard) -> None:
        closed.append(shard)
        close(shard)

    monkeypatch.setattr(Shard, "load", load_late)
    monkeypatch.setattr(Shard, "close", note)
    fresh = EdgeStore(tmp_path / "data")
    with ThreadPoolExecutor(2) as pool:
        opening = pool.submit(fresh.bank("slow").references)
        assert begun.wait(20)
        assert fresh.bank("quick").references() != []
        closing = pool.submit(fresh.close)
        go_on.set()
        closing.result(20)
        assert opening.exception(20) is None or isinstance(opening.exception(), PatchbankError)
    assert len(closed) == 2
