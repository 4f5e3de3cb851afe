"""Puts embeddings aside until they are needed again: those of large pictures would fill the memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.embedding.embedding import Embedding

ROOM: Final = 256 << 20
"""Bytes that stay in memory; what comes later lies in a file."""


@dataclass(frozen=True)
class _Place:
    """Where an array lies in the file."""

    begin: int
    shape: tuple[int, ...]


class Shelf:
    """Arrays float32, the first ``room`` bytes of them in memory and the others in a file without a name, which ends
    with the shelf. The file is made in ``folder``; where that cannot be, or without one, where temporary files are,
    which may be memory. Where the disk is full, the arrays stay in memory. Use as a context manager."""

    def __init__(self, room: int = ROOM, folder: Path | None = None) -> None:
        self._room = room
        self._folder = folder
        self._held: dict[int, FloatArray] = {}
        self._written: dict[int, _Place] = {}
        self._file: IO[bytes] | None = None
        self._end = 0

    def put(self, values: FloatArray) -> int:
        """Put an array aside; the number by which it is taken again."""
        number = len(self._held) + len(self._written)
        if values.nbytes > self._room and self._write(number, values):
            return number
        self._room -= values.nbytes
        self._held[number] = values
        return number

    def take(self, number: int) -> FloatArray:
        """An array that was put aside; it stays on the shelf."""
        if number in self._held:
            return self._held[number]
        place = self._written[number]
        assert self._file is not None  # noqa: S101  # something was written to it
        self._file.seek(place.begin)
        values = np.fromfile(self._file, dtype=np.float32, count=math.prod(place.shape))
        return values.reshape(place.shape)

    def _write(self, number: int, values: FloatArray) -> bool:
        try:
            if self._file is None:
                self._file = self._made()
            self._file.seek(self._end)
            values.tofile(self._file)
        except OSError:
            return False
        self._written[number] = _Place(self._end, values.shape)
        self._end += values.nbytes
        return True

    def _made(self) -> IO[bytes]:
        if self._folder is not None:
            with suppress(OSError):
                return TemporaryFile(prefix="patchbank-", buffering=0, dir=self._folder)  # closed with the shelf
        return TemporaryFile(prefix="patchbank-", buffering=0)  # closed with the shelf

    def close(self) -> None:
        """Give memory and file back."""
        self._held.clear()
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Shelf:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class KeptEmbeddings(Mapping[str, Embedding]):
    """Embeddings by image id, in the order in which they were added, with their patches on a shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._bare: dict[str, Embedding] = {}
        self._patches: dict[str, tuple[int, ...]] = {}

    def add(self, image_id: str, embedding: Embedding) -> None:
        """Keep one more embedding."""
        levels = (embedding,) if embedding.plain is None else (embedding, embedding.plain)
        self._patches[image_id] = tuple(self._shelf.put(level.patches) for level in levels)
        self._bare[image_id] = _bare(embedding)

    def __getitem__(self, image_id: str) -> Embedding:
        bare, numbers = self._bare[image_id], self._patches[image_id]
        patches, *plain = (self._shelf.take(number) for number in numbers)
        if bare.plain is None:
            return replace(bare, patches=patches)
        return replace(bare, patches=patches, plain=replace(bare.plain, patches=plain[0]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._bare)

    def __len__(self) -> int:
        return len(self._bare)


def _bare(embedding: Embedding) -> Embedding:
    """The embedding without its patches."""
    plain = None if embedding.plain is None else _bare(embedding.plain)
    return replace(embedding, patches=np.empty((0, embedding.patches.shape[1]), dtype=np.float32), plain=plain)
