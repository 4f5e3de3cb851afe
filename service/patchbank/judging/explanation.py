"""Which normal patch a patch of an image was compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from patchbank.bank.names import PatchId
from patchbank.bank.search import PatchScores
from patchbank.bank.store import Bank
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.embedding import Embedding
from patchbank.embedding.turned import source_cell
from patchbank.errors import EmptyBank, InvalidParameters
from patchbank.images import cell_box
from patchbank.judging.verdict import NearestPatch
from patchbank.scoring.foreground import foreground_mask
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.scoring.regions import Cell, Region


@dataclass(frozen=True)
class Compared:
    """One patch of an image beside its nearest normal patch.

    ``box`` (left, top, right, bottom) is the patch in the image's pixels, right and bottom exclusive. ``counts`` is
    False where it lies outside of what is inspected, or in the background: it is in no score then. ``source`` says
    where the reference came from.
    """

    class_name: str
    bank_version: str
    box: tuple[int, int, int, int]
    counts: bool
    nearest: NearestPatch
    source: str
    warnings: tuple[str, ...] = ()


def nearest_normal(
    bank: Bank, embedder: Embedder, embedding: Embedding, scores: PatchScores, region: Region
) -> NearestPatch:
    """The normal patch that a region's peak was compared with, and its place in its reference image."""
    return _in_its_reference(bank, embedder, *scores.nearest_patch(*_cell_at(embedding, region.peak)))[0]


def compared_at(
    bank: Bank, embedder: Embedder, embedding: Embedding, areas: InspectedAreas, point: tuple[int, int]
) -> Compared:
    """The patch at a ``point`` (x, y) of an image, in its pixels, beside its nearest normal patch, which is searched
    exhaustively. Raises ``InvalidParameters`` for a point beside the image, and ``EmptyBank``."""
    size, manifest = embedding.geometry.image, bank.manifest
    if not all(0 <= place < length for place, length in zip(point, size, strict=True)):
        raise InvalidParameters(
            f"x, y: {point[0]}, {point[1]} is not in the image, which has {size[0]} x {size[1]} pixels"
        )
    row, column = _cell_at(embedding, point)
    area = areas.on(embedding.grid)
    counts = area.cells
    if manifest.foreground is not None and not area.is_empty:
        counts = foreground_mask(manifest.foreground, embedding.patches, area)
    query = embedding.patches[row * embedding.grid[1] + column][np.newaxis]
    found = bank.nearest(query, 1, exact=True)
    distance = float(found.distances[0, 0])
    if not np.isfinite(distance):
        raise EmptyBank("the bank holds no patch to compare with")
    nearest, source = _in_its_reference(bank, embedder, PatchId.from_bytes(found.ids[0, 0]), distance)
    box = cell_box(size, embedding.grid, row, column)
    return Compared(manifest.class_name, manifest.version, box, bool(counts[row, column]), nearest, source)


def _cell_at(embedding: Embedding, point: tuple[int, int]) -> Cell:
    """Row and column of the patch that covers a pixel (x, y)."""
    (width, height), (rows, columns) = embedding.geometry.image, embedding.grid
    x, y = point
    return min(y * rows // height, rows - 1), min(x * columns // width, columns - 1)


def _in_its_reference(bank: Bank, embedder: Embedder, patch: PatchId, distance: float) -> tuple[NearestPatch, str]:
    """A normal patch as a place of its reference image, and where that came from."""
    reference = bank.reference(patch.image_id)
    size, grid = (reference.width, reference.height), (reference.rows, reference.columns)
    cell = (patch.row, patch.column)
    if patch.turn:  # the nearest patch is of a turned copy: shown is the cell of the picture that it came from
        scales = bank.manifest.scales
        original, copy = (embedder.geometry(size, scales, turn) for turn in (0, patch.turn))
        cell = source_cell(original, copy, patch.turn, cell)
    box = cell_box(size, grid, *cell)
    return NearestPatch(reference.image_id, reference.name, box, distance, *size), reference.source
