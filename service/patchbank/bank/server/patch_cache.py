"""Patches of a Qdrant server that this process keeps in memory, so that it searches them itself.

A server compares one query with one patch at a time; with the vectors here, upper bounds leave few to be compared, and
every distance is exact at once (docs/search.md). What is kept is a part of a bank, which never changes.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np

from patchbank.arrays import ByteArray, FloatArray
from patchbank.bank.exact.index import ExactIndex
from patchbank.bank.exact.int8_product import Int8Product
from patchbank.bank.exact.upper_bounds import BYTES_A_PATCH
from patchbank.bank.store import CacheState, PatchBlock
from patchbank.errors import Closed, DamagedBank, StoreUnavailable
from patchbank.reason import reason_of

_LOG = logging.getLogger("patchbank")

Read = Callable[[], Iterator[PatchBlock]]
"""Reads all patches of a part from the server."""

SEARCHES: Final = 8
"""A part is kept from so many searches on: reading it costs the server about as much as these (docs/search.md)."""

_KNOWN: Final = 1_024
"""Parts whose searches are counted."""


def bytes_of(patches: int, dim: int) -> int:
    """What so many patches of ``dim`` numbers take in memory: vectors, ids and what upper bounds are made of."""
    return patches * (4 * dim + 16 + BYTES_A_PATCH)


@dataclass
class _Kept:
    index: ExactIndex
    size: int
    used: int


@dataclass
class _Counted:
    """Searches of a part that is not kept, since the one with the number ``first``."""

    first: int
    searches: int = 0


class PatchCache:
    """Parts by the names of their collections, at most ``limit`` bytes of them. Thread-safe.

    Parts are read one after the other in a thread of their own, and no search waits for it. The least recently searched
    fall out, but none that was searched while the new one was counted: where many classes take turns, those that are
    kept stay, and the server is not asked for whole parts again and again.
    """

    def __init__(self, limit: int, searches: int = SEARCHES) -> None:
        self._limit = limit
        self._searches = searches
        self._guard = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        self._counted: OrderedDict[str, _Counted] = OrderedDict()
        self._reading: dict[str, int] = {}
        self._useless: set[str] = set()
        self._number = 0
        self._found = 0
        self._closed = False
        self._product = Int8Product()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="patch-cache")

    def find(self, name: str, patches: int, dim: int, read: Read) -> ExactIndex | None:
        """The part of that name, of so many patches of ``dim`` numbers, to be searched now; None where it is not in
        memory. ``read`` may be called later."""
        with self._guard:
            self._number += 1
            kept = self._kept.get(name)
            if kept is not None:
                kept.used = self._number
                self._found += 1
                return kept.index
            if self._wanted(name) and self._has_room(name, bytes_of(patches, dim)):
                self._thread.submit(self._fill, name, patches, dim, read)
        return None

    def peek(self, name: str) -> ExactIndex | None:
        """The part of that name if it is in memory, to be read."""
        with self._guard:
            kept = self._kept.get(name)
            return None if kept is None else kept.index

    def pass_on(self) -> None:
        """Count a search that is the server's, whatever is in memory."""
        with self._guard:
            self._number += 1

    def _wanted(self, name: str) -> bool:
        """Count a search, and return whether the part has had enough of them."""
        if self._closed or name in self._reading or name in self._useless:
            return False
        counted = self._counted.setdefault(name, _Counted(self._number))
        self._counted.move_to_end(name)
        while len(self._counted) > _KNOWN:
            self._counted.popitem(last=False)
        counted.searches += 1
        return counted.searches >= self._searches

    def _has_room(self, name: str, size: int) -> bool:
        """Reserve so many bytes, for which others fall out; False where there is no room, and counting begins anew."""
        first = self._counted.pop(name).first
        free = self._limit - self._bytes()
        falling = []
        for other, kept in sorted(self._kept.items(), key=lambda entry: entry[1].used):
            if free >= size or kept.used > first:
                break
            falling.append(other)
            free += kept.size
        if free < size:
            return False
        for other in falling:
            del self._kept[other]
        self._reading[name] = size
        return True

    def _bytes(self) -> int:
        return sum(kept.size for kept in self._kept.values()) + sum(self._reading.values())

    def _fill(self, name: str, patches: int, dim: int, read: Read) -> None:
        index, useless = None, False
        try:
            vectors, ids = _read(name, patches, dim, read, lambda: self._closed)
            index = ExactIndex(vectors, ids, self._product)
            index.prepare()
        except Closed:
            pass
        except Exception as error:  # nobody waits for this thread, so it is told here
            useless = not isinstance(error, StoreUnavailable)  # an outage passes
            _LOG.warning("%s is searched on the server, because it was not read whole: %s", name, reason_of(error))
        finally:
            with self._guard:
                size = self._reading.pop(name, None)
                if useless:
                    self._useless.add(name)
                if index is not None and size is not None and not self._closed:
                    self._kept[name] = _Kept(index, size, self._number)

    def forget(self, names: set[str]) -> None:
        """Drop these parts: they are gone."""
        with self._guard:
            for name in names:
                self._kept.pop(name, None)
                self._reading.pop(name, None)  # then it is not kept
                self._counted.pop(name, None)
                self._useless.discard(name)

    def is_reading(self) -> bool:
        """Whether a part is being read, or waits for it."""
        with self._guard:
            return bool(self._reading)

    def state(self) -> CacheState:
        """What is kept, and how many searches it has answered."""
        with self._guard:
            size = sum(kept.size for kept in self._kept.values())
            return CacheState(len(self._kept), size, self._limit, self._found, self._number - self._found)

    def close(self) -> None:
        """Keep nothing more, and wait for what is being read."""
        with self._guard:
            self._closed = True
            self._kept.clear()
        self._thread.shutdown(wait=True, cancel_futures=True)


def _read(name: str, patches: int, dim: int, read: Read, unwanted: Callable[[], bool]) -> tuple[FloatArray, ByteArray]:
    """Vectors (N, D) and ids (N, 16). Raises ``DamagedBank`` where there are not so many patches."""
    vectors = np.empty((patches, dim), dtype=np.float32)
    ids = np.empty((patches, 16), dtype=np.uint8)
    begin = 0
    for block in read():
        if unwanted():
            raise Closed("the bank store is closed")
        end = begin + len(block.ids)
        if end > patches or block.vectors.shape[1] != dim:
            raise DamagedBank(f"{name} does not hold {patches} patches of {dim} numbers")
        vectors[begin:end], ids[begin:end] = block.vectors, block.ids
        begin = end
    if begin != patches:
        raise DamagedBank(f"{name} holds {begin} patches, not {patches}")
    return vectors, ids
