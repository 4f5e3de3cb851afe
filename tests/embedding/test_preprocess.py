"""From pixels to the network's input, and the grid that lies on the image."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from patchbank.embedding.backbones import BACKBONES, Backbone, HubFile
from patchbank.embedding.input_size import MAX_ASPECT, Area, Sides
from patchbank.embedding.preprocess import Geometry, fingerprint, plan_geometry, to_input

backbones = st.sampled_from(sorted(BACKBONES.values(), key=lambda backbone: backbone.name))
sizes = st.tuples(st.integers(1, 12_000), st.integers(1, 12_000))
DINO = BACKBONES["dinov2-vits14"]


def area(backbone: Backbone) -> int:
    """Pixels of the budget."""
    assert isinstance(backbone.size, Area)
    return backbone.size.side**2


def ideal(size: tuple[int, int], backbone: Backbone) -> tuple[float, float]:
    """(width, height) that would keep the pixel budget and the aspect exactly."""
    aspect = min(max(size[0] / size[1], 1 / MAX_ASPECT), MAX_ASPECT)
    return math.sqrt(area(backbone) * aspect), math.sqrt(area(backbone) / aspect)


@hypothesis.settings(deadline=None)
@hypothesis.given(sizes, backbones)
def test_sides_are_multiples_and_the_grid_is_sides_by_stride(size: tuple[int, int], backbone: Backbone) -> None:
    planned = plan_geometry(size, backbone)
    wide, high = planned.inputs
    assert wide % backbone.multiple == high % backbone.multiple == 0
    assert min(wide, high) >= backbone.multiple
    assert (high, wide) == tuple(count * backbone.stride for count in planned.grid)
    assert planned.image == size


@hypothesis.settings(deadline=None)
@hypothesis.given(sizes, backbones)
def test_rounding_stretches_a_side_by_at_most_half_a_multiple(size: tuple[int, int], backbone: Backbone) -> None:
    planned = plan_geometry(size, backbone)
    for side, exact in zip(planned.inputs, ideal(size, backbone), strict=True):
        assert abs(side - exact) <= backbone.multiple / 2 + 1e-6


@hypothesis.settings(deadline=None)
@hypothesis.given(sizes, backbones)
def test_area_and_aspect_are_kept_to_rounding(size: tuple[int, int], backbone: Backbone) -> None:
    wide, high = plan_geometry(size, backbone).inputs
    exact = ideal(size, backbone)
    slack = 1.0
    for side in exact:
        slack /= 1 - backbone.multiple / 2 / side
    assert 1 / slack <= wide * high / area(backbone) <= slack
    assert 1 / slack <= (wide / high) / (exact[0] / exact[1]) <= slack
    assert slack < 1.15


@hypothesis.settings(deadline=None)
@hypothesis.given(sizes, backbones)
def test_a_turned_image_has_a_turned_plan(size: tuple[int, int], backbone: Backbone) -> None:
    planned, turned = plan_geometry(size, backbone), plan_geometry(size[::-1], backbone)
    assert turned.inputs == planned.inputs[::-1]
    assert turned.grid == planned.grid[::-1]


def test_an_extreme_aspect_is_compressed() -> None:
    assert plan_geometry((20_000, 10), DINO).inputs == plan_geometry((8_000, 1_000), DINO).inputs
    assert plan_geometry((1, 5_000), DINO).inputs == plan_geometry((1_000, 8_000), DINO).inputs


def test_a_square_takes_the_budget_exactly() -> None:
    assert plan_geometry((300, 300), DINO) == Geometry((300, 300), (448, 448), (32, 32))


def test_a_budget_below_one_multiple_still_has_a_cell() -> None:
    assert plan_geometry((640, 80), replace(DINO, size=Area(14))).grid == (1, 3)


def test_an_image_of_the_planned_size_is_normalised_and_not_resampled() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (28, 42, 3), dtype=np.uint8)
    made = to_input(pixels, Geometry((42, 28), (42, 28), (2, 3)), DINO)
    expected = (pixels / 255.0 - np.array(DINO.mean)) / np.array(DINO.std)
    assert made.dtype == np.float32
    assert made.shape == (3, 28, 42)
    assert made.flags.c_contiguous
    np.testing.assert_allclose(made, expected.transpose(2, 0, 1), atol=2e-6)


@pytest.mark.parametrize("backbone", [DINO, replace(DINO, mean=(127 / 255,) * 3, std=(128 / 255,) * 3)])
def test_every_value_is_normalised_as_if_computed_in_float64_and_rounded_once(backbone: Backbone) -> None:
    levels = np.arange(256, dtype=np.uint8)
    pixels = np.repeat(levels.reshape(32, 8)[:, :, None], 3, axis=2)
    made = to_input(pixels, Geometry((8, 32), (8, 32), (2, 3)), backbone)
    for plane, mean, std in zip(made, backbone.mean, backbone.std, strict=True):
        np.testing.assert_array_equal(plane.ravel(), ((levels / 255.0 - mean) / std).astype(np.float32))


def test_an_image_is_resampled_to_the_planned_size() -> None:
    """A gradient has the same slope after resizing, whatever the filter; its ends may differ."""
    pixels = np.repeat(np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 100, axis=0), 3, axis=2)
    plain = replace(DINO, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    made = to_input(pixels, Geometry((200, 100), (56, 28), (2, 4)), plain)
    assert made.shape == (3, 28, 56)
    centres = (np.arange(56) + 0.5) / 56 * 200 - 0.5
    np.testing.assert_allclose(made[0, 14, 2:-2] * 255, centres[2:-2], atol=0.75)


def test_small_detail_is_averaged_and_not_skipped() -> None:
    pixels = np.zeros((560, 560, 3), dtype=np.uint8)
    pixels[::2, ::2] = pixels[1::2, 1::2] = 255
    plain = replace(DINO, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    made = to_input(pixels, Geometry((560, 560), (56, 56), (4, 4)), plain)
    np.testing.assert_allclose(made, 0.5, atol=0.01)


@hypothesis.settings(deadline=None, max_examples=20)
@hypothesis.given(st.integers(1, 400), st.integers(1, 400), st.tuples(*[st.integers(0, 255)] * 3), backbones)
def test_a_flat_colour_stays_flat(width: int, height: int, colour: tuple[int, int, int], backbone: Backbone) -> None:
    pixels = np.full((height, width, 3), colour, dtype=np.uint8)
    made = to_input(pixels, plan_geometry((width, height), backbone), backbone)
    for band in range(3):
        level = (colour[band] / 255 - backbone.mean[band]) / backbone.std[band]
        np.testing.assert_allclose(made[band], level, atol=1e-5)


CHANGES: dict[str, Any] = {
    "name": "another",
    "size": Sides(448, 448),
    "multiple": 28,
    "stride": 7,
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
    "tokens": "grid",
    "patch_output": "tokens",
    "cls_output": "pooler_output",
    "registers": 4,
}


@pytest.mark.parametrize("field", sorted(CHANGES))
def test_the_fingerprint_changes_with_what_changes_embeddings(field: str) -> None:
    assert fingerprint(replace(DINO, **{field: CHANGES[field]}), "0" * 64) != fingerprint(DINO, "0" * 64)


def test_the_fingerprint_changes_with_the_arithmetic() -> None:
    made = {fingerprint(DINO, "0" * 64, precision) for precision in ("fp32", "fp16", "bf16")}
    assert len(made) == 3
    assert fingerprint(DINO, "0" * 64) == fingerprint(DINO, "0" * 64, "fp32")


def test_the_fingerprint_changes_with_the_model_file() -> None:
    assert fingerprint(DINO, "0" * 64) != fingerprint(DINO, "1" * 64)


def test_the_fingerprint_changes_with_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(DINO, "0" * 64)
    for rule in ("RULES", "DECODER"):
        with monkeypatch.context() as patch:
            patch.setattr(f"patchbank.embedding.preprocess.{rule}", 999)
            assert fingerprint(DINO, "0" * 64) != before


def test_the_fingerprint_does_not_depend_on_where_the_model_came_from() -> None:
    elsewhere = replace(DINO, source=HubFile("mirror/dino", "1" * 40, "model.onnx", None, None), licence="another")
    assert fingerprint(elsewhere, "0" * 64) == fingerprint(DINO, "0" * 64)


def test_every_backbone_has_a_fingerprint_of_its_own() -> None:
    made = {fingerprint(backbone, "0" * 64) for backbone in BACKBONES.values()}
    assert len(made) == len(BACKBONES)
    assert all(len(print_) == 16 and int(print_, 16) >= 0 for print_ in made)
