"""A collection that is opened at its first use: many changes of a bank read none of its patches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from patchbank.arrays import FloatArray
from patchbank.bank.parted import Collection
from patchbank.bank.reference import Reference, ReferenceFacts
from patchbank.bank.store import Neighbours, PatchBlock


class Deferred:
    """``Collection``; ``opened`` opens it. ``cls_vectors`` are read by ``read_cls``, without opening it."""

    def __init__(self, opened: Callable[[], Collection], read_cls: Callable[[], tuple[list[str], FloatArray]]) -> None:
        self._open = opened
        self._read_cls = read_cls

    @cached_property
    def _collection(self) -> Collection:
        return self._open()

    def count(self) -> int:
        return self._collection.count()

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Sequence[str] = ()
    ) -> Neighbours:
        return self._collection.nearest(queries, k, exact=exact, exclude_images=exclude_images)

    def references(self) -> list[Reference]:
        return self._collection.references()

    def reference_facts(self) -> list[ReferenceFacts]:
        return self._collection.reference_facts()

    def reference(self, image_id: str) -> Reference:
        return self._collection.reference(image_id)

    def cls_vectors(self) -> tuple[list[str], FloatArray]:
        return self._read_cls()

    def patches(self) -> Iterator[PatchBlock]:
        return self._collection.patches()

    def image_patches(self, image_id: str) -> FloatArray:
        return self._collection.image_patches(image_id)
