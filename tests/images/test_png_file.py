"""The PNG writer gives the very values, to whoever reads them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from patchbank.images.png_file import png_file


@given(st.data())
def test_every_value_comes_back(data: st.DataObject) -> None:
    height, width = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    grey = data.draw(arrays.arrays(np.uint16, (height, width)))
    small = data.draw(arrays.arrays(np.uint8, (height, width)))
    colours = data.draw(arrays.arrays(np.uint8, (height, width, 3)))
    for pixels in (grey, small, colours):
        with Image.open(io.BytesIO(png_file(pixels))) as picture:
            assert np.array_equal(np.asarray(picture), pixels)


@pytest.mark.parametrize("shape", [(1200, 1000, 3), (3000, 700)])
def test_pictures_of_several_bands_too(shape: tuple[int, ...]) -> None:
    kind = np.uint8 if len(shape) == 3 else np.uint16
    pixels = np.random.default_rng(0).integers(0, np.iinfo(kind).max, shape, dtype=kind)
    pixels[500:] = pixels[500]  # some rows are like the row above, and others are not
    with Image.open(io.BytesIO(png_file(pixels))) as picture:
        assert np.array_equal(np.asarray(picture), pixels)
