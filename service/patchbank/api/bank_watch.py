"""Reads the bank store every few seconds for the metrics, so that a scrape never waits for the store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from statistics import median
from typing import Final

import anyio
from anyio import CapacityLimiter, to_thread

from patchbank.api.class_series import BankFacts
from patchbank.api.metrics import Metrics
from patchbank.bank.manifest import Manifest
from patchbank.bank.store import PatchStore
from patchbank.bank.view import View
from patchbank.errors import DamagedBank
from patchbank.judging.compatibility import Compatibility
from patchbank.scoring.threshold import review_threshold

_LOG = logging.getLogger("patchbank")
PERIOD: Final = 10.0
PATIENCE: Final = 10.0


class BankWatch:
    """Feeds ``Metrics`` with what the store holds; ``look_at`` says whether this service can judge with a bank,
    ``damaged`` which classes' versions are known to be damaged.

    A manifest is read once per version. A bank that fails the self-test is logged. A store that hangs occupies one
    thread, and counts as away after ``patience`` seconds.
    """

    def __init__(
        self,
        store: PatchStore,
        look_at: Callable[[Manifest], Compatibility],
        metrics: Metrics,
        damaged: Callable[[Mapping[str, str]], Collection[str]] = lambda _: (),
        period: float = PERIOD,
        patience: float = PATIENCE,
    ) -> None:
        self._store = store
        self._look_at = look_at
        self._metrics = metrics
        self._damaged = damaged
        self._period = period
        self._patience = patience
        self._limiter = CapacityLimiter(1)
        self._known: dict[str, tuple[str, BankFacts]] = {}
        self._away = False

    async def run(self) -> None:
        """Look every ``period`` seconds until cancelled."""
        while True:
            await self.look()
            await anyio.sleep(self._period)

    async def look(self) -> None:
        """Look once. Any error counts as a store that is away; it never stops the service."""
        try:
            with anyio.fail_after(self._patience):
                facts = await to_thread.run_sync(self._read, limiter=self._limiter, abandon_on_cancel=True)
        except Exception as error:
            if not self._away:
                _LOG.warning("the bank store does not answer: %s", error or "no answer in time")
            self._away = True
            self._metrics.store_away()
            return
        if self._away:
            _LOG.warning("the bank store answers again")
        self._away = False
        self._metrics.store_read(facts)

    def _read(self) -> list[BankFacts]:
        view = View(self._store)
        active = view.active
        self._known = {name: known for name, known in self._known.items() if active.get(name) == known[0]}
        facts, damaged = [], self._damaged(active)
        for name in sorted(active):
            if name not in self._known:
                try:
                    manifest = view.bank(name).manifest
                except DamagedBank:
                    facts.append(BankFacts(name, usable=False))
                    continue
                self._known[name] = (manifest.version, self._facts(manifest))
            known = self._known[name][1]
            facts.append(replace(known, usable=False) if name in damaged else known)
        return facts

    def _facts(self, manifest: Manifest) -> BankFacts:
        calibration = manifest.calibration
        threshold = calibration.threshold
        compatibility = self._look_at(manifest)
        if compatibility.outcome == "failed":
            _LOG.error("%s", compatibility.reason)
        return BankFacts(
            class_name=manifest.class_name,
            usable=not compatibility.refused,
            patches=manifest.patches,
            references=manifest.references,
            threshold=threshold,
            review_threshold=review_threshold(calibration),
            usual_ratio=median(calibration.scores) / threshold if calibration.scores and threshold > 0 else None,
            created=datetime.fromisoformat(manifest.created_at).timestamp(),
        )
