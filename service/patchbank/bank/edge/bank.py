"""A finished bank version of the embedded store."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from patchbank.arrays import FloatArray
from patchbank.bank.edge.shard import Shard
from patchbank.bank.manifest import Manifest
from patchbank.bank.store import Neighbours, PatchBlock, Reference


class EdgeBank:
    """A version on disk. Its files are opened when they are first needed."""

    def __init__(self, manifest: Manifest, open_shard: Callable[[], Shard]) -> None:
        self._manifest = manifest
        self._open_shard = open_shard

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_image: str | None = None
    ) -> Neighbours:
        return self._open_shard().nearest(queries, k, exact=exact, exclude_image=exclude_image)

    def references(self) -> list[Reference]:
        return self._open_shard().references()

    def reference(self, image_id: str) -> Reference:
        return self._open_shard().reference(image_id)

    def cls_vectors(self) -> tuple[list[str], FloatArray]:
        return self._open_shard().cls_vectors()

    def patches(self) -> Iterator[PatchBlock]:
        return self._open_shard().patches()

    def image_patches(self, image_id: str) -> FloatArray:
        return self._open_shard().image_patches(image_id)
