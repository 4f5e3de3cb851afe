"""Class retrieval in the embedded store: the CLS embeddings of all serving versions, held in memory."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.cache import OpenCache
from patchbank.bank.edge.cls_table import ClsTable
from patchbank.bank.names import BankRef
from patchbank.bank.pointers import Pointers, Route
from patchbank.bank.store import Retrieved, RouterHit
from patchbank.errors import DamagedBank

_LOG = logging.getLogger("patchbank")

_CACHED: Final = 4_096
"""Versions whose CLS embeddings stay in memory: 100 references of 1,280 numbers take half a megabyte."""


class EdgeRouter:
    """Finds the reference images nearest in CLS space. ``read`` reads the table of a part of a version, of which the
    digest is given where it is known; ``route_of`` the route of a version whose pointer has none."""

    def __init__(
        self, read: Callable[[BankRef, str, str | None], ClsTable], route_of: Callable[[BankRef], Route]
    ) -> None:
        self._read = read
        self._route_of = route_of
        self._tables: OpenCache[ClsTable] = OpenCache(_CACHED)
        self._routes: OpenCache[Route] = OpenCache(_CACHED)
        self._told: set[str] = set()

    def table(self, ref: BankRef, route: Route) -> ClsTable:
        """The table of all references of a version. Raises ``DamagedBank``."""
        return self._tables.get(ref.collection, lambda: self._joined(ref, route))

    def _joined(self, ref: BankRef, route: Route) -> ClsTable:
        parts = [self._read(ref, version, table).without(gone) for version, gone, table in route.with_tables()]
        return ClsTable.joined(parts)

    def find(self, pointers: Pointers, fingerprint: str, cls: FloatArray, k: int) -> Retrieved:
        """The k reference images nearest to ``cls`` (D',) among the serving versions of that fingerprint. A class whose
        CLS embeddings cannot be read has no vote, and is named with the reason."""
        hits: list[RouterHit] = []
        silent: dict[str, str] = {}
        for name, version in pointers.classes.items():
            ref = BankRef(name, version)
            try:
                route = pointers.routes.get(name) or self._routes.get(ref.collection, partial(self._route_of, ref))
                if route.fingerprint != fingerprint:
                    continue
                table = self.table(ref, route)
                if len(table.image_ids):
                    hits += _nearest(name, table, cls, k)
            except DamagedBank as error:
                silent[name] = error.message
        self._tell(silent)
        return Retrieved(sorted(hits, key=lambda hit: (-hit.similarity, hit.class_name, hit.image_id))[:k], silent)

    def _tell(self, silent: dict[str, str]) -> None:
        """Log each class that has no vote once."""
        for name in silent.keys() - self._told:
            _LOG.warning("class retrieval goes on without %s: %s", name, silent[name])
        self._told = set(silent)

    def keep(self, wanted: Callable[[str], bool]) -> None:
        """Forget the versions that are not wanted, by collection name."""
        self._tables.keep(wanted)
        self._routes.keep(wanted)

    def close(self) -> None:
        """Release everything; a later use raises ``Closed``."""
        self._tables.close()
        self._routes.close()


def _nearest(class_name: str, table: ClsTable, cls: FloatArray, k: int) -> list[RouterHit]:
    if table.vectors.shape[1:] != cls.shape:
        raise DamagedBank(f"its CLS embeddings have {table.vectors.shape[1]} numbers, not {len(cls)}")
    similarity = table.vectors @ cls
    places = np.argsort(-similarity, kind="stable")[:k]
    return [RouterHit(class_name, table.image_ids[place], float(similarity[place])) for place in places]
