"""A manifest as the payload of a point: as text, so that it comes back to the last digit.

A Qdrant server keeps payloads as JSON and gives one number in ten back with another last digit, which no checksum
bears.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from patchbank.bank.manifest import LAYOUT

_MANIFEST: Final = "manifest"
_TEXT: Final = "text"


def packed(document: Mapping[str, Any], indexed: bool) -> dict[str, Any]:
    """The payload of a manifest's document. Its layout is told beside it, for releases that do not know this form."""
    return {_MANIFEST: {"layout": document["layout"], _TEXT: json.dumps(document)}, "indexed": indexed}


def unpacked(payload: Mapping[str, Any]) -> Any:
    """The document; earlier releases kept it as it is. Raises ``KeyError``, and ``ValueError`` where it is no JSON."""
    stored = payload[_MANIFEST]
    if not isinstance(stored, dict) or not isinstance(stored.get(_TEXT), str):
        return stored
    layout = stored.get("layout")
    is_newer = isinstance(layout, int) and layout > LAYOUT
    return stored if is_newer else json.loads(stored[_TEXT])
