"""One collection on disk: a thin layer over ``qdrant_edge.EdgeShard`` with this project's schema."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, cast
from uuid import UUID

import numpy as np
import qdrant_edge as qe

from patchbank.arrays import ByteArray, FloatArray, IntArray
from patchbank.bank.edge.cls_table import ClsTable
from patchbank.bank.edge.exact import ExactIndex
from patchbank.bank.edge.folders import CLS_COPY, EXACT_COPY, SHARD
from patchbank.bank.excluding import nearest_without
from patchbank.bank.names import is_image_id, patch_point, reference_point
from patchbank.bank.reference import FACTS, Reference, ReferenceFacts
from patchbank.bank.store import Neighbours, PatchBlock
from patchbank.errors import DamagedBank, DataDirNotWritable, StoreUnavailable, UnknownReference
from patchbank.reason import reason_of
from patchbank.text import quoted

INDEX_FROM: Final = 20_000
"""From so many patches on, HNSW over int8 vectors is faster than a matrix product over all of them (docs/search.md)."""

_EF: Final = 32
_OVERSAMPLING: Final = 2.0
_UPSERT: Final = 2_000
_AT_ONCE: Final = 4_096
"""Queries of one search: their similarities to a block of the flat copy take 64 MB."""
_SCROLL: Final = 2_000
_PATCHES: Final = qe.Filter(must=[qe.HasVectorCondition("patch")])
_IMAGES: Final = qe.Filter(must=[qe.HasVectorCondition("cls")])
_EXACT: Final = qe.SearchParams(exact=True, quantization=qe.QuantizationSearchParams(ignore=True))
_FAST: Final = qe.SearchParams(
    hnsw_ef=_EF, quantization=qe.QuantizationSearchParams(rescore=True, oversampling=_OVERSAMPLING)
)


class Shard:
    """Points of one bank: patches (vector ``patch``) and reference images (vector ``cls``).

    The write-ahead log is off, so that several processes may read a finished collection at once. Points
    are safe on disk only after ``seal``. The engine's searches hold Python's global lock.
    """

    def __init__(self, shard: qe.EdgeShard, folder: Path, exact: ExactIndex | None = None) -> None:
        self._shard = shard
        self._folder = folder
        self._exact = exact
        self._patches, self._indexed = 0, False
        self._count()

    def _count(self) -> None:
        with _translated(StoreUnavailable, "counting points"):
            self._patches = self._shard.count(qe.CountRequest(filter=_PATCHES))
            indexed = self._shard.info().indexed_vectors_count
        self._indexed = 0 < self._patches <= indexed

    @classmethod
    def create(cls, folder: Path, cls_dim: int, patch_dim: int, index_from: int = INDEX_FROM) -> Shard:
        """A new, empty collection below ``folder``.

        From ``index_from`` patches on ``seal`` builds a graph over quantised vectors. It also writes a flat copy of the
        patches for exhaustive search, and one of the CLS embeddings for class retrieval.
        """
        int8 = qe.ScalarQuantizationConfig(qe.ScalarType.Int8, quantile=0.99, memory=qe.Memory.Pinned)
        hnsw = qe.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=1)
        vectors = {
            "cls": qe.EdgeVectorParams(cls_dim, qe.Distance.Dot),
            "patch": qe.EdgeVectorParams(patch_dim, qe.Distance.Dot, quantization_config=int8, hnsw_config=hnsw),
        }
        threshold = max(1, index_from * patch_dim * 4 // 1024)
        optimizers = qe.EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=threshold)
        config = qe.EdgeConfig(vectors=vectors, optimizers=optimizers, wal_enabled=False)
        path = folder / SHARD
        with _translated(StoreUnavailable, f"creating {path}"):
            path.mkdir(parents=True)
            shard = qe.EdgeShard.create(str(path), config)
            shard.update(qe.UpdateOperation.create_field_index("image_id", qe.PayloadSchemaType.Keyword))
        return cls(shard, folder)

    @classmethod
    def load(cls, folder: Path) -> Shard:
        """An existing collection, with the flat copy of its patches if it is there; ``DamagedBank`` if it can't be
        opened."""
        path, exact = folder / SHARD, folder / EXACT_COPY
        try:
            with _translated(DamagedBank, f"opening {path}"):
                flat = ExactIndex.open(exact) if exact.is_dir() else None
                return cls(qe.EdgeShard.load(str(path)), folder, flat)
        except DamagedBank as error:
            if not path.exists() or os.access(path, os.W_OK):
                raise
            raise DataDirNotWritable(
                f"the embedded engine writes to the files that it opens, but {path} cannot be written; let this user "
                "write to the data directory"
            ) from error

    def count(self) -> int:
        """Number of patches."""
        self._count()
        return self._patches

    def add_patches(self, image_ids: Sequence[str], cells: IntArray, vectors: FloatArray) -> None:
        """Upsert patches; see ``Draft.add_patches``."""
        for begin in range(0, len(image_ids), _UPSERT):
            points = [
                qe.Point(
                    patch_point(image_id, row, column),
                    {"patch": vector},  # an array is much faster than a list, and the engine takes it
                    {"image_id": image_id, "row": row, "col": column},
                )
                for image_id, (row, column), vector in zip(
                    image_ids[begin : begin + _UPSERT],
                    cells[begin : begin + _UPSERT].tolist(),
                    vectors[begin : begin + _UPSERT],
                    strict=True,
                )
            ]
            self.upsert(points)

    def add_reference(self, reference: Reference, cls: FloatArray) -> None:
        """Upsert a reference image."""
        vector: Any = {"cls": cls}
        self.upsert([qe.Point(reference_point(reference.image_id), vector, reference.as_payload())])

    def upsert(self, points: list[qe.Point]) -> None:
        """Write points; they are on disk after ``seal``."""
        with _translated(StoreUnavailable, "writing points"):
            self._shard.update(qe.UpdateOperation.upsert_points(points))

    def seal(self) -> None:
        """Build the index where the collection is large enough to gain, and put everything on disk."""
        with _translated(StoreUnavailable, "indexing"):
            self._shard.optimize()
            self._shard.flush()
            self._count()
            self._exact = ExactIndex.write(self._folder / EXACT_COPY, self._patches, self._flat())
            image_ids, vectors = self.cls_vectors()
            ClsTable(tuple(image_ids), vectors).write(self._folder / CLS_COPY)

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Sequence[str] = ()
    ) -> Neighbours:
        """The k nearest patches of each query, in one thread, some thousands at once: a large picture has many."""
        blocks = [
            self._nearest(queries[begin : begin + _AT_ONCE], k, exact or not self._indexed, exclude_images)
            for begin in range(0, max(1, len(queries)), _AT_ONCE)
        ]
        distances, ids = (np.concatenate(parts) for parts in zip(*((b.distances, b.ids) for b in blocks), strict=True))
        return Neighbours(distances, ids, blocks[0].exact)

    def _nearest(self, queries: FloatArray, k: int, exact: bool, exclude_images: Sequence[str]) -> Neighbours:
        if exact and self._exact is not None:
            return self._exact.nearest(queries, k, exclude_images)
        if exact:
            return Neighbours(*self._found(queries, k, exclude_images, _EXACT), exact=True)
        search = partial(self._found, params=_FAST)
        return Neighbours(*nearest_without(search, queries, k, exclude_images), exact=False)

    def _found(
        self, queries: FloatArray, k: int, exclude_images: Sequence[str], params: qe.SearchParams
    ) -> tuple[FloatArray, ByteArray]:
        """Distances (Q, k) and point ids (Q, k, 16), the images left out by the engine's filter."""
        left_out = None
        if exclude_images:  # one condition: the graph's search checks each one at every patch it meets
            left_out = qe.Filter(must_not=[qe.FieldCondition("image_id", match=qe.MatchAny(list(exclude_images)))])
        hits = self._query("patch", queries, k, params, left_out, payload=False)
        scores, ids = [], []
        for nearest in hits:
            missing = k - len(nearest)
            scores += [hit.score for hit in nearest] + [-np.inf] * missing
            ids += [cast(UUID, hit.id).bytes for hit in nearest] + [bytes(16)] * missing
        shape = (len(queries), k)
        distances = 1.0 - np.asarray(scores, dtype=np.float32).reshape(shape)
        points = np.frombuffer(b"".join(ids), dtype=np.uint8).reshape(*shape, 16)
        return np.maximum(distances, 0.0), points

    def _query(
        self,
        vector: str,
        queries: FloatArray,
        k: int,
        params: qe.SearchParams,
        condition: qe.Filter | None,
        payload: bool,
    ) -> list[list[qe.ScoredPoint]]:
        requests = [
            qe.QueryRequest(
                limit=k,
                query=qe.Query.Nearest(query, using=vector),
                params=params,
                filter=condition,
                with_payload=payload,
            )
            for query in queries
        ]
        with _translated(StoreUnavailable, "searching"):
            return self._shard.query_batch(qe.QueryBatchRequest(requests))

    def reference(self, image_id: str) -> Reference:
        """One reference image, or ``UnknownReference``."""
        records = []
        if is_image_id(image_id):
            with _translated(StoreUnavailable, "reading a reference"):
                records = self._shard.retrieve([reference_point(image_id)], with_payload=True, with_vector=False)
        if not records:
            raise UnknownReference(f"no reference image {quoted(image_id)} in this bank")
        return Reference.from_payload(records[0].payload or {})

    def references(self) -> list[Reference]:
        """All reference images, by name."""
        references = [Reference.from_payload(record.payload or {}) for record in self._scroll(_IMAGES, payload=True)]
        return sorted(references, key=lambda reference: (reference.name, reference.image_id))

    def reference_facts(self) -> list[ReferenceFacts]:
        """The same without their pictures."""
        records = self._scroll(_IMAGES, payload=list(FACTS))
        facts = [ReferenceFacts.from_payload(record.payload or {}) for record in records]
        return sorted(facts, key=lambda reference: (reference.name, reference.image_id))

    def cls_vectors(self) -> tuple[list[str], FloatArray]:
        """Image ids and CLS embeddings (M, D')."""
        ids, vectors = [], []
        for record in self._scroll(_IMAGES, vector="cls"):
            ids.append(cast(UUID, record.id).hex[:24])
            vectors.append(_vector(record, "cls"))
        return ids, np.asarray(vectors, dtype=np.float32)

    def _flat(self) -> Iterator[tuple[bytes, list[float]]]:
        for record in self._scroll(_PATCHES, vector="patch"):
            yield cast(UUID, record.id).bytes, _vector(record, "patch")

    def patches(self) -> Iterator[PatchBlock]:
        """All patches, block by block."""
        points = self._flat()
        while block := list(islice(points, _SCROLL)):
            ids = np.frombuffer(b"".join(point for point, _ in block), dtype=np.uint8).reshape(-1, 16)
            yield PatchBlock(ids, np.asarray([vector for _, vector in block], dtype=np.float32))

    def image_patches(self, image_id: str) -> FloatArray:
        """Patches (M, D) of one reference image."""
        own = qe.FieldCondition("image_id", match=qe.MatchValue(image_id))
        condition = qe.Filter(must=[own, qe.HasVectorCondition("patch")])
        vectors = [_vector(record, "patch") for record in self._scroll(condition, vector="patch")]
        return np.asarray(vectors, dtype=np.float32)

    def _scroll(
        self, condition: qe.Filter, *, payload: bool | list[str] = False, vector: str | None = None
    ) -> Iterator[qe.Record]:
        offset: qe.PointId | None = None
        while True:
            request = qe.ScrollRequest(
                offset=offset,
                limit=_SCROLL,
                filter=condition,
                with_payload=payload,
                with_vector=[vector] if vector else False,
            )
            with _translated(StoreUnavailable, "reading points"):
                records, offset = self._shard.scroll(request)
            yield from records
            if offset is None:
                return

    def close(self) -> None:
        """Close; a later use raises."""
        self._shard.close()


def _vector(record: qe.Record, name: str) -> list[float]:
    return cast(dict[str, list[float]], record.vector)[name]


@contextmanager
def _translated(kind: type[StoreUnavailable | DamagedBank], doing: str) -> Iterator[None]:
    """The engine raises bare ``Exception``; callers get an error with a code."""
    try:
        yield
    except (StoreUnavailable, DamagedBank):
        raise
    except Exception as error:
        raise kind(f"bank store, {doing}: {reason_of(error)}") from error
