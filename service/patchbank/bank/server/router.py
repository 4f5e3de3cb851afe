"""The router collections on a server: CLS embeddings of all classes, for class retrieval in one query.

There is one collection per preprocessing fingerprint. It holds every kept version, and a query is filtered to the
versions that the aliases name at that moment. So switching an alias is enough, and a reader never meets a router that
is half changed.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Final

from qdrant_client import models

from patchbank.arrays import FloatArray
from patchbank.bank.names import BankRef
from patchbank.bank.router import ROUTER_PREFIX, router_hit, router_point
from patchbank.bank.server.collection import Spread
from patchbank.bank.server.link import WRITING, Missing, ServerLink
from patchbank.bank.store import RouterHit

_UPSERT: Final = 500
_MANY: Final = 100_000
_EXACT: Final = models.SearchParams(exact=True)


class ServerRouter:
    """Writes and searches the routers of one server. Their payload fields: ``bank`` (the version's collection),
    ``class_name``, ``version``, ``image_id``."""

    def __init__(self, link: ServerLink, spread: Spread) -> None:
        self._link = link
        self._spread = spread

    def enter(self, fingerprint: str, ref: BankRef, image_ids: list[str], vectors: FloatArray) -> None:
        """Add a version's references; adding them again changes nothing."""
        name = ROUTER_PREFIX + fingerprint
        self._ensure(name, vectors.shape[1])
        points = []
        for image_id, vector in zip(image_ids, vectors.tolist(), strict=True):
            point, payload = router_point(ref, image_id)
            points.append(models.PointStruct(id=point, vector={"cls": vector}, payload=payload))
        for begin in range(0, len(points), _UPSERT):
            write = partial(self._link.client.upsert, name, points[begin : begin + _UPSERT], wait=True)
            self._link.ask(f"writing {name}", write, WRITING)

    def _ensure(self, name: str, dim: int) -> None:
        client = self._link.client
        cls = models.VectorParams(size=dim, distance=models.Distance.DOT, hnsw_config=models.HnswConfigDiff(m=0))
        self._link.ensure(
            name, lambda: client.create_collection(name, {"cls": cls}, **self._spread.as_arguments(shards=1))
        )
        # Every time, because counting needs the index and a killed indexer may not have made it.
        self._link.index_payload(name, "bank", models.PayloadSchemaType.KEYWORD)

    def find(self, fingerprint: str, cls: FloatArray, k: int, among: Collection[BankRef]) -> list[RouterHit] | None:
        """The k references nearest to ``cls`` (D',) in those versions; None where there is no router."""
        name, client = ROUTER_PREFIX + fingerprint, self._link.client
        chosen = _of_banks(among)
        try:
            answer = self._link.ask(
                f"searching {name}",
                lambda: client.query_points(
                    name,
                    cls.tolist(),
                    using="cls",
                    limit=k,
                    query_filter=chosen,
                    search_params=_EXACT,
                ),
            )
        except Missing:
            return None
        return [router_hit(point.payload, float(point.score)) for point in answer.points]

    def entered(self) -> set[str]:
        """Collection names of the versions that are in a router."""
        collections: set[str] = set()
        for name in self._names():
            count = partial(self._link.client.facet, name, "bank", limit=_MANY, exact=True)
            collections |= {str(hit.value) for hit in self._link.ask(f"counting {name}", count).hits}
        return collections

    def forget(self, refs: Collection[BankRef]) -> None:
        """Remove versions that no longer exist."""
        if not refs:
            return
        selector = models.FilterSelector(filter=_of_banks(refs))
        for name in self._names():
            self._link.ask(f"writing {name}", partial(self._link.client.delete, name, selector, wait=True), WRITING)

    def _names(self) -> list[str]:
        client = self._link.client
        listed = self._link.ask("listing collections", client.get_collections)
        return [collection.name for collection in listed.collections if collection.name.startswith(ROUTER_PREFIX)]


def _of_banks(refs: Collection[BankRef]) -> models.Filter:
    names = [ref.collection for ref in refs]
    return models.Filter(must=[models.FieldCondition(key="bank", match=models.MatchAny(any=names))])
