"""Patchbank's service: everything that runs at request time, usable without a server too.

>>> from patchbank import Inspector

The names below are imported when first used: a search process needs the bank alone, not a backbone's runtime.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from patchbank.judging.inspector import Inspector
    from patchbank.judging.verdict import Inspection, Verdict
    from patchbank.settings import Settings, load_settings

__all__ = ["Inspection", "Inspector", "Settings", "Verdict", "load_settings"]

_HOMES = {
    "Inspection": "patchbank.judging.verdict",
    "Inspector": "patchbank.judging.inspector",
    "Settings": "patchbank.settings",
    "Verdict": "patchbank.judging.verdict",
    "load_settings": "patchbank.settings",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'patchbank' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
