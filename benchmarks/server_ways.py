"""Ways to keep a bank's parts on a Qdrant server, for ``benchmarks.server_parts``.

``Collections``: each part is a collection. ``Merged``: the same, but each addition copies the small parts into one.
``Sequences`` keeps all parts in one collection; a payload field ``sequence`` says which part
a point belongs to, and a version is a filter: ``sequence <= s`` without the withdrawn images.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import numpy as np
from qdrant_client import grpc, models

from patchbank.arrays import FloatArray
from patchbank.bank.names import PREFIX, patch_point
from patchbank.bank.parted import Parted, Share
from patchbank.bank.server.collection import ServerCollection
from patchbank.bank.server.link import ServerLink
from patchbank.bank.server.points import read_hits, search_request
from patchbank.bank.server.spread import Spread
from patchbank.bank.server.store import INDEX_FROM
from patchbank.bank.server.upload import Upload
from patchbank.bank.store import BankSpec, Neighbours

INDEXING: Final = 1_800.0
_BATCH: Final = 1_000
_ROW: Final = 1_024


class Way(ABC):
    """A bank on the server: a large part that is indexed, and small ones that are added to it."""

    name: str

    def __init__(self, link: ServerLink, spread: Spread, threads: ThreadPoolExecutor) -> None:
        self.link = link
        self.spread = spread
        self.threads = threads
        self.parts = 0
        """Number of small parts that have been added."""

    @abstractmethod
    def fill(self, image_ids: Sequence[str], patches: FloatArray) -> None:
        """Write the large part and have its graph built."""

    @abstractmethod
    def add(self, image_id: str, patches: FloatArray) -> None:
        """Add a small part."""

    @abstractmethod
    def nearest(self, queries: FloatArray, parts: int, withdrawn: Sequence[str], *, exact: bool = False) -> Neighbours:
        """The nearest patch of each query in the version of so many small parts without those images."""

    @abstractmethod
    def names(self) -> list[str]:
        """The collections."""

    def large(self) -> ServerCollection:
        """The collection that holds the large part."""
        return self._collection(0)

    def drop(self) -> None:
        """Delete all that was written, by this run or by one that was stopped."""
        for listed in self.link.nodes.all[0].client.get_collections().collections:
            if listed.name.startswith(f"{PREFIX}__bench-{self.name}__"):
                self.link.nodes.all[0].client.delete_collection(listed.name)

    def _collection(self, number: int) -> ServerCollection:
        return ServerCollection(
            self.link, f"{PREFIX}__bench-{self.name}__{number:05}", self.threads, indexed=not number
        )

    def _made(self, number: int, dim: int) -> ServerCollection:
        collection = self._collection(number)
        collection.create(BankSpec(dim, 4), self.spread)
        return collection


class Collections(Way):
    """A collection per part."""

    name = "collections"

    def fill(self, image_ids: Sequence[str], patches: FloatArray) -> None:
        _write(self._made(0, patches.shape[1]), image_ids, patches)
        self.large().index(len(patches), INDEXING)

    def add(self, image_id: str, patches: FloatArray) -> None:
        _write(self._made(self.parts + 1, patches.shape[1]), [image_id] * len(patches), patches)
        self.parts += 1

    def nearest(self, queries: FloatArray, parts: int, withdrawn: Sequence[str], *, exact: bool = False) -> Neighbours:
        shares = [Share(self.large(), frozenset(withdrawn))]
        shares += [Share(self._collection(number)) for number in range(1, parts + 1)]
        return Parted(shares).nearest(queries, 1, exact=exact)

    def names(self) -> list[str]:
        return [self._collection(number).name for number in range(self.parts + 1)]


class Merged(Way):
    """The large part of ``collections``, and one more for all small ones, written anew at each addition."""

    name = "merged"

    def __init__(self, collections: Collections) -> None:
        super().__init__(collections.link, collections.spread, collections.threads)
        self._collections = collections
        self._small: list[tuple[str, FloatArray]] = []

    def large(self) -> ServerCollection:
        return self._collections.large()

    def fill(self, image_ids: Sequence[str], patches: FloatArray) -> None:
        """Nothing: the other way has written it."""

    def add(self, image_id: str, patches: FloatArray) -> None:
        self._small.append((image_id, patches))
        made = self._made(self.parts + 1, patches.shape[1])
        vectors = np.concatenate([own for _, own in self._small])
        _write(made, [name for name, own in self._small for _ in own], vectors)
        if len(vectors) >= INDEX_FROM:
            made.index(len(vectors), INDEXING)
        self.parts += 1
        if self.parts > 2:  # the version before still serves
            self._collection(self.parts - 2).drop()

    def nearest(self, queries: FloatArray, parts: int, withdrawn: Sequence[str], *, exact: bool = False) -> Neighbours:
        shares = [Share(self.large(), frozenset(withdrawn))]
        if parts:
            shares.append(Share(self._part(parts)))
        return Parted(shares).nearest(queries, 1, exact=exact)

    def _part(self, number: int) -> ServerCollection:
        part = self._collection(number)
        part.indexed = sum(len(own) for _, own in self._small[:number]) >= INDEX_FROM
        return part

    def names(self) -> list[str]:
        return [self.large().name, *([self._collection(self.parts).name] if self.parts else [])]


class Sequences(Way):
    """One collection for all parts, told apart by ``sequence``; the large part has 0."""

    name = "sequences"
    indexed_only = False
    """Whether a search leaves out segments that have no graph yet."""

    def fill(self, image_ids: Sequence[str], patches: FloatArray) -> None:
        collection = self._made(0, patches.shape[1])
        self.link.index_payload(collection.name, "sequence", models.PayloadSchemaType.INTEGER)
        self._upsert(image_ids, patches, 0)
        collection.index(len(patches), INDEXING)

    def add(self, image_id: str, patches: FloatArray) -> None:
        self._upsert([image_id] * len(patches), patches, self.parts + 1)
        self.parts += 1

    def _upsert(self, image_ids: Sequence[str], patches: FloatArray, sequence: int) -> None:
        """As ``Points.upsert_patches`` does, with one payload field more."""
        value, named, name = grpc.Value, grpc.NamedVectors, self.large().name
        points = [
            grpc.PointStruct(
                id=grpc.PointId(uuid=patch_point(image_id, *divmod(place, _ROW))),
                vectors=grpc.Vectors(vectors=named(vectors={"patch": grpc.Vector(dense=grpc.DenseVector(data=row))})),
                payload={
                    "image_id": value(string_value=image_id),
                    "row": value(integer_value=place // _ROW),
                    "col": value(integer_value=place % _ROW),
                    "sequence": value(integer_value=sequence),
                },
            )
            for place, (image_id, row) in enumerate(zip(image_ids, patches, strict=True))
        ]
        for begin in range(0, len(points), _BATCH):
            request = grpc.UpsertPoints(collection_name=name, wait=True, points=points[begin : begin + _BATCH])
            self.link.nodes.all[0].client.grpc_points.Upsert(request, timeout=self.link.timeout)

    def nearest(self, queries: FloatArray, parts: int, withdrawn: Sequence[str], *, exact: bool = False) -> Neighbours:
        large = self.large()
        shown = models.FieldCondition(key="sequence", range=models.Range(lte=parts))
        hidden = models.FieldCondition(key="image_id", match=models.MatchAny(any=list(withdrawn)))
        chosen = models.Filter(must=[shown], must_not=[hidden] if withdrawn else None)
        request = search_request(large.name, queries, 1, exact, chosen)
        for query in request.query_points if self.indexed_only else ():
            query.params.indexed_only = True
        answer = self.link.nodes.all[0].client.grpc_points.QueryBatch(request, timeout=self.link.timeout)
        return Neighbours(*read_hits(answer, 1), exact)

    def names(self) -> list[str]:
        return [self.large().name]


def _write(collection: ServerCollection, image_ids: Sequence[str], patches: FloatArray) -> None:
    """Write patches as a draft does, several batches at a time."""
    cells = np.stack(np.divmod(np.arange(len(patches)), _ROW), axis=1)
    upload = Upload()
    try:
        for begin in range(0, len(patches), _BATCH):
            batch = slice(begin, begin + _BATCH)
            upload.put(
                partial(
                    collection.points.upsert_patches,
                    collection.link.nodes.all[0].client,
                    collection.name,
                    image_ids[batch],
                    cells[batch],
                    patches[batch],
                )
            )
        upload.flush()
    finally:
        upload.close()
