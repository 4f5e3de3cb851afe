"""Orders the jobs that keep banks in shape: scores that became stale are made again, many parts become one."""

from __future__ import annotations

import logging
import threading
from typing import Any

from patchbank.bank.manifest import Manifest
from patchbank.bank.part import needs_compaction
from patchbank.bank.store import PatchStore
from patchbank.errors import ClassBusy, PatchbankError, StoreUnavailable, TooBusy
from patchbank.jobs.board import JobBoard
from patchbank.jobs.job import Kind

_LOG = logging.getLogger("patchbank")


class Upkeep:
    """Looks at each version once: whoever made it, the jobs that it needs are ordered by the first service that sees
    it. What such a job could not mend is not tried again before the class changes."""

    def __init__(self, store: PatchStore, board: JobBoard) -> None:
        self._store = store
        self._board = board
        self._seen: dict[str, str] = {}
        self._guard = threading.Lock()

    def look(self) -> None:
        """Look at all classes. A store that does not answer is looked at again later."""
        try:
            active = self._store.active()
        except PatchbankError:
            return
        for name, version in active.items():
            if self._seen.get(name) != version:
                self.look_at(name)

    def look_at(self, class_name: str) -> str | None:
        """Look at one class; the id of the job that is ordered, or that is at work on the class already; None where
        there is nothing to do."""
        with self._guard:
            try:
                active = self._store.active()
                if class_name not in active:
                    return None
                version = active[class_name]
            except PatchbankError:
                return None
            job: str | None = None
            try:
                job = self._see_to(class_name)
            except ClassBusy as busy:  # another job is at work on it: what it leaves is looked at again
                told = busy.detail or {}
                return str(told["job"]) if "job" in told else None
            except (TooBusy, StoreUnavailable):
                return None
            except PatchbankError as error:  # it is told once, and not looked at again before it changes
                _LOG.warning("the upkeep of %s: %s [%s]", class_name, error.message, error.code)
            self._seen[class_name] = version
            return job

    def _see_to(self, class_name: str) -> str | None:
        needed = _needed(self._store.bank(class_name).manifest)
        return None if needed is None else self._order(needed, class_name)

    def _order(self, kind: Kind, class_name: str) -> str:
        request: dict[str, Any] = {"class_name": class_name}
        if kind == "calibrate":
            request["choices"] = {"again": "stale"}
        job = self._board.order_without_files(kind, class_name, request)
        _LOG.info("job %s: %s of %s, for upkeep", job.id, kind, class_name)
        return job.id


def _needed(manifest: Manifest) -> Kind | None:
    calibration = manifest.calibration
    if calibration.stale and calibration.method == "leave-one-image-out":
        return "calibrate"
    return "compact" if needs_compaction(manifest.shares) else None
