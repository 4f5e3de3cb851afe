"""Reads pictures for whoever needs some: in this process, or in processes of their own."""

from __future__ import annotations

import threading
from pathlib import Path
from pickle import PickleBuffer
from types import TracebackType
from typing import Any, Final

from patchbank.errors import DecoderEnded, ImageTooCostly
from patchbank.images.decoding import opened
from patchbank.images.decoding_process import Order, decoding_kind, most_seconds
from patchbank.images.files import read_bytes
from patchbank.images.limits import DEFAULT_LIMITS, ImageLimits
from patchbank.images.masks import MaskImage, opened_mask
from patchbank.images.opened import OpenedImage
from patchbank.images.picture import DecodedImage
from patchbank.images.white import UNKNOWN, RangeRule
from patchbank.processes.pool import WorkerPool

_WALL: Final = 3
"""Seconds by the clock that decoding may take for each second of processor time that it may take."""

_LARGE: Final = 8
"""Pictures of more than an eighth of the largest that is allowed are decoded one at a time in this process."""


class PictureReader:
    """Reads files within ``limits``. Thread-safe; use it as a context manager or call ``close``.

    With ``decoders`` so many processes decode, and so many pictures at the same time; without, whoever reads does, one
    large picture at a time, and only what the header tells is bounded. All methods raise the errors of
    ``decode_image``; those of files ``UndecodableImage`` for one that cannot be read, too, and processes
    ``ImageTooCostly`` for one that takes more time or memory than a picture may, ``DecodersNotStarted`` and
    ``DeadlinePassed``.
    """

    def __init__(self, limits: ImageLimits = DEFAULT_LIMITS, decoders: int = 0) -> None:
        self.limits = limits
        self._pool = WorkerPool(decoding_kind(limits), decoders) if decoders else None
        self._one_large = threading.Lock()

    def within(self, limits: ImageLimits) -> PictureReader:
        """The same processes within other limits. It need not be closed: they belong to this reader."""
        if limits == self.limits:
            return self
        reader = PictureReader(limits)
        reader._pool, reader._one_large = self._pool, self._one_large
        return reader

    def wait_until_ready(self) -> None:
        """Return once the processes answer, where there are some. Raises ``DecodersNotStarted``."""
        if self._pool is not None:
            self._pool.wait_until_ready()

    def opened(self, data: bytes, name: str = "image") -> OpenedImage:
        """Decode an encoded picture, but for its range."""
        if self._pool is None:
            with _Turn(self._one_large, self.limits) as turn:
                return opened(data, self.limits, name, turn.take)
        picture: OpenedImage = self._decoded(self._pool, data, name, mask=False)
        return picture

    def open(self, path: Path) -> OpenedImage:
        """Decode a file, but for its range."""
        return self.opened(read_bytes(path, self.limits), path.name)

    def read(self, path: Path, rule: RangeRule = UNKNOWN) -> DecodedImage:
        """Decode a file. Raises what the rule raises, too."""
        return self.open(path).read(rule)

    def mask(self, path: Path) -> MaskImage:
        """Read a mask, as ``read_mask`` does."""
        data = read_bytes(path, self.limits)
        if self._pool is None:
            with _Turn(self._one_large, self.limits) as turn:
                return opened_mask(data, self.limits, path.name, turn.take)
        mask: MaskImage = self._decoded(self._pool, data, path.name, mask=True)
        return mask

    def _decoded(self, pool: WorkerPool, data: bytes, name: str, *, mask: bool) -> Any:
        if not data:
            return opened(data, self.limits, name)  # which says what is wrong
        self.limits.check_bytes(len(data), name)
        seconds = most_seconds(self.limits.max_megapixels)
        late = ImageTooCostly(f"{name}: decoding it takes longer than a picture may ({seconds:.0f} s)")
        order = Order(PickleBuffer(data), self.limits, name, mask)
        try:
            return pool.call(order, _WALL * seconds, late)
        except DecoderEnded:  # somebody killed it, or the system did: of a file that does this, the next one tells
            return pool.call(order, _WALL * seconds, late)

    def close(self) -> None:
        """End the processes. Closing twice does nothing more."""
        if self._pool is not None:
            self._pool.close()

    def __enter__(self) -> PictureReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Turn:
    """Decodes in this process wait for each other where pictures are large, so that threads take no multiple of what
    one of them may take."""

    def __init__(self, lock: threading.Lock, limits: ImageLimits) -> None:
        self._lock = lock
        self._large = limits.max_megapixels * 1e6 / _LARGE
        self._held = False

    def take(self, width: int, height: int) -> None:
        """Wait for the turn of a picture of that size."""
        if width * height > self._large and not self._held:
            self._lock.acquire()
            self._held = True

    def __enter__(self) -> _Turn:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held:
            self._lock.release()
