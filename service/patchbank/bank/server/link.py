"""The connection to a Qdrant server or cluster: every call goes through it, is retried where that is safe, at another
node where the first is away, and fails with a code."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import grpc
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse

from patchbank.bank.server.node import Node, Nodes
from patchbank.bank.store import NodeState
from patchbank.errors import (
    Closed,
    DamagedBank,
    InvalidSettings,
    PatchbankError,
    StoreNodeMissing,
    StoreRefused,
    StoreUnavailable,
)
from patchbank.reason import reason_of
from patchbank.server_urls import ServerUrl
from patchbank.settings import Settings

_LOG = logging.getLogger("patchbank")

T = TypeVar("T")

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_REFUSED: Final = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
_PASSING: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED)
_ELSEWHERE: Final = (*_REFUSED, *_PASSING, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.NOT_FOUND)
"""What another node may do better; a node that has just come back may not know a new collection yet."""
_PEER_WORDS: Final = (
    "Failed to connect",
    "transport error",
    "currently unavailable",
    "Healthcheck timeout",
    "enough active replicas",
    "leader is not established",
    "Waiting for consensus",
)
"""How a node says that it has not reached another one: an error of its own, which passes once that one is left out."""
_LAST: Final = 4
_PEER_SECONDS: Final = 15.0
"""Longest that a write is tried again because its node has not reached another one: that takes a server 10 seconds to
notice, and then it leaves the other one out, if it can."""
_CHANNEL: Final[dict[str, Any]] = {
    # Reconnect within a second or two once the server is back; the library's own pauses grow to two minutes.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
    "grpc.min_reconnect_backoff_ms": 2_000,
    # Notice a dead connection while a call waits, and reconnect.
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 3_000,
    "grpc.http2.ping_timeout_ms": 3_000,  # of the library's own pings, behind which a keep-alive one waits
}
_CHANNELS: Final = _CHANNEL | {
    # Where another node can take over, one that hangs is left after a second or two, in the midst of a call, too.
    "grpc.min_reconnect_backoff_ms": 1_000,
    "grpc.keepalive_time_ms": 1_000,
    "grpc.keepalive_timeout_ms": 1_500,
    "grpc.http2.ping_timeout_ms": 1_500,
    "grpc.http2.max_pings_without_data": 0,
}


class Missing(DamagedBank):
    """A collection that the server does not have."""


class Unanswered(StoreUnavailable):
    """No node has answered."""


@dataclass(frozen=True)
class Patience:
    """How long a call is retried: at most ``tries`` rounds over all nodes within ``seconds``; ``late`` retries a call
    that timed out, and one whose node has not reached another node, too."""

    tries: int
    seconds: float
    late: bool = False


ONCE: Final = Patience(1, 0.0)
READING: Final = Patience(3, 2.0)
"""A caller waits for the answer: a broken connection is retried, a server that does not answer is not."""
WRITING: Final = Patience(12, 60.0, late=True)
"""Only for writes that can safely be repeated; long enough for a server to restart."""


class ServerLink:
    """The clients of all nodes and their error handling. Thread-safe. It connects at the first call and reconnects when
    needed."""

    def __init__(self, nodes: Nodes, timeout: float) -> None:
        """Takes over ``nodes``, whose calls end after ``timeout`` seconds, and closes them."""
        urls = [node.address.url for node in nodes.all]
        self.place = f"the Qdrant server{'s' if len(urls) > 1 else ''} {', '.join(urls)}"
        self.nodes = nodes
        self.timeout = timeout
        self._closed = threading.Event()

    @classmethod
    def open(cls, settings: Settings) -> ServerLink:
        """A link to the nodes that the settings name; nothing is sent yet."""
        addresses = settings.qdrant_nodes
        options = dict(_CHANNELS if len(addresses) > 1 else _CHANNEL)
        authority = _authority(settings)
        if authority is not None:
            options["root_certificates"] = authority
        key = settings.qdrant_api_key.get_secret_value()

        def client(address: ServerUrl) -> QdrantClient:
            return QdrantClient(
                url=address.url,
                grpc_port=address.grpc_port,
                prefer_grpc=True,
                headers={"api-key": key} if key else None,
                timeout=max(1, round(settings.qdrant_timeout_s)),
                grpc_options=dict(options),  # the client adds to them
                check_compatibility=False,  # the check runs in a separate thread and can only warn
            )

        nodes = Nodes([Node(address, client(address)) for address in addresses], authority)
        if settings.qdrant_key_exposed:
            _LOG.warning(
                "the Qdrant API key is sent to %s without TLS, where others on the network can read it",
                settings.qdrant_key_exposed,
            )
        return cls(nodes, settings.qdrant_timeout_s)

    def ask(
        self,
        doing: str,
        call: Callable[[QdrantClient], T],
        patience: Patience = READING,
        unwanted: Callable[[], bool] = lambda: False,
    ) -> T:
        """The call's result, from the first node that gives one. A failed call is not retried once ``unwanted`` is
        true.

        Errors become ``StoreUnavailable`` or one of its kinds, ``Missing`` or ``Closed``.
        """
        begin = time.monotonic()
        pause, told = _FIRST_PAUSE, False
        for attempt in range(1, patience.tries + 1):
            failures: list[tuple[Node, Exception]] = []
            for node in self.nodes.in_turn():
                self._check_open()
                try:
                    result = call(node.client)
                except PatchbankError:
                    raise
                except Exception as error:
                    self._check_open(error)
                    failures.append((node, error))
                    if _is_away(error):
                        self.nodes.failed(node, _short(error))
                    late = time.monotonic() - begin > self.timeout + patience.seconds
                    if late or unwanted() or not _worth_elsewhere(error, patience):
                        break
                else:
                    self.nodes.answered(node)
                    return result
            wait = pause * random.uniform(0.5, 1.5)  # noqa: S311  # no secret
            lacking = any(_lacks_a_peer(error) for _, error in failures)
            seconds = min(patience.seconds, _PEER_SECONDS) if lacking else patience.seconds
            over = attempt == patience.tries or time.monotonic() - begin + wait > seconds
            if over or unwanted() or not any(_worth_another(error, patience) for _, error in failures):
                raise self._coded(failures, doing) from failures[-1][1]
            if patience.late and not told and time.monotonic() - begin > 1.0:
                told = True
                _LOG.warning(
                    "bank store, %s: %s; it is tried for up to %.0f seconds",
                    doing,
                    _short(failures[-1][1]),
                    seconds,
                )
            self._closed.wait(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)
        raise AssertionError("unreachable")

    def _check_open(self, error: Exception | None = None) -> None:
        if self._closed.is_set():
            raise Closed("the bank store is closed") from error

    def _coded(self, failures: list[tuple[Node, Exception]], doing: str) -> PatchbankError:
        """What the client raised at each node, as one error with a code: that of the node that says most."""
        never = [(node, error) for node, error in failures if not node.known and isinstance(error, grpc.Call)]
        node, error = min(failures, key=lambda failure: _rank(failure[1]))
        if len(never) == len(self.nodes.all) and _rank(error) == _LAST:  # rather a wrong setting than an outage
            return self._never_reached([self.nodes.explained(*failure) for failure in never], doing)
        if not isinstance(error, grpc.Call):
            return StoreUnavailable(f"bank store, {doing}: {reason_of(error)}")
        code, text = error.code(), _text(error)
        kind: type[PatchbankError] = StoreUnavailable
        message = f"bank store, {doing}: {code.name}: {text}"
        if code in _REFUSED:
            kind = StoreRefused
            message = f"the bank store refuses this service, {doing}: {text}; check PATCHBANK_QDRANT_API_KEY"
        elif _lacks_a_peer(error):
            kind = StoreNodeMissing
            message = (
                f"a node of the Qdrant cluster is away that is needed, {doing}: {node.address.url} says: {text}; start "
                "it again, or keep more copies (PATCHBANK_QDRANT_REPLICAS)"
            )
        elif code is grpc.StatusCode.NOT_FOUND:
            kind = Missing
        elif code is grpc.StatusCode.UNAVAILABLE:
            kind = Unanswered
            message = f"the bank store cannot be reached, {doing}: {self.place}: {text}; try again later"
        elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
            kind = Unanswered
            message = f"the bank store does not answer in time, {doing}: {self.place}; try again later"
        return kind(message)

    def _never_reached(self, seen: list[StoreUnavailable], doing: str) -> StoreUnavailable:
        kinds = {type(error) for error in seen}
        kind = kinds.pop() if len(kinds) == 1 else StoreUnavailable
        again = ""
        if kind is StoreUnavailable:
            kind, again = Unanswered, "; try again later"
        return kind(f"the bank store cannot be reached, {doing}: {'; '.join(error.message for error in seen)}{again}")

    def index_payload(self, name: str, field: str, kind: models.PayloadSchemaType) -> None:
        """Index a payload field that is filtered on."""
        self.ask(f"indexing {name}", lambda client: client.create_payload_index(name, field, kind, wait=True), WRITING)

    def exists(self, name: str) -> bool:
        """Whether there is a collection of that name."""
        return self.ask(f"looking for {name}", lambda client: client.collection_exists(name))

    def states(self) -> list[NodeState]:
        """What is known of each node; nothing is asked."""
        return self.nodes.states()

    def close(self) -> None:
        """Close the connections; a later call raises ``Closed``."""
        if not self._closed.is_set():
            self._closed.set()
            self.nodes.close()


def _authority(settings: Settings) -> bytes | None:
    if settings.qdrant_ca_file is None:
        return None
    try:
        return settings.qdrant_ca_file.read_bytes()
    except OSError as error:
        raise InvalidSettings(
            f"PATCHBANK_QDRANT_CA_FILE: {settings.qdrant_ca_file} cannot be read: {error.strerror}"
        ) from error


def _rank(error: Exception) -> int:
    """Which of several nodes' errors says most; 0 is the best."""
    if not isinstance(error, grpc.Call):
        return 3
    if error.code() in _REFUSED:
        return 0
    if _lacks_a_peer(error):
        return 1
    if error.code() is grpc.StatusCode.NOT_FOUND:
        return 2
    away = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNIMPLEMENTED)
    return _LAST if error.code() in away else 3


def _is_away(error: Exception) -> bool:
    return isinstance(error, grpc.Call) and error.code() in {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }


def _worth_elsewhere(error: Exception, patience: Patience) -> bool:
    if patience == ONCE or not isinstance(error, grpc.Call):
        return isinstance(error, ResourceExhaustedResponse) and patience != ONCE
    return error.code() in _ELSEWHERE or _lacks_a_peer(error)


def _worth_another(error: Exception, patience: Patience) -> bool:
    if isinstance(error, ResourceExhaustedResponse):
        return True
    if not isinstance(error, grpc.Call):
        return False
    if patience.late and (error.code() is grpc.StatusCode.DEADLINE_EXCEEDED or _lacks_a_peer(error)):
        return True
    return error.code() in _PASSING


def _lacks_a_peer(error: Exception) -> bool:
    """Whether a node has answered that it has not reached another one."""
    if not isinstance(error, grpc.Call) or error.code() is grpc.StatusCode.UNAVAILABLE:
        return False
    return any(words in (error.details() or "") for words in _PEER_WORDS)


def _text(error: Exception) -> str:
    return (error.details() or "") if isinstance(error, grpc.Call) else reason_of(error)


def _short(error: Exception) -> str:
    return f"{error.code().name}: {_text(error)}" if isinstance(error, grpc.Call) else reason_of(error)
