"""Whether an image differs from a reference in places, or as a whole.

A defect moves some patches, each in its own direction. Another product moves nearly all patches in the same direction.
So when the CLS embedding is far from every reference, the patches are compared: each one is matched with the most
similar patch of one reference image, the worst matches are set aside as possible defects, and the residuals of the rest
are averaged. Residuals in random directions cancel out; a shared direction remains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray

_TRUSTED: Final = 0.75
"""Share of the matches that count: the best ones."""

_SAMPLE: Final = 512
"""Patches compared, spread evenly; this many tell as much as all of them."""


def least_coherence(patches: FloatArray, references: Sequence[FloatArray]) -> float:
    """The least coherence of an image with any of the references; 1 where the image has no patches, or a coreset kept
    no patch of any reference."""
    if not len(patches):
        return 1.0
    return min((coherence(patches, reference) for reference in references if len(reference)), default=1.0)


def coherence(patches: FloatArray, reference: FloatArray) -> float:
    """Length of the mean residual over the mean length of the residuals, 0 (all directions) to 1 (one direction).

    ``patches`` (N, D) are the image's, ``reference`` (M, D) those of one reference image, both L2-normalised. An image
    that equals the reference has no residuals: its coherence is 0.
    """
    sample = patches[:: -(-len(patches) // _SAMPLE)]
    similarity = sample @ reference.T
    nearest = similarity.argmax(axis=1)
    best = np.take_along_axis(similarity, nearest[:, None], axis=1)[:, 0]
    trusted = np.argsort(-best, kind="stable")[: max(1, int(_TRUSTED * len(sample)))]
    residuals = sample[trusted] - reference[nearest[trusted]]
    spread = float(np.linalg.norm(residuals, axis=1).mean())
    return float(np.linalg.norm(residuals.mean(axis=0))) / spread if spread > 1e-6 else 0.0
