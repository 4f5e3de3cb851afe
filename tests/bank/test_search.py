"""The two-stage search decides exactly as an exhaustive one."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbank.arrays import BoolArray, FloatArray
from patchbank.bank.edge import flat_collection, graph
from patchbank.bank.edge.graph import Graph
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.exact import bounded_search
from patchbank.bank.exact import index as exact_index
from patchbank.bank.manifest import ScoringRule
from patchbank.bank.names import PatchId
from patchbank.bank.search import PatchScores, search_patches
from patchbank.bank.store import BankSpec, PatchIndex
from patchbank.errors import EmptyBank
from patchbank.scoring.anomaly_map import (
    anomaly_map,
    enlarge,
    map_peak,
    mask_and_score_demand,
    peak_and_score_demand,
    score_demand,
    smooth,
)
from patchbank.scoring.image_score import image_score
from patchbank.scoring.inspected_area import InspectedArea
from tests.helpers.banks import brute_force, fill, image_id, unit
from tests.helpers.forgetful_index import ForgetfulIndex

D = 12
INDEX_FROM = 1500


def assert_decides_alike(
    searched: PatchScores, truth: FloatArray, rule: ScoringRule, threshold: float, size: tuple[int, int]
) -> None:
    assert image_score(searched.scores, rule) == pytest.approx(image_score(truth, rule), abs=1e-5)
    area = InspectedArea.everything((truth.shape[0], truth.shape[1]))
    got, expected = anomaly_map(searched.scores, rule, size, area), anomaly_map(truth, rule, size, area)
    undecided = np.abs(expected - threshold) <= 1e-5  # within rounding of the threshold
    assert ((got > threshold) == (expected > threshold))[~undecided].all()
    assert np.abs(got - expected)[(expected > threshold) & ~undecided].max(initial=0.0) <= 1e-5
    true_score = image_score(truth, rule)
    if abs(true_score - threshold) > 1e-5:
        assert (image_score(searched.scores, rule) > threshold) == (true_score > threshold)


def assert_searches_exactly(
    index: PatchIndex, queries: FloatArray, bank: FloatArray, grid: tuple[int, int], k: int
) -> PatchScores:
    """Check that it decides as NumPy does, by several rules; returns the scores of the last rule, whose threshold all
    scores exceed."""
    truth, area = brute_force(queries, bank, k).reshape(grid), InspectedArea.everything(grid)
    for smoothing, share in ((0.0, 0.9), (0.6, 0.97), (0.6, 0.5), (1.0, 0.0)):
        rule = ScoringRule(neighbours=k, smoothing=smoothing)
        threshold = float(np.quantile(truth, share))
        demand = mask_and_score_demand(rule, threshold, (90, 70), area)
        searched = search_patches(index, queries, area.cells, k, demand)
        assert_decides_alike(searched, truth, rule, threshold, (90, 70))
    return searched


@st.composite
def cases(draw: st.DrawFn) -> tuple[FloatArray, FloatArray, tuple[int, int], ScoringRule, float, tuple[int, int]]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    kind = draw(st.sampled_from(["spread", "duplicates", "one point", "all far", "clusters"]))
    size = 1 if kind == "one point" else draw(st.integers(1, 60))
    bank = unit(rng.normal(size=(size, D)))
    if kind == "duplicates":
        bank = np.repeat(bank[: max(1, size // 8)], 8, axis=0)
    queries = unit(rng.normal(size=(rows * columns, D)))
    if kind == "clusters":
        queries = unit(bank[rng.integers(len(bank), size=rows * columns)] + 0.2 * queries)
    if kind == "all far":
        queries = unit(-bank.mean(axis=0) + 0.05 * queries)
    rule = ScoringRule(
        neighbours=draw(st.sampled_from([1, 2, 5, 50])),
        image_score=draw(st.sampled_from(["top1", "max"])),
        smoothing=draw(st.sampled_from([0.0, 0.4, 0.6, 1.5])),
    )
    truth = brute_force(queries, bank, rule.neighbours)
    share = draw(st.sampled_from([0.0, 0.3, 0.7, 0.95, 1.0]))
    threshold = float(np.quantile(truth, share)) + draw(st.sampled_from([-0.05, 0.0, 0.01]))
    picture = (draw(st.integers(1, 50)), draw(st.integers(1, 50)))
    return queries, bank, (rows, columns), rule, max(threshold, 0.0), picture


@settings(max_examples=400, deadline=None)
@given(case=cases(), missed=st.sampled_from([0.1, 0.5, 0.9, 1.0]), seed=st.integers(0, 1000))
def test_missed_neighbours_change_neither_score_nor_verdict_nor_mask(
    case: tuple[FloatArray, FloatArray, tuple[int, int], ScoringRule, float, tuple[int, int]], missed: float, seed: int
) -> None:
    queries, bank, grid, rule, threshold, size = case
    index = ForgetfulIndex(bank, missed, seed)
    area = InspectedArea.everything(grid)
    demand = mask_and_score_demand(rule, threshold, size, area)
    searched = search_patches(index, queries, area.cells, rule.neighbours, demand)
    truth = brute_force(queries, bank, rule.neighbours).reshape(grid)
    assert (searched.scores >= truth - 1e-5).all()
    assert_decides_alike(searched, truth, rule, threshold, size)


@settings(max_examples=150, deadline=None)
@given(case=cases(), counted=st.floats(0, 1), seed=st.integers(0, 1000))
def test_patches_that_do_not_count_score_nothing_and_the_others_decide_as_before(
    case: tuple[FloatArray, FloatArray, tuple[int, int], ScoringRule, float, tuple[int, int]], counted: float, seed: int
) -> None:
    queries, bank, grid, rule, threshold, size = case
    counts = np.random.default_rng(seed).random(grid) < counted
    index = ForgetfulIndex(bank, 0.5, seed)
    demand = mask_and_score_demand(rule, threshold, size, InspectedArea.everything(grid))
    searched = search_patches(index, queries, counts, rule.neighbours, demand)
    truth = np.where(counts, brute_force(queries, bank, rule.neighbours).reshape(grid), 0).astype(np.float32)
    assert (searched.scores[~counts] == 0).all()
    assert_decides_alike(searched, truth, rule, threshold, size)
    if counts.any():
        for row, column in np.ndindex(grid):
            _, distance = searched.nearest_patch(row, column)
            assert distance in searched.nearest_distance[counts]
    else:
        with pytest.raises(EmptyBank):
            searched.nearest_patch(0, 0)


def uncleared_map(scores: FloatArray, rule: ScoringRule, size: tuple[int, int], area: InspectedArea) -> FloatArray:
    """The anomaly map before pixels that are not inspected are set to 0."""
    return enlarge(smooth(scores, rule.smoothing, area), size)


@st.composite
def masked_cases(
    draw: st.DrawFn,
) -> tuple[FloatArray, FloatArray, tuple[int, int], ScoringRule, float, tuple[int, int], BoolArray]:
    """A case, and the cells inside a class's mask: few, many, in blocks or scattered; at least one."""
    case = draw(cases())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cells = rng.random(case[2]) < draw(st.sampled_from([0.1, 0.5, 0.9, 1.0]))
    if draw(st.booleans()):
        cells[:, : cells.shape[1] // 2] = False
    cells[tuple(rng.integers(case[2]))] = True
    return *case, cells


def plain_smooth(scores: FloatArray, sigma: float, cells: BoolArray) -> FloatArray:
    """Normalised convolution by its definition, computed per inspected cell; NaN elsewhere."""
    reach = int(2.5 * sigma + 0.5)
    smooth = np.full(scores.shape, np.nan, dtype=np.float64)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2) if sigma else np.ones(1)
    for row, column in np.argwhere(cells):
        total = weight = 0.0
        for down, across in np.ndindex(2 * reach + 1, 2 * reach + 1):
            r = int(np.clip(row + down - reach, 0, scores.shape[0] - 1))
            c = int(np.clip(column + across - reach, 0, scores.shape[1] - 1))
            if cells[r, c]:
                total += weights[down] * weights[across] * scores[r, c]
                weight += weights[down] * weights[across]
        smooth[row, column] = total / weight
    return np.asarray(smooth, dtype=np.float32)


@settings(max_examples=300, deadline=None)
@given(case=masked_cases(), missed=st.sampled_from([0.1, 0.5, 1.0]), seed=st.integers(0, 1000))
def test_under_a_mask_missed_neighbours_change_neither_score_nor_verdict_nor_mask(
    case: tuple[FloatArray, FloatArray, tuple[int, int], ScoringRule, float, tuple[int, int], BoolArray],
    missed: float,
    seed: int,
) -> None:
    queries, bank, grid, rule, threshold, size, cells = case
    index = ForgetfulIndex(bank, missed, seed)
    area = InspectedArea(cells, grid)
    demand = mask_and_score_demand(rule, threshold, size, area)
    searched = search_patches(index, queries, cells, rule.neighbours, demand)
    truth = np.where(cells, brute_force(queries, bank, rule.neighbours).reshape(grid), 0).astype(np.float32)
    assert image_score(searched.scores[cells], rule) == pytest.approx(image_score(truth[cells], rule), abs=1e-5)
    got, expected = (uncleared_map(scores, rule, size, area) for scores in (searched.scores, truth))
    assert (got >= expected - 1e-5).all()
    undecided = np.abs(expected - threshold) <= 1e-5
    assert ((got > threshold) == (expected > threshold))[~undecided].all()
    assert np.abs(got - expected)[(expected > threshold) & ~undecided].max(initial=0.0) <= 1e-5


@settings(max_examples=150, deadline=None)
@given(case=masked_cases(), missed=st.sampled_from([0.5, 1.0]), seed=st.integers(0, 1000))
def test_under_a_mask_score_and_peak_are_exact_for_calibration(
    case: tuple[FloatArray, FloatArray, tuple[int, int], ScoringRule, float, tuple[int, int], BoolArray],
    missed: float,
    seed: int,
) -> None:
    queries, bank, grid, rule, _, size, cells = case
    index = ForgetfulIndex(bank, missed, seed)
    area = InspectedArea(cells, grid)
    demand = peak_and_score_demand(rule, area)
    searched = search_patches(index, queries, cells, rule.neighbours, demand)
    truth = np.where(cells, brute_force(queries, bank, rule.neighbours).reshape(grid), 0).astype(np.float32)
    assert image_score(searched.scores[cells], rule) == pytest.approx(image_score(truth[cells], rule), abs=1e-5)
    assert map_peak(searched.scores, rule, area) == pytest.approx(map_peak(truth, rule, area), abs=1e-5)
    assert uncleared_map(truth, rule, size, area).max() <= map_peak(truth, rule, area) + 1e-6


@settings(max_examples=100, deadline=None)
@given(case=masked_cases(), seed=st.integers(0, 1000))
def test_what_is_ignored_neither_dilutes_the_map_nor_adds_to_it(
    case: tuple[FloatArray, FloatArray, tuple[int, int], ScoringRule, float, tuple[int, int], BoolArray], seed: int
) -> None:
    queries, bank, grid, rule, _, size, cells = case
    truth = brute_force(queries, bank, rule.neighbours).reshape(grid)
    area = InspectedArea(cells, grid)
    np.testing.assert_array_equal(area.cells, cells)
    smoothed = smooth(truth, rule.smoothing, area)
    np.testing.assert_allclose(smoothed[cells], plain_smooth(truth, rule.smoothing, cells)[cells], atol=2e-6)
    assert set(np.unique(smoothed)) <= set(np.unique(smoothed[cells])), "an ignored cell takes an inspected one's value"
    other = np.where(cells, truth, np.random.default_rng(seed).random(grid)).astype(np.float32)
    np.testing.assert_array_equal(uncleared_map(other, rule, size, area), uncleared_map(truth, rule, size, area))
    level = np.full(grid, 0.5, dtype=np.float32)
    np.testing.assert_allclose(uncleared_map(level, rule, size, area), 0.5, atol=1e-5)
    cleared = np.where(area.pixels(size), uncleared_map(truth, rule, size, area), 0)
    np.testing.assert_array_equal(anomaly_map(truth, rule, size, area), cleared)
    white, everything = InspectedArea(np.ones(grid, dtype=np.bool_), grid), InspectedArea.everything(grid)
    np.testing.assert_array_equal(anomaly_map(truth, rule, size, white), anomaly_map(truth, rule, size, everything))


@settings(max_examples=60, deadline=None)
@given(case=cases(), seed=st.integers(0, 1000))
def test_the_image_score_alone_is_exact_with_its_own_demand(
    case: tuple[FloatArray, FloatArray, tuple[int, int], ScoringRule, float, tuple[int, int]], seed: int
) -> None:
    queries, bank, grid, rule, _, _ = case
    area = InspectedArea.everything(grid)
    index = ForgetfulIndex(bank, 0.5, seed)
    searched = search_patches(index, queries, area.cells, rule.neighbours, score_demand(rule, area))
    truth = brute_force(queries, bank, rule.neighbours)
    assert image_score(searched.scores, rule) == pytest.approx(image_score(truth, rule), abs=1e-5)


@settings(max_examples=150, deadline=None)
@given(case=cases(), missed=st.sampled_from([0.5, 1.0]), seed=st.integers(0, 1000))
def test_score_and_peak_of_the_map_are_exact_for_calibration_and_no_pixel_passes_the_peak(
    case: tuple[FloatArray, FloatArray, tuple[int, int], ScoringRule, float, tuple[int, int]], missed: float, seed: int
) -> None:
    queries, bank, grid, rule, _, size = case
    index = ForgetfulIndex(bank, missed, seed)
    area = InspectedArea.everything(grid)
    searched = search_patches(index, queries, area.cells, rule.neighbours, peak_and_score_demand(rule, area))
    truth = brute_force(queries, bank, rule.neighbours).reshape(grid)
    assert image_score(searched.scores, rule) == pytest.approx(image_score(truth, rule), abs=1e-5)
    assert map_peak(searched.scores, rule, area) == pytest.approx(map_peak(truth, rule, area), abs=1e-5)
    assert anomaly_map(truth, rule, size, area).max() <= map_peak(truth, rule, area) + 1e-6


@pytest.mark.parametrize("kind", ["one point", "few", "plain", "clusters", "duplicates", "spread"])
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("first", ["graph", "lists", "at once"])
def test_the_embedded_store_decides_as_numpy_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, k: int, first: str
) -> None:
    if first != "graph":
        monkeypatch.setattr(exact_index, "BOUNDED_FROM", 1)
    if first == "lists":
        monkeypatch.setattr(exact_index, "LISTS_FROM", 1)
        monkeypatch.setattr(bounded_search, "NEAR", 1)
    rng = np.random.default_rng(k)
    dim, grid = 32, (14, 12)
    size = {"one point": 1, "few": 2, "plain": INDEX_FROM - 1}.get(kind, 2 * INDEX_FROM)
    bank = unit(rng.normal(size=(size, dim)))
    queries = unit(rng.normal(size=(grid[0] * grid[1], dim)))
    if kind == "clusters":
        centres = unit(rng.normal(size=(25, dim)))
        bank = unit(centres[rng.integers(25, size=size)] + 0.1 * bank)
        queries = unit(centres[rng.integers(25, size=len(queries))] + 0.12 * queries)
        queries[:9] = unit(rng.normal(size=(9, dim)))
    if kind == "duplicates":
        bank = np.repeat(bank[:40], size // 40, axis=0)
        queries = unit(bank[rng.integers(size, size=len(queries))] + 0.05 * queries)
    store = EdgeStore(tmp_path, index_from=INDEX_FROM)
    with store.draft("part", BankSpec(dim, 4)) as draft:
        fill(draft, [bank], unit(np.ones((1, 4))))
        draft.seal()
        assert draft.nearest(queries, k).exact == (first == "at once" or (first == "graph" and size < INDEX_FROM))
        searched = assert_searches_exactly(draft, queries, bank, grid, k)
        assert searched.exact.all(), "everything is above the lowest threshold, so everything must be exact"
    store.close()


def test_a_large_bank_is_searched_approximately_first(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    store = EdgeStore(tmp_path, index_from=INDEX_FROM)
    with store.draft("part", BankSpec(16, 4)) as draft:
        fill(draft, [unit(rng.normal(size=(INDEX_FROM, 16)))], unit(np.ones((1, 4))))
        draft.seal()
        assert not draft.nearest(unit(rng.normal(size=(3, 16))), 1).exact
        assert draft.nearest(unit(rng.normal(size=(3, 16))), 1, exact=True).exact
    store.close()


def test_a_graph_of_an_earlier_release_is_left_alone_where_lists_are_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    monkeypatch.setattr(exact_index, "BOUNDED_FROM", 100)
    monkeypatch.setattr(exact_index, "LISTS_FROM", 100)
    monkeypatch.setattr(Graph, "propose", None)
    with closing(EdgeStore(tmp_path, index_from=INDEX_FROM)) as store, store.draft("part", BankSpec(16, 4)) as draft:
        fill(draft, [unit(rng.normal(size=(INDEX_FROM, 16)))], unit(np.ones((1, 4))))
        draft.seal()
        first = draft.nearest(unit(rng.normal(size=(3, 16))), 1)
        monkeypatch.setattr(graph, "INDEX_FROM", INDEX_FROM)
        with pytest.raises(TypeError):
            draft.nearest(unit(rng.normal(size=(3, 16))), 1)
    assert not first.exact


def test_an_approximate_search_finds_no_image_that_is_left_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    images = [unit(rng.normal(size=(INDEX_FROM // 20, 16))) for _ in range(20)]
    gone = [image_id(number) for number in range(7)]
    with closing(EdgeStore(tmp_path, index_from=INDEX_FROM)) as store, store.draft("part", BankSpec(16, 4)) as draft:
        fill(draft, images, unit(rng.normal(size=(20, 4))))
        draft.seal()
        everything = draft.nearest(np.concatenate(images[:7]), 1)
        answer = draft.nearest(np.concatenate(images[:7]), 1, exclude_images=gone)
    nearest = {PatchId.from_bytes(raw).image_id for raw in answer.ids[:, 0]}
    assert not answer.exact
    assert nearest <= {image_id(number) for number in range(7, 20)}
    assert (answer.distances > everything.distances).mean() > 0.9


def test_a_bank_that_is_empty_but_for_the_image_itself_is_an_error(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path)
    vectors = unit(np.eye(4)[:2])
    with store.draft("part", BankSpec(4, 4)) as draft:
        fill(draft, [vectors], unit(np.ones((1, 4))))
        draft.seal()
        with pytest.raises(EmptyBank):
            area = InspectedArea.everything((1, 2))
            demand = score_demand(ScoringRule(), area)
            search_patches(draft, vectors, area.cells, 1, demand, exclude_images=[f"{0:024x}"])
    store.close()


@pytest.mark.parametrize("exact", [True, False])
def test_queries_in_blocks_find_what_they_find_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exact: bool
) -> None:
    rng = np.random.default_rng(3)
    vectors, queries = unit(rng.normal(size=(INDEX_FROM + 300, D))), unit(rng.normal(size=(53, D)))
    with closing(EdgeStore(tmp_path, index_from=INDEX_FROM)) as store, store.draft("part", BankSpec(D, 4)) as draft:
        fill(draft, [vectors], unit(np.ones((1, 4))))
        draft.seal()
        together = draft.nearest(queries, 3, exact=exact)
        monkeypatch.setattr(flat_collection, "_AT_ONCE", 10)
        apart, none = draft.nearest(queries, 3, exact=exact), draft.nearest(queries[:0], 3, exact=exact)
    assert together.exact == apart.exact == exact
    np.testing.assert_allclose(apart.distances, together.distances, atol=1e-6)
    np.testing.assert_array_equal(apart.ids, together.ids)
    assert none.distances.shape == (0, 3)
    assert none.ids.shape == (0, 3, 16)
