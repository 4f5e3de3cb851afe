"""The router of a server is derived: lost, emptied, partly gone or damaged, class retrieval finds what it found, and
the router is made whole again by itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

import grpc as wire
import numpy as np
import pytest
from qdrant_client import models

from patchbank.bank.names import PREFIX, BankRef
from patchbank.bank.server.collection import MANIFEST_POINT
from patchbank.bank.server.link import ServerLink
from patchbank.bank.server.points import check_similarities
from patchbank.bank.server.store import ServerStore
from patchbank.bank.view import View
from patchbank.errors import DamagedBank
from tests.helpers.banks import FINGERPRINT, teach, vectors
from tests.helpers.grpc_qdrant import Served
from tests.helpers.stores import settings_of

ROUTER = f"{PREFIX}__router__{FINGERPRINT}"
Damage = Callable[[Served, BankRef], object]


@pytest.fixture
def store(served: Served) -> Iterator[ServerStore]:
    opened = ServerStore(ServerLink.open(settings_of(served)), keep_versions=2)
    yield opened
    opened.close()


def votes(store: ServerStore, query: int = 7) -> list[tuple[str, str, float]]:
    hits = store.nearest_references(FINGERPRINT, vectors(query, 3, 4)[0], 5)
    return sorted((hit.class_name, hit.image_id, round(hit.similarity, 5)) for hit in hits)


def entered(served: Served) -> dict[str, int]:
    """References in the router by version."""
    with served.qdrant.lock:
        if not served.qdrant.client.collection_exists(ROUTER):
            return {}
        points, _ = served.qdrant.client.scroll(ROUTER, limit=1_000)
    counts: dict[str, int] = {}
    for point in points:
        bank = (point.payload or {})["bank"]
        counts[bank] = counts.get(bank, 0) + 1
    return counts


def of_version(ref: BankRef) -> models.FilterSelector:
    condition = models.FieldCondition(key="bank", match=models.MatchValue(value=ref.collection))
    return models.FilterSelector(filter=models.Filter(must=[condition]))


def lost(served: Served, _: BankRef) -> None:
    served.qdrant.client.delete_collection(ROUTER)


def emptied(served: Served, _: BankRef) -> None:
    served.qdrant.client.delete(ROUTER, models.FilterSelector(filter=models.Filter()))


def without_a_class(served: Served, ref: BankRef) -> None:
    served.qdrant.client.delete(ROUTER, of_version(ref))


def without_a_reference(served: Served, ref: BankRef) -> None:
    points, _ = served.qdrant.client.scroll(ROUTER, of_version(ref).filter, limit=1)
    served.qdrant.client.delete(ROUTER, models.PointIdsList(points=[points[0].id]))


def with_vectors_that_are_too_long(served: Served, ref: BankRef) -> None:
    points, _ = served.qdrant.client.scroll(ROUTER, of_version(ref).filter, limit=10)
    vector = {"cls": (100 * vectors(7, 3, 4)[0]).tolist()}
    damaged = [models.PointStruct(id=point.id, vector=vector, payload=point.payload) for point in points]
    served.qdrant.client.upsert(ROUTER, damaged)


@pytest.mark.parametrize(
    "damage", [lost, emptied, without_a_class, without_a_reference, with_vectors_that_are_too_long]
)
def test_a_damaged_router_changes_no_answer_and_mends_itself(
    damage: Damage, served: Served, store: ServerStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "patchbank")
    refs = [teach(store, "part", 0), teach(store, "other", 1)]
    whole = {ref.collection: 3 for ref in refs}
    truth = votes(store)
    assert {name for name, _, _ in truth} == {"part", "other"}
    with served.qdrant.lock:
        damage(served, refs[0])
    fresh = ServerStore(ServerLink.open(settings_of(served)), keep_versions=2)
    try:
        assert votes(fresh) == truth, "at once"
        end = time.monotonic() + 20.0
        while (entered(served) != whole or "is whole again" not in caplog.text) and time.monotonic() < end:
            time.sleep(0.02)
        assert entered(served) == whole
        assert votes(fresh) == truth
        assert "the router" in caplog.text
        served.qdrant.calls.clear()
        votes(fresh)
        assert served.qdrant.calls["Scroll"] == 0, "the router does it again"
    finally:
        fresh.close()


def test_a_running_service_notices_a_lost_router_within_seconds(served: Served, store: ServerStore) -> None:
    teach(store, "part", 0)
    truth = votes(store)
    with served.qdrant.lock:
        emptied(served, BankRef("part", ""))
    end = time.monotonic() + 20.0
    while votes(store) != truth and time.monotonic() < end:
        time.sleep(0.05)
    assert votes(store) == truth


def test_a_class_that_cannot_be_read_is_silent_and_the_others_vote(served: Served, store: ServerStore) -> None:
    teach(store, "part", 0)
    gone = teach(store, "other", 1)
    with served.qdrant.lock:
        served.qdrant.client.delete(gone.collection, models.PointIdsList(points=[MANIFEST_POINT]))
        lost(served, gone)
    fresh = ServerStore(ServerLink.open(settings_of(served)), keep_versions=2)
    try:
        found = View(fresh).retrieve(FINGERPRINT, vectors(7, 3, 4)[0], 5)
        assert {hit.class_name for hit in found.hits} == {"part"}
        assert set(found.silent) == {"other"}
        assert "manifest" in found.silent["other"]
        assert fresh.bank("part").nearest(vectors(1), 1).distances.shape == (6, 1), "what is named goes on"
    finally:
        fresh.close()


def test_a_router_that_nobody_needs_is_not_made(served: Served, store: ServerStore) -> None:
    teach(store, "part", 0)
    assert store.nearest_references("f" * 16, vectors(7, 3, 4)[0], 3) == [], "no class was made with that backbone"
    assert not served.qdrant.client.collection_exists(f"{PREFIX}__router__{'f' * 16}")


@pytest.mark.parametrize("number", [float("inf"), 1.5, 100.0])
def test_what_is_no_similarity_is_an_error_never_normal(number: float, served: Served, store: ServerStore) -> None:
    ref = teach(store, "part", 0)
    with served.qdrant.lock:
        points, _ = served.qdrant.client.scroll(
            ref.collection,
            models.Filter(must=[models.HasVectorCondition(has_vector="patch")]),
            limit=100,
            with_vectors=["patch"],
        )
        vector = np.asarray(dict(points[0].vector or {})["patch"])  # type: ignore[arg-type]
        damaged = models.PointStruct(
            id=points[0].id, vector={"patch": (vector * number).tolist()}, payload=points[0].payload
        )
        served.qdrant.client.upsert(ref.collection, [damaged])
    with pytest.raises(DamagedBank, match="damaged") as caught:
        store.bank("part").nearest(vector[None].astype(np.float32), 1)
    assert caught.value.code == "damaged_bank"
    with pytest.raises(DamagedBank, match="damaged"):
        list(store.bank("part").patches())


def test_nan_is_no_similarity_either() -> None:  # local mode stores none
    for similarities in ([0.5, float("nan")], [float("-inf")]):
        with pytest.raises(DamagedBank, match="damaged"):
            check_similarities("patchbank__part", similarities)
    check_similarities("patchbank__part", [])
    check_similarities("patchbank__part", [1.0000005, -1.0])


def test_a_store_that_cannot_be_reached_is_not_taken_for_a_lost_router(served: Served, store: ServerStore) -> None:
    teach(store, "part", 0)
    served.qdrant.behaviour.fail = lambda *_: wire.StatusCode.UNAVAILABLE
    begin = time.monotonic()
    with pytest.raises(Exception, match="cannot be reached"):
        store.nearest_references(FINGERPRINT, vectors(7, 3, 4)[0], 3)
    assert time.monotonic() - begin < 6.0
    served.qdrant.behaviour.fail = lambda *_: None
    assert sum(entered(served).values()) == 3
