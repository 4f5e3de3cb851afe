"""The engine in a process of its own: ``main`` makes a collection from flat files, or flat files from a collection.

What the engine writes is memory-mapped: a full disk, or a file that is cut, ends its process without an exception. So
that process is this one.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast
from uuid import UUID

import numpy as np
import qdrant_edge as qe

from patchbank.bank.edge.cls_table import ClsTable
from patchbank.bank.edge.folders import CLS_COPY, EXACT_COPY, REFERENCES, SHARD
from patchbank.bank.edge.npy_file import NpyFile, write_header, write_rows
from patchbank.bank.edge.reference_shelf import write_shelf
from patchbank.bank.edge.shard_sums import write_sums
from patchbank.bank.edge.synced import sync_tree
from patchbank.bank.names import reference_point
from patchbank.bank.reference import Reference

_UPSERT: Final = 2_000
_SCROLL: Final = 2_000
_PATCHES: Final = qe.Filter(must=[qe.HasVectorCondition("patch")])
_IMAGES: Final = qe.Filter(must=[qe.HasVectorCondition("cls")])
_DIE_WITH_PARENT: Final = 1


def main() -> None:
    """Do what standard input says, as JSON; tell the outcome on standard output."""
    task: dict[str, Any] = json.load(sys.stdin)
    _end_with(task.pop("parent"))
    source, into = Path(task.pop("source")), Path(task.pop("into"))
    try:
        if task.pop("work") == "build":
            indexed = build(source, into, **task)
            print(json.dumps({"indexed": indexed}), flush=True)  # noqa: T201
        else:
            export(source, into, **task)
    except BaseException as error:  # a panic of the engine is no Exception
        told = {"error": f"{type(error).__name__}: {error}", "errno": getattr(error, "errno", None)}
        print(json.dumps(told), flush=True)  # noqa: T201
        os._exit(3)


def _end_with(parent: int) -> None:
    """Let this process end with the one that waits for it: nobody else would remove what it writes."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(3)


def build(source: Path, into: Path, patch_dim: int, cls_dim: int) -> bool:
    """Make a collection with a graph over quantised vectors below ``into`` from the flat files below ``source``;
    returns whether all of them are in the graph."""
    int8 = qe.ScalarQuantizationConfig(qe.ScalarType.Int8, quantile=0.99, memory=qe.Memory.Pinned)
    hnsw = qe.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=1)
    vectors = {
        "cls": qe.EdgeVectorParams(cls_dim, qe.Distance.Dot),
        "patch": qe.EdgeVectorParams(patch_dim, qe.Distance.Dot, quantization_config=int8, hnsw_config=hnsw),
    }
    optimizers = qe.EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=1)
    config = qe.EdgeConfig(vectors=vectors, optimizers=optimizers, wal_enabled=False)
    (into / SHARD).mkdir()
    shard = qe.EdgeShard.create(str(into / SHARD), config)
    shard.update(qe.UpdateOperation.create_field_index("image_id", qe.PayloadSchemaType.Keyword))
    for points in _points(source):
        shard.update(qe.UpdateOperation.upsert_points(points))
    shard.optimize()
    shard.flush()
    indexed = 0 < shard.count(qe.CountRequest(filter=_PATCHES)) <= shard.info().indexed_vectors_count
    shard.close()
    sync_tree(into / SHARD)
    write_sums(into)
    return indexed


def _points(source: Path) -> Iterator[list[qe.Point]]:
    table = ClsTable.read(source / CLS_COPY, None)
    vectors = dict(zip(table.image_ids, table.vectors, strict=True))
    for payload in json.loads((source / REFERENCES).read_bytes()):
        vector: Any = {"cls": vectors[payload["image_id"]]}
        yield [qe.Point(reference_point(payload["image_id"]), vector, payload)]
    ids = NpyFile.open(source / EXACT_COPY / "ids.npy", "|u1", 16).read()
    patches = NpyFile.open(source / EXACT_COPY / "vectors.npy", "<f4")
    for number, block in enumerate(patches.blocks(_UPSERT)):
        own = ids[number * _UPSERT : number * _UPSERT + len(block)]
        yield [_patch(point.tobytes(), vector) for point, vector in zip(own, block, strict=True)]


def _patch(point: bytes, vector: Any) -> qe.Point:
    row, column = int.from_bytes(point[12:14], "big"), int.from_bytes(point[14:16], "big")
    payload = {"image_id": point[:12].hex(), "row": row, "col": column}
    return qe.Point(str(UUID(bytes=point)), {"patch": vector}, payload)  # an array is much faster than a list


def export(source: Path, into: Path, pieces: list[str]) -> None:
    """Write flat files below ``into`` from the collection below ``source``: those of ``pieces``, named as the parts of
    a ``PartDigest``."""
    shard = qe.EdgeShard.load(str(source / SHARD))
    if "references" in pieces:
        payloads = [record.payload or {} for record in _scroll(shard, _IMAGES, payload=True)]
        references = sorted((Reference.from_payload(payload) for payload in payloads), key=lambda each: each.image_id)
        write_shelf(into / REFERENCES, references)
    if "cls" in pieces:
        records = list(_scroll(shard, _IMAGES, vector="cls"))
        ids = tuple(cast(UUID, record.id).hex[:24] for record in records)
        ClsTable(ids, np.asarray([_vector(record, "cls") for record in records], dtype=np.float32)).write(
            into / CLS_COPY
        )
    if "patches" in pieces:
        _export_patches(shard, into / EXACT_COPY)
    shard.close()


def _export_patches(shard: qe.EdgeShard, folder: Path) -> None:
    """In the order of ids, in which the engine lists its points."""
    folder.mkdir()
    count = shard.count(qe.CountRequest(filter=_PATCHES))
    ids: list[bytes] = []
    with (folder / "vectors.npy").open("xb") as file:
        for record in _scroll(shard, _PATCHES, vector="patch"):
            vector = np.asarray(_vector(record, "patch"), dtype="<f4")
            if not ids:
                write_header(file, "<f4", count, len(vector))
            file.write(vector.tobytes())
            ids.append(cast(UUID, record.id).bytes)
    write_rows(folder / "ids.npy", "|u1", np.frombuffer(b"".join(ids), dtype=np.uint8).reshape(-1, 16))


def _scroll(
    shard: qe.EdgeShard, condition: qe.Filter, *, payload: bool = False, vector: str | None = None
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
        records, offset = shard.scroll(request)
        yield from records
        if offset is None:
            return


def _vector(record: qe.Record, name: str) -> list[float]:
    return cast(dict[str, list[float]], record.vector)[name]
