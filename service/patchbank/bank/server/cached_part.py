"""A finished part on a Qdrant server, searched and read in this process's memory where it is kept there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.forwarding import Forwarding
from patchbank.bank.part import Part
from patchbank.bank.server.collection import ServerCollection
from patchbank.bank.server.patch_cache import PatchCache
from patchbank.bank.store import Neighbours

GRAPH_FROM: Final = 40_000
"""From so many patches on, the first look at an image is faster by the server's graph (docs/search.md)."""


class CachedPart(Forwarding):
    """``collection``, which holds what ``part`` says. Everything but patches comes from the server."""

    def __init__(self, collection: ServerCollection, part: Part, cache: PatchCache) -> None:
        self._collection = collection
        self._part = part
        self._cache = cache

    def _content(self) -> ServerCollection:
        return self._collection

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Sequence[str] = ()
    ) -> Neighbours:
        """In memory where the part is kept there, but for first looks at large parts."""
        if not exact and self._part.indexed and self._part.patches >= GRAPH_FROM:
            self._cache.pass_on()
            return super().nearest(queries, k, exact=exact, exclude_images=exclude_images)
        index = self._cache.find(self._collection.name, self._part.patches, queries.shape[1], self._collection.patches)
        if index is None:
            return super().nearest(queries, k, exact=exact, exclude_images=exclude_images)
        return index.nearest(queries, k, exclude_images, exact=exact)

    def image_patches(self, image_id: str) -> FloatArray:
        """Patches (M, D) of one reference image; class retrieval compares those of several with each image."""
        index = self._cache.peek(self._collection.name)
        patches = super().image_patches(image_id) if index is None else index.of_image(image_id)
        return patches if len(patches) else np.empty((0, 0), dtype=np.float32)
