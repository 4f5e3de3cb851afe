"""A finished bank version and one in work, on collections of whatever engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from patchbank.arrays import FloatArray
from patchbank.bank.manifest import LAYOUT, Manifest
from patchbank.bank.names import BankRef
from patchbank.bank.part import Part
from patchbank.bank.parted import Collection, Parted, Share
from patchbank.bank.reference import Reference, ReferenceFacts
from patchbank.bank.store import Neighbours, PatchBlock
from patchbank.errors import UnknownReference
from patchbank.text import quoted


class CollectionBank:
    """``Bank``: a finished version. The collection of all its parts is opened at the first use."""

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

    def reference_facts(self) -> list[ReferenceFacts]:
        return self._collection().reference_facts()

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
    """What all drafts share: a collection of their own beside the ``base`` parts, and reading from both.

    ``base`` are the parts of the version that the new one extends, each with its collection.
    """

    def __init__(self, ref: BankRef, base: Sequence[tuple[Part, Collection]] = ()) -> None:
        self._ref = ref
        self._base = list(base)
        self._own: set[str] = set()
        self._given_up: dict[str, int] = {}
        self._held = [
            {image_id for image_id in collection.cls_vectors()[0] if image_id not in part.withdrawn}
            for part, collection in self._base
        ]

    @abstractmethod
    def _written(self) -> Written:
        """The collection, once everything added is written to it. Raises ``Closed`` where the draft has ended."""

    @abstractmethod
    def _own_part(self, collection: Written) -> Part:
        """What this draft has added."""

    @property
    def ref(self) -> BankRef:
        return self._ref

    def has_reference(self, image_id: str) -> bool:
        return self._counts(image_id) or any(image_id in held for held in self._held)

    def _counts(self, image_id: str) -> bool:
        """Whether it is one that this draft added."""
        return image_id in self._own and image_id not in self._given_up

    def _take(self, image_id: str) -> None:
        """Note that this draft adds a reference; it takes the place of the base's."""
        if not self._counts(image_id) and self.has_reference(image_id):
            self.withdraw(image_id)
        self._own.add(image_id)
        self._given_up.pop(image_id, None)

    def withdraw(self, image_id: str) -> None:
        if self._counts(image_id):  # merged from parts of the base
            self._given_up[image_id] = len(self._written().image_patches(image_id))
            return
        for place, (part, collection) in enumerate(self._base):
            if image_id in self._held[place]:
                patches = len(collection.image_patches(image_id))
                self._base[place] = (part.without(image_id, patches), collection)
                self._held[place].discard(image_id)
                return
        raise UnknownReference(f"no reference image {quoted(image_id)} in this bank")

    def parts(self) -> tuple[Part, ...]:
        """The parts of the new version: those of the base that still count, and its own."""
        parts = [part for part, _ in self._base]
        if self._own:
            own = self._own_part(self._written())
            for image_id, patches in self._given_up.items():
                own = own.without(image_id, patches)
            parts.append(own)
        return tuple(part for part in parts if part.counting[0])

    def _whole(self, manifest: Manifest) -> Manifest:
        """The manifest with the parts of the new version, as it is stored."""
        return manifest.model_copy(update={"layout": LAYOUT, "parts": self.parts()})

    def _view(self) -> Collection:
        shares = [Share.of(part, collection) for part, collection in self._base if part.counting[0]]
        if shares and not self._own:
            return Parted(shares)
        own = Share(self._written(), frozenset(self._given_up), sum(self._given_up.values()))
        return Parted([*shares, own]) if shares or self._given_up else own.collection

    def cls_vectors(self) -> tuple[list[str], FloatArray]:
        return self._view().cls_vectors()

    def image_patches(self, image_id: str) -> FloatArray:
        return self._view().image_patches(image_id)

    def patches(self) -> Iterator[PatchBlock]:
        return self._view().patches()

    def count_patches(self) -> int:
        return self._view().count()

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Sequence[str] = ()
    ) -> Neighbours:
        return self._view().nearest(queries, k, exact=exact, exclude_images=exclude_images)
