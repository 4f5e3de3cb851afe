"""Several input scales in one patch."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from patchbank.embedding.embedder import Embedder
from patchbank.embedding.fusion import COARSER, fuse, fusion_weights, resampled
from patchbank.embedding.unit import unit
from patchbank.images import DecodedImage
from patchbank.scales import BASE, DETAILS, Scales, detail_of, scales_for
from tests.helpers.banks import unit as rows_of_length_one

sides = st.integers(1, 12)


@hypothesis.given(sides, sides, sides, sides, st.integers(0, 99))
def test_what_is_the_same_everywhere_stays_so_on_every_grid(
    rows: int, columns: int, high: int, wide: int, k: int
) -> None:
    vectors = np.full((rows * columns, 3), k, dtype=np.float32)
    moved = resampled(vectors, (rows, columns), (high, wide))
    assert moved.shape == (high * wide, 3)
    np.testing.assert_allclose(moved, k, rtol=1e-5)


@hypothesis.given(sides, sides, st.integers(1, 3), st.integers(0, 1000))
def test_a_coarser_grid_holds_means_of_the_cells_that_it_covers(rows: int, columns: int, times: int, seed: int) -> None:
    fine = np.random.default_rng(seed).normal(size=(rows * times, columns * times, 4)).astype(np.float32)
    expected = fine.reshape(rows, times, columns, times, 4).mean(axis=(1, 3)).reshape(-1, 4)
    moved = resampled(fine.reshape(-1, 4), (rows * times, columns * times), (rows, columns))
    np.testing.assert_allclose(moved, expected, atol=1e-5)


@hypothesis.given(sides, sides, st.integers(0, 1000))
def test_turning_the_picture_about_turns_the_grid_about(rows: int, columns: int, seed: int) -> None:
    cells = np.random.default_rng(seed).normal(size=(rows, columns, 2)).astype(np.float32)
    high, wide = rows + 2, max(1, columns - 1)
    one = resampled(cells.reshape(-1, 2), (rows, columns), (high, wide)).reshape(high, wide, 2)
    other = resampled(cells[::-1, ::-1].reshape(-1, 2), (rows, columns), (high, wide)).reshape(high, wide, 2)
    np.testing.assert_allclose(one, other[::-1, ::-1], atol=1e-5)


def test_each_scale_counts_by_its_weight() -> None:
    rng = np.random.default_rng(0)
    coarse, fine = (rows_of_length_one(rng.normal(size=(count, 5))) for count in (6, 24))
    fused = fuse([(coarse, (2, 3)), (fine, (4, 6))], (2, 3), [1.0, 2.0])
    assert fused.shape == (6, 10)
    np.testing.assert_allclose(np.linalg.norm(fused, axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(
        np.linalg.norm(fused[:, 5:], axis=1) / np.linalg.norm(fused[:, :5], axis=1), 2.0, rtol=1e-5
    )
    np.testing.assert_allclose(unit(fused[:, :5]), coarse, atol=1e-6)


def test_a_scale_coarser_than_the_grid_counts_less() -> None:
    assert fusion_weights(DETAILS["standard"]) == [1.0, 1.0]
    assert fusion_weights(DETAILS["fine"]) == [COARSER, 1.0]


def test_the_coarser_a_scale_is_than_the_finest_the_less_it_counts() -> None:
    by_factor = [fusion_weights(Scales(factors=(1.0, finest), grid=finest / 2, fusion=2)) for finest in (4.0, 8.0)]
    assert by_factor == [[pytest.approx(COARSER**2), 1.0], [pytest.approx(COARSER**3), 1.0]]
    assert fusion_weights(Scales(factors=(1.0, 2.0, 8.0), grid=4.0, fusion=2))[:2] == [
        pytest.approx(COARSER**3),
        pytest.approx(COARSER**2),
    ]


def test_a_bank_of_the_first_rule_is_read_by_it() -> None:
    """As its manifest has it: rule 1 by name, and in that of an older release by the lack of one."""
    for facts in ({"factors": (1.0, 8.0), "grid": 4.0, "fusion": 1}, {"factors": (1.0, 8.0), "grid": 4.0}):
        assert fusion_weights(Scales.model_validate(facts)) == [COARSER, 1.0]
    assert scales_for(0.2).fusion == 2  # type: ignore[union-attr]
    assert scales_for(0.6) == DETAILS["fine"]


@pytest.mark.parametrize("detail", ["standard", "fine"])
@pytest.mark.parametrize("size", [(300, 200), (90, 310)])
def test_the_built_in_backbone_sees_a_picture_at_the_scales_of_its_class(
    embedder: Embedder, detail: str, size: tuple[int, int]
) -> None:
    scales = DETAILS[detail]  # type: ignore[index]
    pixels = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = DecodedImage.of_pixels(pixels)
    base, all_at_once = embedder.embed(image), embedder.embed(image, scales)
    refined = embedder.refine(image, base, scales)
    rows, columns = refined.grid
    assert refined.patches.shape == (rows * columns, embedder.dimensions(scales)[0]) == (rows * columns, 360)
    assert (rows >= 2 * base.grid[0] - 2) == (detail == "fine")
    assert refined.geometry == embedder.geometry(image.size, scales)
    assert refined.geometry.inputs[0] > base.geometry.inputs[0]
    np.testing.assert_array_equal(refined.patches, all_at_once.patches)
    np.testing.assert_array_equal(refined.base.patches, base.patches)
    np.testing.assert_array_equal(refined.cls, base.cls)


def test_the_plain_scale_is_the_embedding_itself(embedder: Embedder) -> None:
    image = DecodedImage.of_pixels(np.zeros((40, 60, 3), dtype=np.uint8))
    base = embedder.embed(image)
    assert embedder.refine(image, base, BASE) is base
    assert base.base is base


def test_scales_ascend_from_the_backbones_own_and_have_names() -> None:
    assert [detail_of(scales) for scales in DETAILS.values()] == ["fast", "standard", "fine"]
    assert detail_of(Scales(factors=(1.0, 4.0), grid=1.0)) == "1 + 4"
    for wrong in ({"factors": (2.0,)}, {"factors": (1.0, 1.0)}, {"factors": (1.0, 2.0), "grid": 4.0}, {"fusion": 3}):
        with pytest.raises(ValueError, match=r"scale|fusion"):
            Scales.model_validate(wrong)
