"""Pictures as parts of a form."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, cast

Image = Path | str | bytes | tuple[str, bytes | Path]
"""A picture: the path of its file, its encoded bytes, or either with the name that it is sent under."""

Part = tuple[str, tuple[str, bytes | BinaryIO]]
"""A file of a form: the field, the file's name, and its content."""

_UNNAMED = "image"


def part(field: str, image: Image) -> Part:
    """A picture as a file of a form. A file is opened while it is sent, and no sooner."""
    name, content = image if isinstance(image, tuple) else ("", image)
    if isinstance(content, bytes):
        return field, (name or _UNNAMED, content)
    file = Path(content)
    return field, (name or file.name, cast(BinaryIO, _LateFile(file)))


def parts(field: str, images: Iterable[Image]) -> list[Part]:
    """Several pictures of one field."""
    return [part(field, image) for image in images]


class _LateFile(io.RawIOBase):
    """A file that is open from the first read to its end: thousands may be sent in one form."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file
        self._size = file.stat().st_size
        self._place = 0
        self._opened: io.FileIO | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = base + offset
        self._let_go()
        return self._place

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        if self._opened is None:
            self._opened = io.FileIO(self._file)
            self._opened.seek(self._place)
        count = self._opened.readinto(view)
        self._place += count
        if count == 0:
            self._let_go()
        return count

    def close(self) -> None:
        self._let_go()
        super().close()

    def _let_go(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None
