"""Sorts a class's references into groups that show the same, as they come."""

from __future__ import annotations

from collections.abc import Iterable

from patchbank.bank.store import Reference
from patchbank.teaching.groups import Groups
from patchbank.teaching.same_part import SameParts


class Sightings:
    """Groups references by what they show; ``known`` are those that the class has already. With ``apart`` each is
    alone."""

    def __init__(self, known: Iterable[Reference] = (), *, apart: bool = False) -> None:
        self._parts = SameParts()
        self._apart = apart
        self._numbers: dict[str, int] = {}
        self._next = 0
        for reference in known:
            self.put(reference.image_id, self.group_of(reference.thumbnail))

    def group_of(self, thumbnail: bytes) -> int:
        """The number of the group that a picture, given as an encoded thumbnail, belongs to."""
        if self._apart:
            self._next += 1
            return self._next
        return self._parts.add(thumbnail)

    def put(self, image_id: str, group: int) -> None:
        """Enter a reference into its group."""
        self._numbers[image_id] = group

    def groups(self) -> Groups:
        """The groups so far."""
        return Groups(self._numbers)
