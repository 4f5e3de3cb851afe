"""What only a real Qdrant server can show; skipped unless ``PATCHBANK_TEST_QDRANT_URL`` names one.

Neither local mode nor the test server in ``grpc_qdrant.py`` has an index, quantisation, payload indexes, segments, a
write-ahead log or snapshots. Some behaviour needs a server and is not tested here: that conditional writes let only one
of two takers have a lease when both ask at once; how long indexing takes and when the status turns green; that a
delayed optimizer, a full disk or a restart in the middle of an upload ends in an error or a complete version; and, on a
cluster, shards, replicas, write consistency, and reads while a node is down.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import models

from patchbank.bank.open_store import open_store
from patchbank.bank.server.collection import MANIFEST_POINT
from patchbank.bank.server.manifest_payload import unpacked
from patchbank.bank.store import BankSpec
from patchbank.errors import ClassBusy
from patchbank.scoring.threshold import calibrate
from tests.bank.test_search import assert_searches_exactly
from tests.helpers.banks import SPEC, brute_force, fill, manifest, teach, unit
from tests.helpers.stores import RealKind, store_kind

PATCHES = 4_000
DIM = 32


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RealKind]:
    with store_kind("server", tmp_path) as kind:
        assert isinstance(kind, RealKind)
        yield kind


def clusters(rng: np.random.Generator, count: int, width: float = 0.1) -> np.ndarray:
    """Patches around 25 centres: with a ``width`` of 0.1 near twins, nearest neighbours 0.005 apart."""
    centres = unit(np.random.default_rng(1).normal(size=(25, DIM)))
    return unit(centres[rng.integers(25, size=count)] + width * unit(rng.normal(size=(count, DIM))))


@pytest.mark.parametrize("k", [1, 3])
def test_a_real_server_decides_as_numpy_does(server: RealKind, k: int) -> None:
    rng = np.random.default_rng(k)
    bank, grid = clusters(rng, PATCHES), (14, 12)
    queries = clusters(rng, grid[0] * grid[1])
    queries[:9] = unit(rng.normal(size=(9, DIM)))
    with server.open().draft("part", BankSpec(DIM, 4)) as draft:
        fill(draft, [bank], unit(np.ones((1, 4))))
        draft.seal()
        assert not draft.nearest(queries, k).exact
        assert_searches_exactly(draft, queries, bank, grid, k)


@pytest.mark.parametrize(("width", "exact", "error"), [(0.5, 0.9, 2.0), (0.1, 0.3, 0.005)])
def test_a_real_server_s_approximate_distances_are_never_too_low_and_mostly_exact_but_among_near_twins(
    server: RealKind, width: float, exact: float, error: float
) -> None:
    """Which of several near twins is the nearest, int8 vectors do not tell; one of them is found."""
    rng = np.random.default_rng(0)
    bank, queries = clusters(rng, PATCHES, width), clusters(rng, 300, width)
    with server.open().draft("part", BankSpec(DIM, 4)) as draft:
        fill(draft, [bank], unit(np.ones((1, 4))))
        draft.seal()
        truth = brute_force(queries, bank, 1)
        distances = draft.nearest(queries, 1).distances[:, 0]
        assert (distances >= truth - 1e-5).all(), "scores are those of full vectors, not of quantised ones"
        assert (np.abs(distances - truth) < 1e-5).mean() > exact
        assert (distances - truth).max() < error
        assert draft.nearest(queries, 1, exact=True).distances[:, 0] == pytest.approx(truth, abs=1e-5)


@pytest.mark.parametrize("k", [1, 3])
def test_a_real_bank_in_memory_decides_as_the_server_does(server: RealKind, k: int) -> None:
    rng = np.random.default_rng(k)
    bank, queries = clusters(rng, PATCHES), clusters(rng, 14 * 12)
    queries[:9] = unit(rng.normal(size=(9, DIM)))
    store = server.open()
    with store.draft("part", BankSpec(DIM, 4)) as draft:
        fill(draft, [bank], unit(np.ones((1, 4))))
        draft.seal()
        draft.activate(manifest(draft, references=1, patches=PATCHES, dims=(DIM, 4)))
    settings = server.settings.model_copy(update={"qdrant_cache_mb": 10.0})
    with closing(open_store(settings, caching=True)) as caching:
        for _ in range(8):
            caching.bank("part").nearest(queries, k)
        end = time.monotonic() + 20
        while (state := caching.cache()) is not None and not state.parts and time.monotonic() < end:
            time.sleep(0.02)
        kept, asked = caching.bank("part"), store.bank("part")
        found, expected = kept.nearest(queries, k), asked.nearest(queries, k, exact=True)
        assert found.exact
        assert found.distances == pytest.approx(expected.distances, abs=1e-5)
        assert_searches_exactly(kept, queries, bank, (14, 12), k)


def test_a_real_collection_of_another_layout_is_served_by_the_same_requests(server: RealKind) -> None:
    """Releases may lay patches out in other ways, and administrators may take the quantisation away."""
    rng = np.random.default_rng(0)
    bank, queries = clusters(rng, PATCHES), clusters(rng, 14 * 12)
    with server.open().draft("part", BankSpec(DIM, 4)) as draft:
        fill(draft, [bank], unit(np.ones((1, 4))))
        draft.seal()
        plain = models.VectorParamsDiff(quantization_config=models.Disabled.DISABLED)
        server.admin.update_collection(draft.ref.collection, vectors_config={"patch": plain})
        while server.admin.get_collection(draft.ref.collection).status != models.CollectionStatus.GREEN:
            time.sleep(0.05)
        assert_searches_exactly(draft, queries, bank, (14, 12), 1)


def test_a_real_collection_is_laid_out_as_asked_and_indexed_before_it_serves(server: RealKind) -> None:
    with server.open().draft("part", BankSpec(DIM, 4)) as draft:
        fill(draft, [clusters(np.random.default_rng(0), PATCHES)], unit(np.ones((1, 4))))
        draft.seal()
        info = server.admin.get_collection(draft.ref.collection)
        draft.activate(manifest(draft, references=1, patches=PATCHES, dims=(DIM, 4)))
    assert info.status == models.CollectionStatus.GREEN
    assert (info.indexed_vectors_count or 0) >= PATCHES
    assert set(info.payload_schema) == {"image_id"}
    params = info.config.params.vectors
    assert isinstance(params, dict)
    assert params["patch"].quantization_config is not None
    assert info.config.params.on_disk_payload


def test_a_manifest_full_of_numbers_comes_back_from_a_real_server(server: RealKind) -> None:
    calibration = calibrate(np.random.default_rng(0).random(500).tolist(), "held-out", 0.4)
    ref = teach(server.open(), "part", calibration=calibration)
    manifest = server.open().bank("part").manifest
    assert (manifest.ref, manifest.calibration) == (ref, calibration)


def test_a_real_snapshot_carries_the_manifest(server: RealKind) -> None:
    ref = teach(server.open(), "part")
    assert server.admin.create_snapshot(ref.collection, wait=True) is not None
    records = server.admin.retrieve(ref.collection, [MANIFEST_POINT])
    assert unpacked(records[0].payload or {})["version"] == ref.version


def test_of_many_who_want_a_real_lease_one_gets_it(server: RealKind) -> None:
    stores = [server.open() for _ in range(8)]
    teach(stores[0], "other")
    start, held, busy = threading.Barrier(len(stores)), [], []

    def take(place: int) -> None:
        start.wait()
        try:
            draft = stores[place].draft("part", SPEC)
        except ClassBusy:
            busy.append(place)
        else:
            held.append(draft)

    threads = [threading.Thread(target=take, args=(place,)) for place in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for draft in held:
        draft.__exit__(None, None, None)
    assert (len(held), len(busy)) == (1, len(stores) - 1)
