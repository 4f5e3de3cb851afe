"""Patches that wait until a coreset is chosen from them, in a file where they are many."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from patchbank.arrays import FloatArray, IntArray
from patchbank.teaching.shelf import Shelf


class HeldPatches:
    """``Rows``: patches (N, D) of images, in the order in which they were added. The first 256 MB are in memory. Close
    it when done."""

    def __init__(self, folder: Path | None = None) -> None:
        """The file is made in ``folder``, or where temporary files are."""
        self._shelf = Shelf(folder=folder)
        self._images: list[str] = []
        self._numbers: list[int] = []
        self._cells: list[IntArray] = []
        self._begins = [0]

    def __len__(self) -> int:
        return self._begins[-1]

    def add(self, image_id: str, cells: IntArray, vectors: FloatArray) -> None:
        """Add patches of an image: (row, column) of each of ``vectors`` (M, D)."""
        if len(vectors):
            self._images.append(image_id)
            self._cells.append(cells)
            self._numbers.append(self._shelf.put(vectors))
            self._begins.append(len(self) + len(vectors))

    def rows(self, begin: int, end: int) -> FloatArray:
        """Those from ``begin`` to ``end``."""
        first, last = np.searchsorted(self._begins, (begin, end), side="right") - 1
        last = min(int(last), len(self._numbers) - 1)
        start = self._begins[first]
        held = np.concatenate([self._shelf.take(number) for number in self._numbers[first : last + 1]])
        return held[begin - start : end - start]

    def gather(self, places: IntArray) -> FloatArray:
        """Those at these places, which ascend."""
        cuts = self._cuts(places)
        return np.concatenate(
            [
                self._shelf.take(self._numbers[block])[places[first:last] - self._begins[block]]
                for block, (first, last) in enumerate(pairwise(cuts))
                if last > first
            ]
        )

    def named(self, places: IntArray) -> tuple[list[str], IntArray]:
        """Image id and (row, column) of those at these places, which ascend."""
        cuts = self._cuts(places)
        ids: list[str] = []
        cells = []
        for block, (first, last) in enumerate(pairwise(cuts)):
            if last > first:
                ids += [self._images[block]] * int(last - first)
                cells.append(self._cells[block][places[first:last] - self._begins[block]])
        return ids, np.concatenate(cells)

    def _cuts(self, places: IntArray) -> IntArray:
        return np.searchsorted(places, self._begins).astype(np.int64)

    def close(self) -> None:
        """Give memory and file back."""
        self._shelf.close()
