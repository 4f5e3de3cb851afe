"""The engine in a process of its own: ``main`` makes a graph over flat files, or reads collections of older releases.

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
from typing import Any, Final

import numpy as np
import qdrant_edge as qe

from patchbank.bank.edge.codes import Codes
from patchbank.bank.edge.folders import EXACT_COPY, REFERENCES, SHARD
from patchbank.bank.edge.npy_file import NpyFile
from patchbank.bank.edge.reference_shelf import write_shelf
from patchbank.bank.edge.shard_sums import write_sums
from patchbank.bank.edge.synced import sync_tree
from patchbank.bank.reference import Reference

_UPSERT: Final = 2_000
_SCROLL: Final = 2_000
_SAMPLE: Final = 16_384
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


def build(source: Path, into: Path, patch_dim: int) -> bool:
    """Make a graph over the patches of the flat files below ``source``, as a collection below ``into``; returns whether
    all of them are in it."""
    file = NpyFile.open(source / EXACT_COPY / "vectors.npy", "<f4", patch_dim)
    codes = Codes.fitting(file.gather(np.linspace(0, file.count - 1, min(_SAMPLE, file.count)).astype(np.int64)))
    graph = qe.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=1)
    coded = qe.EdgeVectorParams(patch_dim, qe.Distance.Euclid, datatype=qe.VectorStorageDatatype.Uint8)
    optimizers = qe.EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=1)
    config = qe.EdgeConfig(vectors={"patch": coded}, hnsw_config=graph, optimizers=optimizers, wal_enabled=False)
    (into / SHARD).mkdir()
    shard = qe.EdgeShard.create(str(into / SHARD), config)
    for number, block in enumerate(file.blocks(_UPSERT)):
        points = [qe.Point(number * _UPSERT + row, {"patch": code}) for row, code in enumerate(codes.of(block))]
        shard.update(qe.UpdateOperation.upsert_points(points))  # an array is much faster than a list
    shard.optimize()
    shard.flush()
    indexed = 0 < file.count == shard.count(qe.CountRequest()) <= shard.info().indexed_vectors_count
    shard.close()
    sync_tree(into / SHARD)
    write_sums(into, codes)
    return indexed


def export(source: Path, into: Path) -> None:
    """Write the references below ``into`` that the collection of an older release below ``source`` holds."""
    shard = qe.EdgeShard.load(str(source / SHARD))
    payloads = [record.payload or {} for record in _scroll(shard)]
    references = sorted((Reference.from_payload(payload) for payload in payloads), key=lambda each: each.image_id)
    write_shelf(into / REFERENCES, references)
    shard.close()


def _scroll(shard: qe.EdgeShard) -> Iterator[qe.Record]:
    offset: qe.PointId | None = None
    while True:
        request = qe.ScrollRequest(offset=offset, limit=_SCROLL, filter=_IMAGES, with_payload=True, with_vector=False)
        records, offset = shard.scroll(request)
        yield from records
        if offset is None:
            return
