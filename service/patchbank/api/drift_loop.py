"""Tells the metrics how far classes have drifted, beside the requests: a scrape never waits for the history."""

from __future__ import annotations

import logging
from typing import Final

import anyio
from anyio import CapacityLimiter, to_thread

from patchbank.api.class_series import DriftFacts
from patchbank.api.metrics import Metrics
from patchbank.history.drift import DriftWatch

_LOG = logging.getLogger("patchbank")
_PERIOD: Final = 10.0


class DriftLoop:
    """Looks every few seconds. A change of a class's state to or from ``drifting`` is logged."""

    def __init__(self, watch: DriftWatch, metrics: Metrics, period: float = _PERIOD) -> None:
        self._watch = watch
        self._metrics = metrics
        self._period = period
        self._limiter = CapacityLimiter(1)
        self._drifting: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Look until cancelled; a database that hangs occupies one thread."""
        while True:
            await to_thread.run_sync(self.look, limiter=self._limiter, abandon_on_cancel=True)
            await anyio.sleep(self._period)

    def look(self) -> None:
        """Look once. After an error, such as a history that is away, nothing is told of any class: it is not known. It
        never stops the service."""
        try:
            reports = self._watch.all()
        except Exception as error:
            _LOG.debug("the drift is not known: %s", error)
            self._metrics.drifted([])
            return
        self._metrics.drifted([DriftFacts(report.class_name, report.state, report.shift) for report in reports])
        drifting = frozenset(report.class_name for report in reports if report.state == "drifting")
        for name in sorted(drifting - self._drifting):
            _LOG.warning("%s is drifting: what it is shown is not like what it was taught from", name)
        for name in sorted(self._drifting - drifting):
            _LOG.warning("%s is no longer drifting", name)
        self._drifting = drifting
