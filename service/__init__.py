"""Patchbank's service: everything that runs at request time, usable without a server too.

>>> from service import Inspector

The names below are imported when first used: a search process needs the bank alone, not a backbone's runtime.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.inspector import Inspection, Inspector, Verdict
    from service.settings import Settings, load_settings

__all__ = ["Inspection", "Inspector", "Settings", "Verdict", "load_settings"]

_HOMES = {"Settings": "service.settings", "load_settings": "service.settings"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'service' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "service.inspector")), name)
