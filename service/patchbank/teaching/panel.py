"""The references of a new class that every one is compared with, and how far each is from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.manifest import ScoringRule
from patchbank.bank.search_together import FirstLook
from patchbank.embedding.embedding import Embedding
from patchbank.scoring.image_score import image_score
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.scoring.most_alike import MostAlike
from patchbank.teaching.meanwhile import Meanwhile
from patchbank.teaching.shelf import Shelf

PANEL: Final = 40
"""References that every one is compared with."""

SKIPPED: Final = 0.3
"""Share of the panel, the most alike, that does not count: as many bad pictures cannot vouch for each other. More than
may be bad, because chance may put more of them into the panel."""

_PLACES: Final = ScoringRule(image_score="top", share=0.01)
"""How distances in places become one number, whatever rule a class is scored by: the limits were measured with it."""

_AT_ONCE: Final = 2
"""References of the panel that are compared with it while the network embeds one picture."""


class Measured(NamedTuple):
    """How far an image is from the panel: in ``places``, and as a ``whole``."""

    places: float
    whole: float
    first: FirstLook | None = None


class _Member(NamedTuple):
    image_id: str
    thinned: FloatArray


class Panel:
    """Compares references with the first 41 of them, but for themselves, ``meanwhile``; their patches are put on the
    ``shelf`` until those are known."""

    def __init__(self, areas: InspectedAreas, shelf: Shelf, meanwhile: Meanwhile) -> None:
        self._areas = areas
        self._shelf = shelf
        self._meanwhile = meanwhile
        self._most_alike = MostAlike()
        self._members: list[_Member] = []
        self._shelved: dict[str, int] = {}
        self._measured: dict[str, Future[Measured]] = {}

    def add(self, image_id: str, embedding: Embedding) -> None:
        """Compare one more reference."""
        patches = self._areas.on(embedding.grid).patches(embedding.patches)
        if len(self._members) <= PANEL:
            self._members.append(_Member(image_id, self._thinned(embedding)))
            self._shelved[image_id] = self._shelf.put(patches)
            return
        self._begin(image_id, patches)
        for waiting in list(self._shelved)[:_AT_ONCE]:
            self._begin(waiting, self._shelf.take(self._shelved.pop(waiting)))

    def finish(self) -> list[Measured]:
        """How far each reference is from the others, in the order in which they were added."""
        order = [*(member.image_id for member in self._members), *self._measured]
        for image_id, number in self._shelved.items():
            self._begin(image_id, self._shelf.take(number))
        self._shelved.clear()
        return [self._measured[image_id].result() for image_id in dict.fromkeys(order)]

    def first_looks(self) -> Mapping[str, FirstLook]:
        """What was found of patches, by image id, after ``finish``."""
        found = ((image_id, future.result().first) for image_id, future in self._measured.items())
        return {image_id: first for image_id, first in found if first is not None}

    def _begin(self, image_id: str, patches: FloatArray) -> None:
        others = [member for member in self._members if member.image_id != image_id]
        others = others[:PANEL]
        self._measured[image_id] = self._meanwhile.begin(partial(_measure, self._most_alike, patches, others))

    def _thinned(self, embedding: Embedding) -> FloatArray:
        """A quarter of the inspected patches (D, M), spread evenly: as neighbours they tell as much, at a quarter of
        the time."""
        cells = self._areas.on(embedding.grid).cells
        chosen = np.zeros_like(cells)
        chosen[::2, ::2] = cells[::2, ::2]
        return np.ascontiguousarray(embedding.patches[(chosen if chosen.any() else cells).ravel()].T)


def _measure(most_alike: MostAlike, patches: FloatArray, others: Sequence[_Member]) -> Measured:
    """How far an image (N, D) is from other ones."""
    if not others:
        return Measured(0.0, 0.0)
    alike = np.stack([most_alike.similarity(patches, other.thinned) for other in others])
    nearest = 1.0 - alike.T
    second, beyond = min(1, len(others) - 1), min(math.ceil(SKIPPED * len(others)), len(others) - 1)
    ordered = np.partition(nearest, (second, beyond), axis=1)
    owners = alike.argmax(axis=0)
    first = FirstLook(
        np.maximum(1.0 - np.take_along_axis(alike, owners[None], axis=0)[0], 0.0),
        owners,
        tuple(other.image_id for other in others),
    )
    return Measured(
        image_score(np.maximum(ordered[:, second], 0.0), _PLACES), float(np.median(ordered[:, beyond])), first
    )
