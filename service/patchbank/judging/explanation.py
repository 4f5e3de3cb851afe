"""Which normal patch a region was compared with."""

from __future__ import annotations

from patchbank.bank.search import PatchScores
from patchbank.bank.store import Bank
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.embedding import Embedding
from patchbank.embedding.turned import source_cell
from patchbank.images import cell_box
from patchbank.judging.verdict import NearestPatch
from patchbank.scoring.regions import Region


def nearest_normal(
    bank: Bank, embedder: Embedder, embedding: Embedding, scores: PatchScores, region: Region
) -> NearestPatch:
    """The normal patch that a region's peak was compared with, and its place in its reference image."""
    (width, height), (rows, columns) = embedding.geometry.image, embedding.grid
    x, y = region.peak
    row, column = min(y * rows // height, rows - 1), min(x * columns // width, columns - 1)
    patch, distance = scores.nearest_patch(row, column)
    reference = bank.reference(patch.image_id)
    size, grid = (reference.width, reference.height), (reference.rows, reference.columns)
    cell = (patch.row, patch.column)
    if patch.turn:  # the nearest patch is of a turned copy: shown is the cell of the picture that it came from
        scales = bank.manifest.scales
        original, copy = (embedder.geometry(size, scales, turn) for turn in (0, patch.turn))
        cell = source_cell(original, copy, patch.turn, cell)
    return NearestPatch(reference.image_id, reference.name, cell_box(size, grid, *cell), distance)
