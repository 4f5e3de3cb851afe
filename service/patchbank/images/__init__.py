"""The one image decoder: bytes or a file become upright 8-bit RGB pixels, or a clear error.

Index time and request time both use it, so that a reference image sent to ``/detect`` is exactly the picture that was
indexed. ``docs/formats.md`` lists what is read.
"""

from patchbank.images.decoding import DECODER, decode_image, open_image, opened, read_image
from patchbank.images.depth import may_be_deep
from patchbank.images.formats import HEAD, SUFFIXES, FileKind, kind_of
from patchbank.images.limits import ImageLimits
from patchbank.images.masks import MaskImage, read_mask
from patchbank.images.opened import OpenedImage
from patchbank.images.picture import DecodedImage, cell_box
from patchbank.images.reader import PictureReader
from patchbank.images.white import (
    CERTAIN,
    FULL,
    UNKNOWN,
    WHITES,
    ByItself,
    RangeRule,
    TaughtRange,
    UnknownRange,
    White,
    white_for,
)

__all__ = [
    "CERTAIN",
    "DECODER",
    "FULL",
    "HEAD",
    "SUFFIXES",
    "UNKNOWN",
    "WHITES",
    "ByItself",
    "DecodedImage",
    "FileKind",
    "ImageLimits",
    "MaskImage",
    "OpenedImage",
    "PictureReader",
    "RangeRule",
    "TaughtRange",
    "UnknownRange",
    "White",
    "cell_box",
    "decode_image",
    "kind_of",
    "may_be_deep",
    "open_image",
    "opened",
    "read_image",
    "read_mask",
    "white_for",
]
