"""Checks every few seconds that the classes' banks can be read, so that health tells it from memory."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import anyio
from anyio import CapacityLimiter, to_thread

from patchbank.bank.names import BankRef
from patchbank.bank.store import PatchStore
from patchbank.errors import Closed, DamagedBank, PatchbankError

_LOG = logging.getLogger("patchbank")
PERIOD: Final = 10.0


@dataclass(frozen=True)
class Trouble:
    """Why nothing can be judged with a version that serves."""

    version: str
    code: str
    reason: str


class ClassWatch:
    """Opens what the verdicts of each class rest on and checks it, one class after the other, in a thread of its own.

    The store remembers what it checked until the files change, so a look costs little while nothing does. What a store
    that is away does not tell stays as it was last known.
    """

    def __init__(self, store: PatchStore) -> None:
        self._store = store
        self._limiter = CapacityLimiter(1)
        self._troubles: Mapping[str, Trouble] = {}

    async def run(self) -> None:
        """Look every ``PERIOD`` seconds until cancelled."""
        while True:
            await self.look()
            await anyio.sleep(PERIOD)

    async def look(self) -> None:
        """Look once. Nothing that it meets stops the service."""
        try:
            await to_thread.run_sync(self._look, limiter=self._limiter, abandon_on_cancel=True)
        except PatchbankError as error:
            _LOG.debug("the banks cannot be checked: %s", error.message)
        except Exception:
            _LOG.exception("the banks cannot be checked")

    def damaged(self, active: Mapping[str, str]) -> dict[str, Trouble]:
        """The classes whose version in ``active``, which serves, is known to be damaged, and why."""
        troubles = self._troubles
        return {
            name: troubles[name]
            for name, version in active.items()
            if name in troubles and troubles[name].version == version
        }

    def _look(self) -> None:
        active = self._store.active()
        self._troubles = self.damaged(active)
        for name in sorted(active):
            known = self._troubles.get(name)
            trouble = self._trouble_of(BankRef(name, active[name]), known)
            if trouble is not None and trouble != known:
                _LOG.error("%s is out of service: %s [%s]", name, trouble.reason, trouble.code)
            elif trouble is None and known is not None:
                _LOG.warning("%s can be used again", name)
            rest = {other: kept for other, kept in self._troubles.items() if other != name}
            self._troubles = rest if trouble is None else {**rest, name: trouble}

    def _trouble_of(self, ref: BankRef, known: Trouble | None) -> Trouble | None:
        try:
            self._store.check(ref)
        except DamagedBank as error:
            if self._store.active().get(ref.class_name) != ref.version:  # it was replaced meanwhile
                return None
            return Trouble(ref.version, error.code, error.message)
        except Closed:
            return known
        except PatchbankError:  # the store is away, which is told otherwise
            return known if known is not None and known.version == ref.version else None
        return None
