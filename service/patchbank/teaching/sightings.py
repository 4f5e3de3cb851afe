"""Sorts a class's references into groups that show the same, and into series, as they come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from patchbank.bank.reference import Reference
from patchbank.teaching.groups import Groups
from patchbank.teaching.same_part import SameParts
from patchbank.text import storable


class Sightings:
    """Groups references by what they show; ``known`` are those that the class has already. With ``apart`` none shows
    the same as another. ``series`` names the series of files; what shows the same as an earlier picture joins its
    series."""

    def __init__(
        self, known: Iterable[Reference] = (), series: Mapping[Path, str] | None = None, *, apart: bool = False
    ) -> None:
        self._parts = SameParts()
        self._apart = apart
        self._named = {file: storable(name) for file, name in (series or {}).items()}
        self._numbers: dict[str, int] = {}
        self._series: dict[str, str] = {}
        self._series_of_group: dict[int, str] = {}
        self._next = 0
        self._firsts: dict[int, str] = {}
        self._group_of: dict[str, int] = {}
        for reference in known:
            self._enter(reference.image_id, self._known_group(reference), reference.series)

    def _known_group(self, reference: Reference) -> int:
        """The group of a reference that the class has already; where it is stored, pictures need not be compared."""
        if self._apart or not reference.same_as:
            return self.group_of(reference.thumbnail)
        group = self._group_of.get(reference.same_as)
        if group is None:
            group = self._group_of[reference.same_as] = self._parts.add_first(reference.thumbnail)
        return group

    def group_of(self, thumbnail: bytes) -> int:
        """The number of the group that a picture, given as an encoded thumbnail, belongs to."""
        if self._apart:
            self._next += 1
            return self._next
        return self._parts.add(thumbnail)

    def series_of(self, file: Path) -> str:
        """The series that a file is named to be of; empty where it is alone."""
        return self._named.get(file, "")

    def put(self, image_id: str, group: int, file: Path) -> str:
        """Enter a reference into its group; the series that it is then of, empty where it is alone."""
        return self._enter(image_id, group, self.series_of(file))

    def first_of(self, group: int) -> str:
        """The image id of the first reference of a group."""
        return self._firsts[group]

    def _enter(self, image_id: str, group: int, named: str) -> str:
        self._numbers[image_id] = group
        self._firsts.setdefault(group, image_id)
        self._series[image_id] = self._series_of_group.setdefault(group, named)
        return self._series[image_id]

    def groups(self) -> Groups:
        """The groups so far."""
        return Groups(self._numbers, self._series)
