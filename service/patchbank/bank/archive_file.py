"""The zip file of a snapshot, opened as a stranger's: only what ``write_archive`` writes is read.

Entries are stored as they are, so none takes more memory or disk than the file itself.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from patchbank.regular_file import open_regular

SUMS: Final = "sha256.json"
"""The entry with the SHA-256 of each other entry. Snapshots of older releases have none."""

_MOST_ENTRIES: Final = 16
_MOST_DIRECTORY: Final = 1 << 16
_MOST_SUMS: Final = 1 << 16
_END: Final = struct.Struct("<4s4H2LH")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_SIZE: Final = 20
_LOCAL_HEADER: Final = 30
_ENCRYPTED: Final = 0x1


class ArchiveFile:
    """Entries of the names ``known``, each there once at most. Raises ``ValueError`` or ``OSError`` for anything else,
    and what ``zipfile`` raises."""

    def __init__(self, path: Path, known: Collection[str]) -> None:
        self._file = open_regular(path)
        try:
            size = os.fstat(self._file.fileno()).st_size
            _check_directory(self._file, size)
            self._zip = zipfile.ZipFile(self._file)
            self._entries = _checked(self._zip.infolist(), {*known, SUMS}, size)
            self._sums: Mapping[str, Any] = self._read_sums() if SUMS in self._entries else {}
        except BaseException:
            self._file.close()
            raise

    def _read_sums(self) -> Mapping[str, Any]:
        sums = json.loads(self.read(SUMS, _MOST_SUMS))
        if not isinstance(sums, dict) or set(sums) != set(self._entries) - {SUMS}:
            raise ValueError(f"{SUMS} does not name the entries that are there")
        return sums

    def size(self, name: str) -> int:
        """Bytes of an entry. Raises ``KeyError``."""
        if name not in self._entries:
            raise KeyError(f"it has no {name}")
        return self._entries[name].file_size

    def read(self, name: str, most: int) -> bytes:
        """A whole entry of at most so many bytes, which is as it was written."""
        if self.size(name) > most:
            raise ValueError(f"{name} is too large")
        with self.reading(name) as file:
            content = file.read(self.size(name))
            file.finish()
        return content

    @contextmanager
    def reading(self, name: str) -> Iterator[SummedEntry]:
        """An entry as a stream; call its ``finish`` when all should have been read."""
        self.size(name)
        with self._zip.open(self._entries[name]) as file:
            expected = None if name == SUMS else self._sums.get(name)
            yield SummedEntry(name, file, expected)

    def close(self) -> None:
        """Close the file."""
        self._zip.close()
        self._file.close()


class SummedEntry(io.RawIOBase):
    """An entry that is read from its begin to its end, and then compared with its sum."""

    def __init__(self, name: str, file: IO[bytes], expected: object) -> None:
        self._name = name
        self._file = file
        self._expected = expected
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes; fewer than ``size`` only at the end."""
        content = self._file.read(size)
        self._digest.update(content)
        return content

    def finish(self) -> None:
        """Raise ``ValueError`` where more is left, or the sum is another; reading to the end also compares zip's."""
        if self._file.read(1):
            raise ValueError(f"{self._name} is longer than its header says")
        if self._expected is not None and self._expected != self._digest.hexdigest():
            raise ValueError(f"{self._name} is not what was written")


def _check_directory(file: IO[bytes], size: int) -> None:
    """Raise ``ValueError`` unless the list of entries is short: ``zipfile`` reads all of it into memory."""
    if size < _END.size:
        raise ValueError("it is no zip file")
    file.seek(size - _END.size)
    mark, disk, _, entries, all_entries, length, _, comment = _END.unpack(file.read(_END.size))
    if mark != b"PK\5\6" or disk or comment:
        raise ValueError("it is no zip file, or something follows it")
    before = size - _END.size - _LOCATOR_SIZE - _END64.size
    if before >= 0:
        file.seek(before)
        mark, _, _, _, _, _, entries64, all_entries64, length64, _ = _END64.unpack(file.read(_END64.size))
        if mark == b"PK\6\6":
            entries, all_entries, length = max(entries, entries64), max(all_entries, all_entries64), length64
    if max(entries, all_entries) > _MOST_ENTRIES or length > _MOST_DIRECTORY:
        raise ValueError("it lists more than a snapshot holds")
    file.seek(0)


def _checked(listed: list[zipfile.ZipInfo], known: Collection[str], size: int) -> dict[str, zipfile.ZipInfo]:
    """The entries by name. Raises ``ValueError`` where one is unknown, there twice, packed, encrypted, longer than the
    file, or lies where another one does."""
    entries: dict[str, zipfile.ZipInfo] = {}
    end = 0
    for entry in sorted(listed, key=lambda entry: entry.header_offset):
        if entry.filename not in known or entry.filename in entries:
            raise ValueError("it has an entry that no snapshot has, or one of them twice")
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise ValueError(f"{entry.filename} is packed, which snapshots are not")
        if entry.flag_bits & _ENCRYPTED:
            raise ValueError(f"{entry.filename} is encrypted")
        if entry.header_offset < end:
            raise ValueError(f"{entry.filename} lies where another entry does")
        end = entry.header_offset + _LOCAL_HEADER + len(entry.filename.encode()) + entry.file_size
        if end > size:
            raise ValueError(f"{entry.filename} is longer than the file")
        entries[entry.filename] = entry
    return entries
