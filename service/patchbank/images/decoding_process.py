"""What a decoding process does: strangers' files become pixels, in memory and processor time that are bounded.

A decoder is C code that reads what anyone sends. Here it may crash, hang or take too much, and all that is lost is the
picture.
"""

from __future__ import annotations

import ctypes
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pickle import PickleBuffer
from typing import Any, Final

from PIL import AvifImagePlugin, Image

from patchbank.errors import DecoderEnded, DecodersNotStarted, ImageTooCostly, UndecodableImage
from patchbank.images.decoding import opened
from patchbank.images.limits import ImageLimits
from patchbank.images.masks import MaskImage, opened_mask
from patchbank.images.opened import OpenedImage
from patchbank.processes.limits import end_after, never_end
from patchbank.processes.serving import Answer
from patchbank.processes.worker import Kind
from patchbank.reason import reason_of

_SECONDS: Final = 5.0
_SECONDS_A_MEGAPIXEL: Final = 0.3
"""Processor time that a picture may take: 20 s for 50 megapixels. The slowest that were measured, JPEG 2000, take 5."""

_SLACK_MB: Final = 64
"""Address space beside what is reckoned: stacks, and what the allocator keeps."""

_NOTES: Final = 3
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGE_BLOCK: Final = 32 << 20
"""Smaller blocks, such as those for a band of a picture, are used again: a fresh one costs time."""


@dataclass(frozen=True)
class Order:
    """A file's bytes, and whether they are to be read as a mask."""

    data: PickleBuffer
    limits: ImageLimits
    name: str
    mask: bool


def decoding_kind(limits: ImageLimits) -> Kind:
    """Workers that decode files within ``limits``."""
    return Kind(
        name="decode",
        called="a decoding process",
        opened=decoding,
        arguments=(),
        remedy="decoders=0",
        not_started=DecodersNotStarted,
        ended=DecoderEnded,
        crashed=UndecodableImage,
        otherwise=UndecodableImage,
        memory_mb=limits.most_memory / 1e6 + 2 * limits.max_megabytes + _SLACK_MB,
    )


def most_seconds(megapixels: float) -> float:
    """Processor time that a picture of so many megapixels may take to decode."""
    return _SECONDS + _SECONDS_A_MEGAPIXEL * megapixels


@contextmanager
def decoding() -> Iterator[Answer]:
    """What answers in a decoding process."""
    import tifffile  # noqa: F401, PLC0415  # loaded here, before memory is bounded

    Image.init()
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # each thread has a stack and a heap of its own
    _return_memory()
    yield _answer


def _answer(order: Order) -> OpenedImage | MaskImage:
    data = bytes(order.data)
    end_after(most_seconds(0))
    try:
        if order.mask:
            return opened_mask(data, order.limits, order.name, _more_time)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            picture = opened(data, order.limits, order.name, _more_time)
        return replace(picture, notes=(*picture.notes, *_notes(told)))
    except MemoryError as error:
        raise ImageTooCostly(f"{order.name}: decoding it takes more memory than a picture may") from error
    finally:
        never_end()


def _more_time(width: int, height: int) -> None:
    end_after(most_seconds(width * height / 1e6))


def _notes(told: list[Any]) -> list[str]:
    """What the decoder warned of, for people."""
    ours = [warning for warning in told if not issubclass(warning.category, Image.DecompressionBombWarning)]
    return list(dict.fromkeys(f"decoder: {reason_of(warning.message)}" for warning in ours))[:_NOTES]


def _return_memory() -> None:
    """Large blocks go back to the system when they are freed, or what one picture left would count for the next."""
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):  # another C library than glibc
            library = ctypes.CDLL(None)
            library.mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
            library.mallopt(_M_TRIM_THRESHOLD, 4 * _LARGE_BLOCK)
