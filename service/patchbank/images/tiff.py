"""The directory of a TIFF file: tags and pages, read without its pixels.

Pillow cannot be asked: it does not open every TIFF, and reads whatever number of bytes a tag claims to have. Here a tag
costs 12 bytes (20 in a BigTIFF) until its values are asked for, and these are bounded.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

MAX_PAGES: Final = 1000
_MAX_VALUES: Final = 64
_MAX_TEXT: Final = 1000
_MAX_TAGS: Final = 4096
_MAX_OVERLAP: Final = 4
"""A decoder reads all values of all tags, so together they may be this many times as long as the file."""

_TYPES: Final = {1: "B", 2: "s", 3: "H", 4: "I", 6: "b", 7: "s", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q"}

_BYTES: Final = (1, 2, 6, 7)
_RATIOS: Final = (5, 10)

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, DESCRIPTION = 256, 257, 258, 259, 262, 270
ORIENTATION, SAMPLES, MAX_SAMPLE, PLANAR, PREDICTOR = 274, 277, 281, 284, 317
NEW_SUBFILE, SUBFILE, TILE_WIDTH, TILE_HEIGHT, SUB_IFDS, EXTRA, SAMPLE_FORMAT = 254, 255, 322, 323, 330, 338, 339
STRIP_OFFSETS, ROWS_PER_STRIP, TILE_OFFSETS = 273, 278, 324
DEPTH, DNG_VERSION = 32997, 50706


class BrokenTiff(ValueError):
    """The file's directory cannot be followed."""


@dataclass(frozen=True)
class _Entry:
    kind: int
    count: int
    place: int


class Page:
    """One directory. ``numbers`` and ``text`` give a tag's values."""

    def __init__(self, data: bytes, order: str, entries: dict[int, _Entry]) -> None:
        self._data = data
        self._order = order
        self._entries = entries

    def __contains__(self, tag: int) -> bool:
        return tag in self._entries

    def numbers(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """The tag's first values as whole numbers; ``default`` without the tag.

        Raises ``BrokenTiff`` for a tag without a value.
        """
        entry = self._entries.get(tag)
        letter = _TYPES.get(entry.kind, "s") if entry is not None else "s"
        if entry is None or letter in "sfd":
            return default
        if entry.count == 0:
            raise BrokenTiff(f"its tag {tag} has no value")
        values = _unpack(self._order + letter * min(entry.count, _MAX_VALUES), self._data, entry.place)
        return tuple(int(value) for value in values)

    def number(self, tag: int, default: int) -> int:
        """The tag's first value."""
        return next(iter(self.numbers(tag)), default)

    def text(self, tag: int) -> str:
        """The beginning of the tag's text."""
        entry = self._entries.get(tag)
        if entry is None or _TYPES.get(entry.kind) != "s":
            return ""
        return self._data[entry.place : entry.place + min(entry.count, _MAX_TEXT)].decode("latin-1")

    def count(self, tag: int) -> int:
        """How many values the tag has; 0 without the tag."""
        entry = self._entries.get(tag)
        return 0 if entry is None else entry.count

    @property
    def values(self) -> int:
        """How many values all tags have together, but for those that are bytes or text."""
        return sum(entry.count for entry in self._entries.values() if entry.kind not in _BYTES)

    @property
    def ratios(self) -> int:
        """How many of them are fractions."""
        return sum(entry.count for entry in self._entries.values() if entry.kind in _RATIOS)

    @property
    def is_reduced(self) -> bool:
        """Whether this is a smaller copy of another picture, such as a preview or a step of a pyramid."""
        return bool(self.number(NEW_SUBFILE, 0) & 1) or self.number(SUBFILE, 0) == 2

    @property
    def is_mask(self) -> bool:
        """Whether this is the transparency of another picture."""
        return bool(self.number(NEW_SUBFILE, 0) & 4)


def pages(data: bytes) -> list[Page]:
    """The pages of a TIFF or BigTIFF file, at most ``MAX_PAGES``. Raises ``BrokenTiff`` where there is none."""
    form = _Form.of(data)
    place = _unpack(form.pointer, data, form.first)[0]
    seen: set[int] = set()
    read: list[Page] = []
    while place and place not in seen and len(seen) < MAX_PAGES:
        seen.add(place)
        try:
            page, place = _page(data, form, place)
        except BrokenTiff:
            if read:
                break  # what follows the first picture is no other one
            raise
        read.append(page)
    if not read:
        raise BrokenTiff("no page")
    return read


@dataclass(frozen=True)
class _Form:
    """How the numbers of a directory are written; classic TIFF and BigTIFF differ."""

    order: str
    first: int
    count: str
    entry: str
    pointer: str
    inline: int

    @classmethod
    def of(cls, data: bytes) -> _Form:
        order = "<" if data[:2] == b"II" else ">"
        if _unpack(order + "H", data, 2)[0] == 43:
            return cls(order, 8, order + "Q", order + "HHQ", order + "Q", 8)
        return cls(order, 4, order + "H", order + "HHI", order + "I", 4)


def _page(data: bytes, form: _Form, place: int) -> tuple[Page, int]:
    """The directory at ``place``, and the place of the next one (0: there is none)."""
    (count,) = _unpack(form.count, data, place)
    place += struct.calcsize(form.count)
    step = struct.calcsize(form.entry) + form.inline
    if count > _MAX_TAGS:
        raise BrokenTiff(f"a directory of {count} tags")
    entries: dict[int, _Entry] = {}
    room = _MAX_OVERLAP * len(data) + 1_000_000
    for number in range(count):
        at = place + number * step
        tag, kind, values = _unpack(form.entry, data, at)
        at += step - form.inline
        size = values * struct.calcsize(_TYPES.get(kind, "d"))
        where = at if size <= form.inline else _unpack(form.pointer, data, at)[0]
        room -= max(0, min(size, len(data) - where))
        if room < 0:
            raise BrokenTiff("its tags claim the same bytes again and again")
        if where + size <= len(data):  # Pillow passes over the others, too
            entries[tag] = _Entry(kind, values, where)
    try:
        following = _unpack(form.pointer, data, place + count * step)[0]
    except BrokenTiff:
        following = 0
    return Page(data, form.order, entries), following


def _unpack(layout: str, data: bytes, place: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(layout, data, place)
    except (struct.error, OverflowError) as error:
        raise BrokenTiff(f"the file ends at {len(data)} bytes, and is read at {place}") from error
