"""The connection to a Qdrant server: every call goes through it, is retried where that is safe, and fails with a
code."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import grpc
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse

from patchbank.errors import Closed, DamagedBank, InvalidSettings, PatchbankError, StoreRefused, StoreUnavailable
from patchbank.reason import reason_of
from patchbank.settings import Settings

T = TypeVar("T")

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_REFUSED: Final = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
_PASSING: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED)
_CHANNEL: Final[dict[str, Any]] = {
    # Reconnect within a second or two once the server is back; the library's own pauses grow to two minutes.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
    "grpc.min_reconnect_backoff_ms": 2_000,
    # Notice a dead connection while a call waits, and reconnect.
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 3_000,
}


class Missing(DamagedBank):
    """A collection that the server does not have."""


@dataclass(frozen=True)
class Patience:
    """How long a call is retried: at most ``tries`` calls within ``seconds``; ``late`` retries a call that timed out,
    too."""

    tries: int
    seconds: float
    late: bool = False


ONCE: Final = Patience(1, 0.0)
READING: Final = Patience(3, 2.0)
"""A caller waits for the answer: a broken connection is retried, a server that does not answer is not."""
WRITING: Final = Patience(12, 60.0, late=True)
"""Only for writes that can safely be repeated; long enough for a server to restart."""


class ServerLink:
    """A client and its error handling. Thread-safe. It connects at the first call and reconnects when needed."""

    def __init__(self, client: QdrantClient, timeout: float, url: str = "") -> None:
        """Takes over ``client``, whose calls end after ``timeout`` seconds, and closes it."""
        self.place = f"the Qdrant server {url}".rstrip()
        self.client = client
        self.timeout = timeout
        self._closed = threading.Event()

    @classmethod
    def open(cls, settings: Settings) -> ServerLink:
        """A link to the server that the settings name; nothing is sent yet."""
        options = dict(_CHANNEL)
        if settings.qdrant_ca_file is not None:
            try:
                options["root_certificates"] = settings.qdrant_ca_file.read_bytes()
            except OSError as error:
                raise InvalidSettings(
                    f"PATCHBANK_QDRANT_CA_FILE: {settings.qdrant_ca_file} cannot be read: {error.strerror}"
                ) from error
        key = settings.qdrant_api_key.get_secret_value()
        client = QdrantClient(
            url=settings.qdrant_url,
            grpc_port=settings.qdrant_grpc_port,
            prefer_grpc=True,
            headers={"api-key": key} if key else None,
            timeout=max(1, round(settings.qdrant_timeout_s)),
            grpc_options=options,
            check_compatibility=False,  # the check runs in a separate thread and can only warn
        )
        return cls(client, settings.qdrant_timeout_s, settings.qdrant_url)

    def ask(
        self,
        doing: str,
        call: Callable[[], T],
        patience: Patience = READING,
        unwanted: Callable[[], bool] = lambda: False,
    ) -> T:
        """The call's result. A failed call is not retried once ``unwanted`` is true.

        Errors become ``StoreUnavailable``, ``StoreRefused``, ``Missing`` or ``Closed``.
        """
        begin = time.monotonic()
        pause = _FIRST_PAUSE
        for attempt in range(1, patience.tries + 1):
            if self._closed.is_set():
                raise Closed("the bank store is closed")
            try:
                return call()
            except PatchbankError:
                raise
            except Exception as error:
                if self._closed.is_set():
                    raise Closed("the bank store is closed") from error
                wait = pause * random.uniform(0.5, 1.5)  # noqa: S311  # no secret
                over = attempt == patience.tries or time.monotonic() - begin + wait > patience.seconds
                if over or unwanted() or not _worth_another(error, patience):
                    raise _coded_error(error, doing, self.place) from error
            self._closed.wait(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)
        raise AssertionError("unreachable")

    def ensure(self, name: str, create: Callable[[], object]) -> bool:
        """Create a collection if it is missing, and return whether it was. Another process may create it at the same
        time."""
        if self._exists(name):
            return False
        try:
            self.ask(f"making {name}", create, ONCE)
        except StoreUnavailable:
            if not self._exists(name):
                raise
        return True

    def index_payload(self, name: str, field: str, kind: models.PayloadSchemaType) -> None:
        """Index a payload field that is filtered on."""
        self.ask(f"indexing {name}", lambda: self.client.create_payload_index(name, field, kind, wait=True), WRITING)

    def _exists(self, name: str) -> bool:
        return self.ask(f"looking for {name}", lambda: self.client.collection_exists(name))

    def close(self) -> None:
        """Close the connection; a later call raises ``Closed``."""
        if not self._closed.is_set():
            self._closed.set()
            self.client.close()


def _worth_another(error: Exception, patience: Patience) -> bool:
    if isinstance(error, ResourceExhaustedResponse):
        return True
    if not isinstance(error, grpc.Call):
        return False
    return error.code() in _PASSING or (patience.late and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED)


def _coded_error(error: Exception, doing: str, place: str) -> PatchbankError:
    """What the client raised, as an error with a code."""
    if not isinstance(error, grpc.Call):
        return StoreUnavailable(f"bank store, {doing}: {reason_of(error)}")
    code, text = error.code(), error.details() or ""
    kind: type[PatchbankError] = StoreUnavailable
    message = f"bank store, {doing}: {code.name}: {text}"
    if code is grpc.StatusCode.NOT_FOUND:
        kind = Missing
    elif code in _REFUSED:
        kind = StoreRefused
        message = f"the bank store refuses this service, {doing}: {text}; check PATCHBANK_QDRANT_API_KEY"
    elif code is grpc.StatusCode.UNAVAILABLE:
        message = f"the bank store cannot be reached, {doing}: {place}: {text}; try again later"
    elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
        message = f"the bank store does not answer in time, {doing}: {place}; try again later"
    return kind(message)
