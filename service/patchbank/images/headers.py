"""Facts in the headers of PNG, JPEG, JPEG 2000, WebP, GIF, BMP and PPM files that Pillow does not tell, or too late."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_FRAMES: Final = 1000
_MAX_SEGMENTS: Final = 10_000
_MAX_BLOCKS: Final = 1_000_000
_JP2_HEADERS: Final = 65_536
_PPM: Final = re.compile(rb"P[2356]((?:\s|#[^\n]*\n)+\d+){2}(?:\s|#[^\n]*\n)+(\d+)")


@dataclass(frozen=True)
class JpegHeader:
    """``precision`` in bits; ``lossless`` for JPEG-LS; ``adobe`` says how inks are stored."""

    width: int
    height: int
    precision: int
    components: int
    adobe: bool
    jpeg_ls: bool


@dataclass(frozen=True)
class Jpeg2000Size:
    """Sizes in pixels; ``tiles`` that the picture is cut into, of which each has all ``channels``."""

    width: int
    height: int
    tile_width: int
    tile_height: int
    tiles: int
    channels: int


def png_size(data: bytes) -> tuple[int, int, bool]:
    """Width and height of a PNG file, and whether it comes in seven passes."""
    if len(data) < 29:
        return 0, 0, False
    width, height = struct.unpack_from(">II", data, 16)
    return width, height, data[28] != 0


def png_chunks(data: bytes, most: int) -> int:
    """Chunks of a PNG file, counted up to ``most``."""
    place, count = 8, 0
    while count < most and place + 8 <= len(data):
        count += 1
        place += int.from_bytes(data[place : place + 4], "big") + 12
    return count


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of a WebP file's canvas; 0 where it does not tell."""
    form, body = data[12:16], data[20:30]
    if len(body) < 10:
        return 0, 0
    if form == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if form == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF


def bmp_has_runs(data: bytes) -> bool:
    """Whether a BMP or DIB file's rows are compressed as runs of pixels."""
    begin = 14 if data[:2] == b"BM" else 0
    return data[begin + 16 : begin + 20] in (b"\1\0\0\0", b"\2\0\0\0")


def jpeg2000_size(data: bytes) -> Jpeg2000Size | None:
    """The sizes of a JPEG 2000 file's picture; None where they are not found."""
    place = data.find(b"\xff\x4f\xff\x51", 0, _JP2_HEADERS)
    if place < 0 or place + 42 > len(data):
        return None
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top = struct.unpack_from(">8I", data, place + 8)
    (channels,) = struct.unpack_from(">H", data, place + 40)
    across = -(-max(0, right - tile_left) // max(1, tile_width))
    down = -(-max(0, bottom - tile_top) // max(1, tile_height))
    return Jpeg2000Size(max(0, right - left), max(0, bottom - top), tile_width, tile_height, across * down, channels)


def png_bits(data: bytes) -> tuple[int, int | None]:
    """Bits per channel of a PNG file, and the significant ones where it names them (sBIT)."""
    depth, significant = data[24] if len(data) > 24 else 8, None
    for name, body in _png_chunks(data):
        if name == b"sBIT" and body:
            significant = max(body)
        if name == b"IDAT":
            break
    return depth, significant


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    for _ in range(_MAX_SEGMENTS):
        if place + 8 > len(data):
            return
        (size,) = struct.unpack_from(">I", data, place)
        yield data[place + 4 : place + 8], data[place + 8 : place + 8 + min(size, 4)]
        place += size + 12


def jpeg_header(data: bytes) -> JpegHeader | None:
    """The frame header of a JPEG file; None where there is none."""
    place, adobe = 2, False
    for _ in range(_MAX_SEGMENTS):
        place = data.find(b"\xff", place)
        if place < 0 or place + 10 > len(data):
            return None
        marker = data[place + 1]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8:
            place += 1 if marker == 0xFF else 2
            continue
        (size,) = struct.unpack_from(">H", data, place + 2)
        if marker == 0xEE and data[place + 4 : place + 9] == b"Adobe":
            adobe = True
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            height, width = struct.unpack_from(">HH", data, place + 5)
            return JpegHeader(width, height, data[place + 4], data[place + 9], adobe, marker == 0xF7)
        place += 2 + size
    return None


def jpeg2000_components(data: bytes) -> list[tuple[int, bool]]:
    """Bits of each component of a JPEG 2000 file, and whether they have a sign."""
    place = data.find(b"\xff\x4f\xff\x51", 0, _JP2_HEADERS)
    if place < 0 or place + 42 > len(data):
        return []
    (count,) = struct.unpack_from(">H", data, place + 40)
    depths = data[place + 42 : place + 42 + 3 * min(count, 16) : 3]
    return [((depth & 0x7F) + 1, bool(depth & 0x80)) for depth in depths]


def gif_frames(data: bytes) -> int:
    """Pictures in a GIF file, counted up to ``MAX_FRAMES``; Pillow would need a second for ten megabytes of them."""
    if len(data) < 13:
        return 0
    place, frames = 13 + _gif_palette(data[10]), 0
    for _ in range(_MAX_BLOCKS):
        if place + 10 >= len(data) or frames >= MAX_FRAMES:
            break
        if data[place] == 0x21:
            place += 2
        elif data[place] == 0x2C:
            frames += 1
            place += 11 + _gif_palette(data[place + 9])
        else:
            break
        place = _after_sub_blocks(data, place)
    return frames


def _gif_palette(flags: int) -> int:
    return 3 * (2 << (flags & 7)) if flags & 0x80 else 0


def _after_sub_blocks(data: bytes, place: int) -> int:
    while place < len(data) and data[place]:
        place += data[place] + 1
    return place + 1


def ppm_white(data: bytes) -> int:
    """The value that a PPM or PGM file calls white; 255 where it names none."""
    named = _PPM.match(data[:1000])
    return int(named[2][:6]) if named else 255


def has_sixteen_bits(label: str, data: bytes) -> bool:
    """Whether a PPM, PGM or JPEG 2000 file has 16 bits per channel. Pillow scales those of 9 to 15 bits to 16."""
    if label == "JPEG2000":
        return any(bits == 16 for bits, _ in jpeg2000_components(data))
    return label == "PPM" and ppm_white(data) == 65535
