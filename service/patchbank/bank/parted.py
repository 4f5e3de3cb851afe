"""Several parts, searched and read as one collection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.part import Part
from patchbank.bank.reference import Reference, ReferenceFacts
from patchbank.bank.store import Neighbours, PatchBlock, PatchIndex
from patchbank.errors import UnknownReference
from patchbank.text import quoted

Facts = TypeVar("Facts", bound=ReferenceFacts)


class Collection(PatchIndex, Protocol):
    """Patches and reference images, as ``Bank`` reads them."""

    def count(self) -> int:
        """Number of patches."""
        ...

    def references(self) -> list[Reference]: ...
    def reference_facts(self) -> list[ReferenceFacts]: ...
    def reference(self, image_id: str) -> Reference: ...
    def cls_vectors(self) -> tuple[list[str], FloatArray]: ...
    def patches(self) -> Iterator[PatchBlock]: ...
    def image_patches(self, image_id: str) -> FloatArray: ...


@dataclass(frozen=True)
class Share:
    """What counts of a collection: all but the images ``withdrawn``, which have ``left_out`` patches in it."""

    collection: Collection
    withdrawn: frozenset[str] = frozenset()
    left_out: int = 0

    @classmethod
    def of(cls, part: Part, collection: Collection) -> Share:
        """What a part takes from its collection."""
        return cls(collection, frozenset(part.withdrawn), part.left_out)


def view_of(parts: Sequence[Part], opened: Callable[[Part], Collection]) -> Collection:
    """One collection of all parts; ``opened`` opens that of a part."""
    shares = [Share.of(part, opened(part)) for part in parts]
    if len(shares) == 1 and not shares[0].withdrawn:
        return shares[0].collection
    return Parted(shares)


class Parted:
    """``Collection`` made of shares of others. An image is in one of them at most."""

    def __init__(self, shares: Sequence[Share]) -> None:
        self._shares = shares

    def count(self) -> int:
        return sum(share.collection.count() - share.left_out for share in self._shares)

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Sequence[str] = ()
    ) -> Neighbours:
        """The k nearest of all shares; exact where all of them are."""
        answers = [
            share.collection.nearest(queries, k, exact=exact, exclude_images=[*exclude_images, *share.withdrawn])
            for share in self._shares
        ]
        if len(answers) == 1:
            return answers[0]
        distances = np.concatenate([answer.distances for answer in answers], axis=1)
        ids = np.concatenate([answer.ids for answer in answers], axis=1)
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        return Neighbours(
            np.take_along_axis(distances, order, axis=1),
            np.take_along_axis(ids, order[:, :, None], axis=1),
            all(answer.exact for answer in answers),
        )

    def references(self) -> list[Reference]:
        """All reference images, by name."""
        return self._counting(lambda collection: collection.references())

    def reference_facts(self) -> list[ReferenceFacts]:
        """The same without their pictures."""
        return self._counting(lambda collection: collection.reference_facts())

    def _counting(self, listed: Callable[[Collection], list[Facts]]) -> list[Facts]:
        counting = (
            reference
            for share in self._shares
            for reference in listed(share.collection)
            if reference.image_id not in share.withdrawn
        )
        return sorted(counting, key=lambda reference: (reference.name, reference.image_id))

    def reference(self, image_id: str) -> Reference:
        """One reference image. Raises ``UnknownReference``."""
        for share in self._shares:
            if image_id not in share.withdrawn:
                try:
                    return share.collection.reference(image_id)
                except UnknownReference:
                    continue
        raise UnknownReference(f"no reference image {quoted(image_id)} in this bank")

    def cls_vectors(self) -> tuple[list[str], FloatArray]:
        """Image ids and CLS embeddings (M, D')."""
        ids: list[str] = []
        vectors = []
        for share in self._shares:
            held, embeddings = share.collection.cls_vectors()
            kept = [place for place, image_id in enumerate(held) if image_id not in share.withdrawn]
            ids += [held[place] for place in kept]
            if kept:
                vectors.append(embeddings[kept])
        return ids, np.concatenate(vectors) if vectors else np.empty((0, 0), dtype=np.float32)

    def patches(self) -> Iterator[PatchBlock]:
        """All patches, block by block."""
        for share in self._shares:
            for block in share.collection.patches():
                if not share.withdrawn:
                    yield block
                    continue
                kept = [place for place, image_id in enumerate(block.image_ids) if image_id not in share.withdrawn]
                if kept:
                    yield PatchBlock(block.ids[kept], block.vectors[kept])

    def image_patches(self, image_id: str) -> FloatArray:
        """Patches (M, D) of one reference image."""
        for share in self._shares:
            if image_id not in share.withdrawn:
                patches = share.collection.image_patches(image_id)
                if len(patches):
                    return patches
        return np.empty((0, 0), dtype=np.float32)
