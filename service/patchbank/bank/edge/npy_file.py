"""Arrays in files that are read by plain reads, a block at a time, or mapped once they are known to be sound."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import numpy as np
import numpy.typing as npt

from patchbank.arrays import FloatArray, IntArray
from patchbank.regular_file import open_regular

Kind = Literal["<f4", "|u1"]

_MAGIC: Final = b"\x93NUMPY\x01\x00"
_HEADER: Final = re.compile(
    rb"\{'descr': '(<f4|\|u1)', 'fortran_order': False, 'shape': \((0|[1-9]\d{0,11}), (0|[1-9]\d{0,5})\), \} *\n"
)
_MOST_HEADER: Final = 4_096


@dataclass(frozen=True)
class NpyFile:
    """A file with an array (``count``, ``width``) of one kind, as ``numpy.save`` writes it."""

    path: Path
    kind: Kind
    count: int
    width: int
    offset: int

    @classmethod
    def open(cls, path: Path, kind: Kind, width: int | None = None) -> NpyFile:
        """Look at a file. Raises ``OSError``, and ``ValueError`` where it is not of that kind and ``width``, or not of
        the length that it tells."""
        with open_regular(path) as file:
            status = os.fstat(file.fileno())
            start = file.read(len(_MAGIC) + 2)
            length = int.from_bytes(start[len(_MAGIC) :], "little")
            header = file.read(min(length, _MOST_HEADER))
        told = _HEADER.fullmatch(header)
        if not start.startswith(_MAGIC) or len(header) != length or told is None or told[1] != kind.encode():
            raise ValueError(f"{path.name} is not an array that Patchbank writes")
        made = cls(path, kind, int(told[2]), int(told[3]), len(start) + length)
        if width is not None and made.width != width:
            raise ValueError(f"{path.name} has rows of {made.width} numbers, not {width}")
        if status.st_size != made.offset + made.count * made.row_bytes:
            raise ValueError(f"{path.name} has {status.st_size} bytes, which are not {made.count} rows")
        return made

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.width * np.dtype(self.kind).itemsize

    def read(self, begin: int = 0, end: int | None = None) -> npt.NDArray[Any]:
        """Some rows, all by default. Raises ``OSError``."""
        with self.path.open("rb") as file:
            return self._read(file, begin, self.count if end is None else min(end, self.count))

    def blocks(self, rows: int) -> Iterator[npt.NDArray[Any]]:
        """All rows, so many at a time."""
        with self.path.open("rb") as file:
            for begin in range(0, self.count, rows):
                yield self._read(file, begin, min(begin + rows, self.count))

    def gather(self, places: IntArray) -> npt.NDArray[Any]:
        """The rows at these places, (M, ``width``), which may be none; neighbours are read together."""
        wanted, back = np.unique(places, return_inverse=True)
        found = np.empty((len(wanted), self.width), dtype=self.kind)
        begins = np.flatnonzero(np.diff(wanted, prepend=-2) != 1)
        ends = np.append(begins, len(wanted))[1:]
        with self.path.open("rb", buffering=0) as file:
            for first, last in zip(begins, ends, strict=True):
                start = int(wanted[first])
                found[first:last] = self._read(file, start, start + int(last - first))
        return found[back.reshape(-1)]

    def _read(self, file: Any, begin: int, end: int) -> npt.NDArray[Any]:
        rows = np.empty((max(0, end - begin), self.width), dtype=self.kind)
        view = rows.reshape(-1).view(np.uint8).data
        file.seek(self.offset + begin * self.row_bytes)
        while view:
            count = file.readinto(view)
            if not count:
                raise OSError(f"{self.path.name} is shorter than it was")
            view = view[count:]
        return rows

    def mapped(self) -> npt.NDArray[Any]:
        """The array, mapped: where the file is cut meanwhile, the process ends."""
        if not self.count:
            return np.empty((0, self.width), dtype=self.kind)
        shape = (self.count, self.width)
        return np.asarray(np.memmap(self.path, dtype=self.kind, mode="r", offset=self.offset, shape=shape))


def write_header(file: BinaryIO, kind: Kind, count: int, width: int) -> None:
    """Write what comes before the rows."""
    facts = {"descr": kind, "fortran_order": False, "shape": (count, width)}
    np.lib.format.write_array_header_1_0(file, facts)


def write_rows(path: Path, kind: Kind, rows: npt.NDArray[Any]) -> None:
    """Write a new file with these rows (N, W)."""
    with path.open("xb") as file:
        write_header(file, kind, *rows.shape)
        file.write(np.ascontiguousarray(rows, dtype=kind).tobytes())


class FileRows:
    """Vectors (N, D) in a file, read anew each time; in another ``order`` than in the file, where one is given."""

    def __init__(self, file: NpyFile, order: IntArray | None = None) -> None:
        self._file = file
        self._order = order

    def __len__(self) -> int:
        return self._file.count if self._order is None else len(self._order)

    def rows(self, begin: int, end: int) -> FloatArray:
        """Those from ``begin`` to ``end``."""
        return self._file.read(begin, end) if self._order is None else self._file.gather(self._order[begin:end])

    def gather(self, places: IntArray) -> FloatArray:
        """Those at these places."""
        return self._file.gather(places if self._order is None else self._order[places])
