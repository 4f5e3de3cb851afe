"""One bank version's collection on a Qdrant server: its layout, and how it is read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, Final, TypeVar
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from qdrant_client import QdrantClient, models

from patchbank.arrays import ByteArray, FloatArray
from patchbank.bank.excluding import nearest_without
from patchbank.bank.manifest import Manifest, read_manifest, stored_manifest
from patchbank.bank.names import is_image_id, reference_point
from patchbank.bank.reference import FACTS, Reference, ReferenceFacts
from patchbank.bank.sealed_document import is_sealed
from patchbank.bank.server import placement
from patchbank.bank.server.link import WRITING, Patience, ServerLink
from patchbank.bank.server.manifest_payload import packed, unpacked
from patchbank.bank.server.points import Page, Points
from patchbank.bank.server.spread import Spread
from patchbank.bank.store import BankSpec, Neighbours, PatchBlock
from patchbank.errors import DamagedBank, StoreUnavailable, UnknownReference
from patchbank.reason import reason_of
from patchbank.text import quoted

MANIFEST_POINT: Final = str(uuid5(NAMESPACE_URL, "patchbank:manifest"))
"""The point that holds the manifest, so that a snapshot of the collection includes it. It is written last and marks a
version as finished."""

_PAGE: Final = 1_000
"""Points per call; more would keep Python's global lock for a tenth of a second."""

_IMAGE: Final = 2_048
"""The same where the patches of one image are read, which are mostly fewer."""

_BATCH_BYTES: Final = 4_000_000
"""Most bytes of vectors per search request. An image is one request; the server spreads it over its cores by itself."""
_POLL: Final = 0.2
_PATCHES: Final = models.Filter(must=[models.HasVectorCondition(has_vector="patch")])
_IMAGES: Final = models.Filter(must=[models.HasVectorCondition(has_vector="cls")])

Facts = TypeVar("Facts", bound=ReferenceFacts)


class ServerCollection:
    """Patches (vector ``patch``), reference images (vector ``cls``) and the manifest of one version.

    ``indexed`` says whether there is a graph for approximate searches.
    """

    def __init__(self, link: ServerLink, name: str, threads: Executor, *, indexed: bool = False) -> None:
        self.link = link
        self.name = name
        self.indexed = indexed
        self._threads = threads
        self.points = Points(link.timeout)

    def create(self, spec: BankSpec, spread: Spread) -> None:
        """Create the empty collection. No graph is built before ``index``; otherwise a bulk upload would build it
        repeatedly."""
        patch = models.VectorParams(
            size=spec.patch_dim,
            distance=models.Distance.DOT,
            on_disk=spread.on_disk,
            hnsw_config=models.HnswConfigDiff(m=16, ef_construct=100, full_scan_threshold=10),
            quantization_config=models.ScalarQuantization(
                scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
            ),
        )
        cls = models.VectorParams(  # few, and always searched exhaustively: no graph
            size=spec.cls_dim, distance=models.Distance.DOT, hnsw_config=models.HnswConfigDiff(m=0)
        )
        optimizers = models.OptimizersConfigDiff(
            default_segment_number=1,
            indexing_threshold=0,
            prevent_unoptimized=False,  # points must never be left out of a search because they are not indexed yet
        )
        placement.create(
            self.link,
            self.name,
            lambda client, arguments: client.create_collection(
                self.name,
                {"patch": patch, "cls": cls},
                on_disk_payload=True,
                optimizers_config=optimizers,
                **arguments,
            ),
            spread,
        )
        self.link.index_payload(self.name, "image_id", models.PayloadSchemaType.KEYWORD)

    def index(self, patches: int, limit: float) -> None:
        """Have the graph built and wait until it holds all of this many patches.

        Raises ``StoreUnavailable`` where that takes more than ``limit`` seconds, or where the server gives up.
        """
        end = time.monotonic() + limit
        everything = models.OptimizersConfigDiff(indexing_threshold=1)
        doing = f"indexing {self.name}"
        self.link.ask(doing, lambda client: client.update_collection(self.name, optimizers_config=everything), WRITING)
        while True:
            info = self.link.ask(doing, lambda client: client.get_collection(self.name), WRITING)
            if info.status == models.CollectionStatus.RED:
                raise StoreUnavailable(f"the bank store failed to index {self.name}: {info.optimizer_status}")
            # Some server versions count the CLS embeddings too; in either case green means that nothing is left to do.
            if info.status == models.CollectionStatus.GREEN and (info.indexed_vectors_count or 0) >= patches:
                self.indexed = True
                return
            if time.monotonic() > end:
                raise StoreUnavailable(
                    f"the bank store has indexed {info.indexed_vectors_count} of {patches} patches of {self.name} "
                    f"after {limit:.0f} seconds"
                )
            time.sleep(_POLL)

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Sequence[str] = ()
    ) -> Neighbours:
        """The queries are split by bytes, and the parts are searched concurrently."""
        exact = exact or not self.indexed
        parts = max(1, -(-queries.nbytes // _BATCH_BYTES))

        def ask(part: FloatArray, most: int, image_ids: Sequence[str]) -> tuple[FloatArray, ByteArray]:
            left_out = models.Filter(must_not=[_of_images(image_ids)]) if image_ids else None
            return self.link.ask(
                f"searching {self.name}",
                lambda client: self.points.nearest(client, self.name, part, most, exact, left_out),
            )

        def search(part: FloatArray) -> tuple[FloatArray, ByteArray]:
            if exact:
                return ask(part, k, exclude_images)
            return nearest_without(ask, part, k, exclude_images)

        pieces = np.array_split(queries, parts)
        waiting = [self._threads.submit(search, piece) for piece in pieces[1:]]
        hits = [search(pieces[0]), *(future.result() for future in waiting)]
        distances, ids = (np.concatenate(arrays) for arrays in zip(*hits, strict=True))
        return Neighbours(distances, ids, exact)

    def count(self) -> int:
        """Number of patches."""
        return self._count(_PATCHES)

    def count_references(self) -> int:
        """Number of reference images."""
        return self._count(_IMAGES)

    def _count(self, chosen: models.Filter) -> int:
        return self.link.ask(
            f"counting {self.name}", lambda client: client.count(self.name, count_filter=chosen, exact=True)
        ).count

    def manifest(self) -> Manifest | None:
        """The manifest; None for a version that is not finished."""
        records = self.link.ask(f"reading {self.name}", lambda client: client.retrieve(self.name, [MANIFEST_POINT]))
        if not records:
            return None
        payload = records[0].payload or {}
        try:
            manifest = read_manifest(unpacked(payload))
            if manifest.parts:
                return manifest
            (own,) = manifest.shares  # layout 1 says beside the manifest whether there is a graph
            return manifest.model_copy(update={"parts": (own.model_copy(update={"indexed": payload["indexed"]}),)})
        except (ValueError, KeyError) as error:  # a ValidationError is one
            raise DamagedBank(f"the manifest of {self.name} cannot be read: {reason_of(error)}") from error

    def is_sealed(self) -> bool:
        """Whether the manifest has a checksum; those of older releases have none."""
        records = self.link.ask(f"reading {self.name}", lambda client: client.retrieve(self.name, [MANIFEST_POINT]))
        return any(is_sealed(unpacked(record.payload or {})) for record in records)

    def write_manifest(self, manifest: Manifest) -> None:
        """Write the manifest, which finishes the version."""
        payload = packed(stored_manifest(manifest), self.indexed)
        self.upsert([models.PointStruct(id=MANIFEST_POINT, vector={}, payload=payload)])

    def delete_manifest(self) -> None:
        """Take the manifest away: the version is no finished one any more."""
        chosen = models.PointIdsList(points=[MANIFEST_POINT])
        self.link.ask(f"writing {self.name}", lambda client: client.delete(self.name, chosen, wait=True), WRITING)

    def upsert(self, points: list[models.PointStruct], unwanted: Callable[[], bool] = lambda: False) -> None:
        """Write points and wait until the server has them."""
        self.link.ask(
            f"writing {self.name}", lambda client: client.upsert(self.name, points, wait=True), WRITING, unwanted
        )

    def drop(self, patience: Patience = WRITING) -> None:
        """Delete the collection and everything in it."""
        placement.drop(self.link, self.name, patience)

    def reference(self, image_id: str) -> Reference:
        """One reference image. Raises ``UnknownReference``."""
        records = []
        if is_image_id(image_id):
            point = reference_point(image_id)
            records = self.link.ask(f"reading {self.name}", lambda client: client.retrieve(self.name, [point]))
        if not records:
            raise UnknownReference(f"no reference image {quoted(image_id)} in this bank")
        return Reference.from_payload(records[0].payload or {})

    def references(self) -> list[Reference]:
        """All reference images, by name."""
        return self._references(Reference.from_payload, True, 100)

    def reference_facts(self) -> list[ReferenceFacts]:
        """The same without their pictures."""
        return self._references(ReferenceFacts.from_payload, list(FACTS), _PAGE)

    def _references(
        self, read: Callable[[dict[str, Any]], Facts], payload: bool | list[str], limit: int
    ) -> list[Facts]:

        def page(offset: Any, client: QdrantClient) -> Any:
            return client.scroll(self.name, _IMAGES, limit=limit, with_payload=payload, offset=offset)

        references: list[Facts] = []
        after: Any = None
        while True:
            records, after = self.link.ask(f"reading {self.name}", partial(page, after))
            references += [read(record.payload or {}) for record in records]
            if after is None:
                return sorted(references, key=lambda reference: (reference.name, reference.image_id))

    def cls_vectors(self) -> tuple[list[str], FloatArray]:
        """Image ids and CLS embeddings (M, D')."""
        blocks = list(self._blocks("cls", _IMAGES))
        return [image_id for block in blocks for image_id in block.image_ids], _joined(blocks)

    def patches(self) -> Iterator[PatchBlock]:
        """All patches, block by block."""
        return self._blocks("patch", _PATCHES)

    def image_patches(self, image_id: str) -> FloatArray:
        """Patches (M, D) of one reference image."""
        own = models.Filter(must=[_of_images([image_id]), models.HasVectorCondition(has_vector="patch")])
        return _joined(list(self._blocks("patch", own, _IMAGE)))

    def _blocks(self, vector: str, chosen: models.Filter, limit: int = _PAGE) -> Iterator[PatchBlock]:
        after: str | None = None
        while True:

            def read(client: QdrantClient, begin: str | None = after) -> Page:
                return self.points.page(client, self.name, vector, chosen, limit, begin)

            page = self.link.ask(f"reading {self.name}", read)
            if len(page.block.ids):
                yield page.block
            after = page.after
            if after is None:
                return


def _joined(blocks: Sequence[PatchBlock]) -> FloatArray:
    return np.concatenate([block.vectors for block in blocks]) if blocks else np.empty((0, 0), dtype=np.float32)


def _of_images(image_ids: Sequence[str]) -> models.FieldCondition:
    """One condition for all of them: the graph's search checks each condition of a filter at every patch it meets."""
    return models.FieldCondition(key="image_id", match=models.MatchAny(any=list(image_ids)))
