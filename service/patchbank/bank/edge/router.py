"""Class retrieval in the embedded store: the CLS embeddings of all serving versions, held in memory."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from patchbank.arrays import FloatArray
from patchbank.bank.cache import OpenCache
from patchbank.bank.edge.cls_table import ClsTable
from patchbank.bank.edge.stacked_table import StackedTable
from patchbank.bank.names import BankRef
from patchbank.bank.pointers import Pointers, Route
from patchbank.bank.store import Retrieved
from patchbank.errors import Closed, DamagedBank

_LOG = logging.getLogger("patchbank")

_CACHED: Final = 4_096
"""Versions about to serve whose CLS embeddings stay in memory: 100 references of 1,280 numbers take half a megabyte."""


class _Stack(NamedTuple):
    """What is compared with: the classes that serve by ``pointers``, with embeddings of that fingerprint and width,
    but for the ``silent`` ones, each with the reason."""

    pointers: Pointers
    fingerprint: str
    width: int
    tables: StackedTable
    silent: dict[str, str]

    def fits(self, pointers: Pointers, fingerprint: str, width: int) -> bool:
        """Whether it is that for these; the store gives the same pointers until they change."""
        return self.pointers is pointers and self.fingerprint == fingerprint and self.width == width


class EdgeRouter:
    """Finds the reference images nearest in CLS space. ``read`` reads the table of a part of a version, of which the
    digest is given where it is known; ``route_of`` the route of a version whose pointer has none.

    The tables of all serving versions lie in one matrix, which is made anew when other versions serve.
    """

    def __init__(
        self, read: Callable[[BankRef, str, str | None], ClsTable], route_of: Callable[[BankRef], Route]
    ) -> None:
        self._read = read
        self._route_of = route_of
        self._tables: OpenCache[ClsTable] = OpenCache(_CACHED)
        self._routes: OpenCache[Route] = OpenCache(_CACHED)
        self._stacking = threading.Lock()
        self._stack: _Stack | None = None
        self._closed = False
        self._told: set[str] = set()

    def table(self, ref: BankRef, route: Route) -> ClsTable:
        """The table of all references of a version. Raises ``DamagedBank``."""
        stack = self._stack
        known = None if stack is None else stack.tables.table(ref)
        return self._tables.get(ref.collection, lambda: self._joined(ref, route)) if known is None else known

    def _joined(self, ref: BankRef, route: Route) -> ClsTable:
        parts = [self._read(ref, version, table).without(gone) for version, gone, table in route.with_tables()]
        return ClsTable.joined(parts)

    def find(self, pointers: Pointers, fingerprint: str, cls: FloatArray, k: int) -> Retrieved:
        """The k reference images nearest to ``cls`` (D',) among the serving versions of that fingerprint. A class whose
        CLS embeddings cannot be read has no vote, and is named with the reason."""
        stack = self._stack
        if stack is None or stack.silent or not stack.fits(pointers, fingerprint, len(cls)):
            with self._stacking:
                stack = self._stacked(pointers, fingerprint, len(cls))
        if self._closed:
            raise Closed("the bank store is closed")
        return Retrieved(stack.tables.nearest(cls, k), stack.silent)

    def _stacked(self, pointers: Pointers, fingerprint: str, width: int) -> _Stack:
        """The stack for these; the silent classes are asked once more each time."""
        before = self._stack
        as_before = before is not None and before.fits(pointers, fingerprint, width)
        if before is not None and as_before and not before.silent:
            return before
        tables: dict[BankRef, ClsTable] = {}
        silent: dict[str, str] = {}
        for name, version in pointers.classes.items():
            ref = BankRef(name, version)
            try:
                route = pointers.routes.get(name) or self._routes.get(ref.collection, partial(self._route_of, ref))
                if route.fingerprint == fingerprint:
                    tables[ref] = self._of_width(self.table(ref, route), width)
            except DamagedBank as error:
                silent[name] = error.message
        self._tell(silent)
        if before is not None and as_before and silent == before.silent:
            return before
        made = _Stack(pointers, fingerprint, width, StackedTable(tables), silent)
        if not self._closed:
            self._stack = made
            self._tables.keep(lambda name: name not in made.tables)  # they are held once
        return made

    @staticmethod
    def _of_width(table: ClsTable, width: int) -> ClsTable:
        if len(table.image_ids) and table.vectors.shape[1] != width:
            raise DamagedBank(f"its CLS embeddings have {table.vectors.shape[1]} numbers, not {width}")
        return table

    def _tell(self, silent: dict[str, str]) -> None:
        """Log each class that has no vote once."""
        for name in silent.keys() - self._told:
            _LOG.warning("class retrieval goes on without %s: %s", name, silent[name])
        self._told = set(silent)

    def keep(self, wanted: Callable[[str], bool]) -> None:
        """Forget the versions that are not wanted, by collection name; those that serve stay until others do."""
        self._tables.keep(wanted)
        self._routes.keep(wanted)

    def close(self) -> None:
        """Release everything; a later use raises ``Closed``."""
        self._closed = True
        self._stack = None
        self._tables.close()
        self._routes.close()
