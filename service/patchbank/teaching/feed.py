"""Adds patches to a draft: all of them, or a coreset of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import numpy as np

from patchbank.arrays import BoolArray, FloatArray, IntArray
from patchbank.bank.coreset import at_once, select_coreset
from patchbank.bank.manifest import Coreset
from patchbank.bank.names import TURN_ROWS
from patchbank.embedding.embedding import Embedding
from patchbank.embedding.stream import Seen
from patchbank.embedding.turned import source_cells
from patchbank.progress import Progress
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.teaching.coreset_notice import CoresetNotice, Tell, say_nothing
from patchbank.teaching.held_patches import HeldPatches

_AT_ONCE: Final = 4_096


class PatchSink(Protocol):
    """What patches are fed to, such as a draft."""

    def add_patches(self, image_ids: Sequence[str], cells: IntArray, vectors: FloatArray) -> None:
        """Add patches: image id and (row, column) of each of ``vectors`` (M, D)."""
        ...


def _any_number(references: int, patches: int) -> None:
    """There is room for all."""


class PatchFeed:
    """Feeds a draft. Close it when done.

    ``ratio`` is the share of patches to keep; it is lowered where the expected total would not fit into ``room``.
    ``require_space`` is asked once, with the expected numbers of images and of patches that are kept. ``tell`` is
    called with what people should know of a coreset before one is chosen.
    Patches outside of the inspected ``areas`` are left out of everything. A coreset is chosen when all patches are
    there, or as many as it is chosen from at once; they wait in what ``hold`` makes.
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
        tell: Tell = say_nothing,
        hold: Callable[[], HeldPatches] = HeldPatches,
    ) -> None:
        self._require_space = require_space
        self._expects = False
        self._draft = draft
        self._ratio = ratio
        self._room = room
        self._images = images
        self._progress = progress
        self._areas = areas
        self._tell = tell
        self._rng = np.random.default_rng(0)
        self._hold = hold
        self._held = hold()
        self._seen = 0
        self._passed = 0
        self._radius = 0.0

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
        asked = self._ratio
        self._ratio = min(asked, self._room / expected)
        kept = int(self._ratio * expected)
        self._require_space(self._images, kept)
        if self._ratio < 1.0:
            self._tell(CoresetNotice(expected, kept, self._room, asked).line(seen.embedding.patches))

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
        if len(self._held) >= at_once(self._ratio):
            self._choose()

    def _take(self, image_id: str, embedding: Embedding, turn: int, chosen: BoolArray) -> None:
        rows, columns = embedding.grid
        cells = np.stack(np.divmod(np.arange(rows * columns), columns), axis=1)[chosen]
        cells[:, 0] += turn * TURN_ROWS
        vectors = embedding.patches[chosen]
        if not len(cells):
            return
        self._seen += len(cells)
        if self._ratio >= 1.0:
            self._draft.add_patches([image_id] * len(cells), cells, vectors)
        else:
            self._held.add(image_id, cells, vectors)

    def finish(self) -> None:
        """Add what is still held, and close."""
        if len(self._held):
            self._choose()
        self.close()

    def _choose(self) -> None:
        """Add a coreset of what is held."""
        held = self._held
        count = max(1, min(int(self._ratio * len(held)), self._room - self._passed))
        stage = self._progress.begin("choosing the coreset", count)
        selection = select_coreset(held, count, self._rng, stage.advance)
        for begin in range(0, len(selection.kept), _AT_ONCE):
            places = selection.kept[begin : begin + _AT_ONCE]
            self._draft.add_patches(*held.named(places), held.gather(places))
        stage.done()
        self._radius = max(self._radius, selection.radius)
        self._passed += len(selection.kept)
        held.close()
        self._held = self._hold()

    def close(self) -> None:
        """Give back what waits."""
        self._held.close()
