"""Adds patches to a draft: all of them, or a coreset chosen part by part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from patchbank.arrays import BoolArray, FloatArray, IntArray
from patchbank.bank.coreset import PART, select_coreset
from patchbank.bank.manifest import Coreset
from patchbank.bank.names import TURN_ROWS
from patchbank.embedding.embedding import Embedding
from patchbank.embedding.stream import Seen
from patchbank.embedding.turned import source_cells
from patchbank.progress import Progress, Stage
from patchbank.scoring.inspected_area import InspectedAreas


class PatchSink(Protocol):
    """What patches are fed to, such as a draft."""

    def add_patches(self, image_ids: Sequence[str], cells: IntArray, vectors: FloatArray) -> None:
        """Add patches: image id and (row, column) of each of ``vectors`` (M, D)."""
        ...


def _any_number(references: int, patches: int) -> None:
    """There is room for all."""


class PatchFeed:
    """Feeds a draft.

    ``ratio`` is the share of patches to keep; it is lowered where the expected total would not fit into ``room``.
    ``require_space`` is asked once, with the expected numbers of images and of patches that are kept.
    Patches outside of the inspected ``areas`` are left out of everything. At most one part (16,384 patches and one
    image) is held in memory.
    """

    def __init__(
        self,
        draft: PatchSink,
        ratio: float,
        room: int,
        images: int,
        areas: InspectedAreas,
        progress: Progress,
        require_space: Callable[[int, int], None] = _any_number,
    ) -> None:
        self._require_space = require_space
        self._expects = False
        self._draft = draft
        self._ratio = ratio
        self._room = room
        self._images = images
        self._progress = progress
        self._areas = areas
        self._rng = np.random.default_rng(0)
        self._ids: list[str] = []
        self._cells: list[IntArray] = []
        self._vectors: list[FloatArray] = []
        self._held = 0
        self._seen = 0
        self._passed = 0
        self._radius = 0.0
        self._stage: Stage | None = None

    @property
    def coreset(self) -> Coreset | None:
        """Facts about the coreset; None where every patch was kept."""
        if self._ratio >= 1.0:
            return None
        return Coreset(ratio=self._ratio, seen=self._seen, radius=self._radius)

    def expect(self, seen: Seen) -> None:
        """Reckon with the first image what all of them will be, before any is added. Raises what ``require_space``
        raises."""
        self._expects = True
        cells = self._areas.on(seen.embedding.grid).cells
        expected = self._images * int(np.count_nonzero(cells)) * (1 + len(seen.turned))
        self._ratio = min(self._ratio, self._room / expected)
        self._require_space(self._images, int(self._ratio * expected))
        if self._ratio < 1.0:
            self._stage = self._progress.begin("choosing the coreset", int(self._ratio * expected))

    def add(self, seen: Seen) -> None:
        """Take all inspected patches of one image and of its turned copies. Cells of a copy that lie outside the
        picture are left out."""
        if not self._expects:
            self.expect(seen)
        cells = self._areas.on(seen.embedding.grid).cells
        self._take(seen.picture.image_id, seen.embedding, 0, cells.ravel())
        for turn, copy in seen.turned:
            down, across = source_cells(seen.embedding.geometry, copy.geometry, turn).T
            self._take(seen.picture.image_id, copy, turn, (down >= 0) & cells[down, across])
        if self._ratio >= 1.0 or self._held >= PART:
            self._pass_on()

    def _take(self, image_id: str, embedding: Embedding, turn: int, chosen: BoolArray) -> None:
        rows, columns = embedding.grid
        cells = np.stack(np.divmod(np.arange(rows * columns), columns), axis=1)[chosen]
        cells[:, 0] += turn * TURN_ROWS
        count = len(cells)
        self._ids += [image_id] * count
        self._cells.append(cells)
        self._vectors.append(embedding.patches[chosen])
        self._held += count
        self._seen += count

    def finish(self) -> None:
        """Add what is still held."""
        if self._held:
            self._pass_on()
        if self._stage is not None:
            self._stage.done()

    def _pass_on(self) -> None:
        vectors, cells = np.concatenate(self._vectors), np.concatenate(self._cells)
        ids = self._ids
        if self._stage is not None:
            count = max(1, min(int(self._ratio * len(vectors)), self._room - self._passed))
            selection = select_coreset(vectors, count, self._rng, self._stage.advance)
            self._radius = max(self._radius, selection.radius)
            vectors, cells = vectors[selection.kept], cells[selection.kept]
            ids = [ids[place] for place in selection.kept]
        self._draft.add_patches(ids, cells, vectors)
        self._passed += len(vectors)
        self._ids, self._cells, self._vectors, self._held = [], [], [], 0
