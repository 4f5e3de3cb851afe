"""Judges a share of the pictures with the candidates of their classes, beside the requests."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from patchbank.api.metrics import Metrics
from patchbank.bank.store import PatchStore
from patchbank.errors import PatchbankError, UnknownClass, UnknownVersion
from patchbank.history.rejudging import Judgement
from patchbank.history.shadow import Shadow, ending
from patchbank.history.shadows import Shadows
from patchbank.judging.decision import Decision
from patchbank.judging.verdict import Inspection

_LOG = logging.getLogger("patchbank")

WAITING: Final = 32
"""Pictures that wait for a candidate; one more is skipped."""

_BYTES: Final = 64_000_000
"""Bytes of pictures that wait; a larger picture is taken where no other waits."""

_PERIOD: Final = 3.0
"""Seconds after which it is read again which classes have a candidate."""


@dataclass
class Tally:
    """What came of the pictures that a candidate was to judge, in this service since it began: those that were
    ``skipped`` because too many waited, and those that ``failed``, by code."""

    shadow: Shadow
    skipped: int = 0
    failed: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Waiting:
    shadow: Shadow
    detection_id: str
    decision: Decision
    data: bytes


class Shadowing:
    """One thread that judges what ``offer`` takes; no answer waits for it. ``judge`` tells what a version of a class
    says of a picture. Thread-safe; call ``close``."""

    def __init__(
        self,
        shadows: Shadows,
        store: PatchStore,
        judge: Callable[[bytes, str, str], Judgement],
        metrics: Metrics,
        *,
        waiting: int = WAITING,
    ) -> None:
        self._shadows = shadows
        self._store = store
        self._judge = judge
        self._metrics = metrics
        self._most = waiting
        self._running: Mapping[str, Shadow] = {}
        self._queue: deque[_Waiting] = deque()
        self._bytes = 0
        self._tallies: dict[str, Tally] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._away = False
        self._looking = threading.Lock()
        self._looked = float("-inf")
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop once the picture that is judged just now is; what waits is dropped."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> None:
        """Read which classes have a candidate. Where that cannot be read, those go on that were known."""
        with self._looking:
            self._looked = time.monotonic()
            try:
                shadows = self._shadows.all()
                running = {each.class_name: each for each in shadows if ending(self._store, each) is None}
            except PatchbankError as error:
                if not self._away:
                    _LOG.warning("which versions are judged beside the serving ones is not known: %s", error.message)
                self._away = True
                return
            self._away = False
            known = {each.class_name for each in shadows}
            with self._changed:
                self._running = running
                self._tallies = {name: tally for name, tally in self._tallies.items() if name in known}
            self._metrics.shadowed(running)

    def offer(self, detection_id: str, inspection: Inspection, data: bytes) -> None:
        """Let the class's candidate judge a recorded picture, too, where the class has one and the picture is of its
        share. Pictures of a camera that did not work are not judged again."""
        verdict = inspection.verdict
        if verdict is None or inspection.frame_fault is not None:
            return
        shadow = self._running.get(verdict.class_name)
        if shadow is None or verdict.bank_version == shadow.version or not shadow.takes(detection_id):
            return
        with self._changed:
            room = len(self._queue) < self._most and (not self._queue or self._bytes + len(data) <= _BYTES)
            if room:
                self._queue.append(_Waiting(shadow, detection_id, verdict.decision, data))
                self._bytes += len(data)
                self._changed.notify_all()
            else:
                self._tally(shadow).skipped += 1
        if not room:
            self._metrics.shadow_skipped(shadow.class_name)

    def tally(self, shadow: Shadow) -> Tally:
        """What was skipped and what failed."""
        with self._changed:
            known = self._tally(shadow)
            return Tally(shadow, known.skipped, Counter(known.failed))

    def _tally(self, shadow: Shadow) -> Tally:
        known = self._tallies.get(shadow.class_name)
        if known is None or not known.shadow.goes_on_as(shadow):
            known = self._tallies[shadow.class_name] = Tally(shadow)
        return known

    def _run(self) -> None:
        while not self._closing:
            try:
                if time.monotonic() - self._looked >= _PERIOD:
                    self.look()
                waiting = self._next()
                if waiting is not None:
                    self._work(waiting)
            except Exception:
                _LOG.exception("what is judged beside the serving versions failed")

    def _next(self) -> _Waiting | None:
        """The picture that waits longest; None where the time has come to look again, or to stop."""
        with self._changed:
            if not self._queue and not self._closing:
                self._changed.wait(_PERIOD)
            if not self._queue or self._closing:
                return None
            waiting = self._queue.popleft()
            self._bytes -= len(waiting.data)
            goes_on = waiting.shadow.goes_on_as(self._running.get(waiting.shadow.class_name))
            return waiting if goes_on else None

    def _work(self, waiting: _Waiting) -> None:
        shadow = waiting.shadow
        try:
            said = self._judge(waiting.data, shadow.class_name, shadow.version)
            agrees = said.decision == waiting.decision
            self._shadows.record(shadow, waiting.detection_id, said, agrees=agrees)
        except Exception as error:
            self._failed(shadow, error)
        else:
            self._metrics.shadow_judged(shadow.class_name, agrees)

    def _failed(self, shadow: Shadow, error: Exception) -> None:
        """Count it, and log the first one of its kind. A version that was removed just now is the end, no failure."""
        if isinstance(error, (UnknownClass, UnknownVersion)):
            self.look()
            if not shadow.goes_on_as(self._running.get(shadow.class_name)):
                return
        code = error.code if isinstance(error, PatchbankError) else PatchbankError.code
        with self._changed:
            failed = self._tally(shadow).failed
            failed[code] += 1
            first = failed[code] == 1
        self._metrics.shadow_failed(shadow.class_name)
        if first:
            _LOG.error(
                "version %s of %s cannot judge beside the serving one: %s [%s]",
                shadow.version,
                shadow.class_name,
                error,
                code,
                exc_info=not isinstance(error, PatchbankError),
            )
