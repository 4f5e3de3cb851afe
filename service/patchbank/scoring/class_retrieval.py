"""Which product is it: the nearest reference images in CLS space vote, their patches are asked in doubt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.manifest import RetrievalLimit
from patchbank.bank.store import RouterHit

WITNESSES: Final = 5
"""Reference images of a class whose patches are asked."""

HITS_PER_VOTE: Final = 4
"""So many times the voters are fetched, so that a class on the brink has witnesses too."""

_SURE: Final = 2.0
"""An image this many times the references' median distance from its class, or nearer, is taken for it at once."""

_MARGIN: Final = 1.8
"""Coherence, over the references' median, from which an image is another product (docs/class-retrieval.md)."""

_CEILING: Final = 0.39
"""Coherence that no product reaches by itself; few references can have a high median."""

_CANDIDATES: Final = 3

CoherenceOf = Callable[[str, Sequence[str]], float]
"""(class, image ids of references) -> least coherence of the image with any of them."""


@dataclass(frozen=True)
class Retrieval:
    """Outcome of class retrieval.

    ``class_name`` None means unknown product. ``confidence`` is that class's (or else the winner's) share of the
    vote, ``scores`` every voted class's share, ``similarity`` the cosine similarity to its nearest reference.
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
    """Similarity-weighted vote of the ``voters`` nearest of ``hits``, most similar first.

    The winner stands at once where the image is as similar to it as its references are to each other. Otherwise
    the classes near enough are held against their limits of coherence, the best one stands, and if none does the
    product is unknown. It is unknown too where there is no hit at all, and in doubt where the patches can't be asked.
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


def retrieval_limit(cls: FloatArray, coherences: Sequence[float]) -> RetrievalLimit:
    """Limits of a class from its own references, left out one by one.

    ``cls`` (M, D') are their CLS embeddings, ``coherences`` those of some of them with their nearest others.
    """
    own = leave_one_out_similarity(cls)
    distance = _SURE * float(np.median(1.0 - own)) if own.size else 0.0
    usual = float(np.median(coherences)) if len(coherences) else _CEILING
    return RetrievalLimit(
        similarity=1.0 - distance, coherence=min(_MARGIN * usual, _CEILING), count=len(cls), witnesses=len(coherences)
    )


def leave_one_out_similarity(cls: FloatArray) -> FloatArray:
    """Similarity of each of M reference images (M, D') to its nearest other one; empty for fewer than two."""
    if len(cls) < 2:
        return np.empty(0, dtype=np.float32)
    similarity = cls @ cls.T
    np.fill_diagonal(similarity, -1.0)
    return np.asarray(similarity.max(axis=1), dtype=np.float32)


def _witnesses(hits: Sequence[RouterHit], class_name: str) -> list[str]:
    return [hit.image_id for hit in hits if hit.class_name == class_name][:WITNESSES]
