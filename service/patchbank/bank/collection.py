"""The collection of a bank version, whatever engine keeps it, and the finished bank and the draft that use it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from patchbank.arrays import FloatArray
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import BankRef
from patchbank.bank.store import Neighbours, PatchBlock, PatchIndex, Reference


class Collection(PatchIndex, Protocol):
    """Patches and reference images of one version, as ``Bank`` reads them."""

    def count(self) -> int:
        """Number of patches."""
        ...

    def references(self) -> list[Reference]: ...
    def reference(self, image_id: str) -> Reference: ...
    def cls_vectors(self) -> tuple[list[str], FloatArray]: ...
    def patches(self) -> Iterator[PatchBlock]: ...
    def image_patches(self, image_id: str) -> FloatArray: ...


class CollectionBank:
    """``Bank``: a finished version. Its collection is opened at the first use."""

    def __init__(self, manifest: Manifest, collection: Callable[[], Collection]) -> None:
        self._manifest = manifest
        self._collection = collection

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Sequence[str] = ()
    ) -> Neighbours:
        return self._collection().nearest(queries, k, exact=exact, exclude_images=exclude_images)

    def references(self) -> list[Reference]:
        return self._collection().references()

    def reference(self, image_id: str) -> Reference:
        return self._collection().reference(image_id)

    def cls_vectors(self) -> tuple[list[str], FloatArray]:
        return self._collection().cls_vectors()

    def patches(self) -> Iterator[PatchBlock]:
        return self._collection().patches()

    def image_patches(self, image_id: str) -> FloatArray:
        return self._collection().image_patches(image_id)


Written = TypeVar("Written", bound=Collection)


class CollectionDraft(ABC, Generic[Written]):
    """What all drafts share: reading from their collection."""

    def __init__(self, ref: BankRef) -> None:
        self._ref = ref
        self._references: set[str] = set()

    @abstractmethod
    def _written(self) -> Written:
        """The collection, once everything added is written to it. Raises ``Closed`` where the draft has ended."""

    @property
    def ref(self) -> BankRef:
        return self._ref

    def has_reference(self, image_id: str) -> bool:
        return image_id in self._references

    def cls_vectors(self) -> tuple[list[str], FloatArray]:
        return self._written().cls_vectors()

    def image_patches(self, image_id: str) -> FloatArray:
        return self._written().image_patches(image_id)

    def count_patches(self) -> int:
        return self._written().count()

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Sequence[str] = ()
    ) -> Neighbours:
        return self._written().nearest(queries, k, exact=exact, exclude_images=exclude_images)
