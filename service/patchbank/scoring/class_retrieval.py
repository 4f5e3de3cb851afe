"""Class retrieval: the nearest reference images in CLS space vote; in doubt, their patches are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.manifest import RetrievalLimit
from patchbank.bank.store import RouterHit

WITNESSES: Final = 5
"""Reference images per class whose patches an image in doubt is compared with."""

HITS_PER_VOTE: Final = 4
"""Hits fetched per voter, so that a class near the edge of the vote has witnesses too."""

_SURE: Final = 2.0
"""An image is accepted at once where its distance from the class is at most this multiple of the references' median
distance."""

_MARGIN: Final = 1.8
"""An image whose coherence is above this multiple of the references' median is another product
(docs/class-retrieval.md)."""

_CEILING: Final = 0.39
"""Upper bound of a class's coherence limit: no product reaches this coherence by itself, but the median of few
references can be high."""

_CANDIDATES: Final = 3

CoherenceOf = Callable[[str, Sequence[str]], float]
"""(class, image ids of references) -> the image's least coherence with any of them."""


@dataclass(frozen=True)
class Retrieval:
    """Outcome of class retrieval.

    ``class_name`` is None for an unknown product. ``confidence`` is the class's share of the vote (the winner's for an
    unknown product), ``scores`` the share of every class that was voted for, ``similarity`` the cosine similarity to
    the nearest reference of that class.
    """

    class_name: str | None
    confidence: float
    scores: dict[str, float]
    similarity: float


def retrieve(
    hits: Sequence[RouterHit],
    voters: int,
    limits: Mapping[str, RetrievalLimit],
    coherence_of: CoherenceOf | None = None,
) -> Retrieval:
    """The ``voters`` nearest of ``hits`` (most similar first) vote for a class, weighted by similarity.

    The winner is accepted at once where the image is as similar to it as its references are to each other. Otherwise
    the coherence of the nearest classes is compared with their limits: the class with the lowest ratio is accepted if
    it keeps its limit. The product is unknown if it does not, if there are no hits, or if patches would have to be
    compared and ``coherence_of`` is None.
    """
    if not hits:
        return Retrieval(None, 0.0, {}, 0.0)
    weights: dict[str, float] = {}
    for hit in hits[:voters]:
        weights[hit.class_name] = weights.get(hit.class_name, 0.0) + max(hit.similarity, 0.0)
    total = sum(weights.values()) or 1.0
    scores = {name: weight / total for name, weight in sorted(weights.items(), key=lambda item: -item[1])}
    nearest: dict[str, float] = {}
    for hit in hits:
        nearest.setdefault(hit.class_name, hit.similarity)
    winner = max(scores, key=lambda name: (scores[name], nearest[name]))
    if nearest[winner] >= limits[winner].similarity:
        return Retrieval(winner, scores[winner], scores, nearest[winner])
    if coherence_of is None:
        return Retrieval(None, scores[winner], scores, nearest[winner])
    doubts = {
        name: coherence_of(name, _witnesses(hits, name)) / limits[name].coherence
        for name in list(nearest)[:_CANDIDATES]
    }
    best = min(doubts, key=lambda name: doubts[name])
    if doubts[best] > 1.0:
        return Retrieval(None, scores[winner], scores, nearest[winner])
    return Retrieval(best, scores.get(best, 0.0), scores, nearest[best])


def resembles(similarity: float, limit: RetrievalLimit, is_coherent: Callable[[float], bool]) -> bool:
    """Whether an image is of a class: it is as similar to its nearest reference as the class asks, or its patches are
    no less alike than those of the references. Only in doubt it is asked whether its coherence keeps the limit."""
    return similarity >= limit.similarity or is_coherent(limit.coherence)


def retrieval_limit(
    cls: FloatArray, coherences: Sequence[float], groups: Sequence[int] | None = None
) -> RetrievalLimit:
    """Limits of a class from its own references, left out one by one, or group by group.

    ``cls`` (M, D') holds their CLS embeddings, ``groups`` (M) the number of each one's group, ``coherences`` the
    coherence of some of them with their nearest other references.
    """
    own = leave_one_out_similarity(cls, groups)
    distance = _SURE * float(np.median(1.0 - own)) if own.size else 0.0
    usual = float(np.median(coherences)) if len(coherences) else _CEILING
    return RetrievalLimit(
        similarity=1.0 - distance, coherence=min(_MARGIN * usual, _CEILING), count=len(cls), witnesses=len(coherences)
    )


def leave_one_out_similarity(cls: FloatArray, groups: Sequence[int] | None = None) -> FloatArray:
    """Similarity of each of M reference images (M, D') to its nearest one of another group, each group told once; empty
    for fewer than two groups. Without ``groups`` each image is its own."""
    numbers = np.arange(len(cls)) if groups is None else np.asarray(groups)
    firsts = np.unique(numbers, return_index=True)[1]
    if len(firsts) < 2:
        return np.empty(0, dtype=np.float32)
    similarity = cls[firsts] @ cls.T
    similarity[numbers[firsts][:, None] == numbers[None, :]] = -1.0
    return np.asarray(similarity.max(axis=1), dtype=np.float32)


def _witnesses(hits: Sequence[RouterHit], class_name: str) -> list[str]:
    return [hit.image_id for hit in hits if hit.class_name == class_name][:WITNESSES]
