"""Reads the patches of a bank, image by image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from patchbank.arrays import BoolArray, FloatArray
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import PatchId
from patchbank.bank.reference import Reference
from patchbank.bank.store import Bank
from patchbank.embedding.embedding import Embedding
from patchbank.embedding.preprocess import Geometry
from patchbank.scoring.foreground import foreground_mask
from patchbank.scoring.inspected_area import InspectedArea, InspectedAreas


@dataclass(frozen=True)
class ReferencePatches:
    """A reference image and its patches (M, D) in the bank, by row and column.

    ``whole`` is True where these are all its patches, without turned copies, and False where they are what a coreset
    kept. ``counts`` bool (M,) is False for masked background. ``area`` says which cells are inspected; the bank holds
    no others.
    """

    reference: Reference
    vectors: FloatArray
    counts: BoolArray
    whole: bool
    area: InspectedArea

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the picture's own grid."""
        return self.reference.rows, self.reference.columns

    @property
    def cells(self) -> int:
        """Number of inspected patches of the picture."""
        return int(np.count_nonzero(self.area.cells))

    def on_grid(self, bank: Bank, values: FloatArray) -> FloatArray:
        """Values (M,) of the patches, placed on the grid (rows, columns); 0 where the bank holds no patch."""
        spread = np.zeros(self.grid, dtype=np.float32)
        if self.whole:
            spread[self.area.cells] = values
            return spread
        nearest = bank.nearest(self.vectors, 4, exact=True)
        for value, ids in zip(values, nearest.ids, strict=True):
            for point in ids:
                patch = PatchId.from_bytes(point)
                if patch.image_id == self.reference.image_id and patch.turn == 0:
                    spread[patch.row, patch.column] = value
                    break
        return spread


def read_patches(bank: Bank, reference: Reference, areas: InspectedAreas) -> ReferencePatches:
    """Read one image's patches from a bank whose class has these ``areas``. It needs neither a backbone nor the
    picture's file."""
    manifest: Manifest = bank.manifest
    vectors = bank.image_patches(reference.image_id)
    area = areas.on((reference.rows, reference.columns))
    held = int(np.count_nonzero(area.cells))
    whole = manifest.coreset is None and len(vectors) >= held
    if not whole:
        return ReferencePatches(reference, vectors, np.ones(len(vectors), dtype=np.bool_), whole, area)
    vectors = vectors[:held]  # turned copies have higher rows
    counts = np.ones(held, dtype=np.bool_)
    if manifest.foreground is not None:
        spread = np.zeros((area.cells.size, vectors.shape[1]), dtype=np.float32)
        spread[area.cells.ravel()] = vectors
        counts = foreground_mask(manifest.foreground, spread, area)[area.cells]
    return ReferencePatches(reference, vectors, counts, whole, area)


def taught_embedding(bank: Bank, reference: Reference, areas: InspectedAreas) -> Embedding:
    """A reference's embedding out of a bank that holds all its inspected patches, as it is scored; 0 elsewhere, and
    without CLS."""
    held = read_patches(bank, reference, areas)
    patches = np.zeros((held.area.cells.size, held.vectors.shape[1]), dtype=np.float32)
    patches[held.area.cells.ravel()] = held.vectors
    size = (reference.width, reference.height)
    geometry = Geometry(size, size, held.grid)  # what the network's input was plays no part in scoring
    return Embedding(patches, np.zeros(bank.manifest.cls_dim, dtype=np.float32), geometry)
