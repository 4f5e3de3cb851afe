"""What reads like a collection and passes every call on to one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from patchbank.arrays import FloatArray
from patchbank.bank.parted import Collection
from patchbank.bank.reference import Reference, ReferenceFacts
from patchbank.bank.store import Neighbours, PatchBlock


class Forwarding(ABC):
    """``Collection`` by way of another one, which is asked for at every call."""

    @abstractmethod
    def _content(self) -> Collection:
        """The collection that answers."""

    def count(self) -> int:
        """Number of patches."""
        return self._content().count()

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Sequence[str] = ()
    ) -> Neighbours:
        """The k nearest patches of each query."""
        return self._content().nearest(queries, k, exact=exact, exclude_images=exclude_images)

    def references(self) -> list[Reference]:
        """All reference images, by name."""
        return self._content().references()

    def reference_facts(self) -> list[ReferenceFacts]:
        """The same without their pictures."""
        return self._content().reference_facts()

    def reference(self, image_id: str) -> Reference:
        """One reference image. Raises ``UnknownReference``."""
        return self._content().reference(image_id)

    def cls_vectors(self) -> tuple[list[str], FloatArray]:
        """Image ids and CLS embeddings (M, D')."""
        return self._content().cls_vectors()

    def patches(self) -> Iterator[PatchBlock]:
        """All patches, block by block."""
        return self._content().patches()

    def image_patches(self, image_id: str) -> FloatArray:
        """Patches (M, D) of one reference image."""
        return self._content().image_patches(image_id)
