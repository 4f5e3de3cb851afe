"""Time to encode the queries of an image and to decode the answer: with the client's models, and with protobuf alone.

``python -m benchmarks.wire``; no server is needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from qdrant_client import grpc, models
from qdrant_client.conversions.conversion import GrpcToRest, RestToGrpc

from patchbank.bank.names import patch_point
from patchbank.bank.server.points import read_hits, search_request

QUERIES, DIM = 1_024, 384


def best_ms(work: Callable[[], object], rounds: int = 5) -> float:
    """Shortest of ``rounds`` runs, in milliseconds."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return 1e3 * min(times)


def main() -> None:
    """Print the time of each way."""
    queries = np.random.default_rng(0).normal(size=(QUERIES, DIM)).astype(np.float32)
    params = models.SearchParams(hnsw_ef=32)

    def by_models() -> bytes:
        asked = [models.QueryRequest(query=row.tolist(), using="patch", limit=1, params=params) for row in queries]
        converted = [RestToGrpc.convert_query_request(query, "c") for query in asked]
        return bytes(grpc.QueryBatchPoints(collection_name="c", query_points=converted).SerializeToString())

    def by_protobuf() -> bytes:
        return bytes(search_request("c", queries, 1, False, None).SerializeToString())

    hits = [
        grpc.BatchResult(result=[grpc.ScoredPoint(id=grpc.PointId(uuid=patch_point("ab" * 12, 0, row)), score=0.5)])
        for row in range(QUERIES)
    ]
    answer = grpc.QueryBatchResponse(result=hits)
    floor = queries.tobytes()
    copied = best_ms(lambda: bytearray(floor))
    print(f"{QUERIES} queries of {DIM}; floor, copying {len(floor) / 1e6:.1f} MB: {copied:.2f} ms")
    print(f"request by the client's models {best_ms(by_models):.1f} ms, by protobuf {best_ms(by_protobuf):.1f} ms")
    converted = best_ms(lambda: [GrpcToRest.convert_scored_point(hit) for row in answer.result for hit in row.result])
    tabled = best_ms(lambda: read_hits(answer, 1))
    print(f"answer by the client's models {converted:.1f} ms, into arrays {tabled:.1f} ms")


if __name__ == "__main__":
    main()
