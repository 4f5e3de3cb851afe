"""The searches for many images at once, whose scores are to be exact: each pass over the bank serves all of them.

What decides an image's score is looked for closely before it is looked for exactly: a closer look mostly finds the
nearest patch, so that few patches can decide the score and must be searched in all of the bank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from patchbank.arrays import BoolArray, FloatArray, IntArray
from patchbank.bank.names import point_ids
from patchbank.bank.search import Demand, PatchScores, PatchSearch
from patchbank.bank.store import Look, ManyIndex, Neighbours

CLOSELY: Final = 128
"""Patches of an image that are looked at closely at once: mostly all that decide its score."""

NO_CELL: Final = 0xFFFF
"""Row and column of a patch of which only the image is known."""


@dataclass(frozen=True)
class FirstLook:
    """What is known of an image's inspected patches (M,) before they are looked for: the distance of each from some
    patch of the bank, and of which of the ``images`` that one is."""

    distances: FloatArray
    owners: IntArray
    images: tuple[str, ...]

    def of(self, chosen: BoolArray) -> Neighbours:
        """As neighbours of the ``chosen`` patches (M,)."""
        owners = self.owners[chosen]
        heads = point_ids(self.images, np.full((len(self.images), 2), NO_CELL))
        return Neighbours(self.distances[chosen][:, None], heads[owners][:, None], exact=False)


@dataclass(frozen=True)
class Sought:
    """An image's patches (N, D), of which those count that ``counts`` (rows, columns); what must be exact; and the
    images that are left out. ``first`` spares the first look."""

    patches: FloatArray
    counts: BoolArray
    demand: Demand
    exclude_images: Sequence[str] = ()
    first: Neighbours | None = None


def search_together(index: ManyIndex, images: Sequence[Sought], k: int) -> list[PatchScores]:
    """``search_patches`` for each of the images."""
    searches = [PatchSearch(image.patches, image.counts, image.demand) for image in images]
    for image, search in zip(images, searches, strict=True):
        if search.chosen.size:
            first = image.first or index.nearest(image.patches[search.chosen], k, exclude_images=image.exclude_images)
            search.take(search.chosen, first, PatchSearch.FIRST)
    waiting = list(zip(images, searches, strict=True))
    while waiting:
        closer: list[_Asked] = []
        exact: list[_Asked] = []
        for image, search in waiting:
            wanted = search.wanted()
            unseen = wanted & (search.looks == PatchSearch.FIRST)
            if unseen.any():
                closer.append(_Asked(image, search, search.with_farthest(unseen, CLOSELY, PatchSearch.CLOSER)))
            elif wanted.any():
                exact.append(_Asked(image, search, np.flatnonzero(wanted)))
        _look(index, closer, k, PatchSearch.CLOSER)
        _look(index, exact, k, PatchSearch.EXACT)
        waiting = [(asked.image, asked.search) for asked in (*closer, *exact)]
    return [search.scores() for search in searches]


@dataclass(frozen=True)
class _Asked:
    """The patches of an image that are looked at next."""

    image: Sought
    search: PatchSearch
    places: IntArray


def _look(index: ManyIndex, asked: Sequence[_Asked], k: int, look: int) -> None:
    if asked:
        looks = [Look(each.image.patches[each.places], each.image.exclude_images) for each in asked]
        found = index.nearest_of_each(looks, k, exact=look == PatchSearch.EXACT)
        for each, neighbours in zip(asked, found, strict=True):
            each.search.take(each.places, neighbours, look)
