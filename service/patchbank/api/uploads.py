"""A form with many files, written to disk as it arrives: neither memory nor open files grow with their number."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from anyio import to_thread
from fastapi import HTTPException, Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from patchbank.disk import require_space, write_error
from patchbank.errors import DataDirNotWritable, ImageTooLarge, InvalidParameters, UploadTooLarge
from patchbank.jobs.uploads import upload_path
from patchbank.text import quoted, storable

_TEXT: Final = 65_536
"""Most bytes of a field that is no file."""

_FIELDS: Final = 1_000
_NAME: Final = 1_000
"""Characters of a file's name that are kept."""


@dataclass
class Form:
    """What came: text ``fields`` in order, and the ``files`` of each field, as paths below the folder of uploads.
    ``names`` are those that they were sent under, by number."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    files: dict[str, list[Path]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    @property
    def sent(self) -> list[str]:
        """The names of all fields, a file field once for each of its files."""
        return [*(name for name, _ in self.fields), *(name for name, paths in self.files.items() for _ in paths)]


async def receive(
    request: Request,
    folder: Path,
    *,
    most_files: int,
    most_bytes: int,
    limit_of_files: str = "PATCHBANK_MAX_JOB_IMAGES",
) -> Form:
    """Read the request's form and write its files below ``folder``. Raises ``UploadTooLarge`` for too many files,
    ``ImageTooLarge`` for a file of more than ``most_bytes``, ``InvalidParameters`` for what is no multipart form, and
    ``DataDirNotWritable`` or ``DiskFull``."""
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise InvalidParameters("send a multipart form: multipart/form-data with a boundary")
    length = request.headers.get("content-length", "")
    require_space(folder, int(length) if length.isdecimal() else 0, "the upload")
    receiver = _Receiver(folder, most_files, most_bytes, limit_of_files)
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": receiver.part_begins,
            "on_header_field": receiver.header_field,
            "on_header_value": receiver.header_value,
            "on_header_end": receiver.header_ends,
            "on_headers_finished": receiver.headers_end,
            "on_part_data": receiver.data,
            "on_part_end": receiver.part_ends,
            "on_end": receiver.ends,
        },
    )
    try:
        async for chunk in request.stream():
            await to_thread.run_sync(parser.write, chunk)
    except ClientDisconnect as error:
        raise HTTPException(400, "the form cannot be read: the client has gone") from error
    except FormParserError as error:
        raise HTTPException(400, "the form cannot be read") from error
    except OSError as error:
        raise write_error(error, "an upload cannot be written", DataDirNotWritable, folder) from error
    finally:
        receiver.close()
    if not receiver.complete:
        raise HTTPException(400, "the form cannot be read: it has no end")
    return receiver.form


class _Receiver:
    """Takes the parser's calls."""

    def __init__(self, folder: Path, most_files: int, most_bytes: int, limit_of_files: str) -> None:
        self.form = Form()
        self.complete = False
        self._folder = folder
        self._most_files = most_files
        self._limit_of_files = limit_of_files
        self._most_bytes = most_bytes
        self._header: tuple[bytes, bytes] = (b"", b"")
        self._disposition = b""
        self._field = ""
        self._given = ""
        self._text = b""
        self._file: IO[bytes] | None = None
        self._size = 0

    def part_begins(self) -> None:
        self._header, self._disposition, self._text, self._size = (b"", b""), b"", b"", 0

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], self._header[1])
        self._check_header()

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])
        self._check_header()

    def _check_header(self) -> None:
        if sum(map(len, self._header)) > _TEXT:
            raise FormParserError("a header is too long")

    def header_ends(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = value
        self._header = (b"", b"")

    def headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise FormParserError("a part has no name")
        self._field = _decoded(options[b"name"])
        if b"filename" not in options:
            if len(self.form.fields) >= _FIELDS:
                raise FormParserError("too many fields")
            return
        number = len(self.form.names) + 1
        if number > self._most_files:
            raise UploadTooLarge(
                f"more than {self._most_files} files, which is the limit ({self._limit_of_files})",
                limit=self._most_files,
            )
        self._given = _decoded(options[b"filename"])[:_NAME]
        path = upload_path(number, self._given)
        self.form.names[number] = self._given
        self.form.files.setdefault(self._field, []).append(path)
        (self._folder / path).parent.mkdir()
        self._file = (self._folder / path).open("xb")

    def data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._file is None:
            if self._size > _TEXT:
                raise FormParserError("a field is too long")
            self._text += data[start:end]
            return
        if self._size > self._most_bytes:
            raise ImageTooLarge(
                f"{quoted(self._given)}: more than {self._most_bytes / 1e6:g} MB, which is the limit of a file"
            )
        self._file.write(data[start:end])

    def part_ends(self) -> None:
        if self._file is None:
            self.form.fields.append((self._field, _decoded(self._text)))
            return
        self._file.flush()
        os.fsync(self._file.fileno())  # the job may begin after the machine's next start
        self.close()

    def ends(self) -> None:
        self.complete = True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _decoded(text: bytes) -> str:
    return storable(text.decode("utf-8", "surrogateescape"))
