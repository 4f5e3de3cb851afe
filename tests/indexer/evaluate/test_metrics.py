"""Metrics of ``indexer evaluate`` against scikit-learn, and against the plain definition of AUPRO."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve, roc_auc_score

from patchbank.arrays import BoolArray, FloatArray
from patchbank.scoring.curve import Curve
from patchbank_indexer.evaluate.pixel_scores import LIMIT, PixelScores
from patchbank_indexer.evaluate.truth import Overlap

Map = FloatArray
Mask = BoolArray

few_scores = st.lists(st.integers(0, 6).map(lambda level: level / 4), min_size=1, max_size=30)
"""Scores with many ties."""

SHAPE = (5, 7)
COARSE = 256
tied_maps = arrays(np.float32, SHAPE, elements=st.integers(0, 5).map(lambda level: level / 8))
close_maps = arrays(np.float32, SHAPE, elements=st.floats(0.5, 0.5 + 8 / COARSE, width=32))
"""Scores so close together that so many bins take some of them for equal."""
masks = arrays(np.bool_, SHAPE, elements=st.booleans() | st.just(False))


def everywhere(values: FloatArray | BoolArray) -> BoolArray:
    return np.ones(values.shape, dtype=np.bool_)


@given(few_scores, few_scores)
def test_image_metrics_equal_scikit_learn_s_with_ties(normal: list[float], anomalous: list[float]) -> None:
    curve = Curve.of_scores(normal, anomalous)
    truth, scores = [0] * len(normal) + [1] * len(anomalous), [*normal, *anomalous]
    assert curve.auroc == pytest.approx(roc_auc_score(truth, scores))
    assert curve.average_precision == pytest.approx(average_precision_score(truth, scores))
    precision, recall, _ = precision_recall_curve(truth, scores)
    either = np.maximum(precision + recall, 1e-12)
    assert curve.f1_max == pytest.approx(float((2 * precision * recall / either).max()))
    at_best = np.array(scores) >= curve.f1_max_threshold
    assert curve.f1_max == pytest.approx(f1_score(truth, at_best))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(tied_maps, masks), min_size=1, max_size=3))
def test_aupro_equals_the_plain_definition(images: list[tuple[Map, Mask]]) -> None:
    counted, maps, truths = _counted(images)
    if not counted.complete:
        return
    pro = counted.pro_curve()
    assert counted.regions == sum(ndimage.label(truth, np.ones((3, 3)))[1] for truth in truths)
    for limit in (LIMIT, 0.05, 1.0):
        assert pro.aupro(limit) == pytest.approx(_plain_aupro(maps, truths, limit))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(close_maps, masks), min_size=1, max_size=3))
def test_figures_of_scores_closer_than_the_resolution_are_within_the_stated_error(
    images: list[tuple[Map, Mask]],
) -> None:
    counted, maps, truths = _counted(images)
    if not counted.complete:
        return
    pro, curve = counted.pro_curve(), counted.curve()
    flat, truth = np.concatenate([one.ravel() for one in maps]), np.concatenate([one.ravel() for one in truths])
    exact = Curve.of_scores(flat[~truth].tolist(), flat[truth].tolist())
    for limit in (LIMIT, 1.0):
        assert abs(pro.aupro(limit) - _plain_aupro(maps, truths, limit)) <= pro.aupro_error(limit) + 1e-9
    assert abs(curve.auroc - exact.auroc) <= curve.auroc_error + 1e-9
    assert -1e-9 <= exact.f1_max - curve.f1_max <= curve.f1_max_error + 1e-9


def test_on_scores_spread_as_real_ones_are_the_error_is_far_below_what_is_shown() -> None:
    rng = np.random.default_rng(0)
    counted = PixelScores()
    maps, truths = [], []
    for _ in range(20):
        truth = np.zeros((200, 300), dtype=np.bool_)
        truth[50:90, 60:100] = truth[150:155, 10:15] = True
        maps.append((rng.gamma(8.0, 0.02, truth.shape) + 0.1 * truth).astype(np.float32))
        truths.append(truth)
        counted.add(maps[-1], truth, everywhere(truth))
    flat, truth = np.concatenate([one.ravel() for one in maps]), np.concatenate([one.ravel() for one in truths])
    curve, pro = counted.curve(), counted.pro_curve()
    assert curve.auroc == pytest.approx(roc_auc_score(truth, flat), abs=1e-6)
    assert max(curve.auroc_error, curve.f1_max_error, pro.aupro_error()) < 5e-5
    assert counted.regions == 40


def test_regions_that_touch_at_a_corner_are_one_and_each_region_weighs_the_same() -> None:
    truth = np.zeros((10, 10), dtype=np.bool_)
    truth[0, 0] = truth[1, 1] = True
    truth[4:10, 4:10] = True
    values = np.zeros((10, 10), dtype=np.float32)
    values[:2, :2] = 1.0
    counted = PixelScores()
    counted.add(values, truth, everywhere(values))
    counted.add(values * 0, None, everywhere(values))
    assert counted.regions == 2
    pro = counted.pro_curve()
    assert pro.overlap[1] == pytest.approx(0.5), "the small region whole, the large one not at all"
    assert pro.far[1] == pytest.approx(2 / (200 - 38))


def test_a_perfect_map_gets_one_and_a_map_of_one_value_what_chance_gets() -> None:
    truth = np.zeros((20, 20), dtype=np.bool_)
    truth[5:8, 5:8] = True
    for values, auroc, aupro in ((truth.astype(np.float32), 1.0, 1.0), (np.ones((20, 20), np.float32), 0.5, 0.15)):
        counted = PixelScores()
        counted.add(values, truth, everywhere(values))
        assert counted.curve().auroc == pytest.approx(auroc)
        assert counted.pro_curve().aupro() == pytest.approx(aupro)
    assert not PixelScores().complete


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(tied_maps, masks), min_size=1, max_size=3), st.integers(1, SHAPE[1]))
def test_pixels_that_are_not_inspected_count_as_if_they_were_cut_off(
    images: list[tuple[Map, Mask]], width: int
) -> None:
    inspected = np.zeros(SHAPE, dtype=np.bool_)
    inspected[:, :width] = True
    masked, cropped = PixelScores(COARSE), PixelScores(COARSE)
    for values, truth in images:
        for one in (truth, None):
            masked.add(values, one, inspected)
            cropped.add(values[:, :width], None if one is None else one[:, :width], everywhere(values[:, :width]))
    assert (masked.complete, masked.regions) == (cropped.complete, cropped.regions)
    if masked.complete:
        assert masked.curve().auroc == cropped.curve().auroc
        assert masked.pro_curve().aupro() == pytest.approx(cropped.pro_curve().aupro())


def test_overlap_of_masks() -> None:
    truth = np.array([[1, 1, 0, 0]], dtype=np.bool_)
    marked = np.array([[0, 1, 1, 0]], dtype=np.bool_)
    both = Overlap.of(marked, truth) + Overlap.of(marked, None)
    assert both == Overlap(found=1, false=3, missed=1)
    assert (both.iou, both.dice, both.precision, both.recall) == (1 / 5, 2 / 6, 1 / 4, 1 / 2)
    assert Overlap().iou is None


def _counted(images: list[tuple[Map, Mask]]) -> tuple[PixelScores, list[Map], list[Mask]]:
    counted = PixelScores(COARSE)
    for values, truth in images:
        counted.add(values, truth if truth.any() else None, everywhere(values))
    return counted, [values for values, _ in images], [truth for _, truth in images]


def _plain_aupro(maps: list[Map], truths: list[Mask], limit: float) -> float:
    """Every threshold, every region, one after the other."""
    normal = sum(int((~truth).sum()) for truth in truths)
    points = [(0.0, 0.0)]
    for threshold in sorted({float(value) for values in maps for value in values.ravel()}, reverse=True):
        false = sum(int(((values >= threshold) & ~truth).sum()) for values, truth in zip(maps, truths, strict=True))
        overlaps = []
        for values, truth in zip(maps, truths, strict=True):
            labels, count = ndimage.label(truth, np.ones((3, 3)))
            overlaps += [float((values[labels == number] >= threshold).mean()) for number in range(1, count + 1)]
        points.append((false / normal, float(np.mean(overlaps))))
    area = 0.0
    for (left, low), (right, high) in itertools.pairwise(points):
        if right <= limit:
            area += (right - left) * (low + high) / 2
        elif left < limit:
            at_limit = low + (high - low) * (limit - left) / (right - left)
            area += (limit - left) * (low + at_limit) / 2
    return area / limit
