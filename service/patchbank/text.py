r"""Text from outside, such as file names: the form in which it is stored, and the form in which people see it.

A file system's names are bytes. Python decodes those that are not UTF-8 with lone surrogates, which neither JSON nor a
bank store nor a terminal takes. Stored and sent is therefore ``\xNN`` for such a byte; a name that is UTF-8 stays what
it is, control characters included. People see control characters escaped too.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_UNSEEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line separators, and characters that turn the direction of writing."""
_NO_FILE_NAME: Final = re.compile(r"[\\/]")
_STEM_BYTES: Final = 160
_QUOTED: Final = 100
_MESSAGE: Final = 2_000


def storable(text: str) -> str:
    r"""The text as valid Unicode: a byte that is not UTF-8 as ``\xNN``, another lone surrogate as ``\uNNNN``."""
    return _SURROGATES.sub(_escaped, text)


def storable_document(value: Any) -> Any:
    """A JSON document with every text in it, names of fields included, ``storable``."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable_document(name): storable_document(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [storable_document(part) for part in value]
    return value


def json_text(document: Any, *, allow_nan: bool = True) -> str:
    """A JSON document as text in ASCII. Without ``allow_nan`` it raises ``ValueError`` for NaN and infinity."""
    return json.dumps(storable_document(document), indent=1, allow_nan=allow_nan)


def json_line(document: Any) -> str:
    """A JSON document as one line in ASCII."""
    return json.dumps(storable_document(document))


def shown(text: str, encoding: str = "utf-8") -> str:
    r"""The text on one line for people: what is not a visible character as ``\xNN`` or ``\uNNNN``, and what
    ``encoding`` cannot show likewise."""
    visible = _UNSEEN.sub(_escaped, text)
    return visible.encode(encoding, "backslashreplace").decode(encoding)


def file_stem(name: str) -> str:
    """A name without its suffix, for a new file: ``_`` for what is not a visible character, at most 160 bytes."""
    stem = name.rpartition(".")[0] or name
    safe = _NO_FILE_NAME.sub("_", _UNSEEN.sub("_", stem))
    return safe.encode()[:_STEM_BYTES].decode(errors="ignore")


def quoted(text: str, most: int = _QUOTED) -> str:
    """The text in quotation marks for a message; of a text over ``most`` characters the beginning and its length."""
    if len(text) <= most:
        return repr(text)
    return f"{text[:most]!r}... ({len(text)} characters)"


def bounded(text: str, most: int = _MESSAGE) -> str:
    """The text, or its first ``most`` characters and how many there are."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def one_line(error: BaseException) -> str:
    """What an exception says, without breaks of lines."""
    return " ".join(str(error).split())


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00  # the byte that Python could not decode
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
