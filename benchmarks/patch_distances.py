"""Patch distances between all pairs of images, so that any split into references and others can be scored offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from patchbank.arrays import IntArray
from patchbank.bank.manifest import ScoringRule
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.embedding import Embedding
from patchbank.images import read_image
from patchbank.scoring.anomaly_map import map_peak
from patchbank.scoring.image_score import image_score
from patchbank.scoring.inspected_area import InspectedArea
from patchbank.teaching.normal_scores import NormalScore


class PatchDistances:
    """For all pairs of images i and j: the cosine distance of every patch of i to the nearest patch of j.

    N images of P patches take 4 x N x N x P bytes (300 images of 1,024 patches: 370 MB). Scores made of them are those
    of an exhaustive search, which are the ones the service decides by.
    """

    def __init__(self, embeddings: Sequence[Embedding], rule: ScoringRule | None = None) -> None:
        rule = rule or ScoringRule()
        if rule.neighbours != 1:
            raise ValueError("only the nearest patch is kept")
        self._rule = rule
        self._grids = [embedding.grid for embedding in embeddings]
        count = len(embeddings)
        self._nearest = [np.empty((len(embedding.patches), count), dtype=np.float32) for embedding in embeddings]
        for i, embedding in enumerate(embeddings):
            for j in range(i, count):
                similarity = embedding.patches @ embeddings[j].patches.T
                self._nearest[i][:, j] = np.maximum(1.0 - similarity.max(axis=1), 0.0)
                self._nearest[j][:, i] = np.maximum(1.0 - similarity.max(axis=0), 0.0)

    @classmethod
    def of_files(cls, embedder: Embedder, files: Sequence[Path]) -> PatchDistances:
        """Embed every file once."""
        return cls([embedder.embed(read_image(file)) for file in files])

    def __len__(self) -> int:
        return len(self._grids)

    def score(self, image: int, references: IntArray) -> NormalScore:
        """Scores of an image by a bank of these references; it is left out of the bank where it is one of them."""
        others = references[references != image]
        grid = self._grids[image]
        scores = self._nearest[image][:, others].min(axis=1).reshape(grid)
        peak = map_peak(scores, self._rule, InspectedArea.everything(grid))
        return NormalScore(image_score(scores, self._rule), peak)
