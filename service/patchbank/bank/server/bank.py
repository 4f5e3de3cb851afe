"""A finished bank version on a Qdrant server."""

from __future__ import annotations

from collections.abc import Iterator

from patchbank.arrays import FloatArray
from patchbank.bank.manifest import Manifest
from patchbank.bank.server.collection import ServerCollection
from patchbank.bank.store import Neighbours, PatchBlock, Reference


class ServerBank:
    """A version that is read; ``indexed`` says whether a graph is there to be searched first."""

    def __init__(self, collection: ServerCollection, manifest: Manifest, indexed: bool) -> None:
        self._collection = collection
        self._manifest = manifest
        self._indexed = indexed

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_image: str | None = None
    ) -> Neighbours:
        return self._collection.nearest(queries, k, exact or not self._indexed, exclude_image)

    def references(self) -> list[Reference]:
        return self._collection.references()

    def reference(self, image_id: str) -> Reference:
        return self._collection.reference(image_id)

    def cls_vectors(self) -> tuple[list[str], FloatArray]:
        return self._collection.cls_vectors()

    def patches(self) -> Iterator[PatchBlock]:
        return self._collection.patches()

    def image_patches(self, image_id: str) -> FloatArray:
        return self._collection.image_patches(image_id)
