"""Turned copies of references, and where their cells come from."""

from __future__ import annotations

from dataclasses import replace

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from patchbank.arrays import FloatArray
from patchbank.embedding.backbones import Backbone
from patchbank.embedding.input_size import Sides
from patchbank.embedding.preprocess import Geometry, plan_geometry, to_input
from patchbank.embedding.turned import EIGHTHS, Turn, source_cells, turned, turned_size
from patchbank.images import DecodedImage
from tests.helpers.graphs import GRID

turns = st.sampled_from(EIGHTHS)
lengths = st.integers(20, 900)


def smooth(width: int, height: int) -> DecodedImage:
    """Colours that tell the place: red grows to the right, green downwards."""
    rows, columns = np.mgrid[0:height, 0:width]
    pixels = np.stack([columns * 255 / width, rows * 255 / height, np.full((height, width), 99.0)], axis=2)
    return DecodedImage(pixels.astype(np.uint8), "0" * 24, "", "PNG")


def copy_of(image: DecodedImage, turn: Turn, backbone: Backbone) -> tuple[FloatArray, Geometry]:
    """The network's input of a turned copy, and how its grid lies."""
    geometry = plan_geometry(turned_size(image.size, turn), backbone)
    return to_input(turned(image.pixels, turn, geometry.inputs), geometry, backbone), geometry


@pytest.mark.parametrize("turn", EIGHTHS)
@pytest.mark.parametrize("size", [(640, 640), (640, 320), (200, 500)])
def test_a_cell_of_a_copy_shows_what_its_source_cell_shows(turn: Turn, size: tuple[int, int]) -> None:
    image = smooth(*size)
    original = plan_geometry(image.size, GRID)
    inputs, geometry = copy_of(image, turn, GRID)
    rows, columns = geometry.grid
    cells = inputs.reshape(3, rows, 16, columns, 16).mean(axis=(2, 4)).reshape(3, -1).T
    sources = source_cells(original, geometry, turn)
    inside = sources[:, 0] >= 0
    assert 0.5 < inside.mean() <= 1.0
    assert inside.all() or turn % 2
    expected = (sources[:, ::-1] + 0.5) / np.array(original.grid[::-1])
    apart = np.abs(cells[:, :2] - expected)[inside]
    slack = 1.0 / np.array(original.grid[::-1])  # half a cell for the place, half for the cell's own spread
    assert (apart <= 0.03 if turn % 2 == 0 else apart <= slack).all()
    np.testing.assert_allclose(cells[:, 2], 99 / 255, atol=0.01)


@hypothesis.settings(deadline=None)
@hypothesis.given(lengths, lengths, st.sampled_from([2, 4, 6]))
def test_quarters_use_every_cell_once(width: int, height: int, turn: Turn) -> None:
    original = plan_geometry((width, height), GRID)
    sources = source_cells(original, plan_geometry(turned_size((width, height), turn), GRID), turn)
    rows, columns = original.grid
    assert sorted(map(tuple, sources.tolist())) == [(row, column) for row in range(rows) for column in range(columns)]


@hypothesis.settings(deadline=None)
@hypothesis.given(lengths, lengths)
def test_no_turn_is_the_picture_itself(width: int, height: int) -> None:
    original = plan_geometry((width, height), GRID)
    rows, columns = original.grid
    sources = source_cells(original, original, 0)
    assert sources.tolist() == [[row, column] for row in range(rows) for column in range(columns)]


@hypothesis.settings(deadline=None)
@hypothesis.given(lengths, lengths, turns)
def test_a_source_cell_lies_in_the_picture_or_is_marked(width: int, height: int, turn: Turn) -> None:
    original = plan_geometry((width, height), GRID)
    sources = source_cells(original, plan_geometry(turned_size((width, height), turn), GRID), turn)
    outside = (sources == -1).all(axis=1)
    assert (outside | ((sources >= 0) & (sources < np.array(original.grid))).all(axis=1)).all()


@pytest.mark.parametrize("turn", EIGHTHS)
def test_a_graph_of_one_size_gets_its_size_and_cells_of_the_picture(turn: Turn) -> None:
    fixed = replace(GRID, size=Sides(96, 64))
    image = smooth(300, 200)
    inputs, geometry = copy_of(image, turn, fixed)
    assert inputs.shape == (3, 64, 96)
    sources = source_cells(plan_geometry(image.size, fixed), geometry, turn)
    assert len(sources) == 24
    assert (sources.max(axis=0) < (4, 6)).all()
