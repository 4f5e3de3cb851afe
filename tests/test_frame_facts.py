"""Brightness, contrast and sharpness of a picture: what changes them, and what does not."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from patchbank.arrays import ByteArray
from patchbank.images.frame_facts import FrameFacts, frame_facts

SIZES = st.tuples(st.integers(4, 60), st.integers(4, 60))


def noise(seed: int, size: tuple[int, int], top: int) -> ByteArray:
    return np.random.default_rng(seed).integers(0, top, (*size, 3), dtype=np.uint8)


def same(first: FrameFacts, second: FrameFacts) -> bool:
    return np.allclose(
        [first.brightness, first.contrast, first.sharpness],
        [second.brightness, second.contrast, second.sharpness],
        rtol=1e-3,
    )


@hypothesis.given(seed=st.integers(0, 2**32 - 1), size=SIZES, gain=st.integers(2, 4), offset=st.integers(0, 50))
@hypothesis.settings(deadline=None, max_examples=60)
def test_light_and_exposure_leave_the_sharpness_as_it_is(
    seed: int, size: tuple[int, int], gain: int, offset: int
) -> None:
    dim = noise(seed, size, 50)
    before, after = frame_facts(dim), frame_facts(np.asarray(dim * gain + offset, dtype=np.uint8))
    assert after.sharpness == pytest.approx(before.sharpness, rel=1e-3)
    assert after.contrast == pytest.approx(gain * before.contrast, rel=1e-3)
    assert after.brightness == pytest.approx(gain * before.brightness + offset, rel=1e-3)


@hypothesis.given(seed=st.integers(0, 2**32 - 1), size=SIZES)
@hypothesis.settings(deadline=None, max_examples=60)
def test_a_turned_or_mirrored_picture_has_the_same_facts(seed: int, size: tuple[int, int]) -> None:
    pixels = noise(seed, size, 256)
    for other in (np.rot90(pixels), np.rot90(pixels, 2), pixels[:, ::-1], pixels.swapaxes(0, 1)):
        assert same(frame_facts(np.ascontiguousarray(other)), frame_facts(pixels))


@hypothesis.given(
    value=st.integers(0, 255), size=st.tuples(st.integers(1, 9), st.sampled_from([1, 2, 300, 1025, 5000]))
)
@hypothesis.settings(deadline=None, max_examples=60)
def test_a_picture_of_one_value_has_neither_contrast_nor_sharpness(value: int, size: tuple[int, int]) -> None:
    for shape in (size, size[::-1]):
        facts = frame_facts(np.full((*shape, 3), value, dtype=np.uint8))
        assert facts.brightness == pytest.approx(value, abs=1e-3)
        assert facts.contrast == pytest.approx(0, abs=1e-3)
        assert facts.sharpness == 0


def test_every_blur_lowers_the_sharpness_and_a_wider_one_lowers_it_more() -> None:
    squares = Image.fromarray(noise(0, (12, 12), 256)).resize((480, 480), Image.Resampling.NEAREST)
    blurred = [squares.filter(ImageFilter.GaussianBlur(radius)) for radius in (0, 2.4, 4.8, 9.6)]
    sharpness = [frame_facts(np.asarray(image)).sharpness for image in blurred]
    for wider, narrower in zip(sharpness[1:], sharpness, strict=False):
        assert wider < 0.6 * narrower


def test_strong_edges_and_weak_ones_many_and_few_have_one_sharpness_where_they_are_as_wide() -> None:
    board = np.kron(np.indices((6, 6)).sum(axis=0) % 2, np.ones((40, 40), dtype=np.uint8))
    one_edge = np.repeat(np.arange(240) < 120, 240).reshape(240, 240)
    facts = [
        frame_facts(np.repeat(np.asarray(low + (high - low) * shape, dtype=np.uint8)[:, :, None], 3, axis=2))
        for shape in (board, one_edge)
        for low, high in ((0, 255), (100, 130))
    ]
    assert [each.sharpness for each in facts] == pytest.approx([facts[0].sharpness] * 4, rel=0.1)


@pytest.mark.parametrize("side", [512, 1024, 2047, 4000])
def test_the_same_picture_has_nearly_the_same_facts_at_every_size(side: int) -> None:
    coarse = Image.fromarray(noise(3, (36, 48), 256))
    expected, large = (
        frame_facts(np.asarray(coarse.resize((wide, wide * 3 // 4), Image.Resampling.BICUBIC))) for wide in (256, side)
    )
    assert large.brightness == pytest.approx(expected.brightness, rel=0.02)
    assert large.contrast == pytest.approx(expected.contrast, rel=0.02)
    assert large.sharpness == pytest.approx(expected.sharpness, rel=0.1)
