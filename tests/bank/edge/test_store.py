"""What only the embedded store has: its files, its pointer, its locks."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import qdrant_edge as qe

from patchbank.bank.edge import flat_part
from patchbank.bank.edge.codes import Codes
from patchbank.bank.edge.flat_part import FlatPart
from patchbank.bank.edge.reference_shelf import Shelf, read_shelf
from patchbank.bank.edge.shard_sums import read_codes, write_sums
from patchbank.bank.edge.store import EdgeStore
from patchbank.errors import DamagedBank, DataDirNotWritable, PatchbankError, UnknownVersion
from tests.helpers.banks import FINGERPRINT, SPEC, image_id, teach, vectors
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


def test_damaged_pointer_files_are_an_error_not_an_empty_store(store: EdgeStore, tmp_path: Path) -> None:
    teach(store, "part")
    for name in ("aliases.json", "aliases.copy.json"):
        (tmp_path / "data" / name).write_text('{"classes": ')
    with pytest.raises(DamagedBank):
        store.bank("part")
    with pytest.raises(DamagedBank):
        store.active()


def test_an_engine_that_panics_costs_time_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Panic(BaseException):
        """As the engine's panics, it is no Exception."""

    def panic(*_: object) -> None:
        raise Panic("called `Option::unwrap()` on a `None` value")

    quick = EdgeStore(tmp_path / "data", index_from=32)
    ref = teach(quick, "part", 0, images=30)
    assert not quick.bank("part").nearest(vectors(1), 1).exact
    monkeypatch.setattr("patchbank.bank.edge.graph.Graph._ask", panic)
    for _ in range(2):
        answer = quick.bank("part").nearest(vectors(1), 1)
        assert answer.exact
        assert np.abs(answer.distances).max() < 1e-6
    told = [record.message for record in caplog.records if ref.collection in record.message]
    assert len(told) == 1, "once"
    assert "searched exhaustively" in told[0]
    quick.close()


def test_what_the_engine_proposes_is_never_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points that are not there, that come twice or are of images that are left out."""
    quick = EdgeStore(tmp_path / "data", index_from=32)
    teach(quick, "part", 0, images=30)
    bank = quick.bank("part")
    exact = bank.nearest(vectors(1), 4, exact=True)
    places = [int(place) for place in range(6, 12)]  # of the image itself, in the order of ids

    def lie(_graph: object, requests: list[qe.QueryRequest]) -> list[list[SimpleNamespace]]:
        return [
            [SimpleNamespace(id=told) for told in (own, own, 10**9, own)]
            for own, _ in zip(places, requests, strict=True)
        ]

    monkeypatch.setattr("patchbank.bank.edge.graph.Graph._ask", lie)
    answer = bank.nearest(vectors(1), 4)
    assert not answer.exact
    assert answer.distances[:, 0] == pytest.approx(exact.distances[:, 0], abs=1e-6)
    assert np.isinf(answer.distances[:, 1:]).all()
    without = bank.nearest(vectors(1), 1, exact=True, exclude_images=[image_id(1)])
    left_out = bank.nearest(vectors(1), 1, exclude_images=[image_id(1)])
    assert left_out.distances == pytest.approx(without.distances, abs=1e-6), "looked for without the engine"
    quick.close()


def test_vectors_of_one_number_have_codes_that_can_be_read_again(tmp_path: Path) -> None:
    """Their limit is that of what is stored, though rounding makes them longer than 1."""
    codes = Codes.fitting(np.full((4, 1), np.nextafter(np.float32(1), np.float32(2))))
    (tmp_path / "shard").mkdir()
    write_sums(tmp_path, codes)
    assert read_codes(tmp_path) == codes


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
from patchbank.bank.edge.shard_sums import read_codes, write_sums
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
    if then == "teach":
        with pytest.raises(UnknownVersion):
            fresh.activate(old)
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
    closed: list[FlatPart] = []
    read, close = read_shelf, FlatPart.close

    def read_late(path: Path, digest: str | None, count: int) -> Shelf:
        if slow.collection in path.parts:
            begun.set()
            assert go_on.wait(20)
        return read(path, digest, count)

    def note(part: FlatPart) -> None:
        closed.append(part)
        close(part)

    monkeypatch.setattr(flat_part, "read_shelf", read_late)
    monkeypatch.setattr(FlatPart, "close", note)
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
