"""Class retrieval of one image: which taught class it shows, and whether it is like a class that the caller names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.manifest import Manifest
from patchbank.bank.store import Bank
from patchbank.bank.view import View
from patchbank.embedding.embedding import Embedding
from patchbank.embedding.unit import unit
from patchbank.errors import BackboneMismatch, DamagedBank, UnknownClass
from patchbank.judging.compatibility import CompatibilityChecks
from patchbank.scoring.class_retrieval import HITS_PER_VOTE, WITNESSES, Retrieval, resembles, retrieve
from patchbank.scoring.coherence import is_coherent, least_coherence
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.scoring.most_alike import MostAlike

AreasOf = Callable[[Manifest], InspectedAreas]
"""The inspected areas of a class."""


class ClassRetriever:
    """Asks the router once for the reference images nearest to one image, in one view of the store."""

    def __init__(
        self,
        view: View,
        embedding: Embedding,
        checks: CompatibilityChecks,
        areas_of: AreasOf,
        most_alike: MostAlike,
        *,
        voters: int,
    ) -> None:
        self._view = view
        self._embedding = embedding
        self._checks = checks
        self._areas_of = areas_of
        self._most_alike = most_alike
        self._voters: Final = voters
        found = view.retrieve(checks.fingerprint, embedding.cls, HITS_PER_VOTE * voters)
        self._hits = found.hits
        self._silent = dict(found.silent)

    @property
    def silent(self) -> dict[str, str]:
        """The classes that took no part, because their banks are damaged, each with the reason."""
        return dict(self._silent)

    def retrieve(self, *, quick: bool = False) -> Retrieval:
        """Which product the image shows; ``quick`` leaves doubtful ones unknown without comparing patches."""
        hits = self._hits
        banks: dict[str, Bank] = {}
        for name in {hit.class_name for hit in hits}:
            try:
                bank = self._view.bank(name)
                self._checks.check(bank.manifest)
                banks[name] = bank
            except UnknownClass:  # of a router that knows more than the pointers: its hits do not count
                continue
            except BackboneMismatch:  # a failed self-test; as below, but a caller who names the class has no need of it
                if hits[0].class_name == name and not quick:
                    raise
            except DamagedBank as error:  # the other classes go on; its own images must not be taken for theirs
                if hits[0].class_name == name and not quick:
                    raise
                self._silent[name] = error.message

        def coherence_of(class_name: str, image_ids: Sequence[str]) -> float:
            return self._likeness(banks[class_name]).coherence(self._embedding, image_ids)

        limits = {name: bank.manifest.retrieval for name, bank in banks.items()}
        return retrieve(
            [hit for hit in hits if hit.class_name in banks], self._voters, limits, None if quick else coherence_of
        )

    def is_like(self, bank: Bank) -> bool:
        """Whether the image keeps the limits of one class, whatever other classes it is like."""
        manifest = bank.manifest
        own = [hit for hit in self._hits if hit.class_name == manifest.class_name][:WITNESSES]
        image_ids, similarity = [hit.image_id for hit in own], own[0].similarity if own else -1.0
        if similarity < manifest.retrieval.similarity and len(own) < min(WITNESSES, manifest.references):
            # Other classes' references took the places of its own.
            return self._likeness(bank).holds(self._embedding)
        return self._likeness(bank).resembles(self._embedding, similarity, image_ids)

    def similarity(self, bank: Bank) -> float | None:
        """Cosine similarity (-1..1) of the image to the nearest reference of the bank, as a whole; None for a bank
        without references."""
        manifest = bank.manifest
        if self._view.active.get(manifest.class_name) == manifest.version:  # the router knows serving versions alone
            for hit in self._hits:
                if hit.class_name == manifest.class_name:
                    return hit.similarity
        image_ids, cls = bank.cls_vectors()
        return float((cls @ self._embedding.cls).max()) if image_ids else None

    def _likeness(self, bank: Bank) -> Likeness:
        return Likeness(bank, self._areas_of(bank.manifest), self._most_alike)


class Likeness:
    """Compares images with one bank's own references, without the router."""

    def __init__(self, bank: Bank, areas: InspectedAreas, most_alike: MostAlike) -> None:
        self._bank = bank
        self._areas = areas
        self._most_alike = most_alike
        self._cls: tuple[list[str], FloatArray] | None = None

    def holds(self, embedding: Embedding) -> bool:
        """Whether an image keeps the limits of the bank's class."""
        if self._cls is None:
            self._cls = self._bank.cls_vectors()
        image_ids, cls = self._cls
        similarity = cls @ embedding.cls
        order = np.argsort(-similarity, kind="stable")[:WITNESSES]
        nearest = [image_ids[place] for place in order]
        return self.resembles(embedding, float(similarity[order[0]]), nearest)

    def resembles(self, embedding: Embedding, similarity: float, image_ids: Sequence[str]) -> bool:
        """Whether an image keeps the limits, with this ``similarity`` to its nearest reference; in doubt it is compared
        with these references."""

        def is_coherent_at(limit: float) -> bool:
            return is_coherent(*_at_base(embedding, self._areas, self._patches(image_ids)), limit, self._most_alike)

        return resembles(similarity, self._bank.manifest.retrieval, is_coherent_at)

    def coherence(self, embedding: Embedding, image_ids: Sequence[str]) -> float:
        """The least coherence of an image with these references."""
        return base_coherence(embedding, self._areas, self._patches(image_ids), self._most_alike)

    def _patches(self, image_ids: Sequence[str]) -> Iterator[FloatArray]:
        return (self._bank.image_patches(image_id) for image_id in image_ids)


def base_coherence(
    embedding: Embedding, areas: InspectedAreas, references: Iterable[FloatArray], most_alike: MostAlike
) -> float:
    """The least coherence of an image with references' patches (M, D), both at the backbone's own input size alone:
    whatever the class's scales, so that an image of no class costs one forward pass."""
    return least_coherence(*_at_base(embedding, areas, references), most_alike)


def _at_base(
    embedding: Embedding, areas: InspectedAreas, references: Iterable[FloatArray]
) -> tuple[FloatArray, Iterator[FloatArray]]:
    base = embedding.base
    patches = areas.on(base.grid).patches(base.patches)
    width = base.patches.shape[1]
    return patches, (
        reference if reference.shape[1] == width else unit(reference[:, :width]) for reference in references
    )
