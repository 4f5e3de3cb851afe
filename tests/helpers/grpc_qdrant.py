"""A Qdrant server for tests: real gRPC in front of the client's local mode.

It replaces a server where the test is about the wire: connections that break, slow answers, keys, certificates,
conditional writes and the order of calls. Its search is local mode's exhaustive one, so it can show nothing about
indexes, quantisation, shards and replicas; it only plays the states of these that a client waits for.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc as wire
import numpy as np
from qdrant_client import QdrantClient, grpc, models
from qdrant_client.conversions.conversion import GrpcToRest, RestToGrpc

from patchbank.arrays import FloatArray

Handler = Callable[[Any], Any]
Failure = wire.StatusCode | tuple[wire.StatusCode, str]


@dataclass
class Behaviour:
    """How the server behaves. ``status`` are the collection states to play after an index is asked for, as (status,
    share of points indexed); the last one stays. ``fail`` returns the error of a call on a collection, or None.
    ``copies`` are the peers that hold a collection's shard, and whether each copy can be written."""

    api_key: str | None = None
    version: str = "1.20.0"
    status: list[tuple[int, float]] = field(default_factory=lambda: [(2, 0.0), (2, 0.5), (1, 1.0)])
    fail: Callable[[str, str], Failure | None] = lambda *_: None
    copies: Callable[[str], dict[int, bool]] = lambda _: {1: True}


class GrpcQdrant:
    """The calls that the bank store uses."""

    def __init__(self, behaviour: Behaviour, like: GrpcQdrant | None = None) -> None:
        """With the content of its own, or that of another node."""
        self.behaviour = behaviour
        self.client: QdrantClient = like.client if like is not None else QdrantClient(":memory:")
        self.lock: Any = like.lock if like is not None else threading.RLock()
        self.calls: Counter[str] = Counter()
        self.requests: list[Any] = []
        self._indexing: dict[str, list[tuple[int, float]]] = {}
        self._threshold: dict[str, int] = {}

    def answer(self, name: str, handler: Handler, request: Any, context: wire.ServicerContext) -> Any:
        """Handle one call: check the key, raise the failure asked for, then use local mode under a lock, since it is
        not thread-safe."""
        self.calls[name] += 1
        self.requests.append(request)
        metadata = dict(context.invocation_metadata())
        if self.behaviour.api_key is not None and metadata.get("api-key") != self.behaviour.api_key:
            context.abort(wire.StatusCode.UNAUTHENTICATED, "Invalid API key or JWT")
        failure = self.behaviour.fail(name, getattr(request, "collection_name", ""))
        if failure is not None:
            code, text = failure if isinstance(failure, tuple) else (failure, "as the test wishes")
            context.abort(code, text)
        try:
            with self.lock:
                return handler(request)
        except ValueError as error:
            text = str(error)
            code = wire.StatusCode.INVALID_ARGUMENT
            if "not found" in text:
                code = wire.StatusCode.NOT_FOUND
            if "already exists" in text:
                code = wire.StatusCode.ALREADY_EXISTS
            context.abort(code, text)

    def handlers(self) -> dict[str, Handler]:
        """By full method name."""
        return {
            "qdrant.Qdrant/HealthCheck": lambda _: grpc.HealthCheckReply(version=self.behaviour.version),
            "qdrant.Collections/Create": self.create,
            "qdrant.Collections/Update": self.update,
            "qdrant.Collections/Get": self.info,
            "qdrant.Collections/List": self.list_collections,
            "qdrant.Collections/Delete": lambda r: grpc.CollectionOperationResponse(
                result=self.client.delete_collection(r.collection_name)
            ),
            "qdrant.Collections/CollectionExists": lambda r: grpc.CollectionExistsResponse(
                result=grpc.CollectionExists(exists=self.client.collection_exists(r.collection_name))
            ),
            "qdrant.Collections/CollectionClusterInfo": self.cluster_info,
            "qdrant.Collections/UpdateCollectionClusterSetup": self.place,
            "qdrant.Collections/UpdateAliases": self.update_aliases,
            "qdrant.Collections/ListAliases": self.list_aliases,
            "qdrant.Points/CreateFieldIndex": self.create_index,
            "qdrant.Points/Upsert": self.upsert,
            "qdrant.Points/Delete": self.delete,
            "qdrant.Points/Get": self.get,
            "qdrant.Points/Scroll": self.scroll,
            "qdrant.Points/Count": self.count,
            "qdrant.Points/Facet": self.facet,
            "qdrant.Points/Query": lambda r: grpc.QueryResponse(result=self.query(r)),
            "qdrant.Points/QueryBatch": self.query_batch,
        }

    def create(self, r: Any) -> Any:
        vectors = GrpcToRest.convert_vectors_config(r.vectors_config) if r.HasField("vectors_config") else {}
        self.client.create_collection(r.collection_name, vectors)
        self._threshold[r.collection_name] = r.optimizers_config.indexing_threshold
        return grpc.CollectionOperationResponse(result=True)

    def update(self, r: Any) -> Any:
        if r.optimizers_config.indexing_threshold:
            self._indexing[r.collection_name] = list(self.behaviour.status)
        return grpc.CollectionOperationResponse(result=True)

    def info(self, r: Any) -> Any:
        described = RestToGrpc.convert_collection_info(self.client.get_collection(r.collection_name))
        states = self._indexing.get(r.collection_name, [(1, 0.0)])
        status, share = states.pop(0) if len(states) > 1 else states[0]
        described.status = status  # type: ignore[assignment]
        described.indexed_vectors_count = int(share * described.points_count)
        return grpc.GetCollectionInfoResponse(result=described)

    def cluster_info(self, r: Any) -> Any:
        self.client.get_collection(r.collection_name)  # it must exist
        held = self.behaviour.copies(r.collection_name)
        states = {
            peer: grpc.ReplicaState.Active if able else grpc.ReplicaState.Initializing for peer, able in held.items()
        }
        local = [grpc.LocalShardInfo(shard_id=0, points_count=0, state=states.pop(1))] if 1 in states else []
        remote = [grpc.RemoteShardInfo(shard_id=0, peer_id=peer, state=state) for peer, state in states.items()]
        return grpc.CollectionClusterInfoResponse(peer_id=1, shard_count=1, local_shards=local, remote_shards=remote)

    def place(self, r: Any) -> Any:
        held = self.behaviour.copies(r.collection_name)
        held.pop(r.drop_replica.peer_id)
        return grpc.UpdateCollectionClusterSetupResponse(result=True)

    def list_collections(self, _: Any) -> Any:
        names = [collection.name for collection in self.client.get_collections().collections]
        return grpc.ListCollectionsResponse(collections=[grpc.CollectionDescription(name=name) for name in names])

    def update_aliases(self, r: Any) -> Any:
        actions = [GrpcToRest.convert_alias_operations(action) for action in r.actions]
        return grpc.CollectionOperationResponse(result=self.client.update_collection_aliases(actions))

    def list_aliases(self, _: Any) -> Any:
        aliases = self.client.get_aliases().aliases
        return grpc.ListAliasesResponse(aliases=[RestToGrpc.convert_alias_description(alias) for alias in aliases])

    def create_index(self, r: Any) -> Any:
        self.client.get_collection(r.collection_name)  # local mode has no payload indexes; the collection must exist
        return _completed()

    def upsert(self, r: Any) -> Any:
        points = [GrpcToRest.convert_point_struct(point) for point in r.points]
        for point in points:
            point.payload = _kept(point.payload)
        condition = GrpcToRest.convert_filter(r.update_filter) if r.HasField("update_filter") else None
        self.client.upsert(r.collection_name, points, update_filter=condition)
        return _completed()

    def delete(self, r: Any) -> Any:
        self.client.delete(r.collection_name, GrpcToRest.convert_points_selector(r.points))
        return _completed()

    def get(self, r: Any) -> Any:
        ids = [GrpcToRest.convert_point_id(point) for point in r.ids]
        records = self.client.retrieve(r.collection_name, ids, with_payload=True)
        return grpc.GetResponse(result=[_point(record) for record in records])

    def scroll(self, r: Any) -> Any:
        records, after = self.client.scroll(
            r.collection_name,
            GrpcToRest.convert_filter(r.filter),
            r.limit,
            offset=GrpcToRest.convert_point_id(r.offset) if r.HasField("offset") else None,
            with_payload=list(r.with_payload.include.fields) or r.with_payload.enable,
            with_vectors=list(r.with_vectors.include.names) or False,
        )
        return grpc.ScrollResponse(
            result=[_point(record) for record in records],
            next_page_offset=None if after is None else grpc.PointId(uuid=str(after)),
        )

    def count(self, r: Any) -> Any:
        count = self.client.count(r.collection_name, GrpcToRest.convert_filter(r.filter)).count
        return grpc.CountResponse(result=grpc.CountResult(count=count))

    def facet(self, r: Any) -> Any:
        hits = self.client.facet(r.collection_name, r.key, limit=r.limit).hits
        return grpc.FacetResponse(hits=[RestToGrpc.convert_facet_value_hit(hit) for hit in hits])

    def query(self, r: Any) -> list[Any]:
        answer = self.client.query_points(
            r.collection_name,
            list(r.query.nearest.dense.data),
            using=r.using,
            limit=r.limit,
            query_filter=GrpcToRest.convert_filter(r.filter) if r.HasField("filter") else None,
            with_payload=r.with_payload.enable,
        )
        return [RestToGrpc.convert_scored_point(_with_payload(hit)) for hit in answer.points]

    def query_batch(self, r: Any) -> Any:
        """Filters the points once for all queries; local mode would do it again for each."""
        first = r.query_points[0]
        assert all(
            (query.filter, query.using, query.limit) == (first.filter, first.using, first.limit)
            for query in r.query_points
        )
        chosen = GrpcToRest.convert_filter(first.filter)
        chosen.must = [models.HasVectorCondition(has_vector=first.using)]
        records, _ = self.client.scroll(r.collection_name, chosen, 1_000_000, with_vectors=[first.using])
        bank = np.asarray([_named(record.vector)[first.using] for record in records], dtype=np.float32)
        queries = np.asarray([query.query.nearest.dense.data for query in r.query_points], dtype=np.float32)
        ids = [str(record.id) for record in records]
        table = queries @ bank.T if len(bank) else np.empty((len(queries), 0), dtype=np.float32)
        return grpc.QueryBatchResponse(result=[_best(row, ids, first.limit) for row in table])


def _kept(value: Any) -> Any:
    """A payload as a server gives it back, which keeps it as JSON: a number that is not whole may have another last
    digit (here each has)."""
    if isinstance(value, dict):
        return {name: _kept(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_kept(each) for each in value]
    if isinstance(value, float) and not value.is_integer():
        return float(np.nextafter(value, np.inf))
    return value


def _named(vector: Any) -> dict[str, list[float]]:
    return dict(vector)


def _best(similarities: FloatArray, ids: list[str], k: int) -> Any:
    order = np.argsort(-similarities, kind="stable")[:k]
    hits = [grpc.ScoredPoint(id=grpc.PointId(uuid=ids[place]), score=similarities[place]) for place in order]
    return grpc.BatchResult(result=hits)


def _point(record: Any) -> Any:
    return RestToGrpc.convert_retrieved_point(_with_payload(record))


def _with_payload(record: Any) -> Any:
    """The converters need a payload, even an empty one."""
    return record if record.payload is not None else record.model_copy(update={"payload": {}})


def _completed() -> Any:
    return grpc.PointsOperationResponse(result=grpc.UpdateResult(operation_id=0, status=grpc.UpdateStatus.Completed))


class _Router(wire.GenericRpcHandler):
    """Finds the handler of a call, and protobuf's types for it."""

    def __init__(self, qdrant: GrpcQdrant) -> None:
        self._qdrant = qdrant
        self._handlers = qdrant.handlers()
        self._kinds = _message_types()

    def service(self, handler_call_details: wire.HandlerCallDetails) -> wire.RpcMethodHandler[Any, Any] | None:
        name = handler_call_details.method.removeprefix("/")
        handler = self._handlers.get(name)
        if handler is None:
            return None
        request, response = self._kinds[name]
        short = name.split("/")[1]
        return wire.unary_unary_rpc_method_handler(
            lambda message, context: self._qdrant.answer(short, handler, message, context),
            request_deserializer=request.FromString,
            response_serializer=response.SerializeToString,
        )


def _message_types() -> dict[str, tuple[Any, Any]]:
    """Request and response class of every method, from the generated services' descriptors."""
    from google.protobuf.message_factory import GetMessageClass
    from qdrant_client.grpc import collections_service_pb2, points_service_pb2, qdrant_pb2

    types = {}
    for module in (collections_service_pb2, points_service_pb2, qdrant_pb2):
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                kinds = (GetMessageClass(method.input_type), GetMessageClass(method.output_type))
                types[f"{service.full_name}/{method.name}"] = kinds
    return types


@dataclass(frozen=True)
class Served:
    """A running server: what is behind it, and its port."""

    qdrant: GrpcQdrant
    port: int


@contextmanager
def serving_qdrant(
    behaviour: Behaviour | None = None,
    credentials: wire.ServerCredentials | None = None,
    like: GrpcQdrant | None = None,
) -> Iterator[Served]:
    """The server on a free port of this machine; a further node of the one that it is ``like``."""
    qdrant = GrpcQdrant(behaviour or Behaviour(), like)
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = wire.server(ThreadPoolExecutor(8), handlers=[_Router(qdrant)], options=options)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield Served(qdrant, port)
    finally:
        server.stop(0.2).wait()
        if like is None:
            qdrant.client.close()
