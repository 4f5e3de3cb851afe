"""The engine's graph over the patches of a part. It proposes neighbours; how near they are, the flat files tell.

So whatever damaged files make the engine answer, no distance is too low, and the engine needs its vectors as bytes
alone (``Codes``). Its points are the places of the patches in the flat files. Everything that the engine does may fail
in ways that are no ``Exception``: its panics are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import qdrant_edge as qe

from patchbank.arrays import FloatArray, IntArray
from patchbank.bank.edge.codes import Codes
from patchbank.bank.edge.folders import SHARD
from patchbank.bank.edge.shard_sums import check_sums, read_codes
from patchbank.reason import reason_of

INDEX_FROM: Final = 300_000
"""As many patches as were measured (docs/search.md) are searched faster by lists; more were not."""

_FAST: Final = qe.SearchParams(hnsw_ef=32)


class GraphUnusable(Exception):
    """The engine's files are missing or damaged, or the engine failed: the patches are searched without it."""


class Graph:
    """A collection of the engine that was opened for searching. Its searches hold Python's global lock."""

    def __init__(self, shard: qe.EdgeShard, codes: Codes, patches: int) -> None:
        self._shard = shard
        self._codes = codes
        self._patches = patches

    @classmethod
    def load(cls, folder: Path, patches: int, *, trusted: bool = False) -> Graph:
        """Open the graph of the part below ``folder``, which has so many patches. Raises ``GraphUnusable``.

        Its files are compared with their checksums before the engine touches them, unless they are ``trusted``. The
        engine writes to some of them, so the directory must be writable.
        """
        try:
            if not trusted:
                check_sums(folder, deep=False)
            codes = read_codes(folder)
        except (OSError, ValueError) as error:
            raise GraphUnusable(reason_of(error)) from error
        with _translated():
            shard = qe.EdgeShard.load(str(folder / SHARD))
            held = shard.count(qe.CountRequest())
            indexed = shard.info().indexed_vectors_count
        if not held == patches <= indexed:
            raise GraphUnusable(f"it holds {held} patches, {indexed} of them in the graph, not {patches}")
        return cls(shard, codes, patches)

    def propose(self, queries: FloatArray, count: int) -> IntArray:
        """Places (Q, ``count``) of patches that are probably among the nearest; -1 where there are fewer. Raises
        ``GraphUnusable``."""
        requests = [
            qe.QueryRequest(limit=count, query=qe.Query.Nearest(code, using="patch"), params=_FAST, with_payload=False)
            for code in self._codes.of(queries)
        ]
        places: IntArray = np.full((len(queries), count), -1, dtype=np.int64)
        with _translated():
            for row, hits in enumerate(self._ask(requests)):
                found = [int(hit.id) for hit in hits[:count]]
                places[row, : len(found)] = found
        places[(places < 0) | (places >= self._patches)] = -1
        return places

    def _ask(self, requests: list[qe.QueryRequest]) -> Sequence[Sequence[qe.ScoredPoint]]:
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
