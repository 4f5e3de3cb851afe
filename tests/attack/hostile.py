"""Small files that cost a decoder much, made from their description."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from PIL import Image

from tests.helpers.pictures import bomb, picture
from tests.images.hostile import chunk, progressive

_SHORT, _LONG = 3, 4


def tiff(entries: Mapping[int, tuple[int, tuple[int, ...]]], data: bytes = bytes(8)) -> bytes:
    """A little-endian TIFF of one directory: tag -> (type, values). Offsets of pixel data (273 and 324) are those
    behind the directory."""
    count = len(entries)
    after = 8 + 2 + 12 * count + 4
    extra, rows = b"", b""
    sizes = {_SHORT: "H", _LONG: "L"}
    for tag, (kind, values) in sorted(entries.items()):
        raw = struct.pack(f"<{len(values)}{sizes[kind]}", *values)
        if len(raw) <= 4:
            field = raw.ljust(4, b"\0")
        else:
            field = struct.pack("<L", after + len(extra))
            extra += raw
        rows += struct.pack("<HHL", tag, kind, len(values)) + field
    start = after + len(extra)
    for tag in (273, 324):
        if tag in entries and len(entries[tag][1]) == 1:
            place = rows.find(struct.pack("<HHL", tag, _LONG, 1))
            rows = rows[: place + 8] + struct.pack("<L", start) + rows[place + 12 :]
    return b"II*\0" + struct.pack("<L", 8) + struct.pack("<H", count) + rows + bytes(4) + extra + data


def tile_bomb(width: int = 32_768, height: int = 21_840, compression: int = 8) -> bytes:
    """16 x 16 pixels in one tile that is declared as large as this."""
    return tiff(
        {
            256: (_LONG, (16,)),
            257: (_LONG, (16,)),
            258: (_SHORT, (8, 8, 8)),
            259: (_SHORT, (compression,)),
            262: (_SHORT, (2,)),
            277: (_SHORT, (3,)),
            322: (_LONG, (width,)),
            323: (_LONG, (height,)),
            324: (_LONG, (0,)),
            325: (_LONG, (10,)),
        },
        zlib.compress(b"")[:10].ljust(10, b"\0"),
    )


def strip_bomb(rows: int = 1 << 30, compression: int = 8) -> bytes:
    """16 x 16 pixels in one strip of so many rows."""
    return tiff(
        {
            256: (_LONG, (16,)),
            257: (_LONG, (16,)),
            258: (_SHORT, (8, 8, 8)),
            259: (_SHORT, (compression,)),
            262: (_SHORT, (2,)),
            273: (_LONG, (0,)),
            277: (_SHORT, (3,)),
            278: (_LONG, (rows,)),
            279: (_LONG, (10,)),
        },
        zlib.compress(bytes(16 * 16 * 3))[:10],
    )


def many_samples(samples: int = 60_000) -> bytes:
    """A TIFF of 100 x 100 pixels with so many channels."""
    return tiff(
        {
            256: (_LONG, (100,)),
            257: (_LONG, (100,)),
            258: (_SHORT, (8,)),
            259: (_SHORT, (1,)),
            262: (_SHORT, (1,)),
            273: (_LONG, (0,)),
            277: (_SHORT, (samples,)),
            278: (_LONG, (100,)),
            279: (_LONG, (10,)),
        },
        bytes(10),
    )


def directory_loop() -> bytes:
    """A TIFF whose directory names itself as the next one."""
    whole = bytearray(tile_bomb(16, 16, 1))
    count = struct.unpack_from("<H", whole, 8)[0]
    struct.pack_into("<L", whole, 10 + 12 * count, 8)
    return bytes(whole)


@lru_cache(2)
def many_scans(scans: int = 2_000, side: int = 7_071) -> bytes:
    """A progressive JPEG whose last scan is repeated so often."""
    return progressive(side, scans)


def half_jpeg(share: float = 0.5) -> bytes:
    """A baseline JPEG that is cut, and closed with an end marker."""
    out = io.BytesIO()
    picture(3, (400, 300)).save(out, "JPEG", quality=90)
    whole = out.getvalue()
    begin = whole.rfind(b"\xff\xda") + 14
    return whole[: begin + int((len(whole) - begin) * share)] + b"\xff\xd9"


def png_of(width: int, height: int, body: bytes, depth: int = 1, colour: int = 0, *more: bytes) -> bytes:
    """A PNG of that header; ``more`` are whole chunks before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *more, chunk(b"IDAT", body), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@lru_cache(4)
def strip_png(width: int = 50_000_000, height: int = 1) -> bytes:
    """A valid PNG of one bit a pixel, as narrow as it gets."""
    return png_of(width, height, zlib.compress(bytes((1 + (width + 7) // 8) * height), 9))


def text_bomb(megabytes: int = 60) -> bytes:
    """A small PNG with a text chunk that unpacks to so much."""
    text = chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(megabytes * 1_000_000), 9))
    return png_of(16, 16, zlib.compress(bytes(3 * 16)), 1, 0, text)


def profile_bomb(megabytes: int = 60) -> bytes:
    """A small PNG with a colour profile that unpacks to so much."""
    profile = chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(megabytes * 1_000_000), 9))
    return png_of(16, 16, zlib.compress(bytes(3 * 16)), 1, 0, profile)


def webp_bomb(width: int = 16_383, height: int = 3_052) -> bytes:
    """A lossless WebP of so many pixels and one colour, in few bytes."""
    bits, length = 0, 0

    def put(value: int, count: int) -> None:
        nonlocal bits, length
        bits |= value << length
        length += count

    put(width - 1, 14)
    put(height - 1, 14)
    put(0, 1)  # no alpha
    put(0, 3)  # the format's version
    put(0, 1)  # no transforms
    put(0, 1)  # no colour cache
    put(0, 1)  # no meta codes
    for symbol in (0, 0, 0, 255, 0):  # one symbol in each of the five codes: no bits for a pixel
        put(1, 1)  # a simple code
        put(0, 1)  # of one symbol
        put(1, 1)  # in eight bits
        put(symbol, 8)
    payload = b"\x2f" + bits.to_bytes((length + 7) // 8 + 2, "little")
    payload += b"\0" * (len(payload) % 2)
    body = b"WEBPVP8L" + struct.pack("<I", len(payload)) + payload
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif_bomb(side: int = 7_000) -> bytes:
    """A GIF whose screen is that wide and high, with one small picture on it."""
    out = io.BytesIO()
    Image.new("P", (10, 10), 1).save(out, "GIF")
    whole = bytearray(out.getvalue())
    struct.pack_into("<HH", whole, 6, side, side)
    return bytes(whole)


def gif_frames(frames: int = 4_000, side: int = 4_000) -> bytes:
    """A GIF of so many pictures on a large screen."""
    out = io.BytesIO()
    Image.new("P", (10, 10), 1).save(out, "GIF")
    whole = bytearray(out.getvalue())
    struct.pack_into("<HH", whole, 6, side, side)
    begin = whole.find(b"\x2c")
    return bytes(whole[:-1] + whole[begin:-1] * frames + b";")


def bmp_bomb(width: int = 7_000, height: int = 7_000) -> bytes:
    """A run-length BMP of that size whose data ends at once."""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, 4, 0, 0, 256, 0)
    start = 14 + len(header) + 1024
    return b"BM" + struct.pack("<IHHI", start + 4, 0, 0, start) + header + bytes(1024) + b"\0\1\0\0"


def exif_bomb() -> bytes:
    """A JPEG whose EXIF names more values than there are."""
    out = io.BytesIO()
    picture(4).save(out, "JPEG")
    entries = b"".join(struct.pack("<HHLL", 0x9000 + tag, 5, 0x1FFFFFFF, 8) for tag in range(200))
    exif = b"Exif\0\0II*\0" + struct.pack("<LH", 8, 200) + entries + bytes(4)
    whole = out.getvalue()
    return whole[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + whole[2:]


def ppm_bomb() -> bytes:
    """A PPM of the greatest size allowed, without its pixels."""
    return b"P6\n7000 7000\n255\n" + bytes(100)


HOSTILE: Final[Mapping[str, Callable[[], bytes]]] = {
    "tile bomb": tile_bomb,
    "tile of 49 megapixels": lambda: tile_bomb(7_000, 7_000),
    "tile bomb, LZW": lambda: tile_bomb(compression=5),
    "tile bomb, JPEG": lambda: tile_bomb(compression=7),
    "tile bomb, stored": lambda: tile_bomb(compression=1),
    "strip bomb": strip_bomb,
    "strip bomb, PackBits": lambda: strip_bomb(compression=32773),
    "many samples": many_samples,
    "directory loop": directory_loop,
    "many scans": lambda: many_scans(300),
    "half JPEG": half_jpeg,
    "wide PNG": strip_png,
    "high PNG": lambda: strip_png(8, 6_000_000),
    "large PNG": lambda: bomb(7_000),
    "too large PNG": bomb,
    "text bomb": text_bomb,
    "profile bomb": profile_bomb,
    "large WebP": webp_bomb,
    "large GIF": gif_bomb,
    "many GIF frames": gif_frames,
    "large BMP": bmp_bomb,
    "EXIF bomb": exif_bomb,
    "large PPM": ppm_bomb,
    "nothing": lambda: b"",
    "zeros": lambda: bytes(100_000),
    "noise": lambda: random.Random(1).randbytes(100_000),  # noqa: S311
}
"""By name, what makes the file."""
