"""The hash of a model: of its file, and of the files beside it that hold its weights, where there are such."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from patchbank.errors import ModelUnavailable
from patchbank.reason import reason_of
from patchbank.regular_file import open_regular

_PIECE: Final = 1 << 20
_LOCATION: Final = re.compile(rb"\n\x08location\x12([\x01-\x7f]|[\x80-\xff][\x01-\x07])", re.DOTALL)
"""How ONNX names the file of a tensor's data: protobuf's key and value, with the length of the value."""

_LONGEST: Final = 1 << 10


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    for piece in _pieces(path):
        digest.update(piece)
    return digest.hexdigest()


def model_sha256(path: Path) -> tuple[str, dict[str, bytes]]:
    """Hex SHA-256 of a model, and the content of the files of weights that it names, by the name it has for them.

    Of a model in one file it is the file's. Otherwise it is that of a list with the sums of all files. The content
    goes to ONNX Runtime, which would map the files, and end with them where they are cut. Raises ``ModelUnavailable``,
    also where a name leads out of the model's folder.
    """
    digest, names, rest = hashlib.sha256(), dict[str, None](), b""
    for piece in _pieces(path):
        digest.update(piece)
        seen = rest + piece
        names.update(dict.fromkeys(_names(seen)))
        rest = seen[-_LONGEST:]
    if not names:
        return digest.hexdigest(), {}
    lines, weights = [digest.hexdigest()], {}
    for name in sorted(names):
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts or "\\" in name or ":" in name:
            raise ModelUnavailable(f"{path.name} wants weights from outside of its folder, which is not done")
        weights[name] = b"".join(_pieces(path.parent / place))
        lines.append(f"{hashlib.sha256(weights[name]).hexdigest()}  {name}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest(), weights


def _names(content: bytes) -> Iterator[str]:
    """The names of files that are named whole in a piece of a model."""
    for match in _LOCATION.finditer(content):
        size = match[1][0] if len(match[1]) == 1 else (match[1][0] & 0x7F) | match[1][1] << 7
        raw = content[match.end() : match.end() + size]
        if len(raw) == size:
            try:
                yield raw.decode()
            except UnicodeDecodeError as error:
                raise ModelUnavailable("the model names a file of weights that is no text") from error


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        with open_regular(path) as file:
            while piece := file.read(_PIECE):
                yield piece
    except OSError as error:
        raise ModelUnavailable(f"model file {path}: {reason_of(error)}") from error
