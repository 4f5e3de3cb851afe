"""The nodes of one Qdrant server or cluster: which of them is asked next, and what is known of each."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import grpc
from qdrant_client import QdrantClient
from qdrant_client import grpc as messages

from patchbank.bank.server.wrong_door import why_closed, why_no_qdrant
from patchbank.bank.store import NodeState
from patchbank.errors import StoreRefused, StoreUnavailable
from patchbank.reason import reason_of
from patchbank.server_urls import ServerUrl

_LOG = logging.getLogger("patchbank")

_LOOK_AGAIN: Final = 5.0
"""Seconds between two looks whether a node that is away has come back; at most every so often."""
_PROBE: Final = 2.0
_REFUSED: Final = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


@dataclass
class Node:
    """One node: its address, its client, whether it ever answered, and since when it does not (``time.time``)."""

    address: ServerUrl
    client: QdrantClient
    known: bool = False
    away_since: float | None = None
    failed_at: float = 0.0
    told: str = ""


class Nodes:
    """Thread-safe. The node that answered last is asked first; a node that failed, after all the others."""

    def __init__(self, nodes: Sequence[Node], authority: bytes | None = None) -> None:
        self.all = tuple(nodes)
        self._authority = authority
        self._guard = threading.Lock()
        self._first = self.all[0]
        self._looking = False
        self._looked_at = 0.0
        self._closed = threading.Event()

    def in_turn(self) -> Iterator[Node]:
        """Every node once, the most promising first."""
        with self._guard:
            others = sorted((node for node in self.all if node is not self._first), key=lambda node: node.failed_at)
            return iter([self._first, *others])

    def answered(self, node: Node) -> None:
        """Note that a node does its work."""
        if self._first is node and node.known and node.away_since is None and not self._others_to_look_at():
            return  # as nearly always
        with self._guard:
            self._first, node.known = node, True
            back, node.away_since = node.away_since is not None, None
        if back:
            _LOG.warning("Qdrant node %s answers again", node.address.url)
        self._look_again()

    def failed(self, node: Node, why: str) -> None:
        """Note that a node is away."""
        with self._guard:
            fresh = node.away_since is None
            node.failed_at, node.told = time.monotonic(), why
            if fresh:
                node.away_since = time.time()
            if self._first is node:
                self._first = min(self.all, key=lambda other: other.failed_at)
            next_one = self._first
        if fresh and len(self.all) > 1:
            _LOG.warning("Qdrant node %s is away (%s); %s is asked next", node.address.url, why, next_one.address.url)

    def states(self) -> list[NodeState]:
        """What is known of each node; nothing is asked."""
        with self._guard:
            return [
                NodeState(
                    node.address.url, node.away_since is None, node.away_since, node.told if node.away_since else ""
                )
                for node in self.all
            ]

    def troubles(self) -> list[tuple[Node, StoreUnavailable | None]]:
        """Ask each node now, all at once, for at most a few seconds: the error that says why it cannot be used, with
        None where it can."""
        with closing(_Threads(len(self.all))) as threads:
            waiting = [threads.submit(self.trouble, node) for node in self.all]
            return [(node, future.result()) for node, future in zip(self.all, waiting, strict=True)]

    def trouble(self, node: Node) -> StoreUnavailable | None:
        """The same for one node."""
        try:
            _probe(node)
        except Exception as error:
            return self.explained(node, error)
        self.answered(node)
        return None

    def explained(self, node: Node, error: Exception) -> StoreUnavailable:
        """What the client raised at a node, as an error that says what is wrong there."""
        code = error.code() if isinstance(error, grpc.Call) else None
        text = (error.details() or "") if isinstance(error, grpc.Call) else reason_of(error)
        if code in _REFUSED:
            return StoreRefused(
                f"{node.address.url} does not take the key ({text}): check PATCHBANK_QDRANT_API_KEY",
            )
        if code is grpc.StatusCode.UNIMPLEMENTED:
            return why_no_qdrant(node.address, self._authority)
        if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNKNOWN}:
            closed = why_closed(node.address, self._authority)
            if closed is not None:
                return closed
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return StoreUnavailable(f"{node.address.url} does not answer in time")
        return StoreUnavailable(f"{node.address.url}: {code.name if code else type(error).__name__}: {text}")

    def _others_to_look_at(self) -> bool:
        return (
            len(self.all) > 1
            and time.monotonic() - self._looked_at > _LOOK_AGAIN
            and any(node.away_since is not None for node in self.all)
        )

    def _look_again(self) -> None:
        """See in a thread of its own whether nodes that are away have come back."""
        with self._guard:
            if self._looking or self._closed.is_set() or not self._others_to_look_at():
                return
            self._looking, self._looked_at = True, time.monotonic()
            away = [node for node in self.all if node.away_since is not None]
        threading.Thread(target=self._look, args=(away,), name="qdrant-nodes", daemon=True).start()

    def _look(self, away: Sequence[Node]) -> None:
        try:
            for node in away:
                try:
                    _probe(node)
                except Exception as error:  # it is still away, or the store is closed
                    _LOG.debug("Qdrant node %s is still away: %s", node.address.url, reason_of(error))
                    continue
                with self._guard:
                    node.away_since, node.failed_at = None, 0.0
                _LOG.warning("Qdrant node %s answers again", node.address.url)
        finally:
            with self._guard:
                self._looking = False

    def close(self) -> None:
        """Close all clients."""
        self._closed.set()
        for node in self.all:
            node.client.close()


class _Threads(ThreadPoolExecutor):
    def close(self) -> None:
        self.shutdown(wait=True)


def _probe(node: Node) -> None:
    """Ask for something small that needs the key, too."""
    node.client.grpc_collections.ListAliases(messages.ListAliasesRequest(), timeout=_PROBE)
