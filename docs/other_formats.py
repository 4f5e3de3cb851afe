"""Files of every format but TIFF, and files of several pictures."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from docs.format_truth import ROUNDING, Case, at_depth, grey_truth, saved, spread, tiff_file, truth


def eight_bits() -> Iterator[Case]:
    """Files of 8 bits per channel."""
    colours, grey = truth(), grey_truth()
    picture = Image.fromarray(colours)
    for kind in ("PNG", "BMP", "DIB", "TIFF", "PPM", "JPEG2000"):
        yield Case("8 bits", f"{kind}, RGB", saved(picture, kind), colours)
        yield Case("8 bits", f"{kind}, grey", saved(Image.fromarray(grey), kind), spread(grey))
    yield Case("8 bits", "WebP, lossless", saved(picture, "WEBP", lossless=True), colours)
    for kind, off in (("WEBP", 12), ("JPEG", 6), ("AVIF", 12)):
        yield Case("8 bits", f"{kind}, lossy", saved(picture, kind, quality=95), colours, off)
    inks = picture.convert("CMYK")
    yield Case("8 bits", "JPEG, CMYK", saved(inks, "JPEG", quality=98), colours, 6)
    plain = saved(inks, "JPEG", quality=98)
    place = plain.index(b"\xff\xee")
    size = int.from_bytes(plain[place + 2 : place + 4], "big")
    yield Case("8 bits", "JPEG, CMYK without Adobe's marker", plain[:place] + plain[place + 2 + size :], None)
    twelve = bytearray(saved(picture, "JPEG"))
    frame = twelve.index(b"\xff\xc0")
    twelve[frame + 1], twelve[frame + 4] = 0xC1, 12
    yield Case("8 bits", "JPEG, 12 bits", bytes(twelve), None)


def png() -> Iterator[Case]:
    """PNG files of every depth."""
    colours, grey = truth(), grey_truth()
    for depth, values in (("8", grey), ("16", at_depth(grey, 16))):
        picture = Image.fromarray(values)
        yield Case("PNG", f"grey, {depth} bits", saved(picture, "PNG"), spread(grey))
    yield Case("PNG", "RGB, 16 bits", png16(at_depth(colours, 16)), colours)
    yield Case("PNG", "RGB, 16 bits, half transparent", png16(at_depth(colours, 16), 32768), (colours + 255.0) / 2, 1)
    yield Case("PNG", "grey, 16 bits, opaque alpha", png16(at_depth(grey, 16)[:, :, None], 65535), spread(grey))
    for bits in (8, 10, 12, 14):
        low = at_depth(grey, bits)
        what = f"{bits}-bit values in 16 bits, "
        yield Case("PNG", what + "grey", saved(Image.fromarray(low), "PNG"), spread(grey), unknown=True)
        yield Case("PNG", what + "RGB", png16(at_depth(colours, bits)), colours, unknown=True)
        named = png16(low[:, :, None], significant=bits)
        yield Case("PNG", what + f"grey, sBIT {bits}", named, spread(grey), ROUNDING)
    clear = Image.fromarray(np.dstack([colours, np.zeros_like(grey)]))
    yield Case("PNG", "RGBA, transparent everywhere", saved(clear, "PNG"), None)
    yield Case("PNG", "palette", saved(Image.fromarray(grey).convert("P"), "PNG"), spread(grey))
    hole = Image.fromarray(grey).convert("P")
    shown = np.where(grey == 0, 255, grey)
    yield Case("PNG", "palette with a transparent colour", saved(hole, "PNG", transparency=0), spread(shown))


def png16(values: NDArray[np.uint16], alpha: int | None = None, significant: int | None = None) -> bytes:
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


def one_bit() -> Iterator[Case]:
    """Files of one bit, and with a palette."""
    bits = grey_truth() > 127
    for kind in ("PNG", "BMP", "TIFF", "PPM"):
        yield Case("1 bit and palettes", f"{kind}, 1 bit", saved(Image.fromarray(bits), kind), spread(bits * 255))
    for kind in ("GIF", "BMP", "TIFF"):
        data = saved(Image.fromarray(grey_truth()).convert("P"), kind)
        yield Case("1 bit and palettes", f"{kind}, palette", data, spread(grey_truth()))


def others() -> Iterator[Case]:
    """Formats with 16 bits, and those that are not read."""
    grey = grey_truth()
    head = b"P5 64 48 "
    deep = head + b"65535\n" + at_depth(grey, 16).astype(">u2").tobytes()
    yield Case("other formats", "PGM, 16 bits", deep, spread(grey))
    yield Case(
        "other formats", "PGM, 12 bits", head + b"4095\n" + at_depth(grey, 12).astype(">u2").tobytes(), spread(grey), 1
    )
    low = head + b"65535\n" + at_depth(grey, 12).astype(">u2").tobytes()
    yield Case("other formats", "PGM, 12-bit values in 16 bits", low, spread(grey), unknown=True)
    yield Case(
        "other formats",
        "JPEG 2000, grey, 16 bits",
        saved(Image.fromarray(at_depth(grey, 16)), "JPEG2000"),
        spread(grey),
    )
    colours = bytearray(saved(Image.fromarray(truth()), "JPEG2000"))
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
        ("TGA", saved(Image.fromarray(grey), "TGA")),
        ("ICO", saved(Image.fromarray(truth()), "ICO")),
        ("PDF", b"%PDF-1.7\n"),
        ("SVG", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("raw photograph, CR2", b"II*\0\x10\0\0\0CR\2\0" + bytes(40)),
        ("raw photograph, CR3", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom"),
        ("raw photograph, RAF", b"FUJIFILMCCD-RAW 0201" + bytes(40)),
    ):
        yield Case("other formats", what, data, None)
    dng = tiff_file(grey, extratags=[(50706, "B", 4, (1, 4, 0, 0), True)])
    yield Case("other formats", "raw photograph, DNG", dng, None)
    preview = io.BytesIO()
    with tifffile.TiffWriter(preview) as writer:
        writer.write(grey[::4, ::4], subfiletype=1, photometric="minisblack", subifds=1)
        writer.write(grey, photometric="minisblack")
    yield Case("other formats", "raw photograph with a preview, such as NEF", preview.getvalue(), None)


def several() -> Iterator[Case]:
    """Files that hold several pictures."""
    first, second = Image.fromarray(truth()), Image.fromarray(truth()[::-1].copy())
    for kind, what in (
        ("TIFF", "pages"),
        ("GIF", "animation"),
        ("WEBP", "animation"),
        ("PNG", "animation"),
        ("AVIF", "animation"),
        ("MPO", "frames"),
    ):
        data = saved(first, kind, save_all=True, append_images=[second])
        yield Case("several pictures", f"{kind}, {what}", data, None)
    yield Case("several pictures", "ImageJ stack", tiff_file(np.stack([grey_truth()] * 3), imagej=True), None)
    pyramid = io.BytesIO()
    with tifffile.TiffWriter(pyramid) as writer:
        writer.write(truth(), photometric="rgb")
        writer.write(truth()[::2, ::2], photometric="rgb", subfiletype=1)
    yield Case("several pictures", "TIFF, one picture and a smaller copy of it", pyramid.getvalue(), truth())
