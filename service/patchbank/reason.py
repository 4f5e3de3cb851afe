"""What a library's exception says, as the end of a message to people."""

from __future__ import annotations

from pydantic import ValidationError

from patchbank.text import bounded

_MOST = 300


def reason_of(error: BaseException) -> str:
    """One line: of a file error the system's words, of a document the first field that is wrong, else the first line of
    the exception's text."""
    if isinstance(error, ValidationError):
        return _first_field(error)
    if isinstance(error, KeyError) and error.args:
        key = error.args[0]
        return key if isinstance(key, str) and " " in key else f"{key!r} is missing"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = str(error).strip().splitlines()
    return bounded(lines[0], _MOST) if lines else type(error).__name__


def _first_field(error: ValidationError) -> str:
    first, count = error.errors(include_url=False)[0], error.error_count()
    field = ".".join(str(part) for part in first["loc"])
    said = bounded(message_of(first["msg"]), _MOST)
    more = f" (and {count - 1} more)" if count > 1 else ""
    return (f"{field}: {said}" if field else said) + more


def message_of(text: str) -> str:
    """A validator's own words, without what pydantic puts before them."""
    return text.removeprefix("Value error, ")
