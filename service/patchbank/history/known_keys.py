"""The API keys as a running service knows them, so that no request waits for the database."""

from __future__ import annotations

import hmac
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from patchbank.errors import KeyInvalid, KeysUnavailable
from patchbank.history.detection import utc_now
from patchbank.history.keys import ADMIN_KEY, SCOPES, ApiKey, Scope, digest, id_of

GRACE_S: Final = 3600.0
"""So long the keys that were read last count on where the database does not answer: a line must not stop because a
database restarts. Meanwhile nobody can revoke one, either."""

_NOBODY: Final = "0" * 64
_NOTED_EVERY_S: Final = 60.0


@dataclass(frozen=True)
class Holder:
    """Whose key it is, and what it is good for."""

    name: str
    scope: Scope

    def may(self, needed: Scope) -> bool:
        """Whether the key's scope includes another one."""
        return SCOPES.index(self.scope) >= SCOPES.index(needed)


class KnownKeys:
    """What was read last, and the key of the environment, which counts always. Used by one thread, the event loop's;
    ``clock`` in seconds."""

    def __init__(self, admin_key: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._admin = digest(admin_key.encode()) if admin_key else None
        self._clock = clock
        self._keys: Mapping[str, tuple[ApiKey, str]] = {}
        self._read_at: float | None = None
        self._used: dict[str, datetime] = {}
        self._noted: dict[str, float] = {}

    def learn(self, keys: Mapping[str, tuple[ApiKey, str]]) -> None:
        """Take over what the database holds now."""
        self._keys = keys
        self._read_at = self._clock()

    def holder(self, key: bytes) -> Holder:
        """Whose key this is. Digests are compared, in constant time.

        Raises ``KeyInvalid`` for a key that is wrong, malformed or revoked, and ``KeysUnavailable`` where the database
        did not answer for ``GRACE_S`` seconds, or never did.
        """
        given = digest(key)
        if self._admin is not None and hmac.compare_digest(given, self._admin):
            return Holder(ADMIN_KEY, "admin")
        if self._read_at is None or self._clock() - self._read_at > GRACE_S:
            raise KeysUnavailable("the database of the API keys does not answer: no key can be checked")
        known = self._keys.get(id_of(key) or "")
        if not hmac.compare_digest(given, known[1] if known else _NOBODY) or known is None:
            raise KeyInvalid("this API key is not a valid one")
        self._used[known[0].id] = utc_now()
        return Holder(known[0].name, known[0].scope)

    def uses_to_note(self) -> dict[str, datetime]:
        """When keys were used last, by id; without those that were written down within the last minute."""
        begin = self._clock() - _NOTED_EVERY_S
        return {key_id: at for key_id, at in self._used.items() if self._noted.get(key_id, -math.inf) < begin}

    def noted(self, uses: Mapping[str, datetime]) -> None:
        """These were written down."""
        for key_id, at in uses.items():
            self._noted[key_id] = self._clock()
            if self._used.get(key_id) == at:
                del self._used[key_id]
