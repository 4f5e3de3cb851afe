"""Several nodes of one server: the one that is away is left for the next, and taken again when it is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import grpc as wire
import pytest

from patchbank.bank.server.link import ServerLink
from patchbank.bank.server.store import ServerStore
from patchbank.errors import StoreNodeMissing, StoreRefused, StoreUnavailable
from patchbank.settings import load_settings
from tests.helpers.banks import FINGERPRINT, teach, vectors
from tests.helpers.grpc_qdrant import Behaviour, Served, serving_qdrant
from tests.helpers.tcp_proxy import TcpProxy, proxy_to

A_MOMENT = 5.0
"""Seconds that a node that hangs may cost one call, with room for a busy machine; a call's own limit is 20."""


@dataclass
class Cluster:
    """Three nodes with the same content, each behind a proxy that can cut it off."""

    nodes: list[Served]
    proxies: list[TcpProxy]
    store: ServerStore

    @property
    def calls(self) -> list[int]:
        return [sum(node.qdrant.calls.values()) for node in self.nodes]

    def forget_calls(self) -> None:
        for node in self.nodes:
            node.qdrant.calls.clear()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with ExitStack() as stack:
        first = stack.enter_context(serving_qdrant(Behaviour()))
        nodes = [first, *(stack.enter_context(serving_qdrant(Behaviour(), like=first.qdrant)) for _ in range(2))]
        proxies = [stack.enter_context(proxy_to(node.port)) for node in nodes]
        url = ",".join(f"http://127.0.0.1?grpc_port={proxy.port}" for proxy in proxies)
        store = ServerStore(ServerLink.open(load_settings(qdrant_url=url, qdrant_timeout_s=20.0)), keep_versions=2)
        stack.callback(store.close)
        yield Cluster(nodes, proxies, store)


def timed_active(store: ServerStore) -> float:
    begin = time.monotonic()
    assert "part" in store.active()
    return time.monotonic() - begin


def test_calls_go_to_the_node_that_answered_last(cluster: Cluster) -> None:
    teach(cluster.store, "part")
    assert cluster.calls[1:] == [0, 0]
    assert [node.answers for node in cluster.store.nodes()] == [True, True, True]


@pytest.mark.parametrize("how", ["refuse", "stall"])
def test_a_node_that_is_away_costs_one_request_a_moment_and_the_next_ones_nothing(
    cluster: Cluster, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    teach(cluster.store, "part")
    cluster.forget_calls()
    cluster.proxies[0].turn(how)  # type: ignore[arg-type]
    assert timed_active(cluster.store) < A_MOMENT
    begin = time.monotonic()
    for _ in range(20):
        timed_active(cluster.store)
    assert time.monotonic() - begin < A_MOMENT, "twenty requests together"
    assert cluster.calls[0] == 0
    assert not cluster.store.nodes()[0].answers
    assert cluster.store.nodes()[0].away_since is not None
    assert "is away" in caplog.text
    cluster.proxies[0].turn("pass")
    end = time.monotonic() + 20.0
    while not cluster.store.nodes()[0].answers and time.monotonic() < end:
        timed_active(cluster.store)
        time.sleep(0.05)
    assert cluster.store.nodes()[0].answers, "it is looked at again"
    assert "answers again" in caplog.text
    cluster.proxies[1].turn(how)  # type: ignore[arg-type]
    cluster.proxies[2].turn(how)  # type: ignore[arg-type]
    assert timed_active(cluster.store) < 2 * A_MOMENT
    assert cluster.calls[0] > 0, "and used again"


def test_teaching_goes_on_where_a_node_goes_away_in_its_midst(cluster: Cluster) -> None:
    stop = threading.Event()

    def cut() -> None:
        for turn in range(100):
            if stop.wait(0.05):
                break
            cluster.proxies[turn % 3].turn("refuse")
            stop.wait(0.05)
            cluster.proxies[turn % 3].turn("pass")

    cutting = threading.Thread(target=cut)
    cutting.start()
    try:
        refs = [teach(cluster.store, "part", seed, images=20) for seed in range(3)]
    finally:
        stop.set()
        cutting.join()
    bank = cluster.store.bank("part")
    assert (bank.manifest.ref, bank.manifest.patches, len(bank.references())) == (refs[-1], 120, 20)
    assert len(cluster.store.nearest_references(FINGERPRINT, vectors(9, 20, 4)[0], 100)) == 20


def test_where_no_node_answers_the_error_names_all_and_ends_soon(cluster: Cluster) -> None:
    teach(cluster.store, "part")
    for proxy in cluster.proxies:
        proxy.turn("refuse")
    begin = time.monotonic()
    with pytest.raises(
        StoreUnavailable, match=r"the Qdrant servers http://127\.0\.0\.1, http.*try again later"
    ) as caught:
        cluster.store.active()
    assert time.monotonic() - begin < 2 * A_MOMENT
    assert caught.value.code == "store_unavailable"


def test_a_node_that_does_not_know_a_collection_yet_is_not_believed_alone(cluster: Cluster) -> None:
    teach(cluster.store, "part")
    behind = cluster.nodes[0].qdrant.behaviour
    behind.fail = lambda *_: wire.StatusCode.NOT_FOUND
    assert len(cluster.store.bank("part").references()) == 3


def test_a_key_that_one_node_refuses_is_told_only_where_all_do(cluster: Cluster) -> None:
    teach(cluster.store, "part")
    for node in cluster.nodes[:2]:
        node.qdrant.behaviour.api_key = "another"
    assert "part" in cluster.store.active()
    cluster.nodes[2].qdrant.behaviour.api_key = "another"
    with pytest.raises(StoreRefused, match="PATCHBANK_QDRANT_API_KEY"):
        cluster.store.active()


def test_a_node_that_misses_another_one_is_an_error_that_says_so(cluster: Cluster) -> None:
    teach(cluster.store, "part")
    told = 'Service internal error: Tonic status error: "Failed to connect to http://10.0.0.3:6335/, error: transport"'

    def fail(name: str, _: str) -> wire.StatusCode | tuple[wire.StatusCode, str] | None:
        return (wire.StatusCode.INTERNAL, told) if name == "QueryBatch" else None

    for node in cluster.nodes:
        node.qdrant.behaviour.fail = fail
    with pytest.raises(StoreNodeMissing, match=r"http://10\.0\.0\.3:6335") as caught:
        cluster.store.bank("part").nearest(vectors(1), 1)
    assert (caught.value.code, caught.value.status) == ("store_node_missing", 503)
    cluster.nodes[2].qdrant.behaviour.fail = lambda *_: None
    assert cluster.store.bank("part").nearest(vectors(1), 1).exact, "another node reaches it"
