"""Points over the wire, many at a time.

The client's own models cost more than the search: checking and converting 1,024 queries of 384 numbers takes 80 ms, as
protobuf messages 10 ms (``python -m benchmarks.wire``). So vectors are sent as protobuf's packed floats, which are the
array's own bytes. Local mode knows no protobuf and takes the models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from qdrant_client import QdrantClient, grpc, models
from qdrant_client.conversions.conversion import RestToGrpc

from patchbank.arrays import ByteArray, FloatArray, IntArray
from patchbank.bank.names import patch_point
from patchbank.bank.store import PatchBlock
from patchbank.errors import DamagedBank

_EF: Final = 32
_CANDIDATES: Final = 16
"""So many proposals of the graph, which knows vectors as int8, are compared in full, and two for each neighbour that is
wanted: of near twins int8 cannot tell which is nearer (docs/search.md)."""

_ROUNDING: Final = 1e-3
_DATA_FIELD: Final = b"\x0a"
"""Tag of ``DenseVector.data``: field 1, length-delimited."""


@dataclass(frozen=True)
class Page:
    """A page of points with one vector each; ``after`` is where the next page begins, None at the end."""

    block: PatchBlock
    after: str | None


class Points:
    """Bulk reading, writing and searching of points, as protobuf messages. Calls end after ``timeout`` seconds."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout

    def upsert_patches(
        self, client: QdrantClient, collection: str, image_ids: Sequence[str], cells: IntArray, vectors: FloatArray
    ) -> None:
        value = grpc.Value
        points = [
            grpc.PointStruct(
                id=grpc.PointId(uuid=patch_point(image_id, row, column)),
                vectors=grpc.Vectors(vectors=grpc.NamedVectors(vectors={"patch": grpc.Vector(dense=dense)})),
                payload={
                    "image_id": value(string_value=image_id),
                    "row": value(integer_value=row),
                    "col": value(integer_value=column),
                },
            )
            for image_id, (row, column), dense in zip(image_ids, cells.tolist(), _packed(vectors), strict=True)
        ]
        client.grpc_points.Upsert(
            grpc.UpsertPoints(collection_name=collection, wait=True, points=points), timeout=self._timeout
        )

    def nearest(
        self,
        client: QdrantClient,
        collection: str,
        queries: FloatArray,
        k: int,
        exact: bool,
        left_out: models.Filter | None,
    ) -> tuple[FloatArray, ByteArray]:
        """Cosine distances (Q, k), ascending, and point ids (Q, k, 16); ``inf`` where fewer are found."""
        request = search_request(collection, queries, k, exact, left_out)
        answer = client.grpc_points.QueryBatch(request, timeout=self._timeout)
        check_similarities(collection, [hit.score for query in answer.result for hit in query.result])
        return read_hits(answer, k)

    def page(
        self, client: QdrantClient, collection: str, vector: str, chosen: models.Filter, limit: int, after: str | None
    ) -> Page:
        """At most ``limit`` points that match ``chosen``, with their vector of that name."""
        answer = client.grpc_points.Scroll(
            grpc.ScrollPoints(
                collection_name=collection,
                filter=RestToGrpc.convert_filter(chosen),
                offset=None if after is None else grpc.PointId(uuid=after),
                limit=limit,
                with_payload=grpc.WithPayloadSelector(enable=False),
                with_vectors=grpc.WithVectorsSelector(include=grpc.VectorsSelector(names=[vector])),
            ),
            timeout=self._timeout,
        )
        vectors = _unpacked(collection, [point.vectors.vectors.vectors[vector] for point in answer.result])
        _check_unit(collection, vectors)
        more = answer.next_page_offset.uuid if answer.HasField("next_page_offset") else None
        return Page(PatchBlock(_raw_ids([point.id.uuid for point in answer.result]), vectors), more)


def check_similarities(collection: str, similarities: Sequence[float]) -> None:
    """Raise ``DamagedBank`` where a server's answer holds what no two vectors of unit length have as their product:
    NaN, infinity, or more than 1. It would pass for a distance of 0, which is as normal as can be."""
    values = np.asarray(similarities, dtype=np.float64)
    if not (np.abs(values) <= 1.0 + _ROUNDING).all():
        raise DamagedBank(f"{collection} answers a search with what is no similarity: its vectors are damaged")


def _check_unit(collection: str, vectors: FloatArray) -> None:
    """The same for vectors (M, D) that are read."""
    if len(vectors) and not (np.abs(np.linalg.norm(vectors, axis=1) - 1.0) <= _ROUNDING).all():
        raise DamagedBank(f"{collection} holds vectors that are not of unit length: they are damaged")


def search_request(
    collection: str, queries: FloatArray, k: int, exact: bool, left_out: models.Filter | None
) -> grpc.QueryBatchPoints:
    """One request for the k nearest patches of each of ``queries`` (Q, D)."""
    quantization = grpc.QuantizationSearchParams(ignore=True)
    params = grpc.SearchParams(exact=True, quantization=quantization)
    if not exact:
        quantization = grpc.QuantizationSearchParams(rescore=True, oversampling=max(2.0, _CANDIDATES / k))
        params = grpc.SearchParams(hnsw_ef=_EF, quantization=quantization)
    common = grpc.QueryPoints(
        collection_name=collection,
        using="patch",
        limit=k,
        params=params,
        filter=None if left_out is None else RestToGrpc.convert_filter(left_out),
        with_payload=grpc.WithPayloadSelector(enable=False),
    )
    request = grpc.QueryBatchPoints(collection_name=collection)
    for dense in _packed(queries):
        query = request.query_points.add()
        query.CopyFrom(common)
        query.query.nearest.dense.CopyFrom(dense)
    return request


def read_hits(answer: grpc.QueryBatchResponse, k: int) -> tuple[FloatArray, ByteArray]:
    """The hits of a search's answer: distances and ids as ``Points.nearest`` returns them."""
    return _table([[(hit.score, hit.id.uuid) for hit in query.result] for query in answer.result], k)


def _packed(vectors: FloatArray) -> Iterator[grpc.DenseVector]:
    """The rows as protobuf vectors, made from their wire format: an array's little-endian bytes, copied."""
    rows = np.ascontiguousarray(vectors, dtype="<f4")
    head = _DATA_FIELD + _varint(rows.shape[1] * 4)
    parse = grpc.DenseVector.FromString
    for row in rows:
        yield parse(head + row.tobytes())


def _varint(number: int) -> bytes:
    """Protobuf's variable-length integer."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _unpacked(collection: str, outputs: Sequence[grpc.VectorOutput]) -> FloatArray:
    """The vectors (M, D), by way of their wire format: a tenth of the time of lists of numbers."""
    dense = [
        output.dense if output.dense.data else grpc.DenseVector(data=output.data)  # servers before 1.16
        for output in outputs
    ]
    raw = [vector.SerializeToString() for vector in dense]
    if len(set(map(len, raw))) > 1:
        raise DamagedBank(f"{collection} holds vectors of several lengths: they are damaged")
    if not raw:
        return np.empty((0, 0), dtype=np.float32)
    size = 4 * len(dense[0].data)
    table = np.frombuffer(b"".join(raw), dtype=np.uint8).reshape(len(raw), -1)
    return np.ascontiguousarray(table[:, table.shape[1] - size :]).view("<f4").astype(np.float32, copy=False)


def _table(queries: Sequence[Sequence[tuple[float, str]]], k: int) -> tuple[FloatArray, ByteArray]:
    """Distances (Q, k) and ids (Q, k, 16) of each query's hits; missing hits get distance ``inf``."""
    shape = (len(queries), k)
    similarities = np.full(shape, -np.inf, dtype=np.float32)
    ids = np.zeros((*shape, 16), dtype=np.uint8)
    counts = np.asarray([len(hits) for hits in queries], dtype=np.int64)
    present = np.arange(k) < counts[:, None]
    similarities[present] = [score for hits in queries for score, _ in hits]
    ids[present] = _raw_ids([point for hits in queries for _, point in hits])
    return np.maximum(1.0 - similarities, np.float32(0.0)), ids


def _raw_ids(uuids: Sequence[str]) -> ByteArray:
    """The bytes of hyphenated UUIDs (M, 16)."""
    raw = bytes.fromhex("".join(uuids).replace("-", ""))
    return np.frombuffer(raw, dtype=np.uint8).reshape(len(uuids), 16)
