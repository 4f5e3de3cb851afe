"""Making collections on a cluster, also while one of its nodes is away.

Qdrant places the copies of a new collection on the nodes with the fewest shards, whether they answer or not, and then
waits for those that do not. So after a short wait it is looked at where the copies are. Where too few of them work,
the collection is made again with a copy on every node, and those that are not wanted are dropped: of what nodes that
are away should hold, first.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import grpc
from qdrant_client import QdrantClient, models

from patchbank.bank.server.link import ONCE, READING, WRITING, Missing, Patience, ServerLink
from patchbank.bank.server.spread import EVERYWHERE, Spread
from patchbank.errors import PatchbankError, StoreNodeMissing

_LOG = logging.getLogger("patchbank")

Make = Callable[[QdrantClient, dict[str, Any]], object]
"""Creates a collection with a client and these further arguments of ``create_collection``; again if it must."""

CREATING: Final = Patience(6, 20.0, late=True)
SETTLING: Final = 2
"""Seconds that the server waits for all copies of a new collection."""
_SLOW: Final = 2.0
"""Seconds more until a copy that is not there counts as that of a node that is away."""
_POLL: Final = 0.2


@dataclass(frozen=True)
class Copies:
    """Peers that hold a shard: where it can be written, and where it is still waited for."""

    active: tuple[int, ...]
    waiting: tuple[int, ...]


def create(link: ServerLink, name: str, make: Make, spread: Spread) -> None:
    """Create a collection whose shards can all be written. Nothing stays where that fails.

    Raises ``StoreNodeMissing`` where a node is away without which there are fewer copies than a write waits for.
    """
    try:
        _create(link, name, make, spread)
    except BaseException:
        with suppress(PatchbankError):
            drop(link, name, READING)
        raise


def ensure(link: ServerLink, name: str, make: Make, spread: Spread) -> bool:
    """Create a collection if it is missing, and return whether it was. Another process may create it at the same time.
    One that is to be everywhere and is not, because nodes were added or an older release made it, is copied there."""
    if link.exists(name):
        if spread.replicas == EVERYWHERE:
            _copy_everywhere(link, name)
        return False
    _create(link, name, make, spread)
    return True


def drop(link: ServerLink, name: str, patience: Patience = WRITING) -> None:
    """Delete a collection and everything in it; none is needed."""
    link.ask(f"dropping {name}", lambda client: client.delete_collection(name), patience)


def _create(link: ServerLink, name: str, make: Make, spread: Spread) -> None:
    shards = _made(link, name, make, spread, spread.replicas)
    if not any(copies.waiting for copies in shards.values()):
        return
    if min(len(copies.active) for copies in shards.values()) < spread.replicas and (
        len(link.nodes.all) == 1 or spread.replicas < len(link.nodes.all)
    ):
        drop(link, name)
        shards = _spread_out(link, name, make, spread)
    active = min(len(copies.active) for copies in shards.values())
    missing = sorted({peer for copies in shards.values() for peer in copies.waiting})
    if active < max(1, min(spread.write_consistency, spread.replicas)):
        raise StoreNodeMissing(
            f"{name} cannot be made: of the {spread.replicas} copies of each shard (PATCHBANK_QDRANT_REPLICAS) only "
            f"{active} can be written, and a write waits for {spread.write_consistency} "
            f"(PATCHBANK_QDRANT_WRITE_CONSISTENCY); missing is {_named(link, missing)}. "
            "Start it again; nothing was changed"
        )
    if missing:
        _LOG.warning(
            "%s has %d copies and should have more: %s is away; Qdrant makes them when it is back",
            name,
            active,
            _named(link, missing),
        )


def _made(link: ServerLink, name: str, make: Make, spread: Spread, replicas: int) -> dict[int, Copies]:
    arguments = {
        "shard_number": spread.shards,
        "replication_factor": replicas,
        "write_consistency_factor": spread.write_consistency,
        "timeout": SETTLING,
    }

    def once(client: QdrantClient) -> object:
        try:
            return make(client, arguments)
        except grpc.RpcError as error:
            if isinstance(error, grpc.Call) and _is_there(error):  # of an earlier try, or another process
                return None
            raise

    link.ask(f"creating {name}", once, CREATING)
    known_away = any(not state.answers for state in link.states())
    end = time.monotonic() + (0.0 if known_away else _SLOW)
    while True:
        shards = copies_of(link, name)
        if not any(copies.waiting for copies in shards.values()) or time.monotonic() > end:
            return shards
        time.sleep(_POLL)


def _is_there(error: grpc.Call) -> bool:
    return error.code() is grpc.StatusCode.ALREADY_EXISTS or "already exists" in (error.details() or "")


def _spread_out(link: ServerLink, name: str, make: Make, spread: Spread) -> dict[int, Copies]:
    """Create it on all nodes, and leave as many copies of each shard as were asked for, on nodes that answer if they
    suffice."""
    for shard, copies in _made(link, name, make, spread, EVERYWHERE).items():
        wanted = random.sample(copies.active, min(spread.replicas, len(copies.active)))
        wanted += copies.waiting[: spread.replicas - len(wanted)]
        for peer in {*copies.active, *copies.waiting} - set(wanted):
            replica = models.DropReplicaOperation(drop_replica=models.Replica(shard_id=shard, peer_id=peer))
            link.ask(
                f"placing {name}",
                lambda client, replica=replica: client.cluster_collection_update(name, replica, timeout=SETTLING),  # type: ignore[misc]
            )
    factor = models.CollectionParamsDiff(replication_factor=spread.replicas)
    link.ask(f"placing {name}", lambda client: client.update_collection(name, collection_params=factor), WRITING)
    return copies_of(link, name)


def _copy_everywhere(link: ServerLink, name: str) -> None:
    """Have the server copy each shard to one of our nodes that lacks it, in the background. The next change does the
    same for the next node, or tries again."""
    if len(link.nodes.all) == 1:
        return
    peers = set()
    for node in (node for node in link.nodes.all if node.away_since is None):
        with suppress(grpc.RpcError):
            peers.add(node.client.collection_cluster_info(name).peer_id)
    for shard, copies in copies_of(link, name).items():
        lacking = peers - {*copies.active, *copies.waiting}
        if lacking and copies.active and not copies.waiting:
            order = models.ReplicateShard(shard_id=shard, from_peer_id=min(copies.active), to_peer_id=min(lacking))
            operation = models.ReplicateShardOperation(replicate_shard=order)
            try:
                link.ask(
                    f"copying {name}",
                    lambda client, operation=operation: client.cluster_collection_update(name, operation),  # type: ignore[misc]
                    ONCE,
                )
            except PatchbankError as error:
                _LOG.warning("%s is not copied to peer %d: %s", name, order.to_peer_id, error.message)


def copies_of(link: ServerLink, name: str) -> dict[int, Copies]:
    """The copies of each shard of a collection."""
    answer = link.ask(f"looking where {name} is", lambda client: client.collection_cluster_info(name))
    states: dict[int, dict[int, bool]] = {}
    for local in answer.local_shards:
        states.setdefault(local.shard_id, {})[answer.peer_id] = local.state == models.ReplicaState.ACTIVE
    for remote in answer.remote_shards:
        states.setdefault(remote.shard_id, {})[remote.peer_id] = remote.state == models.ReplicaState.ACTIVE
    if not states:
        raise Missing(f"bank store, looking where {name} is: it is nowhere")
    return {
        shard: Copies(
            tuple(peer for peer, active in peers.items() if active),
            tuple(peer for peer, active in peers.items() if not active),
        )
        for shard, peers in states.items()
    }


def _named(link: ServerLink, peers: list[int]) -> str:
    """Peers of the cluster in words, with those of our nodes that do not answer."""
    away = [node.address.url for node, trouble in link.nodes.troubles() if trouble is not None]
    told = f"peer{'s' if len(peers) > 1 else ''} {', '.join(map(str, peers))}" if peers else "a node"
    return told + (f" (of PATCHBANK_QDRANT_URL, {' and '.join(away)} does not answer)" if away else "")
