"""A finished bank version and one in work, on collections of whatever engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from patchbank.arrays import FloatArray, IntArray
from patchbank.bank.forwarding import Forwarding
from patchbank.bank.manifest import LAYOUT, Manifest
from patchbank.bank.names import BankRef
from patchbank.bank.part import MOST_PARTS, Part, to_merge
from patchbank.bank.parted import Collection, Parted, Share
from patchbank.bank.pour import pour
from patchbank.bank.reference import Reference
from patchbank.bank.store import ManyIndex, Neighbours, PatchBlock
from patchbank.errors import DamagedBank, EmptyBank, UnknownReference
from patchbank.text import quoted


class CollectionBank(Forwarding):
    """``Bank``: a finished version. The collection of all its parts is opened at the first use."""

    def __init__(self, manifest: Manifest, collection: Callable[[], Collection]) -> None:
        self._manifest = manifest
        self._collection = collection

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    def _content(self) -> Collection:
        return self._collection()


Written = TypeVar("Written", bound=Collection)


class CollectionDraft(ABC, Generic[Written]):
    """What all drafts share: a collection of their own beside the ``base`` parts, and reading from both.

    ``base`` are the parts of the version that the new one extends, each with its collection. What is to be merged of
    them becomes the draft's own when it is sealed; until then its references can be withdrawn and replaced. Of more
    than ``most_parts`` small ones are merged.
    """

    def __init__(
        self, ref: BankRef, base: Sequence[tuple[Part, Collection]] = (), most_parts: int = MOST_PARTS
    ) -> None:
        self._ref = ref
        self._base = list(base)
        self._to_merge = {part.version for part in to_merge([part for part, _ in base], most_parts)}
        self._own: set[str] = set()
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

    @abstractmethod
    def add_reference(self, reference: Reference, cls: FloatArray) -> None: ...

    @abstractmethod
    def add_patches(self, image_ids: Sequence[str], cells: IntArray, vectors: FloatArray) -> None: ...

    @property
    def ref(self) -> BankRef:
        return self._ref

    def has_reference(self, image_id: str) -> bool:
        return image_id in self._own or any(image_id in held for held in self._held)

    def _take(self, image_id: str) -> None:
        """Note that this draft adds a reference; it takes the place of the base's."""
        if image_id not in self._own and self.has_reference(image_id):
            self.withdraw(image_id)
        self._own.add(image_id)

    def withdraw(self, image_id: str) -> None:
        for place, (part, collection) in enumerate(self._base):
            if image_id in self._held[place]:
                patches = len(collection.image_patches(image_id))
                self._base[place] = (part.without(image_id, patches), collection)
                self._held[place].discard(image_id)
                return
        raise UnknownReference(f"no reference image {quoted(image_id)} in this bank")

    def _merge(self) -> None:
        """Copy what counts of the parts to merge into the draft's own collection."""
        base = list(zip(self._base, self._held, strict=True))
        merged = [entry for entry, _ in base if entry[0].version in self._to_merge]
        kept = [(entry, held) for entry, held in base if entry[0].version not in self._to_merge]
        self._base, self._held = [entry for entry, _ in kept], [held for _, held in kept]
        for part, collection in merged:
            if pour(Parted([Share.of(part, collection)]), self) != part.counting:
                raise DamagedBank(f"the part {part.version} of {self._ref.class_name!r} does not hold what it must")

    def parts(self) -> tuple[Part, ...]:
        """The parts of the new version: those of the base that still count, and its own."""
        own = [self._own_part(self._written())] if self._own else []
        return (*(part for part, _ in self._base if part.counting[0]), *own)

    def _whole(self, manifest: Manifest) -> Manifest:
        """The manifest with the parts of the new version, as it is stored. Raises ``EmptyBank`` where there is none."""
        parts = self.parts()
        if not parts:
            raise EmptyBank(f"no reference image is left in {self._ref.class_name!r}: a bank needs at least one")
        return manifest.model_copy(update={"layout": LAYOUT, "parts": parts})

    def _view(self) -> Collection:
        shares = [Share.of(part, collection) for part, collection in self._base if part.counting[0]]
        if shares and not self._own:
            return Parted(shares)
        written = self._written()
        return Parted([*shares, Share(written)]) if shares else written

    def for_many(self) -> ManyIndex | None:
        return None

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
