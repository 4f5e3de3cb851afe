"""What decoding a file will take, reckoned from its header before the decoder sees it.

Limits that look at the picture alone are not enough: a decoder also makes room for tiles that are larger than their
picture, and goes over a picture once for each of its scans. What is not reckoned here stays below ``most_memory`` for
every picture of ``max_megapixels``; what a file makes of it all the same is held by the limits of the process that
decodes it (``patchbank.images.decoding_process``).
"""

from __future__ import annotations

from typing import Final

from patchbank.images import headers, tiff
from patchbank.images.jpeg_walk import walk_jpeg
from patchbank.images.limits import ImageLimits
from patchbank.images.tiff import Page

_AFTER: Final = 8
"""Bytes per pixel beside the decoded picture: a turned copy and the result."""

_CHUNK, _RUN, _WRITTEN_OUT = 3_000, 200, 200
"""What Pillow takes for a chunk of PNG, a run of BMP and a number of PPM that is written out, in visits of a pixel."""

_TAG_VALUE, _RATIO, _STRIP = 48, 320, 400
"""Bytes that Pillow and libtiff take for a value of a tag, for one that is a fraction, and for a strip or tile."""

_JP2_TILE, _JP2_CHANNEL = 6_000, 1_200
"""Bytes that OpenJPEG takes for a tile, and for each channel of it, before it decodes any."""


def check_cost(kind: str, data: bytes, limits: ImageLimits, name: str) -> None:
    """Raise ``ImageTooLarge`` for a picture of the ``kind`` that is too large, or too costly to decode. TIFF is for
    :func:`check_tiff_cost`."""
    check = _CHECKS.get(kind)
    if check is not None:
        check(data, limits, name)


def check_tiff_cost(page: Page, limits: ImageLimits, name: str) -> None:
    """The same for the first picture of a TIFF file."""
    width, height = page.number(tiff.WIDTH, 0), page.number(tiff.HEIGHT, 0)
    limits.check_pixels(width, height, name)
    tile = page.number(tiff.TILE_WIDTH, 0), page.number(tiff.TILE_HEIGHT, 0)
    limits.check_pixels(*tile, name, "a tile of ")
    rows = min(height, page.number(tiff.ROWS_PER_STRIP, height))
    sample = page.number(tiff.SAMPLES, 1) * max(page.numbers(tiff.BITS, (1,)), default=1) / 8
    at_once = int(max(tile[0] * tile[1], width * rows) * max(4.0, sample))
    pieces = max(page.count(tiff.STRIP_OFFSETS), page.count(tiff.TILE_OFFSETS))
    lists = page.values * _TAG_VALUE + page.ratios * _RATIO + pieces * _STRIP
    memory = width * height * (4 + _AFTER) + at_once + lists
    limits.check_cost(
        memory, width * height + pieces * _WRITTEN_OUT, name, f"its {pieces} strips or tiles and its tags"
    )


def _check_jpeg(data: bytes, limits: ImageLimits, name: str) -> None:
    header = headers.jpeg_header(data)
    width, height = (0, 0) if header is None else (header.width, header.height)
    limits.check_pixels(width, height, name)
    pixels = width * height
    walk = walk_jpeg(data, pixels, limits.most_visits)
    # Of a picture in several scans all coefficients are held, in two bytes each.
    coefficients = 2 * walk.components if walk.scans > 1 else 0
    limits.check_cost(pixels * (4 + _AFTER + coefficients), walk.visits, name, f"a JPEG of {walk.scans} scans or more")


def _check_png(data: bytes, limits: ImageLimits, name: str) -> None:
    width, height, interlaced = headers.png_size(data)
    limits.check_pixels(width, height, name)
    chunks = headers.png_chunks(data, limits.most_visits // _CHUNK + 1)
    visits = width * height * (2 if interlaced else 1) + chunks * _CHUNK
    limits.check_cost(width * height * (4 + _AFTER), visits, name, f"a PNG of {chunks} chunks")


def _check_webp(data: bytes, limits: ImageLimits, name: str) -> None:
    limits.check_pixels(*headers.webp_size(data), name)


def _check_jpeg2000(data: bytes, limits: ImageLimits, name: str) -> None:
    size = headers.jpeg2000_size(data)
    if size is None:
        return
    limits.check_pixels(size.width, size.height, name)
    tile = min(size.tile_width, size.width) * min(size.tile_height, size.height)
    pixels = size.width * size.height
    tables = size.tiles * (_JP2_TILE + size.channels * _JP2_CHANNEL)
    # OpenJPEG holds a tile in four bytes per value; Pillow takes it over in the bytes that it has.
    memory = pixels * 4 + max(tile * size.channels * 5, pixels * _AFTER) + tables
    limits.check_cost(memory, pixels, name, f"a JPEG 2000 of {size.channels} channels and {size.tiles} tiles")


def _check_ppm(data: bytes, limits: ImageLimits, name: str) -> None:
    if data[:2] in (b"P2", b"P3"):
        numbers = len(data) // 2
        limits.check_cost(0, numbers * _WRITTEN_OUT, name, "a PPM whose values are written out as text")


def _check_bmp(data: bytes, limits: ImageLimits, name: str) -> None:
    if headers.bmp_has_runs(data):
        limits.check_cost(0, len(data) // 2 * _RUN, name, "a BMP of runs (RLE)")


_CHECKS: Final = {
    "JPEG": _check_jpeg,
    "PNG": _check_png,
    "WebP": _check_webp,
    "JPEG 2000": _check_jpeg2000,
    "PPM": _check_ppm,
    "BMP": _check_bmp,
    "DIB": _check_bmp,
}
