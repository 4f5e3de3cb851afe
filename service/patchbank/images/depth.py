"""Which files may be 16-bit grey without a range, told from their headers."""

from __future__ import annotations

from pathlib import Path

from patchbank.errors import PatchbankError
from patchbank.images import headers
from patchbank.images.files import read_bytes
from patchbank.images.formats import HEAD, kind_of
from patchbank.images.limits import ImageLimits
from patchbank.images.tiff import BrokenTiff
from patchbank.images.tiff_layout import tiff_layout
from patchbank.regular_file import open_regular

_PNG_DEPTH, _PNG_COLOUR, _GREY = 24, 25, 0


def may_be_deep(path: Path, limits: ImageLimits) -> bool:
    """Whether a file's header says 16 bits per channel, in a format that may be grey, without a range. False for files
    that can't be read. Of most files only the first bytes are looked at."""
    try:
        with open_regular(path) as file:
            head = file.read(HEAD)
        kind = kind_of(head)
        name = kind.name if kind is not None else ""
        if name in ("TIFF", "JPEG 2000"):  # what tells may lie anywhere in the file
            return _all_tells(read_bytes(path, limits), name, limits, path.name)
    except (OSError, PatchbankError, BrokenTiff):
        return False
    if name == "PNG":
        return len(head) > _PNG_COLOUR and (head[_PNG_DEPTH], head[_PNG_COLOUR]) == (16, _GREY)
    return name == "PPM" and head[:2] in (b"P2", b"P5") and headers.has_sixteen_bits("PPM", head)


def _all_tells(data: bytes, kind: str, limits: ImageLimits, name: str) -> bool:
    if kind == "JPEG 2000":
        return headers.has_sixteen_bits("JPEG2000", data)
    layout = tiff_layout(data, limits, name)
    return layout.deep and layout.white is None
