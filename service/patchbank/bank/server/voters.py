"""Class retrieval on a server: by the router, and by the classes' own collections where the router lacks them.

The router is derived. What it lacks (all of it where it is lost or damaged) votes with the CLS embeddings that its own
collection holds, which are exact and slower to come by, and the router is made whole again meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.cache import OpenCache
from patchbank.bank.collection import CollectionBank
from patchbank.bank.names import BankRef
from patchbank.bank.server.link import Missing, Unanswered
from patchbank.bank.server.router import ServerRouter
from patchbank.bank.store import Retrieved, RouterHit
from patchbank.errors import Closed, DamagedBank, PatchbankError, StoreNodeMissing, StoreUnavailable

_LOG = logging.getLogger("patchbank")

_FRESH: Final = 5.0
"""Seconds that a router's count holds."""
_REBUILD: Final = 30.0
"""Seconds between two attempts to make a router whole."""
_CACHED: Final = 1_024

Open = Callable[[BankRef], CollectionBank]
"""Opens a serving version."""
Own = tuple[list[str], FloatArray]
"""Image ids and CLS embeddings (M, D') of one version."""


class Voters:
    """Thread-safe. ``close`` waits for a rebuilding that is under way."""

    def __init__(self, router: ServerRouter, open_bank: Open) -> None:
        self._router = router
        self._open = open_bank
        self._own: OpenCache[Own] = OpenCache(_CACHED)
        self._guard = threading.Lock()
        self._counts: dict[str, tuple[float, dict[str, int]]] = {}
        self._rebuilt_at: dict[str, float] = {}
        self._rebuilding: threading.Thread | None = None
        self._told: dict[str, float] = {}
        self._closed = threading.Event()

    def find(self, fingerprint: str, cls: FloatArray, k: int, serving: Sequence[BankRef]) -> Retrieved:
        """The k references nearest to ``cls`` (D',) among the serving versions of that fingerprint, and the classes
        that could not be asked."""
        expected, silent = self._expected(fingerprint, serving)
        if not expected:
            return Retrieved([], silent)
        lacking, broken = self._lacking(fingerprint, expected)
        hits: list[RouterHit] = []
        if len(lacking) < len(expected):
            try:
                hits = self._router.find(fingerprint, cls, k, [ref for ref in serving if ref not in lacking])
            except Unanswered:
                raise
            except (DamagedBank, StoreUnavailable) as error:
                self._tell(fingerprint, f"the router cannot be asked ({error.message})")
                lacking, broken = list(expected), not isinstance(error, Missing)
        for ref in lacking:
            try:
                hits += self._votes(ref, cls)
            except Unanswered:
                raise
            except (DamagedBank, StoreUnavailable) as error:
                silent[ref.class_name] = error.message
        if lacking:
            self._tell(
                fingerprint, f"the router lacks {len(lacking)} of {len(expected)} classes; it is made whole again"
            )
            self._rebuild_soon(fingerprint, lacking, broken=broken)
        return Retrieved(sorted(hits, key=lambda hit: -hit.similarity)[:k], silent)

    def _expected(self, fingerprint: str, serving: Sequence[BankRef]) -> tuple[dict[BankRef, int], dict[str, str]]:
        """Number of references of each serving version of that fingerprint; and the classes whose manifest cannot be
        read, with the reason."""
        expected, silent = dict[BankRef, int](), dict[str, str]()
        for ref in serving:
            try:
                manifest = self._open(ref).manifest
            except (DamagedBank, StoreNodeMissing) as error:
                # What the router has of it still counts: its own pictures must not be taken for another class's.
                silent[ref.class_name] = error.message
                continue
            if manifest.backbone.fingerprint == fingerprint:
                expected[ref] = manifest.references
        return expected, silent

    def _lacking(self, fingerprint: str, expected: dict[BankRef, int]) -> tuple[list[BankRef], bool]:
        """The versions that the router does not hold as they are, and whether it is beyond completing."""

        def differing(held: dict[str, int]) -> list[BankRef]:
            return [ref for ref, count in expected.items() if held.get(ref.collection) != count]

        known = self._counts.get(fingerprint)
        if known is not None and time.monotonic() - known[0] < _FRESH and not differing(known[1]):
            return [], False
        try:
            held = self._router.held(fingerprint)
        except Missing:
            held = {}
        except Unanswered:
            raise
        except StoreUnavailable as error:
            self._tell(fingerprint, f"the router cannot be counted ({error.message})")
            return list(expected), True
        self._counts[fingerprint] = (time.monotonic(), held)
        return differing(held), False

    def _votes(self, ref: BankRef, cls: FloatArray) -> list[RouterHit]:
        image_ids, vectors = self._own.get(ref.collection, lambda: self._open(ref).cls_vectors())
        similarities = np.clip(vectors @ cls, -1.0, 1.0).tolist() if len(vectors) else []
        return [
            RouterHit(ref.class_name, image_id, similarity)
            for image_id, similarity in zip(image_ids, similarities, strict=True)
        ]

    def _tell(self, about: str, what: str) -> None:
        """Into the log, once a minute for each matter."""
        now = time.monotonic()
        if now - self._told.get(about + what[:20], -60.0) >= 60.0:
            self._told[about + what[:20]] = now
            _LOG.warning("class retrieval of %s: %s", about, what)

    def _rebuild_soon(self, fingerprint: str, lacking: Sequence[BankRef], *, broken: bool) -> None:
        now = time.monotonic()
        with self._guard:
            if self._closed.is_set() or (self._rebuilding is not None and self._rebuilding.is_alive()):
                return
            if now - self._rebuilt_at.get(fingerprint, -_REBUILD) < _REBUILD:
                return
            self._rebuilt_at[fingerprint] = now
            self._rebuilding = threading.Thread(
                target=self._rebuild, args=(fingerprint, tuple(lacking), broken), name="router", daemon=True
            )
            self._rebuilding.start()

    def _rebuild(self, fingerprint: str, lacking: Sequence[BankRef], broken: bool) -> None:
        try:
            self.complete(fingerprint, lacking, broken=broken)
        except Closed:
            return
        except PatchbankError as error:
            _LOG.warning("the router of %s is not made whole: %s", fingerprint, error.message)
        else:
            _LOG.warning("the router of %s is whole again", fingerprint)
        finally:
            self._counts.pop(fingerprint, None)

    def complete(self, fingerprint: str, lacking: Sequence[BankRef], *, broken: bool = False) -> None:
        """Enter versions into the router anew; a ``broken`` one is dropped first."""
        if broken:
            self._router.drop(fingerprint)
        for ref in lacking:
            if self._closed.is_set():
                return
            try:
                own = self._own.get(ref.collection, lambda ref=ref: self._open(ref).cls_vectors())  # type: ignore[misc]
            except (DamagedBank, StoreNodeMissing):
                continue
            self._router.forget_if_there(fingerprint, ref)
            self._router.enter(fingerprint, ref, *own)

    def close(self) -> None:
        """End; to be called once the connection is closed, so that nothing is waited for long."""
        self._closed.set()
        with self._guard:
            rebuilding = self._rebuilding
        if rebuilding is not None:
            rebuilding.join()
        self._own.close()
