"""Small pictures for tests, some of them damaged."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def picture(seed: int, size: tuple[int, int] = (96, 80)) -> Image.Image:
    """A smooth random RGB picture of ``size`` (width, height)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def png(seed: int, size: tuple[int, int] = (96, 80)) -> bytes:
    """That picture as PNG."""
    out = io.BytesIO()
    picture(seed, size).save(out, "PNG")
    return out.getvalue()


def animation(kind: str = "GIF", count: int = 2) -> bytes:
    """A file of so many pictures of that format: a red one first, blue ones after it."""
    out = io.BytesIO()
    others = [Image.new("RGB", (16, 16), (0, 60 * number % 256, 255)) for number in range(1, count)]
    Image.new("RGB", (16, 16), (255, 0, 0)).save(out, kind, save_all=True, append_images=others)
    return out.getvalue()


def bomb(side: int = 30_000) -> bytes:
    """A valid PNG of ``side`` x ``side`` black pixels that takes a few kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    row = bytes(1 + (side + 7) // 8)
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(row * 1000) for _ in range(side // 1000)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def folder_of(folder: Path, count: int, first: int = 0) -> Path:
    """A folder with this many pictures."""
    folder.mkdir(parents=True)
    for seed in range(first, first + count):
        (folder / f"good-{seed:03d}.png").write_bytes(png(seed))
    return folder


def defective_png(seed: int, size: tuple[int, int] = (96, 80)) -> bytes:
    """The picture of that seed with a chequered spot in its middle, as PNG."""
    shown = picture(seed, size)
    left, top = size[0] // 2 - 12, size[1] // 2 - 12
    for across in range(0, 24, 3):
        for down in range(0, 24, 3):
            colour = (255, 255, 255) if (across + down) % 2 else (0, 0, 0)
            shown.paste(colour, (left + across, top + down, left + across + 3, top + down + 3))
    out = io.BytesIO()
    shown.save(out, "PNG")
    return out.getvalue()


def scratched(good: Path, to: Path) -> Path:
    """A grey copy of a picture of 300 x 300 pixels or more, with a bright scratch."""
    with Image.open(good) as picture:
        copy = picture.convert("L")
    ImageDraw.Draw(copy).line((60, 200, 210, 90), fill=255, width=14)
    copy.save(to)
    return to
