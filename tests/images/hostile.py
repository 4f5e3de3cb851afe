"""Small files that a decoder would take far more for than their pictures are worth."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, chunks: int = 0, *, interlaced: bool = False) -> bytes:
    """A black picture of one bit, with so many chunks that mean nothing."""
    row = b"\0" * (1 + -(-width // 8))
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, int(interlaced)))
    return SIGNATURE + head + chunk(b"abCd", b"") * chunks + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def progressive(side: int, scans: int, mode: str = "L") -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    out = io.BytesIO()
    Image.new(mode, (side, side)).save(out, "JPEG", progressive=True, quality=1)
    data = out.getvalue()
    last = data.rfind(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + data[-2:]


def empty_webp(width: int, height: int) -> bytes:
    """A lossless WebP of one colour, of about 34 bytes."""
    out = io.BytesIO()
    Image.new("RGB", (1, 1)).save(out, "WEBP", lossless=True)
    data = bytearray(out.getvalue())
    place = data.find(b"VP8L") + 9
    data[place : place + 4] = struct.pack("<I", (width - 1) | (height - 1) << 14 | (data[place + 3] & 0xF0) << 24)
    return bytes(data)


def tiff(tags: dict[int, int], body: bytes = b"") -> bytes:
    """A little-endian TIFF of these tags, all of one 32-bit number."""
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0) + body


def tiled(width: int, height: int, tile: tuple[int, int]) -> bytes:
    """A TIFF of one LZW tile."""
    facts = {256: width, 257: height, 258: 8, 259: 5, 262: 1, 277: 1}
    return tiff({**facts, 322: tile[0], 323: tile[1], 324: 8, 325: 10}, bytes(64))


def jpeg2000_header(size: tuple[int, int], tile: tuple[int, int], channels: int) -> bytes:
    """The beginning of a JPEG 2000 codestream."""
    sizes = struct.pack(">H8I", 0, *size, 0, 0, *tile, 0, 0) + struct.pack(">H", channels) + b"\7\1\1" * channels
    return b"\xff\x4f\xff\x51" + struct.pack(">H", len(sizes) + 2) + sizes + bytes(64)
