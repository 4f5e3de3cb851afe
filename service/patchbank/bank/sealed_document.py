"""JSON documents that carry a checksum over themselves, so that no damage reads as another content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

CHECKSUM: Final = "checksum"
"""The field that holds it: ``sha256:`` and the digest of the document's other fields as canonical JSON."""

_KIND: Final = "sha256:"


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The document with its checksum. ``content`` must be plain JSON with finite numbers."""
    return {**content, CHECKSUM: _checksum(content)}


def is_sealed(stored: Any) -> bool:
    """Whether a stored document has a checksum; those of older releases have none."""
    return isinstance(stored, dict) and CHECKSUM in stored


def unsealed(stored: Any) -> Any:
    """The content of a stored document, which is as it was sealed; what has no checksum is returned as it is. Raises
    ``ValueError`` where the checksum does not fit."""
    if not is_sealed(stored):
        return stored
    content = {name: value for name, value in stored.items() if name != CHECKSUM}
    if stored[CHECKSUM] != _checksum(content):
        raise ValueError("its checksum does not fit its content")
    return content


def canonical(content: Any) -> bytes:
    """JSON of which there is one form alone: keys sorted, no spaces, whole numbers without a point. Stores may give
    1.0 back as 1."""
    plain = json.dumps(_normal(content), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return plain.encode()


def _checksum(content: Mapping[str, Any]) -> str:
    return _KIND + hashlib.sha256(canonical(content)).hexdigest()


def _normal(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(name): _normal(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_normal(each) for each in value]
    return value
