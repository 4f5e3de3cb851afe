"""Small valid files of every format, and structured mutations of them."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tests.attack.hostile import HOSTILE
from tests.helpers.pictures import animation, picture

_SPECIAL: Final = (0, 1, 2, 3, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000)
_HEAD: Final = 64


def seeds() -> Mapping[str, bytes]:
    """One or more valid files of each format that is read, and of some that are not."""
    shown = picture(5, (48, 40))
    grey, deep = shown.convert("L"), np.asarray(shown.convert("L")).astype(np.uint16) * 257
    made: dict[str, bytes] = {}

    def save(name: str, image: Image.Image, kind: str, **options: object) -> None:
        out = io.BytesIO()
        try:
            image.save(out, kind, **options)
        except (OSError, KeyError, ValueError):  # a Pillow without that encoder
            return
        made[name] = out.getvalue()

    save("rgb.png", shown, "PNG")
    save("palette.png", shown.convert("P"), "PNG")
    save("bit.png", shown.convert("1"), "PNG")
    save("alpha.png", shown.convert("RGBA"), "PNG")
    save("deep.png", Image.fromarray(deep), "PNG")
    save("baseline.jpg", shown, "JPEG")
    save("progressive.jpg", shown, "JPEG", progressive=True)
    save("grey.jpg", grey, "JPEG")
    save("cmyk.jpg", shown.convert("CMYK"), "JPEG")
    save("turned.jpg", shown, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0")
    save("lossy.webp", shown, "WEBP")
    save("lossless.webp", shown, "WEBP", lossless=True)
    save("picture.gif", shown.convert("P"), "GIF")
    save("picture.bmp", shown, "BMP")
    save("picture.ppm", shown, "PPM")
    save("picture.jp2", shown, "JPEG2000")
    save("picture.avif", shown, "AVIF")
    save("picture.tga", shown, "TGA")
    save("picture.ico", shown, "ICO")
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        save(f"{compression}.tif", shown, "TIFF", compression=compression)
    values = np.asarray(shown)
    made["tiled.tif"] = _tiff(values, photometric="rgb", tile=(16, 16))
    made["planar.tif"] = _tiff(np.moveaxis(values, -1, 0), photometric="rgb", planarconfig="separate")
    made["big.tif"] = _tiff(values, photometric="rgb", bigtiff=True)
    made["deep.tif"] = _tiff(deep)
    made["two.gif"] = animation()
    return made


def _tiff(values: NDArray[Any], *, bigtiff: bool = False, **options: Any) -> bytes:
    out = io.BytesIO()
    with tifffile.TiffWriter(out, bigtiff=bigtiff) as writer:
        writer.write(values, **options)
    return out.getvalue()


def mutant(rng: random.Random, valid: Mapping[str, bytes]) -> tuple[str, bytes]:
    """What was done, and the file."""
    name = rng.choice(sorted(valid))
    data = bytearray(valid[name])
    done = []
    for _ in range(rng.choice([1, 1, 2, 4])):
        kind = rng.choice(["field", "field", "field", "bit", "cut", "splice", "repeat", "fill", "swap"])
        done.append(kind)
        if not data:
            break
        if kind == "field":
            _field(data, rng)
        elif kind == "bit":
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        elif kind == "cut":
            del data[rng.randrange(len(data)) :]
        elif kind == "splice":
            other = valid[rng.choice(sorted(valid))]
            place, begin = rng.randrange(len(data)), rng.randrange(len(other))
            data[place:place] = other[begin : begin + rng.choice([4, 64, 1024])]
        elif kind == "repeat":
            begin = rng.randrange(len(data))
            part = data[begin : begin + rng.choice([12, 64, 256])]
            data[begin:begin] = part * rng.choice([2, 50, 1000])
        elif kind == "fill":
            begin = rng.randrange(len(data))
            size = min(rng.choice([4, 64, 4096]), len(data) - begin)
            data[begin : begin + size] = bytes([rng.choice([0, 255, 0x41])]) * size
        else:
            first, second = rng.randrange(len(data)), rng.randrange(len(data))
            data[first], data[second] = data[second], data[first]
    result = bytes(data)
    if name.endswith(".png") and rng.random() < 0.8:
        result = _right_checksums(result)
    return f"{name}: {', '.join(done)}", result


def hostile(rng: random.Random, valid: Mapping[str, bytes]) -> tuple[str, bytes]:
    """A mutant; one time in six one of a hostile file."""
    if rng.random() < 1 / 6:
        name = rng.choice(sorted(HOSTILE))
        return mutant(rng, {name: HOSTILE[name]() or b"\0"})
    return mutant(rng, valid)


def _field(data: bytearray, rng: random.Random) -> None:
    """Write a special value over a field, most likely in the head."""
    size, order = rng.choice([1, 2, 4, 4]), rng.choice("<>")
    most = len(data) - size
    if most < 0:
        return
    place = rng.randrange(min(most, _HEAD * 4) + 1) if rng.random() < 0.7 else rng.randrange(most + 1)
    value = rng.choice([*_SPECIAL, rng.getrandbits(32)]) & ((1 << (8 * size)) - 1)
    struct.pack_into(order + {1: "B", 2: "H", 4: "I"}[size], data, place, value)


def _right_checksums(data: bytes) -> bytes:
    """A PNG with its chunks' checksums made right, so that a mutation gets past them."""
    out, place = bytearray(data), 8
    while place + 12 <= len(out):
        size = struct.unpack_from(">I", out, place)[0]
        end = place + 8 + size
        if end + 4 > len(out):
            break
        struct.pack_into(">I", out, end, zlib.crc32(out[place + 4 : end]))
        place = end + 4
    return bytes(out)
