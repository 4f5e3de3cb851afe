"""The router collections on a server: CLS embeddings of all classes, for class retrieval in one query.

There is one collection per preprocessing fingerprint. It holds every kept version, and a query is filtered to the
versions that the aliases name at that moment. So switching an alias is enough, and a reader never meets a router that
is half changed.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from functools import partial
from typing import Final

from qdrant_client import QdrantClient, models

from patchbank.arrays import FloatArray
from patchbank.bank.names import BankRef
from patchbank.bank.router import ROUTER_PREFIX, router_hit, router_point
from patchbank.bank.server.link import WRITING, Missing, ServerLink
from patchbank.bank.server.placement import drop, ensure
from patchbank.bank.server.points import check_similarities
from patchbank.bank.server.spread import Spread
from patchbank.bank.store import RouterHit
from patchbank.errors import StoreNodeMissing

_LOG = logging.getLogger("patchbank")

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
            batch = points[begin : begin + _UPSERT]
            self._link.ask(f"writing {name}", partial(_upsert, name, batch), WRITING)

    def _ensure(self, name: str, dim: int) -> None:
        cls = models.VectorParams(size=dim, distance=models.Distance.DOT, hnsw_config=models.HnswConfigDiff(m=0))
        ensure(
            self._link,
            name,
            lambda client, arguments: client.create_collection(name, {"cls": cls}, **arguments),
            self._spread.everywhere,
        )
        # Every time, because counting needs the index and a killed indexer may not have made it.
        self._link.index_payload(name, "bank", models.PayloadSchemaType.KEYWORD)

    def find(self, fingerprint: str, cls: FloatArray, k: int, among: Collection[BankRef]) -> list[RouterHit]:
        """The k references nearest to ``cls`` (D',) in those versions. Raises ``Missing`` where there is no router, and
        ``DamagedBank`` where it answers with what is no similarity."""
        name = ROUTER_PREFIX + fingerprint
        chosen = _of_banks(among)
        answer = self._link.ask(
            f"searching {name}",
            lambda client: client.query_points(
                name, cls.tolist(), using="cls", limit=k, query_filter=chosen, search_params=_EXACT
            ),
        )
        hits = [router_hit(point.payload, float(point.score)) for point in answer.points]
        check_similarities(name, [hit.similarity for hit in hits])
        return hits

    def held(self, fingerprint: str) -> dict[str, int]:
        """Number of references of each version in a router, by the version's collection. Raises ``Missing``."""
        return self._counted(ROUTER_PREFIX + fingerprint)

    def forget_if_there(self, fingerprint: str, ref: BankRef) -> None:
        """Remove whatever a router holds of a version."""
        name = ROUTER_PREFIX + fingerprint
        try:
            selector = models.FilterSelector(filter=_of_banks([ref]))
            self._link.ask(f"writing {name}", partial(_delete, name, selector), WRITING)
        except Missing:
            return

    def drop(self, fingerprint: str) -> None:
        """Delete a router; the classes' own collections have all that it held."""
        drop(self._link, ROUTER_PREFIX + fingerprint)

    def entered(self) -> set[str]:
        """Collection names of the versions that are in a router. One whose only copy is on a node that is away is
        dropped, to be made again."""
        collections: set[str] = set()
        for name in self._names():
            try:
                collections |= set(self._counted(name))
            except Missing:  # dropped meanwhile
                continue
            except StoreNodeMissing as error:
                _LOG.warning("%s is made again: %s", name, error.message)
                drop(self._link, name)
        return collections

    def _counted(self, name: str) -> dict[str, int]:
        answer = self._link.ask(f"counting {name}", lambda client: client.facet(name, "bank", limit=_MANY, exact=True))
        return {str(hit.value): hit.count for hit in answer.hits}

    def forget(self, refs: Collection[BankRef]) -> None:
        """Remove versions that no longer exist."""
        if not refs:
            return
        selector = models.FilterSelector(filter=_of_banks(refs))
        for name in self._names():
            try:
                self._link.ask(f"writing {name}", partial(_delete, name, selector), WRITING)
            except Missing:  # dropped meanwhile
                continue

    def _names(self) -> list[str]:
        listed = self._link.ask("listing collections", lambda client: client.get_collections())
        return [collection.name for collection in listed.collections if collection.name.startswith(ROUTER_PREFIX)]


def _upsert(name: str, points: list[models.PointStruct], client: QdrantClient) -> object:
    return client.upsert(name, points, wait=True)


def _delete(name: str, selector: models.FilterSelector, client: QdrantClient) -> object:
    return client.delete(name, selector, wait=True)


def _of_banks(refs: Collection[BankRef]) -> models.Filter:
    names = [ref.collection for ref in refs]
    return models.Filter(must=[models.FieldCondition(key="bank", match=models.MatchAny(any=names))])
