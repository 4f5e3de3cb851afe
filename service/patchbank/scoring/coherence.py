"""Whether an image differs from a reference in places, or as a whole.

A defect moves some patches, each in its own direction. Another product moves nearly all patches in the same direction.
So when the CLS embedding is far from every reference, the patches are compared: each one is matched with the most
similar patch of one reference image, the worst matches are set aside as possible defects, and the residuals of the rest
are averaged. Residuals in random directions cancel out; a shared direction remains.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.scoring.most_alike import MostAlike

_TRUSTED: Final = 0.75
"""Share of the matches that count: the best ones."""

_SAMPLE: Final = 512
"""Patches compared, spread evenly; this many tell as much as all of them."""


def least_coherence(patches: FloatArray, references: Iterable[FloatArray], most_alike: MostAlike) -> float:
    """The least coherence of an image with any of the references; 1 where the image has no patches, or a coreset kept
    no patch of any reference."""
    return min(_coherences(patches, references, most_alike), default=1.0)


def is_coherent(patches: FloatArray, references: Iterable[FloatArray], limit: float, most_alike: MostAlike) -> bool:
    """Whether the least coherence is at most the ``limit``, below 1; no reference is asked for after one that shows
    it."""
    return any(each <= limit for each in _coherences(patches, references, most_alike))


def _coherences(patches: FloatArray, references: Iterable[FloatArray], most_alike: MostAlike) -> Iterator[float]:
    if len(patches):
        yield from (coherence(patches, reference, most_alike) for reference in references if len(reference))


def coherence(patches: FloatArray, reference: FloatArray, most_alike: MostAlike) -> float:
    """Length of the mean residual over the mean length of the residuals, 0 (all directions) to 1 (one direction).

    ``patches`` (N, D) are the image's, ``reference`` (M, D) those of one reference image, both L2-normalised. An image
    that equals the reference has no residuals: its coherence is 0.
    """
    sample = patches[:: -(-len(patches) // _SAMPLE)]
    nearest = reference[most_alike.places(sample, reference.T)]
    best = np.einsum("ij,ij->i", sample, nearest)
    trusted = np.argsort(-best, kind="stable")[: max(1, int(_TRUSTED * len(sample)))]
    residuals = sample[trusted] - nearest[trusted]
    spread = float(np.linalg.norm(residuals, axis=1).mean())
    return float(np.linalg.norm(residuals.mean(axis=0))) / spread if spread > 1e-6 else 0.0
