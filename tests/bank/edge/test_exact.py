"""The exhaustive search over the flat copy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbank.arrays import FloatArray
from patchbank.bank.edge import exact
from patchbank.bank.edge.exact import ExactIndex
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.names import PatchId, patch_point
from patchbank.bank.store import BankSpec
from patchbank.errors import DamagedBank, StoreUnavailable
from tests.helpers.banks import fill, image_id, manifest, unit


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
        patch.setattr(exact, "_BLOCK", block)
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


def test_files_round_trip_and_damaged_ones_are_an_error(tmp_path: Path) -> None:
    vectors = unit(np.random.default_rng(0).normal(size=(5, 3)))
    points = [(bytes([place] * 16), vector.tolist()) for place, vector in enumerate(vectors)]
    written = ExactIndex.write(tmp_path / "exact", 5, points)
    opened = ExactIndex.open(tmp_path / "exact")
    assert len(written) == len(opened) == 5
    assert opened.nearest(vectors, 1).ids[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert len(ExactIndex.write(tmp_path / "none", 0, [])) == 0
    np.save(tmp_path / "exact" / "ids.npy", np.zeros((4, 16), dtype=np.uint8))
    with pytest.raises(ValueError, match="5 vectors, 4 ids"):
        ExactIndex.open(tmp_path / "exact")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_error_with_a_code_and_not_the_end_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EdgeStore(tmp_path)
    with store.draft("part", BankSpec(16, 4)) as draft:
        fill(draft, [unit(np.random.default_rng(0).normal(size=(300, 16)))], unit(np.ones((1, 4))))
        full = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
        monkeypatch.setattr(Path, "open", lambda *_: full)
        with pytest.raises(StoreUnavailable, match="No space left"):
            draft.seal()
        monkeypatch.undo()
    store.close()


def test_a_bank_without_its_flat_copy_answers_the_same_and_a_damaged_copy_is_an_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors, queries = unit(rng.normal(size=(300, 16))), unit(rng.normal(size=(20, 16)))
    store = EdgeStore(tmp_path)
    with store.draft("part", BankSpec(16, 4)) as draft:
        fill(draft, [vectors], unit(np.ones((1, 4))))
        draft.seal()
        draft.activate(manifest(draft, references=1, patches=300, dims=(16, 4)))
    with_copy = store.bank("part").nearest(queries, 3, exact=True)
    store.close()
    folder = next(tmp_path.glob("collections/*part*/exact"))
    folder.rename(tmp_path / "aside")
    store = EdgeStore(tmp_path)
    by_engine = store.bank("part").nearest(queries, 3, exact=True)
    store.close()
    assert with_copy.distances == pytest.approx(by_engine.distances, abs=1e-6)
    assert (with_copy.ids == by_engine.ids).all()
    (tmp_path / "aside").rename(folder)
    (folder / "vectors.npy").write_bytes(b"\x93NUMPY")
    store = EdgeStore(tmp_path)
    with pytest.raises(DamagedBank):
        store.bank("part").nearest(queries, 3, exact=True)
    store.close()
