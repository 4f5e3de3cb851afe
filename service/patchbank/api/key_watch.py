"""Reads the API keys every few seconds, so that new ones and revoked ones count without a restart."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

import anyio
from anyio import CapacityLimiter, to_thread

from patchbank.errors import HistoryUnavailable
from patchbank.history.keys import ApiKey, KeyRing
from patchbank.history.known_keys import GRACE_S, KnownKeys

_LOG = logging.getLogger("patchbank")
PERIOD: Final = 2.0
_PATIENCE: Final = 10.0


class KeyWatch:
    """Feeds ``KnownKeys``. A database that hangs occupies one thread, and keeps no request waiting."""

    def __init__(self, ring: KeyRing, known: KnownKeys, period: float = PERIOD) -> None:
        self._ring = ring
        self._known = known
        self._period = period
        self._limiter = CapacityLimiter(1)
        self._away = False

    async def run(self) -> None:
        """Look every ``period`` seconds until cancelled."""
        while True:
            await anyio.sleep(self._period)
            await self.look()

    async def look(self) -> None:
        """Look once; where the database does not answer, what was read last stays."""
        used = self._known.uses_to_note()
        try:
            with anyio.fail_after(_PATIENCE):
                read, noted = await to_thread.run_sync(self._read, used, limiter=self._limiter, abandon_on_cancel=True)
        except Exception as error:  # whatever it is, it must not stop the service
            if not self._away:
                why = error or "no answer in time"
                _LOG.error("API keys cannot be read; known ones count for %g min: %s", GRACE_S / 60, why)
            self._away = True
            return
        if self._away:
            _LOG.warning("API keys can be read again")
        self._away = False
        self._known.learn(read)
        if noted:
            self._known.noted(used)

    def _read(self, used: dict[str, datetime]) -> tuple[dict[str, tuple[ApiKey, str]], bool]:
        """The keys; and whether their last uses could be written down, which is for people to know, and no more."""
        usable = self._ring.usable()
        try:
            if used:
                self._ring.note_use(used)
        except HistoryUnavailable:
            return usable, False
        return usable, True
