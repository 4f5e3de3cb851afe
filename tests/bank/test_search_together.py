"""Many images that are searched together have the scores of an exhaustive search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from patchbank.arrays import FloatArray
from patchbank.bank import sampled_index
from patchbank.bank.edge import draft as edge_draft
from patchbank.bank.exact.index import ExactIndex
from patchbank.bank.manifest import ScoringRule
from patchbank.bank.names import point_ids
from patchbank.bank.sampled_index import SampledIndex
from patchbank.bank.search_together import FirstLook
from patchbank.bank.store import Look, ManyIndex, Neighbours, PatchBlock
from patchbank.embedding.embedding import Embedding
from patchbank.embedding.preprocess import Geometry
from patchbank.judging.judge import Judge, ToJudge
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product

GRID = (6, 7)
CELLS = np.stack(np.divmod(np.arange(42), 7), axis=1)


class _Careless:
    """``ManyIndex`` whose looks that need not be exact find distances that are too high; it counts what it is asked."""

    def __init__(self, index: ExactIndex, seed: int) -> None:
        self._index = index
        self._rng = np.random.default_rng(seed)
        self.asked = {"first": 0, "closer": 0, "exact": 0}

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Sequence[str] = ()
    ) -> Neighbours:
        self.asked["first"] += len(queries)
        return self._worse(self._index.nearest(queries, k, exclude_images))

    def nearest_of_each(self, looks: Sequence[Look], k: int, *, exact: bool) -> list[Neighbours]:
        self.asked["exact" if exact else "closer"] += sum(len(look.queries) for look in looks)
        found = self._index.nearest_of_each(looks, k)
        return found if exact else [self._worse(each) for each in found]

    def _worse(self, found: Neighbours) -> Neighbours:
        missed = self._rng.random(found.distances.shape) * (self._rng.random(found.distances.shape) < 0.3)
        return replace(found, distances=np.sort(found.distances + missed.astype(np.float32), axis=1), exact=False)


def unit(count: int, seed: int) -> FloatArray:
    vectors = np.random.default_rng(seed).standard_normal((count, 8)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


@hypothesis.given(
    images=st.integers(2, 6),
    neighbours=st.integers(1, 3),
    image_score=st.sampled_from(["top", "max"]),
    careless=st.booleans(),
    first_looks=st.booleans(),
    of_a_thread=st.sampled_from([1, 512]),
    seed=st.integers(0, 10**6),
)
def test_scores_of_left_out_images_are_those_of_comparing_all(
    images: int, neighbours: int, image_score: str, careless: bool, first_looks: bool, of_a_thread: int, seed: int
) -> None:
    names = [f"{number:024x}" for number in range(images)]
    ids = np.concatenate([point_ids([name] * 42, CELLS) for name in names])
    vectors = unit(42 * images, seed)
    blocks = [PatchBlock(ids[begin : begin + 50], vectors[begin : begin + 50]) for begin in range(0, len(ids), 50)]
    whole = ExactIndex(vectors, ids)
    index: ManyIndex = _Careless(whole, seed) if careless else SampledIndex(blocks)
    rule = ScoringRule.model_validate({"neighbours": neighbours, "image_score": image_score, "share": 0.05})
    judge = Judge(_Careless(whole, seed), rule, None, InspectedAreas(None))
    to_judge = []
    for number, name in enumerate(names):
        patches = vectors[42 * number : 42 * number + 42]
        other = (number + 1) % images
        alike = patches @ vectors[42 * other : 42 * other + 42].T
        first = FirstLook(1.0 - alike.max(axis=1), np.zeros(42, dtype=np.int64), (names[other],))
        embedding = Embedding(patches, unit(1, 0)[0], Geometry((70, 60), (70, 60), GRID))
        to_judge.append(ToJudge(embedding, [name], first if first_looks and neighbours == 1 else None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampled_index, "_OF_A_THREAD", of_a_thread)
        found = judge.judge_each(index, to_judge)
    for number, judged in enumerate(found):
        left = np.delete(vectors, slice(42 * number, 42 * number + 42), axis=0)
        near = np.sort(1.0 - to_judge[number].embedding.patches @ left.T, axis=1)[:, :neighbours].mean(axis=1)
        truth = np.maximum(near, 0.0).astype(np.float32).reshape(GRID)
        expected = replace(judged, patches=replace(judged.patches, scores=truth))
        highest = np.sort(truth.ravel())[-2:].mean() if image_score == "top" else truth.max()
        assert judged.score == pytest.approx(highest, abs=1e-5)
        assert judged.peak == pytest.approx(expected.peak, abs=1e-5)
        assert (judged.patches.scores >= truth - 1e-5).all()
        assert judged.patches.scores[judged.patches.exact] == pytest.approx(truth[judged.patches.exact], abs=1e-5)
        assert names[number] not in judged.patches.references()


def test_few_patches_are_searched_in_all_of_the_bank() -> None:
    """Or it would be no gain: what a closer look finds to be near is not asked for exactly."""
    vectors = unit(42 * 4, 1)
    names = [f"{number:024x}" for number in range(4)]
    index = _Careless(ExactIndex(vectors, np.concatenate([point_ids([name] * 42, CELLS) for name in names])), 1)
    embeddings = [
        Embedding(vectors[42 * number : 42 * number + 42], unit(1, 0)[0], Geometry((70, 60), (70, 60), GRID))
        for number in range(4)
    ]
    rule = ScoringRule(image_score="max", smoothing=0)
    judged = Judge(index, rule, None, InspectedAreas(None)).judge_each(
        index, [ToJudge(embedding, [name]) for embedding, name in zip(embeddings, names, strict=True)]
    )
    assert index.asked["exact"] <= len(vectors) / 3
    assert index.asked["exact"] == sum(each.patches.asked for each in judged)
    assert index.asked["first"] == 4 * 42


def test_a_class_is_calibrated_alike_one_by_one_and_together(
    teacher: Teacher, products: dict[str, Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = products["textile"].references[:6]
    made = []
    for sampled_from in (1, 1 << 40):
        monkeypatch.setattr(edge_draft, "SAMPLED_FROM", sampled_from)
        made.append(teacher.teach("part", files).manifest.calibration)
    assert made[0].scores == pytest.approx(made[1].scores, abs=1e-5)
    assert made[0].peaks == pytest.approx(made[1].peaks, abs=1e-5)
