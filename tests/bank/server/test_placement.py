"""New collections while a node of the cluster is away: made on those that answer, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from qdrant_client import grpc

from patchbank.bank.names import PREFIX
from patchbank.bank.server.link import ServerLink
from patchbank.bank.server.spread import EVERYWHERE, Spread
from patchbank.bank.server.store import ServerStore
from patchbank.errors import StoreNodeMissing
from tests.helpers.banks import teach
from tests.helpers.grpc_qdrant import Behaviour, Served, serving_qdrant
from tests.helpers.stores import settings_of

AWAY = 3
PEERS = (1, 2, AWAY)

Open = Callable[[Spread], ServerStore]


class Placing:
    """Places copies as a server does whose third node is away and has the fewest shards."""

    def __init__(self) -> None:
        self.served: Served | None = None
        self.held: dict[str, dict[int, bool]] = {}

    def copies(self, name: str) -> dict[int, bool]:
        assert self.served is not None
        made = [r for r in self.served.qdrant.requests if isinstance(r, grpc.CreateCollection)]
        number = next(r.replication_factor for r in reversed(made) if r.collection_name == name)
        key = f"{name} {len(made)}"
        if key not in self.held:
            chosen = sorted(PEERS, reverse=True)[: min(number, len(PEERS))]
            self.held[key] = {peer: peer != AWAY for peer in chosen}
        return self.held[key]


@pytest.fixture
def placing() -> Placing:
    return Placing()


@pytest.fixture
def served(placing: Placing) -> Iterator[Served]:
    with serving_qdrant(Behaviour(copies=placing.copies)) as running:
        placing.served = running
        yield running


@pytest.fixture
def opened(served: Served) -> Iterator[Open]:
    stores: list[ServerStore] = []

    def make(spread: Spread) -> ServerStore:
        stores.append(ServerStore(ServerLink.open(settings_of(served)), keep_versions=2, spread=spread))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def drafts(served: Served) -> list[str]:
    names = [collection.name for collection in served.qdrant.client.get_collections().collections]
    return [name for name in names if name.startswith(f"{PREFIX}__part__")]


@pytest.mark.parametrize(("replicas", "consistency"), [(1, 1), (2, 1), (2, 2), (3, 2)])
def test_as_many_copies_as_can_be_are_on_nodes_that_answer(
    opened: Open, served: Served, placing: Placing, replicas: int, consistency: int
) -> None:
    ref = teach(opened(Spread(1, replicas, consistency)), "part")
    held = next(copies for name, copies in reversed(placing.held.items()) if name.startswith(ref.collection))
    assert sum(held.values()) == min(replicas, 2), held
    assert len(held) == replicas
    assert drafts(served) == [ref.collection]


def test_where_too_few_nodes_answer_nothing_is_made_and_the_error_says_which_is_missing(
    opened: Open, served: Served
) -> None:
    with pytest.raises(StoreNodeMissing, match=rf"(?s)only 2 can be written.*waits for 3.*peer {AWAY}") as caught:
        teach(opened(Spread(1, 3, 3)), "part")
    assert "PATCHBANK_QDRANT_WRITE_CONSISTENCY" in caught.value.message
    assert drafts(served) == []


def test_what_all_classes_need_is_on_every_node(opened: Open, served: Served) -> None:
    teach(opened(Spread(4, 1, 1)), "part")
    made = {r.collection_name: r for r in served.qdrant.requests if isinstance(r, grpc.CreateCollection)}
    common = [r for name, r in made.items() if not name.startswith(f"{PREFIX}__part")]
    assert len(common) == 2, "leases and a router"
    assert {(r.shard_number, r.replication_factor) for r in common} == {(1, EVERYWHERE)}
