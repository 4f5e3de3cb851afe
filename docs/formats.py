"""Tries every format, depth and layout, and writes the table in docs/formats.md: ``python -m docs.formats``.

Each case is a file that is written here, with the pixels that it stands for. ``tests/test_formats.py`` decodes them and
holds the page to the outcome.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms

from patchbank.arrays import ByteArray
from patchbank.errors import PatchbankError
from patchbank.images import decode_image

PAGE: Final = Path(__file__).parent / "formats.md"
_MARKS: Final = ("<!-- formats -->\n", "<!-- /formats -->\n")

ROUNDING: Final = 1.0
"""Levels of 255 by which a depth other than 8 bits may be off."""


@dataclass(frozen=True)
class Case:
    """One file: ``pixels`` (H, W, 3) are right, within ``tolerance`` levels; None: nothing is, and it is refused.

    ``dark`` says that the file cannot be told from a dark picture: it is read as one, with a warning.
    """

    group: str
    what: str
    data: bytes
    pixels: NDArray[Any] | None
    tolerance: float = 0.0
    dark: bool = False


@dataclass(frozen=True)
class Outcome:
    """What the decoder made of a case: ``word`` is read, warned, refused or WRONG."""

    word: str
    detail: str = ""
    status: int = 200
    off: float = 0.0


def judge(case: Case) -> Outcome:
    """Decode the case and compare it with the truth."""
    try:
        decoded = decode_image(case.data, name="FILE")
    except PatchbankError as error:
        return Outcome("refused" if case.pixels is None else "WRONG", error.message, error.status)
    if case.pixels is None or decoded.pixels.shape != case.pixels.shape:
        return Outcome("WRONG", "was read")
    off = float(np.abs(decoded.pixels - case.pixels.astype(float)).max())
    if decoded.warnings and case.dark:
        return Outcome("warned", "; ".join(decoded.warnings), off=off)
    return Outcome("read" if off <= case.tolerance and not decoded.warnings else "WRONG", off=off)


def truth() -> ByteArray:
    """A picture of 64 x 48 pixels, from black to white, with muted colours: uint8 (48, 64, 3)."""
    down, across = np.mgrid[0:48, 0:64]
    light = across * 255 / 63
    tint = np.stack([down * 0.4, 0 * down, 18 - down * 0.4], axis=2) * np.sin(across / 63 * np.pi)[:, :, None]
    return np.asarray(np.clip(light[:, :, None] + tint, 0, 255).round(), dtype=np.uint8)


def cases() -> Iterator[Case]:
    """Every case, in the order of the table."""
    yield from _eight_bits()
    yield from _png()
    yield from _tiff_layouts()
    yield from _tiff_depths()
    yield from _shallow()
    yield from _other_formats()
    yield from _several()


def _saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def _tiff(values: NDArray[Any], photometric: str = "minisblack", **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, values, photometric=photometric, **options)
    return out.getvalue()


def _grey() -> ByteArray:
    return np.ascontiguousarray(truth()[:, :, 1])


def _spread(values: NDArray[Any]) -> NDArray[Any]:
    """One channel as three."""
    return np.repeat(values[:, :, None], 3, axis=2)


def _deep(values: NDArray[Any], bits: int) -> NDArray[np.uint16]:
    return np.asarray((values.astype(np.int64) * ((1 << bits) - 1) + 127) // 255).astype(np.uint16)


def _eight_bits() -> Iterator[Case]:
    colours, grey = truth(), _grey()
    picture = Image.fromarray(colours)
    for kind in ("PNG", "BMP", "DIB", "TIFF", "PPM", "JPEG2000"):
        yield Case("8 bits", f"{kind}, RGB", _saved(picture, kind), colours)
        yield Case("8 bits", f"{kind}, grey", _saved(Image.fromarray(grey), kind), _spread(grey))
    yield Case("8 bits", "WebP, lossless", _saved(picture, "WEBP", lossless=True), colours)
    for kind, off in (("WEBP", 12), ("JPEG", 6), ("AVIF", 12)):
        yield Case("8 bits", f"{kind}, lossy", _saved(picture, kind, quality=95), colours, off)
    inks = picture.convert("CMYK")
    yield Case("8 bits", "JPEG, CMYK", _saved(inks, "JPEG", quality=98), colours, 6)
    plain = _saved(inks, "JPEG", quality=98)
    place = plain.index(b"\xff\xee")
    size = int.from_bytes(plain[place + 2 : place + 4], "big")
    yield Case("8 bits", "JPEG, CMYK without Adobe's marker", plain[:place] + plain[place + 2 + size :], None)
    twelve = bytearray(_saved(picture, "JPEG"))
    frame = twelve.index(b"\xff\xc0")
    twelve[frame + 1], twelve[frame + 4] = 0xC1, 12
    yield Case("8 bits", "JPEG, 12 bits", bytes(twelve), None)


def _png() -> Iterator[Case]:
    colours, grey = truth(), _grey()
    for depth, values in (("8", grey), ("16", _deep(grey, 16))):
        picture = Image.fromarray(values)
        yield Case("PNG", f"grey, {depth} bits", _saved(picture, "PNG"), _spread(grey))
    yield Case("PNG", "RGB, 16 bits", _png16(_deep(colours, 16)), colours)
    yield Case("PNG", "RGB, 16 bits, half transparent", _png16(_deep(colours, 16), 32768), (colours + 255.0) / 2, 1)
    yield Case("PNG", "grey, 16 bits, opaque alpha", _png16(_deep(grey, 16)[:, :, None], 65535), _spread(grey))
    for bits in (8, 10, 12):
        low = _deep(grey, bits)
        what = f"{bits}-bit values in 16 bits, "
        yield Case("PNG", what + "grey", _saved(Image.fromarray(low), "PNG"), _spread(grey), dark=True)
        yield Case("PNG", what + "RGB", _png16(_deep(colours, bits)), colours, dark=True)
        named = _png16(low[:, :, None], significant=bits)
        yield Case("PNG", what + f"grey, sBIT {bits}", named, _spread(grey), ROUNDING)
    clear = Image.fromarray(np.dstack([colours, np.zeros_like(grey)]))
    yield Case("PNG", "RGBA, transparent everywhere", _saved(clear, "PNG"), None)
    yield Case("PNG", "palette", _saved(Image.fromarray(grey).convert("P"), "PNG"), _spread(grey))
    hole = Image.fromarray(grey).convert("P")
    shown = np.where(grey == 0, 255, grey)
    yield Case("PNG", "palette with a transparent colour", _saved(hole, "PNG", transparency=0), _spread(shown))


def _png16(values: NDArray[np.uint16], alpha: int | None = None, significant: int | None = None) -> bytes:
    """A 16-bit PNG of values (H, W, 1 or 3), which Pillow cannot write."""
    if alpha is not None:
        values = np.dstack([values, np.full(values.shape[:2], alpha, np.uint16)])
    height, width, channels = values.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    named = b"" if significant is None else chunk(b"sBIT", bytes([significant] * channels))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + named + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _tiff_layouts() -> Iterator[Case]:
    for depth, grey, colours in ((8, _grey(), truth()), (16, _deep(_grey(), 16), _deep(truth(), 16))):
        for name, values, photometric in (("grey", grey, "minisblack"), ("RGB", colours, "rgb")):
            right = truth() if name == "RGB" else _spread(_grey())

            def case(what: str, data: bytes, kind: str = f"{name}, {depth} bits", right: Any = right) -> Case:
                return Case("TIFF layouts", f"{kind}: {what}", data, right)

            yield case("little-endian", _tiff(values, photometric, byteorder="<"))
            yield case("big-endian", _tiff(values, photometric, byteorder=">"))
            yield case("tiles", _tiff(values, photometric, tile=(16, 16)))
            yield case("several strips", _tiff(values, photometric, rowsperstrip=5))
            yield case("BigTIFF", _tiff(values, photometric, bigtiff=True))
            yield case("deflate", _tiff(values, photometric, compression="zlib"))
            yield case("deflate, predictor", _tiff(values, photometric, compression="zlib", predictor=True))
            if name == "RGB":
                planes = np.moveaxis(values, 2, 0)
                yield case("planar", _tiff(planes, photometric, planarconfig="separate"))
                yield case("planar, tiles", _tiff(planes, photometric, planarconfig="separate", tile=(16, 16)))
                yield case("planar, deflate", _tiff(planes, photometric, planarconfig="separate", compression="zlib"))
            else:
                yield case("white is zero", _tiff(np.iinfo(values.dtype).max - values, "miniswhite"))
    picture = Image.fromarray(truth())
    for what, compression, off in (("LZW", "tiff_lzw", 0), ("PackBits", "packbits", 0), ("JPEG", "jpeg", 6)):
        quality = {"quality": 98} if compression == "jpeg" else {}
        data = _saved(picture, "TIFF", compression=compression, **quality)
        yield Case("TIFF layouts", f"RGB, 8 bits: {what}", data, truth(), off)
    bits = _grey() > 127
    data = _saved(Image.fromarray(bits), "TIFF", compression="group4")
    yield Case("TIFF layouts", "1 bit: fax group 4", data, _spread(bits * 255))
    yield Case("TIFF layouts", "CMYK, 8 bits", _saved(picture.convert("CMYK"), "TIFF"), truth(), 2)
    yield Case("TIFF layouts", "YCbCr, 8 bits", _saved(picture.convert("YCbCr"), "TIFF"), truth(), 3)
    yield Case("TIFF layouts", "Lab, 8 bits", _saved(_lab(picture), "TIFF"), truth(), 6)
    odd = _tiff(_grey(), compression="packbits", predictor=True)
    yield Case("TIFF layouts", "PackBits with a predictor", odd, None)


def _lab(picture: Image.Image) -> Image.Image:
    transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    made = ImageCms.applyTransform(picture, transform)
    assert made is not None  # noqa: S101  # None comes from work in place alone
    return made


def _tiff_depths() -> Iterator[Case]:
    grey, colours = _grey(), truth()
    for bits in (1, 2, 4):
        # Pillow and tifffile write no such files without more libraries, so the bits are packed here.
        few = grey >> (8 - bits)
        yield Case(
            "TIFF depths",
            f"grey, {bits} bit{'s' * (bits > 1)}",
            _packed(few, bits),
            _spread(few * 255.0 / ((1 << bits) - 1)),
        )
    for bits in (10, 12, 14):
        pixels = _spread(grey) if bits == 12 else None
        data = _packed(_deep(grey, bits), bits)
        yield Case("TIFF depths", f"grey, {bits} bits packed", data, pixels, ROUNDING)
    inverse = _packed(4095 - _deep(grey, 12), 12, photometric=0)
    yield Case("TIFF depths", "grey, 12 bits packed, white is zero", inverse, None)
    for bits in (8, 10, 12):
        for name, values, photometric in (("grey", grey, "minisblack"), ("RGB", colours, "rgb")):
            low, full = _deep(values, bits), colours if name == "RGB" else _spread(grey)
            what = f"{bits}-bit values in 16 bits, {name}"
            yield Case("TIFF depths", what, _tiff(low, photometric), full, dark=True)
            top = (281, "H", 1 if name == "grey" else 3, (1 << bits) - 1 if name == "grey" else ((1 << bits) - 1,) * 3)
            named = _tiff(low, photometric, extratags=[(*top, True)])
            yield Case("TIFF depths", what + f", MaxSampleValue {(1 << bits) - 1}", named, full, ROUNDING)
    yield Case("TIFF depths", "8-bit values in 32 bits, grey", _tiff(grey.astype(np.int32)), _spread(grey), dark=True)
    yield Case("TIFF depths", "16-bit values in 32 bits, grey", _tiff(_deep(grey, 16).astype(np.int32)), _spread(grey))
    yield Case("TIFF depths", "32 bits, grey", _tiff(grey.astype(np.uint32) * 16843009), None)
    yield Case("TIFF depths", "32 bits, RGB", _tiff(colours.astype(np.uint32) * 16843009, "rgb"), None)
    yield Case("TIFF depths", "signed 8 bits, grey", _tiff((grey // 2).astype(np.int8)), None)
    yield Case("TIFF depths", "signed 16 bits, grey", _tiff(_deep(grey, 15).astype(np.int16)), _spread(grey), dark=True)
    for kind in (np.float16, np.float32, np.float64):
        yield Case("TIFF depths", f"{kind.__name__}, grey", _tiff((grey / 255).astype(kind)), None)
    yield Case("TIFF depths", "float32, RGB", _tiff((colours / 255).astype(np.float32), "rgb"), None)
    alpha = np.full(grey.shape, 65535, np.uint16)
    both = np.dstack([_deep(grey, 16), alpha])
    options: dict[str, Any] = {"extrasamples": ["unassalpha"], "planarconfig": "contig"}
    yield Case("TIFF depths", "16 bits, grey and alpha", _tiff(both, **options), _spread(grey))
    yield Case("TIFF depths", "16 bits, grey and alpha, deflate", _tiff(both, compression="zlib", **options), None)
    half = np.dstack([_deep(colours, 16), alpha // 2])
    yield Case("TIFF depths", "16 bits, RGB and alpha", _tiff(half, "rgb", **options), (colours + 255.0) / 2, 1.5)


def _packed(values: NDArray[Any], bits: int, photometric: int = 1) -> bytes:
    """A grey TIFF of values (H, W) with so many bits each and rows that begin at a byte."""
    height, width = values.shape
    ones = (values.astype(np.int64)[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
    body = np.packbits(ones.reshape(height, -1).astype(np.uint8), axis=1).tobytes()
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 0, 277: 1, 278: height, 279: len(body)}
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + body


def _shallow() -> Iterator[Case]:
    bits = _grey() > 127
    for kind in ("PNG", "BMP", "TIFF", "PPM"):
        yield Case("1 bit and palettes", f"{kind}, 1 bit", _saved(Image.fromarray(bits), kind), _spread(bits * 255))
    for kind in ("GIF", "BMP", "TIFF"):
        data = _saved(Image.fromarray(_grey()).convert("P"), kind)
        yield Case("1 bit and palettes", f"{kind}, palette", data, _spread(_grey()))


def _other_formats() -> Iterator[Case]:
    grey = _grey()
    head = b"P5 64 48 "
    deep = head + b"65535\n" + _deep(grey, 16).astype(">u2").tobytes()
    yield Case("other formats", "PGM, 16 bits", deep, _spread(grey))
    yield Case(
        "other formats", "PGM, 12 bits", head + b"4095\n" + _deep(grey, 12).astype(">u2").tobytes(), _spread(grey), 1
    )
    low = head + b"65535\n" + _deep(grey, 12).astype(">u2").tobytes()
    yield Case("other formats", "PGM, 12-bit values in 16 bits", low, _spread(grey), dark=True)
    yield Case(
        "other formats", "JPEG 2000, grey, 16 bits", _saved(Image.fromarray(_deep(grey, 16)), "JPEG2000"), _spread(grey)
    )
    colours = bytearray(_saved(Image.fromarray(truth()), "JPEG2000"))
    place = colours.index(b"\xff\x4f\xff\x51") + 42
    for channel in range(3):
        colours[place + 3 * channel] = 15
    yield Case("other formats", "JPEG 2000, RGB, 16 bits", bytes(colours), None)
    for what, data in (
        ("HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
        ("JPEG XL", b"\xff\x0a" + bytes(40)),
        ("JPEG-LS", b"\xff\xd8\xff\xf7\0\x0b\x08\0\x30\0\x40\x01\x01\x11\0" + bytes(20)),
        ("PSD", b"8BPS\0\1" + bytes(40)),
        ("OpenEXR", b"\x76\x2f\x31\x01" + bytes(40)),
        ("TGA", _saved(Image.fromarray(grey), "TGA")),
        ("ICO", _saved(Image.fromarray(truth()), "ICO")),
        ("PDF", b"%PDF-1.7\n"),
        ("SVG", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("raw photograph, CR2", b"II*\0\x10\0\0\0CR\2\0" + bytes(40)),
        ("raw photograph, CR3", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom"),
        ("raw photograph, RAF", b"FUJIFILMCCD-RAW 0201" + bytes(40)),
    ):
        yield Case("other formats", what, data, None)
    dng = _tiff(grey, extratags=[(50706, "B", 4, (1, 4, 0, 0), True)])
    yield Case("other formats", "raw photograph, DNG", dng, None)
    preview = io.BytesIO()
    with tifffile.TiffWriter(preview) as writer:
        writer.write(grey[::4, ::4], subfiletype=1, photometric="minisblack", subifds=1)
        writer.write(grey, photometric="minisblack")
    yield Case("other formats", "raw photograph with a preview, such as NEF", preview.getvalue(), None)


def _several() -> Iterator[Case]:
    first, second = Image.fromarray(truth()), Image.fromarray(truth()[::-1].copy())
    for kind, what in (
        ("TIFF", "pages"),
        ("GIF", "animation"),
        ("WEBP", "animation"),
        ("PNG", "animation"),
        ("AVIF", "animation"),
        ("MPO", "frames"),
    ):
        data = _saved(first, kind, save_all=True, append_images=[second])
        yield Case("several pictures", f"{kind}, {what}", data, None)
    yield Case("several pictures", "ImageJ stack", _tiff(np.stack([_grey()] * 3), imagej=True), None)
    pyramid = io.BytesIO()
    with tifffile.TiffWriter(pyramid) as writer:
        writer.write(truth(), photometric="rgb")
        writer.write(truth()[::2, ::2], photometric="rgb", subfiletype=1)
    yield Case("several pictures", "TIFF, one picture and a smaller copy of it", pyramid.getvalue(), truth())


def table() -> str:
    """The outcome of every case, as Markdown."""
    lines: list[str] = []
    group = ""
    for case in cases():
        if case.group != group:
            group = case.group
            lines += [
                "" if not lines else "\n",
                f"## {group[0].upper()}{group[1:]}\n",
                "| file | what happens |",
                "|---|---|",
            ]
        outcome = judge(case)
        lines.append(f"| {case.what} | {_said(case, outcome)} |")
    return "\n".join(lines).lstrip("\n").replace("\n\n\n", "\n\n") + "\n"


def _said(case: Case, outcome: Outcome) -> str:
    if outcome.word == "read":
        if not case.tolerance:
            return "read"
        return "read, within a level of 255" if case.tolerance <= 2 else "read, with the format's own loss"
    if outcome.word == "warned":
        return f"read as dark, with a warning: {outcome.detail}"
    return f"{outcome.word} ({outcome.status}): {outcome.detail.removeprefix('FILE: ')}"


def page(text: str) -> str:
    """The page with its table made anew."""
    begin, end = (re.escape(mark) for mark in _MARKS)
    return re.sub(
        f"({begin}).*?({end})", lambda match: match[1] + "\n" + table() + "\n" + match[2], text, flags=re.DOTALL
    )


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
