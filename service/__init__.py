"""Patchbank's service: everything that runs at request time, usable without a server too.

>>> from service import Inspector

The names below are imported when first used: a search process needs the bank alone, not a backbone's runtime.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.inspection import Inspection, Verdict
    from service.inspector import Inspector
    from service.settings import Settings, load_settings

__all__ = ["Inspection", "Inspector", "Settings", "Verdict", "load_settings"]

_HOMES = {
    "Inspection": "service.inspection",
    "Inspector": "service.inspector",
    "Settings": "service.settings",
    "Verdict": "service.inspection",
    "load_settings": "service.settings",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'service' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
