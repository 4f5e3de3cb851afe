"""References of a new class are compared with 40 of them beside the network, and all that is found is right."""

from __future__ import annotations

import math
import threading
from contextlib import closing

import numpy as np
import pytest

from patchbank.arrays import FloatArray
from patchbank.embedding.embedding import Embedding
from patchbank.embedding.preprocess import Geometry
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.teaching.meanwhile import Meanwhile
from patchbank.teaching.panel import PANEL, SKIPPED, Measured, Panel
from patchbank.teaching.shelf import Shelf
from tests.helpers.banks import image_id, unit

GRIDS = ((6, 4), (5, 7), (1, 3))


def embedding(number: int) -> Embedding:
    grid = GRIDS[number % 3]
    rng = np.random.default_rng(number)
    patches = unit(rng.normal(size=(grid[0] * grid[1], 16)))
    return Embedding(patches, patches[0], Geometry((10 * grid[1], 10 * grid[0]), (10 * grid[1], 10 * grid[0]), grid))


def thinned(seen: Embedding) -> FloatArray:
    return seen.patches.reshape(*seen.grid, -1)[::2, ::2].reshape(-1, seen.patches.shape[1])


def expected(seen: Embedding, others: list[Embedding]) -> Measured:
    """The same by NumPy: the highest 1 % of the second nearest, the middle of those beyond three tenths."""
    if not others:
        return Measured(0.0, 0.0)
    nearest = np.sort(np.stack([1 - (seen.patches @ thinned(other).T).max(axis=1) for other in others]), axis=0)
    second = nearest[min(1, len(others) - 1)]
    beyond = nearest[min(math.ceil(SKIPPED * len(others)), len(others) - 1)]
    return Measured(float(max(second.max(), 0.0)), float(np.median(beyond)))


@pytest.mark.parametrize("count", [1, 2, 7, PANEL, PANEL + 1, PANEL + 2, PANEL + 9])
def test_each_reference_is_measured_as_numpy_measures_it(count: int) -> None:
    seen = [embedding(number) for number in range(count)]
    with Shelf() as shelf, closing(Meanwhile()) as meanwhile:
        panel = Panel(InspectedAreas(None), shelf, meanwhile)
        for number, each in enumerate(seen):
            panel.add(image_id(number), each)
        measured, first_looks = panel.finish(), panel.first_looks()
    assert len(measured) == count
    for number, found in enumerate(measured):
        members = [place for place in range(min(count, PANEL + 1)) if place != number][:PANEL]
        right = expected(seen[number], [seen[place] for place in members])
        assert found.places == pytest.approx(right.places, abs=1e-6)
        assert found.whole == pytest.approx(right.whole, abs=1e-6)
        if members:
            first = first_looks[image_id(number)]
            assert first.images == tuple(image_id(place) for place in members)
            for patch, distance, owner in zip(seen[number].patches, first.distances, first.owners, strict=True):
                others = [1 - (patch @ thinned(seen[place]).T).max() for place in members]
                assert distance == pytest.approx(min(others), abs=1e-6)
                assert others[owner] == pytest.approx(distance, abs=1e-6)


def test_where_too_much_waits_work_is_done_by_who_asks() -> None:
    hold = threading.Event()
    with closing(Meanwhile()) as meanwhile:
        begun = [meanwhile.begin(lambda: (hold.wait(30), threading.get_ident())[1]) for _ in range(meanwhile.most)]
        own = meanwhile.begin(threading.get_ident)
        assert own.result(0) == threading.get_ident()
        hold.set()
        assert threading.get_ident() not in {future.result(30) for future in begun}


def test_what_waits_when_it_is_closed_is_not_done() -> None:
    hold = threading.Event()
    meanwhile = Meanwhile()
    begun = [meanwhile.begin(lambda: hold.wait(30)) for _ in range(meanwhile.most)]
    release = threading.Timer(0.2, hold.set)
    release.start()
    meanwhile.close()
    release.join()
    assert begun[0].result(0)
    assert begun[-1].cancelled()
