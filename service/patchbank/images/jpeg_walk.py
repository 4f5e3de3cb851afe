"""Walks over the segments of a JPEG file without decoding any of them."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Final

_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SOI, _EOI, _SOS, _TEM = 0xD8, 0xD9, 0xDA, 0x01
_NO_LENGTH: Final = frozenset((0x00, _TEM, _SOI, *range(0xD0, 0xD8)))
_TABLES: Final = frozenset((0xC4, 0xC8, 0xCC))
_MARKER, _BYTE = 2_000, 400
"""What Pillow takes for a segment, and for a byte between two of them, in visits of a pixel (``ImageLimits``)."""

_LEAST: Final = 10_000
"""Pixels of a scan that a picture of fewer pixels counts as: each begins anew."""


@dataclass(frozen=True)
class JpegWalk:
    """``components`` of the frame, its ``scans``, and the visits that it takes to read the picture."""

    components: int
    scans: int
    visits: int


def walk_jpeg(data: bytes, pixels: int, most: int) -> JpegWalk:
    """Count a JPEG file's scans, for a picture of so many pixels; no further than to ``most`` visits."""
    place, components, scans, visits = 2, 0, 0, 0
    a_scan = max(pixels, _LEAST)
    while visits <= most:
        begin, place = place, data.find(b"\xff", place)
        if place < 0 or place + 4 > len(data):
            break
        marker = data[place + 1]
        if not scans:  # later bytes between segments are the decoder's, not Pillow's
            visits += (place - begin) * _BYTE
        if marker == 0xFF:
            place, visits = place + 1, visits + _BYTE
            continue
        if marker == _EOI:
            break
        visits += _MARKER
        if marker in _NO_LENGTH:
            place += 2
            continue
        (size,) = struct.unpack_from(">H", data, place + 2)
        if 0xC0 <= marker <= 0xCF and marker not in _TABLES and place + 9 < len(data):
            components = components or data[place + 9]
        place += 2 + max(size, 2)
        if marker == _SOS:
            scans, visits = scans + 1, visits + a_scan
            following = _NEXT_MARKER.search(data, place)
            if following is None:
                break
            place = following.start()
    return JpegWalk(components, scans, visits)
