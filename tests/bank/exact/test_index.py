"""The exhaustive search over the flat copy."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbank.arrays import FloatArray
from patchbank.bank.edge.npy_file import FileRows, NpyFile, write_rows
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.exact import index as exact_index
from patchbank.bank.exact.index import ExactIndex
from patchbank.bank.names import PatchId, patch_point
from patchbank.bank.store import BankSpec
from patchbank.errors import StoreUnavailable
from tests.helpers.banks import fill, image_id, unit
from tests.helpers.places import ROOT


def index_of(vectors: FloatArray, images: int = 4) -> ExactIndex:
    ids = [
        bytes.fromhex(patch_point(image_id(place % images), 0, place).replace("-", "")) for place in range(len(vectors))
    ]
    points = np.frombuffer(b"".join(ids), dtype=np.uint8).reshape(len(vectors), 16)
    return ExactIndex(vectors, points)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 60),
    queries=st.integers(1, 9),
    k=st.integers(1, 12),
    block=st.sampled_from([1, 7, 64]),
    left_out=st.sampled_from([(), (0,), (3,), (1, 3)]),
)
def test_it_finds_what_sorting_finds(
    seed: int, count: int, queries: int, k: int, block: int, left_out: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(seed)
    vectors, asked = unit(rng.normal(size=(count, 6))), unit(rng.normal(size=(queries, 6)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_index, "_BLOCK", block)
        neighbours = index_of(vectors).nearest(asked, k, [image_id(number) for number in left_out])
    distances = 1.0 - asked @ vectors.T
    distances[:, np.isin(np.arange(count) % 4, left_out)] = np.inf
    expected = np.sort(distances, axis=1)[:, :k]
    expected = np.pad(expected, ((0, 0), (0, k - expected.shape[1])), constant_values=np.inf)
    assert neighbours.exact
    finite = np.isfinite(expected)
    assert (np.isfinite(neighbours.distances) == finite).all()
    assert not neighbours.ids[~finite].any(), "where too few are left, no left-out patch takes the place"
    assert neighbours.distances[finite] == pytest.approx(np.maximum(expected[finite], 0.0), abs=1e-5)
    for row, column in zip(*np.nonzero(finite), strict=True):
        patch_id = PatchId.from_bytes(neighbours.ids[row, column])
        assert distances[row, patch_id.column] == pytest.approx(expected[row, column], abs=1e-5)


def written(path: Path, vectors: FloatArray) -> NpyFile:
    write_rows(path, "<f4", vectors)
    return NpyFile.open(path, "<f4", vectors.shape[1])


def test_vectors_in_a_file_are_searched_as_those_in_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors, queries = unit(rng.normal(size=(50, 6))), unit(rng.normal(size=(7, 6)))
    ids = index_of(vectors).block(0, 50)[0]
    order = np.argsort(rng.random(50))
    file = written(tmp_path / "vectors.npy", vectors)
    shuffled = written(tmp_path / "shuffled.npy", vectors[order])
    expected = ExactIndex(vectors, ids).nearest(queries, 3)
    for rows in (FileRows(file), file.mapped(), FileRows(shuffled, np.argsort(order))):
        answer = ExactIndex(rows, ids).nearest(queries, 3)
        np.testing.assert_allclose(answer.distances, expected.distances, atol=1e-6)
        np.testing.assert_array_equal(answer.ids, expected.ids)
    places = rng.integers(0, 50, size=30)
    np.testing.assert_array_equal(FileRows(file).gather(places), vectors[places])
    np.testing.assert_array_equal(FileRows(file, order).gather(places), vectors[order][places])
    nothing = np.empty(0, dtype=np.int64)  # a block none of whose patches has to be looked at
    assert FileRows(file).gather(nothing).shape == FileRows(file, order).gather(nothing).shape == (0, vectors.shape[1])
    np.testing.assert_array_equal(FileRows(file, order).rows(3, 9), vectors[order][3:9])


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (lambda raw: raw[:-1], "bytes"),
        (lambda raw: raw + b"0", "bytes"),
        (lambda raw: raw[:40], "not an array"),
        (lambda raw: raw[:0], "not an array"),
        (lambda raw: raw.replace(b"<f4", b"<f8"), "not an array"),
        (lambda raw: raw.replace(b"(5, 3)", b"(3, 5)"), "rows of 5 numbers"),
        (lambda raw: raw.replace(b"(5, 3), ", b"(99999999999999,)"), "not an array"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_told(tmp_path: Path, raw: Callable[[bytes], bytes], said: str) -> None:
    path = tmp_path / "vectors.npy"
    written(path, unit(np.random.default_rng(0).normal(size=(5, 3))))
    path.write_bytes(raw(path.read_bytes()))
    with pytest.raises(ValueError, match=said):
        NpyFile.open(path, "<f4", 3)


def test_a_file_that_is_cut_after_it_was_opened_is_told(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npy"
    file = written(path, unit(np.random.default_rng(0).normal(size=(5, 3))))
    os.truncate(path, path.stat().st_size - 20)
    with pytest.raises(OSError, match="shorter"):
        file.read()
    with pytest.raises(OSError, match="shorter"):
        file.gather(np.array([4, 0]))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_error_with_a_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, really = EdgeStore(tmp_path), Path.open
    with store.draft("part", BankSpec(16, 4)) as draft:
        fill(draft, [unit(np.random.default_rng(0).normal(size=(300, 16)))], unit(np.ones((1, 4))))
        full = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115

        def open_full(path: Path, mode: str = "r", *rest: Any, **options: Any) -> Any:
            return full if mode == "xb" else really(path, mode, *rest, **options)

        monkeypatch.setattr(Path, "open", open_full)
        with pytest.raises(StoreUnavailable, match="the disk is full"):
            draft.seal()
        monkeypatch.undo()
    store.close()


FILLED = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.store import BankSpec
from patchbank.errors import StoreUnavailable
from tests.helpers.banks import fill, unit

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
store = EdgeStore(Path(sys.argv[1]), index_from=300)
try:
    with store.draft("part", BankSpec(16, 4)) as draft:
        fill(draft, [unit(np.random.default_rng(0).normal(size=(300, 16)))], unit(np.ones((1, 4))))
        draft.seal()
except StoreUnavailable as error:
    print(error.code, error.message)
store.close()
print([path.name for path in (Path(sys.argv[1]) / "collections").iterdir()])
"""


@pytest.mark.skipif(os.name == "nt", reason="needs a limit on the size of files")
def test_an_engine_that_cannot_write_is_an_error_with_a_code_and_leaves_nothing(tmp_path: Path) -> None:
    """Its files are mapped, so it cannot be told by an exception; it does not end this process."""
    command = [sys.executable, "-c", FILLED, str(tmp_path / "data")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    told, left = done.stdout.splitlines()
    assert told.startswith("store_unavailable the bank store's engine failed")
    assert left == "[]"
