"""Tells a JPEG whose coded picture ends early or is damaged, which Pillow decodes without a word.

libjpeg fills what is missing with grey and only warns; Pillow drops its warnings. So the file is decoded once more, at
an eighth of its size and in grey, by simplejpeg, which passes them on. A progressive JPEG that was cut between two of
its scans is a whole picture, only coarser: nothing tells it from one that was meant so.
"""

from __future__ import annotations

from typing import Final

import simplejpeg

_INCOMPLETE: Final = ("premature end", "bad huffman code")
"""Warnings after which part of the picture is missing or wrong. Others, such as of stray bytes before a marker, come
from cameras whose pictures are whole."""


def jpeg_damage(data: bytes) -> str | None:
    """What libjpeg says of a JPEG that Pillow has decoded; None where the whole picture is in it."""
    try:
        simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, fastdct=True)
    except ValueError as error:
        said = str(error)
        return said if any(text in said.lower() for text in _INCOMPLETE) else None
    return None
