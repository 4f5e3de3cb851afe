"""The vote on the product class, and the comparison of patches where the vote is in doubt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbank.bank.manifest import RetrievalLimit
from patchbank.bank.store import RouterHit
from patchbank.scoring.class_retrieval import (
    WITNESSES,
    CoherenceOf,
    Retrieval,
    leave_one_out_similarity,
    retrieval_limit,
    retrieve,
)
from patchbank.scoring.coherence import coherence, is_coherent, least_coherence
from patchbank.scoring.most_alike import MostAlike
from tests.helpers.banks import unit

ALIKE = MostAlike()


def hits(*pairs: tuple[str, float]) -> list[RouterHit]:
    return [RouterHit(name, f"{place:024x}", similarity) for place, (name, similarity) in enumerate(pairs)]


def limits(**similarity: float) -> dict[str, RetrievalLimit]:
    return {
        name: RetrievalLimit(similarity=value, coherence=0.4, count=10, witnesses=10)
        for name, value in similarity.items()
    }


def never(class_name: str, image_ids: Sequence[str]) -> float:
    raise AssertionError("the patches are not asked where the vote is sure")


def says(**values: float) -> CoherenceOf:
    return lambda class_name, _: values[class_name]


SURE = limits(bolt=-1.0, nut=-1.0, washer=-1.0)
votes = st.lists(
    st.tuples(st.sampled_from(["bolt", "nut", "washer"]), st.floats(-1.0, 1.0, width=32)), min_size=1, max_size=12
)


def test_no_hit_is_no_class() -> None:
    assert retrieve([], 5, {}, never) == Retrieval(None, 0.0, {}, 0.0)


def test_hits_of_one_class_are_sure() -> None:
    retrieval = retrieve(hits(("bolt", 0.9), ("bolt", 0.8)), 5, limits(bolt=0.5), never)
    assert retrieval == Retrieval("bolt", 1.0, {"bolt": 1.0}, 0.9)


def test_votes_are_weighted_by_similarity_and_later_hits_do_not_vote() -> None:
    retrieval = retrieve(hits(("nut", 0.9), ("bolt", 0.6), ("bolt", 0.5), ("nut", 0.4)), 3, SURE, never)
    assert retrieval.class_name == "bolt"
    assert retrieval.confidence == pytest.approx(1.1 / 2.0)
    assert retrieval.scores == pytest.approx({"bolt": 0.55, "nut": 0.45})
    assert retrieval.similarity == 0.6


def test_of_two_with_equal_shares_the_nearer_wins() -> None:
    assert retrieve(hits(("nut", 0.5), ("bolt", 0.25), ("bolt", 0.25)), 5, SURE, never).class_name == "nut"


def test_a_doubtful_winner_stands_if_its_patches_do_not_all_move_one_way() -> None:
    near = hits(("bolt", 0.7), ("bolt", 0.6))
    assert retrieve(near, 5, limits(bolt=0.9), says(bolt=0.39)).class_name == "bolt"
    unknown = retrieve(near, 5, limits(bolt=0.9), says(bolt=0.41))
    assert unknown == Retrieval(None, 1.0, {"bolt": 1.0}, 0.7)


def test_in_doubt_the_product_is_unknown_where_patches_are_not_asked() -> None:
    assert retrieve(hits(("bolt", 0.7)), 5, limits(bolt=0.9)).class_name is None
    assert retrieve(hits(("bolt", 0.95)), 5, limits(bolt=0.9)).class_name == "bolt"


def test_in_doubt_the_patches_can_overrule_the_vote() -> None:
    near = hits(("bolt", 0.75), ("nut", 0.74), ("bolt", 0.73))
    retrieval = retrieve(near, 3, limits(bolt=0.9, nut=0.9), says(bolt=0.38, nut=0.2))
    assert retrieval.class_name == "nut"
    assert retrieval.similarity == 0.74
    assert retrieval.confidence == pytest.approx(0.74 / 2.22)


def test_each_class_is_asked_of_its_own_nearest_references() -> None:
    asked: dict[str, Sequence[str]] = {}

    def note(class_name: str, image_ids: Sequence[str]) -> float:
        asked[class_name] = image_ids
        return 1.0

    near = hits(*[("bolt", 0.9 - place / 100) for place in range(9)], ("nut", 0.5))
    retrieve(near, 3, limits(bolt=0.99, nut=0.99), note)
    assert asked == {"bolt": [f"{place:024x}" for place in range(WITNESSES)], "nut": [f"{9:024x}"]}


@given(pairs=votes, doubt=st.floats(0.0, 1.0))
def test_shares_sum_to_one_and_a_class_is_named_only_with_reason(pairs: list[tuple[str, float]], doubt: float) -> None:
    ordered = hits(*sorted(pairs, key=lambda pair: -pair[1]))
    retrieval = retrieve(ordered, 5, limits(bolt=0.5, nut=0.5, washer=0.5), lambda *_: doubt)
    assert sum(retrieval.scores.values()) == pytest.approx(1.0) or all(hit.similarity <= 0 for hit in ordered[:5])
    if retrieval.class_name is not None:
        assert retrieval.class_name in {hit.class_name for hit in ordered}
        assert retrieval.similarity >= 0.5 or doubt <= 0.4
    else:
        assert doubt > 0.4


def test_left_out_similarity_is_that_to_the_nearest_other() -> None:
    cls = unit(np.array([[1, 0], [0.9, 0.1], [0, 1]]))
    assert leave_one_out_similarity(cls) == pytest.approx([cls[0] @ cls[1], cls[0] @ cls[1], cls[1] @ cls[2]])
    assert leave_one_out_similarity(cls[:1]).size == 0


def test_limits_follow_the_references_and_one_reference_makes_a_strict_one() -> None:
    tight = retrieval_limit(unit(np.array([[1, 0.00], [1, 0.01], [1, 0.02]])), [0.2, 0.2, 0.3])
    loose = retrieval_limit(unit(np.array([[1, 0.00], [1, 0.30], [1, 0.60]])), [0.2, 0.2, 0.3])
    assert loose.similarity < tight.similarity < 1.0
    assert tight.coherence == pytest.approx(0.36)
    assert retrieval_limit(unit(np.array([[1.0, 0.0]])), []).similarity == 1.0
    assert retrieval_limit(unit(np.eye(3)), [0.9]).coherence <= 0.39


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 4), st.floats(0, 1))
def test_references_however_unlike_have_limits_that_a_manifest_takes(
    seed: int, count: int, dim: int, usual: float
) -> None:
    cls = unit(np.random.default_rng(seed).standard_normal((count, dim)))
    for embeddings in (cls, np.concatenate([cls, -cls])):
        limit = retrieval_limit(embeddings, [usual])
        assert RetrievalLimit.model_validate(limit.model_dump()) == limit


def test_an_image_is_not_coherently_away_from_itself() -> None:
    patches = unit(np.random.default_rng(0).normal(size=(50, 8)))
    assert coherence(patches, patches, ALIKE) == 0.0


def test_a_shift_of_all_patches_is_coherent_and_scattered_changes_are_not() -> None:
    rng = np.random.default_rng(0)
    reference = unit(rng.normal(size=(400, 64)))
    shifted = unit(reference + 0.3 * unit(rng.normal(size=64)))
    scattered = unit(reference + 0.3 * unit(rng.normal(size=(400, 64))))
    assert coherence(shifted, reference, ALIKE) > 0.8
    assert coherence(scattered, reference, ALIKE) < 0.2


def test_defects_in_a_quarter_of_the_patches_do_not_count() -> None:
    rng = np.random.default_rng(0)
    reference = unit(rng.normal(size=(400, 64)))
    image = unit(reference + 0.05 * unit(rng.normal(size=(400, 64))))
    before = coherence(image, reference, ALIKE)
    image[::5] = unit(rng.normal(size=64))
    assert coherence(image, reference, ALIKE) == pytest.approx(before, abs=0.05)


@given(seed=st.integers(0, 10_000), count=st.integers(1, 30), others=st.integers(1, 30))
def test_coherence_lies_between_0_and_1(seed: int, count: int, others: int) -> None:
    rng = np.random.default_rng(seed)
    assert 0.0 <= coherence(unit(rng.normal(size=(count, 5))), unit(rng.normal(size=(others, 5))), ALIKE) <= 1.0 + 1e-6


@given(seed=st.integers(0, 10_000), counts=st.lists(st.integers(0, 20), max_size=5), limit=st.floats(0, 0.99))
def test_an_image_keeps_a_limit_where_its_least_coherence_does_and_no_more_is_asked(
    seed: int, counts: list[int], limit: float
) -> None:
    rng = np.random.default_rng(seed)
    patches, references = unit(rng.normal(size=(10, 5))), [unit(rng.normal(size=(count, 5))) for count in counts]
    asked = iter(references)
    kept = is_coherent(patches, asked, limit, ALIKE)
    assert kept == (least_coherence(patches, references, ALIKE) <= limit)
    looked_at = references[: len(references) - len(list(asked))]
    assert not any(least_coherence(patches, [each], ALIKE) <= limit for each in looked_at[:-1])
