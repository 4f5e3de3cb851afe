"""What a bank in work thinks of normal images it does not hold: the ground its limits stand on."""

from __future__ import annotations

from typing import Final

import numpy as np

from service.bank.manifest import RetrievalLimit, ScoringRule
from service.bank.search import search_patches
from service.bank.store import Draft, FloatArray
from service.embedding.embedder import Embedding
from service.scoring.anomaly_map import score_demand
from service.scoring.class_retrieval import WITNESSES, retrieval_limit
from service.scoring.coherence import least_coherence
from service.scoring.image_score import image_score

WITNESSED: Final = 40
"""References that are left out in turn to learn a class's usual coherence."""


class Calibrator:
    """Asks a sealed draft. ``kept`` are embeddings of some references by image id; where the bank holds ``whole``
    images, their patches need not be read back."""

    def __init__(self, draft: Draft, rule: ScoringRule, kept: dict[str, Embedding], *, whole: bool) -> None:
        self._draft = draft
        self._rule = rule
        self._kept = kept
        self._whole = whole

    def score(self, embedding: Embedding, left_out: str | None = None) -> float:
        """Image score against the bank, without the patches of the image ``left_out``."""
        found = search_patches(
            self._draft,
            embedding.patches,
            embedding.grid,
            self._rule.neighbours,
            score_demand(self._rule),
            exclude_image=left_out,
        )
        return image_score(found.scores, self._rule)

    def retrieval_limit(self, known: RetrievalLimit | None) -> RetrievalLimit:
        """How near a picture must be to be of this class, from references left out one by one.

        An extended bank keeps the coherence of its ``known`` limit: more references can only bring a picture nearer.
        """
        image_ids, cls = self._draft.cls_vectors()
        if known is not None:
            limit = retrieval_limit(cls, [])
            return limit.model_copy(update={"coherence": known.coherence, "witnesses": known.witnesses})
        coherences = []
        for image_id, embedding in list(self._kept.items())[:WITNESSED]:
            order = np.argsort(-(cls @ embedding.cls))
            others = [image_ids[place] for place in order if image_ids[place] != image_id]
            found = [self._patches_of(other) for other in others[:WITNESSES]]
            coherences.append(least_coherence(embedding.patches, found))
        return retrieval_limit(cls, coherences)

    def _patches_of(self, image_id: str) -> FloatArray:
        if self._whole and image_id in self._kept:
            return self._kept[image_id].patches
        return self._draft.image_patches(image_id)
