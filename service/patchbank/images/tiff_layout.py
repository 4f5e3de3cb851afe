"""Which TIFF layouts are read, by which library, and why the others are not.

Measured with files that tifffile wrote (``docs/formats.md``): Pillow reads nearly all 8-bit and most 16-bit layouts
right. What it reads wrong is read by tifffile or here, or is refused with its reason.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from patchbank.errors import UnsupportedImage
from patchbank.images import tiff
from patchbank.images.cost import check_tiff_cost
from patchbank.images.limits import ImageLimits
from patchbank.images.tiff import Page

_PLAIN: Final = 1
_PREDICTED: Final = (5, 8, 32946, 34925, 50000)
"""Compressions for which libtiff heeds a predictor: LZW, deflate (two numbers), LZMA, Zstandard."""

_JPEG: Final = (6, 7)
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _CFA, _LINEAR_RAW = 0, 1, 2, 32803, 34892
_INTEGER, _SIGNED, _FLOAT = 1, 2, 3
_IMAGEJ: Final = re.compile(r"ImageJ=.*?\bimages=(\d+)", re.DOTALL)
_SAVE: Final = "save it with 8 or 16 bits"


@dataclass(frozen=True)
class TiffLayout:
    """How the first picture's values are to be taken.

    ``deep`` says that channels have 16 bits, ``white`` which value is white where a tag says so, ``inverted`` that 0 is
    white although Pillow takes it for black, ``by_tifffile`` that Pillow would read the picture wrong, ``signed`` that
    values have a sign. ``turn`` is the EXIF orientation, ``size`` (width, height) in pixels before it.
    """

    deep: bool = False
    white: int | None = None
    inverted: bool = False
    by_tifffile: bool = False
    signed: bool = False
    turn: int = 1
    size: tuple[int, int] = (0, 0)


def tiff_layout(data: bytes, limits: ImageLimits, name: str) -> TiffLayout:
    """The layout of a TIFF file's one picture.

    Raises ``UnsupportedImage`` for several pictures, raw photographs and layouts that are not read, ``ImageTooLarge``
    for more pixels than ``limits`` allow, and ``BrokenTiff``.
    """
    pages = tiff.pages(data)
    first = pages[0]
    check_tiff_cost(first, limits, name)
    _refuse_raw(pages, name)
    _refuse_several(pages, name)
    size = first.number(tiff.WIDTH, 0), first.number(tiff.HEIGHT, 0)
    return replace(_single(first, name), size=size)


def _refuse_raw(pages: list[Page], name: str) -> None:
    first = pages[0]
    if tiff.DNG_VERSION in first or first.number(tiff.PHOTOMETRIC, -1) in (_CFA, _LINEAR_RAW):
        raise _unsupported(name, "a raw photograph (DNG)", "develop it, and save the result as TIFF or PNG")
    if first.is_reduced and (len(pages) > 1 or tiff.SUB_IFDS in first):
        raise _unsupported(
            name,
            "a TIFF whose first picture is only a preview, as in raw photographs,",
            "develop it, and save the result as TIFF or PNG",
        )


def _refuse_several(pages: list[Page], name: str) -> None:
    first = pages[0]
    count = sum(not (page.is_reduced or page.is_mask) for page in pages[1:]) + 1
    stacked = _IMAGEJ.search(first.text(tiff.DESCRIPTION))
    count = max(count, first.number(tiff.DEPTH, 1), int(stacked[1][:9]) if stacked else 1)
    if count > 1:
        raise several("TIFF", count, name, most=tiff.MAX_PAGES)


def several(kind: str, count: int, name: str, most: int) -> UnsupportedImage:
    """The error for a file with more than one picture; ``count`` was not counted beyond ``most``."""
    said = f"{count}" if count < most else f"{most} or more"
    return UnsupportedImage(
        f"{name}: the {kind} file holds {said} pictures (pages or frames), and which one is meant is not known; save "
        "each one that is to be used as a file of its own",
        format=kind,
        pages=count,
    )


def _single(page: Page, name: str) -> TiffLayout:
    samples = page.number(tiff.SAMPLES, 1)
    depths = set(page.numbers(tiff.BITS, (1,)))
    forms = set(page.numbers(tiff.SAMPLE_FORMAT, (_INTEGER,)))
    compression, photometric = page.number(tiff.COMPRESSION, _PLAIN), page.number(tiff.PHOTOMETRIC, 1)
    if _FLOAT in forms:
        raise _unsupported(name, "a TIFF of floating-point pixels", _SAVE)
    if forms - {_INTEGER, _SIGNED, 4}:
        raise _unsupported(name, "a TIFF of complex numbers", _SAVE)
    if len(depths) > 1:
        raise _unsupported(name, f"a TIFF with {', '.join(map(str, sorted(depths)))} bits per channel", _SAVE)
    (bits,) = depths
    signed = _SIGNED in forms
    if signed and bits == 8:
        raise _unsupported(name, "a TIFF of signed 8-bit pixels", "save it without a sign")
    if page.number(tiff.PREDICTOR, 1) != 1 and compression not in _PREDICTED:
        raise _unsupported(name, "a TIFF with a predictor, but not compressed by LZW or deflate,", "save it by LZW")
    turn = page.number(tiff.ORIENTATION, 1)
    if bits in (1, 2, 4, 8):
        return TiffLayout(turn=turn)
    if bits == 12 and samples == 1 and compression == _PLAIN and photometric == _BLACK_IS_ZERO:
        return TiffLayout(deep=True, white=4095, turn=turn)
    if bits == 32 and samples == 1 and photometric != _WHITE_IS_ZERO:
        return TiffLayout(deep=True, white=_named_white(page), turn=turn)
    if bits != 16 or compression in _JPEG:
        layout = f"{samples} channel{'s' * (samples > 1)} of {bits} bits"
        raise _unsupported(name, f"a TIFF with {layout}, or compressed so,", _SAVE)
    if signed and samples > 1:
        raise _unsupported(name, "a TIFF of signed colours", "save it without a sign")
    return _sixteen_bits(page, name, samples, compression, signed=signed)


def _sixteen_bits(page: Page, name: str, samples: int, compression: int, *, signed: bool) -> TiffLayout:
    photometric, white, turn = page.number(tiff.PHOTOMETRIC, 1), _named_white(page), page.number(tiff.ORIENTATION, 1)
    inverted = photometric == _WHITE_IS_ZERO
    if samples == 1:
        return TiffLayout(deep=True, white=white, inverted=inverted, signed=signed, turn=turn)
    planar = page.number(tiff.PLANAR, 1) == 2
    plain = compression == _PLAIN
    grey_and_alpha = samples == 2 and photometric == _BLACK_IS_ZERO
    scaled_colours = photometric == _RGB and white is not None
    if not plain and (grey_and_alpha or scaled_colours):
        what = "grey and transparency" if grey_and_alpha else f"colours up to {white}"
        raise _unsupported(name, f"a compressed 16-bit TIFF with {what}", "save it without compression or with 8 bits")
    if plain and ((planar and photometric == _RGB and samples in (3, 4)) or grey_and_alpha or scaled_colours):
        return TiffLayout(deep=True, white=white, by_tifffile=True, turn=turn)
    if planar and plain:
        raise _unsupported(name, "a planar 16-bit TIFF that is neither grey nor RGB", "save it interleaved")
    return TiffLayout(deep=True, turn=turn)


def _named_white(page: Page) -> int | None:
    """The value of white, where the file says that it has fewer bits than room: 2^n - 1 as the greatest sample value.

    Some programs write the brightest value of the picture there, which is no range.
    """
    named = set(page.numbers(tiff.MAX_SAMPLE))
    white = named.pop() if len(named) == 1 else 0
    return white if 255 <= white < 65535 and (white & (white + 1)) == 0 else None


def read_by_tifffile(data: bytes) -> NDArray[Any]:
    """The first picture's values (H, W, channels); for uncompressed files alone, whose size is that of their values."""
    import tifffile  # noqa: PLC0415  # slow to load, and few need it

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page: Any = file.pages[0]
        values: NDArray[Any] = np.asarray(page.asarray(maxworkers=1))
        axes = str(page.axes)
    return np.moveaxis(values, axes.index("S"), -1).reshape(*_sides(values, axes), -1)


def _sides(values: NDArray[Any], axes: str) -> tuple[int, int]:
    return values.shape[axes.index("Y")], values.shape[axes.index("X")]


def _unsupported(name: str, what: str, advice: str) -> UnsupportedImage:
    return UnsupportedImage(f"{name}: {what} is not read; {advice}", format="TIFF")
