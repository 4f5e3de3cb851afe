"""A first look at a sample changes no score."""

from __future__ import annotations

from collections.abc import Sequence

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from patchbank.arrays import FloatArray
from patchbank.bank.edge import draft as edge_draft
from patchbank.bank.exact.index import ExactIndex
from patchbank.bank.manifest import ScoringRule
from patchbank.bank.names import point_ids
from patchbank.bank.sampled_index import SampledIndex
from patchbank.bank.store import Neighbours, PatchBlock
from patchbank.embedding.embedding import Embedding
from patchbank.embedding.preprocess import Geometry
from patchbank.judging.judge import Judge
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product

GRID = (6, 7)
CELLS = np.stack(np.divmod(np.arange(42), 7), axis=1)


class _Whole:
    """``PatchIndex`` that compares all; ``exact`` counts the queries that were asked exactly at once."""

    def __init__(self, index: ExactIndex) -> None:
        self._index = index
        self.exact: list[int] = []

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Sequence[str] = ()
    ) -> Neighbours:
        if exact:
            self.exact.append(len(queries))
        return self._index.nearest(queries, k, exclude_images)


def unit(count: int, seed: int) -> FloatArray:
    vectors = np.random.default_rng(seed).standard_normal((count, 8)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


@hypothesis.given(
    st.integers(2, 6), st.integers(1, 3), st.integers(1, 60), st.sampled_from(["top", "max"]), st.integers(0, 10**6)
)
def test_scores_of_left_out_images_are_those_of_comparing_all(
    images: int, neighbours: int, together: int, image_score: str, seed: int
) -> None:
    names = [f"{number:024x}" for number in range(images)]
    ids = np.concatenate([point_ids([name] * 42, CELLS) for name in names])
    vectors = unit(42 * images, seed)
    whole = _Whole(ExactIndex(vectors, ids))
    blocks = [PatchBlock(ids[begin : begin + 50], vectors[begin : begin + 50]) for begin in range(0, len(ids), 50)]
    rule = ScoringRule.model_validate({"neighbours": neighbours, "image_score": image_score, "share": 0.05})
    plain = Judge(whole, rule, None, InspectedAreas(None))
    sampled = Judge(SampledIndex(whole, blocks), rule, None, InspectedAreas(None), together=together)
    for number, name in enumerate(names):
        patches = vectors[42 * number : 42 * number + 42]
        embedding = Embedding(patches, unit(1, 0)[0], Geometry((70, 60), (70, 60), GRID))
        expected = plain.judge(embedding, left_out=[name])
        whole.exact.clear()
        judged = sampled.judge(embedding, left_out=[name])
        assert judged.score == pytest.approx(expected.score, abs=1e-5)
        assert judged.peak == pytest.approx(expected.peak, abs=1e-5)
        assert (judged.patches.scores >= expected.patches.scores - 1e-5).all()
        assert all(asked >= min(together, 42 - sum(whole.exact[:place])) for place, asked in enumerate(whole.exact))


def test_a_class_is_calibrated_alike_with_a_first_look_at_a_sample(
    teacher: Teacher, products: dict[str, Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = products["textile"].references[:6]
    made = []
    for sampled_from in (1, 1 << 40):
        monkeypatch.setattr(edge_draft, "SAMPLED_FROM", sampled_from)
        made.append(teacher.teach("part", files).manifest.calibration)
    assert made[0].scores == pytest.approx(made[1].scores, abs=1e-5)
    assert made[0].peaks == pytest.approx(made[1].peaks, abs=1e-5)
