"""Patchbank's service: everything that runs at request time, usable without a server too.

>>> from service import Inspector
"""

from service.inspector import Inspection, Inspector, Verdict
from service.settings import Settings, load_settings

__all__ = ["Inspection", "Inspector", "Settings", "Verdict", "load_settings"]
