"""Learns how finely a class's pictures are seen."""

from __future__ import annotations

from collections.abc import Sequence

from patchbank.bank.manifest import Manifest
from patchbank.bank.resolution import Resolution
from patchbank.embedding.preprocess import Geometry


def resolution_of(geometry: Geometry) -> Resolution:
    """The resolution of one picture."""
    return Resolution(picture=geometry.image, inputs=geometry.inputs, grid=geometry.finest or geometry.grid)


def usual_resolution(added: Sequence[Geometry], known: Manifest | None = None) -> Resolution | None:
    """That of the middle one of the references ``added``, by pixels per patch; None where there are none. A class that
    is ``known`` keeps its own, unless it has fewer references than are added."""
    if known is not None and len(added) <= known.references:
        return known.resolution
    ranked = sorted(map(resolution_of, added), key=lambda seen: seen.patch_pixels)
    return ranked[len(ranked) // 2] if ranked else None
