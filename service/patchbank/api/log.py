"""The service's log, uvicorn's included: as text, or one JSON object per line. No API key is in it."""

from __future__ import annotations

import json
import logging
from copy import copy
from datetime import datetime, timezone
from types import TracebackType
from typing import Any, Final

from uvicorn.logging import AccessFormatter, DefaultFormatter

from patchbank.history.keys import without_keys
from patchbank.settings import Settings
from patchbank.text import shown, storable, storable_document

_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

_REQUEST: Final = ("client", "method", "path", "http_version", "status")


def log_config(settings: Settings) -> dict[str, Any]:
    """For ``logging.config.dictConfig``: log lines go to standard error, those of requests to standard output."""
    level = settings.log_level.upper()
    formatters = {
        "text": {"()": TextFormatter, "fmt": "%(levelprefix)s %(message)s [%(request_id)s]"},
        "access": {
            "()": AccessTextFormatter,
            "fmt": '%(levelprefix)s %(client_addr)s - "%(request_line)s" %(status_code)s [%(request_id)s]',
        },
        "json": {"()": JsonFormatter},
    }
    as_json = settings.log_format == "json"

    def handler(formatter: str, stream: str) -> dict[str, Any]:
        return {
            "class": "logging.StreamHandler",
            "formatter": "json" if as_json else formatter,
            "filters": ["request_id"],
            "stream": f"ext://sys.{stream}",
        }

    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": "patchbank.api.request_id.RequestIdFilter"}},
        "formatters": formatters,
        "handlers": {"log": handler("text", "stderr"), "requests": handler("access", "stdout")},
        "root": {"handlers": ["log"], "level": "WARNING"},
        "loggers": {
            "patchbank": {"level": level},
            "uvicorn": {"level": level},
            "uvicorn.access": {"handlers": ["requests"], "level": level, "propagate": False},
        },
    }


class TextFormatter(DefaultFormatter):
    """Uvicorn's lines for people. What strangers sent may be in them: nothing in a message begins a new line, or is a
    control character, and the lines of an exception are set in."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and those of an exception."""
        line = copy(record)
        line.msg, line.args, line.exc_text = shown(record.getMessage()), None, None
        line.__dict__.pop("color_message", None)  # uvicorn's, which is the message once more, with its arguments
        return without_keys(storable(super().format(line)))

    def formatException(self, ei: _ExceptionInfo) -> str:  # noqa: N802  # the library's name
        """The lines of an exception."""
        return "\n".join(f"    {shown(line)}" for line in super().formatException(ei).split("\n"))


class AccessTextFormatter(AccessFormatter):
    """Uvicorn's lines of requests, likewise."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = copy(record)
        if isinstance(line.args, tuple):
            line.args = tuple(shown(part) if isinstance(part, str) else part for part in line.args)
        return without_keys(storable(super().format(line)))


class JsonFormatter(logging.Formatter):
    """One JSON object per record: ``time`` (UTC), ``level``, ``logger``, ``message`` and ``request_id``; ``exception``
    where there is one; for requests also ``client``, ``method``, ``path``, ``http_version`` and ``status``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, in ASCII, without line breaks."""
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", None),
        }
        if record.name == "uvicorn.access" and isinstance(record.args, tuple) and len(record.args) == len(_REQUEST):
            told |= zip(_REQUEST, record.args, strict=True)
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return without_keys(json.dumps(storable_document(told), default=lambda value: storable(str(value))))
