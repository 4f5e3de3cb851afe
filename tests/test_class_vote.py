"""The vote on the product class."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from service.bank.manifest import RetrievalLimit
from service.bank.store import RouterHit
from service.scoring.class_retrieval import Retrieval, vote


def hits(*pairs: tuple[str, float]) -> list[RouterHit]:
    return [RouterHit(name, f"{place:024x}", similarity) for place, (name, similarity) in enumerate(pairs)]


def limits(**similarity: float) -> dict[str, RetrievalLimit]:
    return {name: RetrievalLimit(similarity=value, neighbours=1, count=10) for name, value in similarity.items()}


LENIENT = limits(bolt=-1.0, nut=-1.0, washer=-1.0)
votes = st.lists(
    st.tuples(st.sampled_from(["bolt", "nut", "washer"]), st.floats(-1.0, 1.0, width=32)), min_size=1, max_size=12
)


def test_no_hit_is_no_class() -> None:
    assert vote([], {}) == Retrieval(None, 0.0, {}, 0.0)


def test_hits_of_one_class_are_sure() -> None:
    assert vote(hits(("bolt", 0.9), ("bolt", 0.8)), limits(bolt=0.5)) == Retrieval("bolt", 1.0, {"bolt": 1.0}, 0.9)


def test_votes_are_weighted_by_similarity() -> None:
    made = vote(hits(("nut", 0.9), ("bolt", 0.5), ("bolt", 0.6)), LENIENT)
    assert made.class_name == "bolt"
    assert made.confidence == pytest.approx(1.1 / 2.0)
    assert made.scores == pytest.approx({"bolt": 0.55, "nut": 0.45})
    assert made.similarity == 0.6


def test_several_votes_beat_the_nearest_one() -> None:
    assert vote(hits(("nut", 0.99), ("bolt", 0.97), ("bolt", 0.97)), LENIENT).class_name == "bolt"


def test_of_two_with_equal_shares_the_nearer_wins() -> None:
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        pairs = [("bolt", 0.25), ("bolt", 0.25), ("nut", 0.5)]
        assert vote(hits(*(pairs[place] for place in order)), LENIENT).class_name == "nut"


def test_a_winner_that_is_not_near_enough_is_an_unknown_product() -> None:
    made = vote(hits(("bolt", 0.79), ("nut", 0.5)), limits(bolt=0.8, nut=0.0))
    assert made.class_name is None
    assert made.similarity == 0.79
    assert made.confidence == pytest.approx(0.79 / 1.29)
    assert list(made.scores) == ["bolt", "nut"]


def test_a_similarity_at_the_limit_is_enough() -> None:
    assert vote(hits(("bolt", 0.5)), limits(bolt=0.5)).class_name == "bolt"


def test_hits_that_point_away_have_no_vote() -> None:
    made = vote(hits(("bolt", -0.5), ("nut", 0.1)), LENIENT)
    assert made.scores == {"nut": 1.0, "bolt": 0.0}


def test_where_all_point_away_the_nearest_is_held_against_its_limit() -> None:
    pairs = hits(("bolt", -0.9), ("nut", -0.2))
    made = vote(pairs, LENIENT)
    assert (made.class_name, made.confidence, made.similarity) == ("nut", 0.0, -0.2)
    assert vote(pairs, limits(bolt=0.0, nut=0.0)).class_name is None


@hypothesis.settings(deadline=None)
@hypothesis.given(votes)
def test_shares_are_ordered_and_add_up(pairs: list[tuple[str, float]]) -> None:
    made = vote(hits(*pairs), LENIENT)
    shares = list(made.scores.values())
    assert set(made.scores) == {name for name, _ in pairs}
    assert shares == sorted(shares, reverse=True)
    assert all(0.0 <= share <= 1.0 + 1e-9 for share in shares)
    assert sum(shares) == pytest.approx(1.0 if any(similarity > 0 for _, similarity in pairs) else 0.0)
    assert made.class_name is not None
    assert made.confidence == made.scores[made.class_name] == max(shares)
    assert made.similarity == max(similarity for name, similarity in pairs if name == made.class_name)


@hypothesis.settings(deadline=None)
@hypothesis.given(votes, st.floats(-1.0, 1.0, width=32))
def test_the_limit_only_ever_takes_the_class_away(pairs: list[tuple[str, float]], limit: float) -> None:
    free, held = vote(hits(*pairs), LENIENT), vote(hits(*pairs), limits(bolt=limit, nut=limit, washer=limit))
    assert held.scores == free.scores
    assert held.class_name == (free.class_name if free.similarity >= limit else None)
