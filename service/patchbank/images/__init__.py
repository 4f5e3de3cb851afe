"""The one image decoder: bytes or a file become upright 8-bit RGB pixels, or a clear error.

Index time and request time both use it, so that a reference image sent to ``/detect`` is exactly the picture that was
indexed. ``docs/formats.md`` lists what is read.
"""

from patchbank.images.decoding import DECODER, decode_image, read_image
from patchbank.images.formats import HEAD, SUFFIXES, FileKind, kind_of
from patchbank.images.limits import ImageLimits
from patchbank.images.masks import MaskImage, read_mask
from patchbank.images.picture import DecodedImage, cell_box

__all__ = [
    "DECODER",
    "HEAD",
    "SUFFIXES",
    "DecodedImage",
    "FileKind",
    "ImageLimits",
    "MaskImage",
    "cell_box",
    "decode_image",
    "kind_of",
    "read_image",
    "read_mask",
]
