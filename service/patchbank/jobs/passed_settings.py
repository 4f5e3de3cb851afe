"""Settings that one process passes to another: none are read from the environment again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from patchbank.settings import Settings


def passed(settings: Settings) -> bytes:
    """One line of JSON with every setting that was made, secrets included: for a pipe, never for a file. Paths are
    absolute."""
    return json.dumps({name: _plain(getattr(settings, name)) for name in settings.model_fields_set}).encode() + b"\n"


def received(line: bytes) -> Settings:
    """The settings of such a line."""
    values: dict[str, Any] = json.loads(line)
    return Settings(**{"_env_file": None, **values})


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path):
        return str(value.absolute())
    return list(value) if isinstance(value, tuple) else value
