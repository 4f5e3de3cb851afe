"""Pictures of one part on one spot are one group; other parts are not, and flat pictures never."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from patchbank.images import DecodedImage
from patchbank.teaching.same_part import SameParts


def scene(seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.uniform(40, 220, (12, 16)).astype(np.uint8))
    return np.asarray(coarse.resize((320, 240), Image.Resampling.BICUBIC), dtype=np.float64)


def thumbnail(values: np.ndarray[tuple[int, int], np.dtype[np.float64]], quality: int = 85) -> bytes:
    grey = np.clip(values, 0, 255).astype(np.uint8)
    return DecodedImage.of_pixels(np.repeat(grey[:, :, None], 3, axis=2)).thumbnail(quality=quality)


def show_the_same(first: bytes, second: bytes) -> bool:
    parts = SameParts()
    return parts.add(first) == parts.add(second)


@pytest.mark.parametrize("change", ["noise", "exposure", "jpeg", "shift"])
def test_a_part_photographed_again_shows_the_same(change: str) -> None:
    first = scene(1)
    again = {
        "noise": first + np.random.default_rng(2).normal(0, 5, first.shape),
        "exposure": first * 1.05 + 3,
        "jpeg": first,
        "shift": np.roll(first, 5, axis=1),
    }[change]
    assert show_the_same(thumbnail(first), thumbnail(again, 60 if change == "jpeg" else 85))


def test_another_part_and_a_part_with_a_defect_show_something_else() -> None:
    first = scene(1)
    spoiled = first.copy()
    spoiled[100:130, 150:190] = 20
    assert not show_the_same(thumbnail(first), thumbnail(scene(2)))
    assert not show_the_same(thumbnail(first), thumbnail(spoiled))


def test_each_picture_joins_the_group_of_the_first_that_shows_the_same() -> None:
    parts = SameParts()
    noisy = scene(1) + np.random.default_rng(3).normal(0, 3, (240, 320))
    assert [parts.add(thumbnail(values)) for values in (scene(1), scene(2), noisy, scene(3), scene(2))] == [
        0,
        1,
        0,
        2,
        1,
    ]


def test_flat_pictures_are_alone() -> None:
    parts = SameParts()
    flat = np.full((240, 320), 3.0)
    assert [parts.add(thumbnail(flat)), parts.add(thumbnail(flat)), parts.add(thumbnail(flat + 200))] == [0, 1, 2]


def test_thumbnails_of_any_size_are_compared() -> None:
    small, large = io.BytesIO(), io.BytesIO()
    picture = Image.fromarray(scene(4).astype(np.uint8))
    picture.save(large, "PNG")
    picture.resize((160, 120)).save(small, "PNG")
    assert show_the_same(small.getvalue(), large.getvalue())
