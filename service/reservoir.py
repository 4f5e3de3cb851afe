"""A fair sample of a stream whose length is not known beforehand."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np

Item = TypeVar("Item")


class Reservoir(Generic[Item]):
    """Keeps at most ``size`` of the items put in, each with the same chance (Vitter 1985, algorithm R).

    The first ones of a folder would not do: files are sorted, and what was photographed together lies together.
    """

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self._size = size
        self._rng = rng
        self._seen = 0
        self.items: list[Item] = []

    def put(self, item: Item) -> None:
        """Offer one more item; it, or one put in earlier, may be dropped."""
        self._seen += 1
        if len(self.items) < self._size:
            self.items.append(item)
            return
        place = int(self._rng.integers(self._seen))
        if place < self._size:
            self.items[place] = item
