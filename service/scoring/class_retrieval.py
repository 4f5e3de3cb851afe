"""Which product is it: a vote of the nearest reference images in CLS space, or nobody knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from service.bank.manifest import RetrievalLimit
from service.bank.store import RouterHit

FloatArray = npt.NDArray[np.float32]

_FLOOR: Final = 0.06
_MARGIN: Final = 3.0


@dataclass(frozen=True)
class Retrieval:
    """Outcome of class retrieval.

    ``class_name`` None means unknown product. ``confidence`` is the winner's share of the vote, ``scores`` every
    voted class's share, ``similarity`` the cosine similarity that was held against the winner's limit.
    """

    class_name: str | None
    confidence: float
    scores: dict[str, float]
    similarity: float


def vote(hits: Sequence[RouterHit], limits: Mapping[str, RetrievalLimit]) -> Retrieval:
    """Similarity-weighted vote of the nearest reference images.

    The winner stands only if the image is at least as similar to it as ``limits`` ask: the product is unknown
    otherwise, and where there is no hit at all.
    """
    if not hits:
        return Retrieval(None, 0.0, {}, 0.0)
    weights: dict[str, float] = {}
    nearest: dict[str, float] = {}
    for hit in hits:
        weights[hit.class_name] = weights.get(hit.class_name, 0.0) + max(hit.similarity, 0.0)
        nearest[hit.class_name] = max(nearest.get(hit.class_name, -1.0), hit.similarity)
    total = sum(weights.values()) or 1.0
    scores = {name: weight / total for name, weight in sorted(weights.items(), key=lambda item: -item[1])}
    winner = max(scores, key=lambda name: (scores[name], nearest[name]))
    known = nearest[winner] >= limits[winner].similarity
    return Retrieval(winner if known else None, scores[winner], scores, nearest[winner])


def leave_one_out_similarity(vectors: FloatArray) -> FloatArray:
    """Similarity of each of M reference images (M, D') to its nearest other one; empty for fewer than two."""
    if len(vectors) < 2:
        return np.empty(0, dtype=np.float32)
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -1.0)
    return np.asarray(similarity.max(axis=1), dtype=np.float32)


def retrieval_limit(vectors: FloatArray) -> RetrievalLimit:
    """The similarity that an image must have to its nearest reference to be of this class."""
    own = leave_one_out_similarity(vectors)
    distance = max(_FLOOR, _MARGIN * float(np.median(1.0 - own))) if own.size else _FLOOR
    return RetrievalLimit(similarity=1.0 - distance, neighbours=1, count=len(vectors))
