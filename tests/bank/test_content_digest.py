"""The digest of a part's content does not depend on blocks, and refuses what no bank may hold."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbank.arrays import ByteArray, FloatArray
from patchbank.bank.content_digest import ReferencesDigest, VectorsDigest, require_unit
from tests.helpers.banks import reference, unit


def content(count: int, dim: int = 5) -> tuple[ByteArray, FloatArray]:
    rng = np.random.default_rng(count)
    ids = np.unique(rng.integers(0, 256, size=(count, 16), dtype=np.uint8), axis=0)
    return ids, unit(rng.normal(size=(len(ids), dim)))


def digest(ids: ByteArray, vectors: FloatArray, cuts: list[int] | None = None) -> str:
    made = VectorsDigest(vectors.shape[1])
    places = [0, *sorted(cuts or []), len(ids)]
    for begin, end in pairwise(places):
        made.add(ids[begin:end], vectors[begin:end])
    return made.hexdigest()


@settings(max_examples=50, deadline=None)
@given(count=st.integers(1, 40), cuts=st.lists(st.integers(0, 40), max_size=4))
def test_blocks_do_not_matter(count: int, cuts: list[int]) -> None:
    ids, vectors = content(count)
    assert digest(ids, vectors, [min(cut, len(ids)) for cut in cuts]) == digest(ids, vectors)


def test_everything_else_does() -> None:
    ids, vectors = content(20)
    other_ids, other = ids.copy(), vectors.copy()
    other_ids[-1, -1] ^= 1
    other[3] = -other[3]
    empty = digest(ids[:0], vectors[:0]), digest(ids[:0], np.empty((0, 6), dtype=np.float32))
    made = [
        digest(ids, vectors),
        digest(other_ids, vectors),
        digest(ids, other),
        digest(ids[:-1], vectors[:-1]),
        *empty,
    ]
    assert len(set(made)) == len(made)


def test_ids_must_ascend_within_and_between_blocks() -> None:
    ids, vectors = content(10)
    with pytest.raises(ValueError, match="do not ascend"):
        digest(ids[::-1], vectors)
    with pytest.raises(ValueError, match="do not ascend"):
        digest(np.concatenate([ids, ids[-1:]]), np.concatenate([vectors, vectors[-1:]]), [10])
    with pytest.raises(ValueError, match="of shape"):
        digest(ids, vectors[:-1])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 3e38, 1.01, 0.99, 1.0003])
def test_vectors_must_be_numbers_and_of_unit_length(wrong: float) -> None:
    _, vectors = content(20)
    vectors[7] *= np.float32(wrong)
    with pytest.raises(ValueError, match="1 vectors that are not of unit length"):
        require_unit(vectors)


@pytest.mark.parametrize("dim", [2, 384, 4_096])
def test_rounding_is_no_damage_and_zero_stays_zero(dim: int) -> None:
    vectors = unit(np.random.default_rng(0).normal(size=(200, dim)))
    vectors[5] = 0
    require_unit(vectors)
    assert np.abs(np.linalg.norm(vectors[6:].astype(np.float64), axis=1) - 1).max() < 1e-6


def test_references_come_in_order_and_each_field_counts() -> None:
    payloads = [reference(number).as_payload() for number in range(3)]

    def made(payloads: list[dict[str, object]]) -> str:
        digest = ReferencesDigest()
        for payload in payloads:
            digest.add(payload)
        return digest.hexdigest()

    assert made(payloads) == made([dict(reversed(payload.items())) for payload in payloads])
    digests = {
        made(payloads),
        made(payloads[:2]),
        *(made([{**payloads[0], name: "x"}]) for name in ("name", "thumbnail")),
    }
    assert len(digests) == 4
    with pytest.raises(ValueError, match="do not ascend"):
        made(payloads[::-1])
