"""The engine's graph over the patches of a part. It proposes neighbours; how near they are, the flat files tell.

So whatever damaged files make the engine answer, no distance is too low. Everything that the engine does may fail in
ways that are no ``Exception``: its panics are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast
from uuid import UUID

import numpy as np
import qdrant_edge as qe

from patchbank.arrays import ByteArray, FloatArray
from patchbank.bank.edge.folders import SHARD
from patchbank.bank.edge.shard_sums import check_sums
from patchbank.reason import reason_of

INDEX_FROM: Final = 20_000
"""From so many patches on, HNSW over int8 vectors is faster than a matrix product over all of them (docs/search.md)."""

_EF: Final = 32
_OVERSAMPLING: Final = 2.0
_PATCHES: Final = qe.Filter(must=[qe.HasVectorCondition("patch")])
_FAST: Final = qe.SearchParams(
    hnsw_ef=_EF, quantization=qe.QuantizationSearchParams(rescore=True, oversampling=_OVERSAMPLING)
)


class GraphUnusable(Exception):
    """The engine's files are missing or damaged, or the engine failed: the patches are searched without it."""


class Graph:
    """A collection of the engine that was opened for searching. Its searches hold Python's global lock."""

    def __init__(self, shard: qe.EdgeShard) -> None:
        self._shard = shard

    @classmethod
    def load(cls, folder: Path, patches: int, *, trusted: bool = False, older: bool = False) -> Graph:
        """Open the graph of the part below ``folder``, which has so many patches. Raises ``GraphUnusable``.

        Its files are compared with their checksums before the engine touches them, unless they are ``trusted``; those
        of an ``older`` release have none. The engine writes to some of them, so the directory must be writable.
        """
        if not trusted:
            try:
                check_sums(folder, deep=False, older=older)
            except (OSError, ValueError) as error:
                raise GraphUnusable(reason_of(error)) from error
        with _translated():
            shard = qe.EdgeShard.load(str(folder / SHARD))
            held = shard.count(qe.CountRequest(filter=_PATCHES))
            indexed = shard.info().indexed_vectors_count
        if not held == patches <= indexed:
            raise GraphUnusable(f"it holds {held} patches, {indexed} of them in the graph, not {patches}")
        return cls(shard)

    def propose(self, queries: FloatArray, k: int, left_out: Sequence[str]) -> ByteArray:
        """Point ids (Q, k, 16) of patches that are probably the nearest; zeros where there are fewer. Raises
        ``GraphUnusable``."""
        condition = None
        if left_out:  # one condition: the graph's search checks each one at every patch it meets
            condition = qe.Filter(must_not=[qe.FieldCondition("image_id", match=qe.MatchAny(list(left_out)))])
        requests = [
            qe.QueryRequest(
                limit=k,
                query=qe.Query.Nearest(query, using="patch"),
                params=_FAST,
                filter=condition,
                with_payload=False,
            )
            for query in queries
        ]
        with _translated():
            hits = self._ask(requests)
            ids = [[cast(UUID, hit.id).bytes for hit in nearest[:k]] for nearest in hits]
        raw = b"".join(b"".join(row) + bytes(16 * (k - len(row))) for row in ids)
        return np.frombuffer(raw, dtype=np.uint8).reshape(len(queries), k, 16)

    def _ask(self, requests: list[qe.QueryRequest]) -> list[list[qe.ScoredPoint]]:
        return self._shard.query_batch(qe.QueryBatchRequest(requests))

    def close(self) -> None:
        """Close; a later use raises ``GraphUnusable``."""
        with _translated():
            self._shard.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic of the engine is no Exception
        raise GraphUnusable(f"the engine failed: {reason_of(error)}") from error
