"""How many bytes a version takes, reckoned before it is written."""

from __future__ import annotations

from typing import Final

from patchbank.bank.store import BankSpec

_THUMBNAIL: Final = 60_000
"""Bytes of a reference's payload: a JPEG of at most 512 pixels a side in base64, which most are well below."""

_FLAT_POINT: Final = 16
_ENGINE_POINT: Final = 200
"""Bytes of a point beside its vector: its id and its links."""

_ENGINE_FILES: Final = 6 << 20
"""Files that the engine makes for any number of points."""


def flat_bytes(spec: BankSpec, references: int, patches: int) -> int:
    """Bytes of references and patches in flat files."""
    return patches * (4 * spec.patch_dim + _FLAT_POINT) + references * (4 * spec.cls_dim + _FLAT_POINT + _THUMBNAIL)


def engine_bytes(spec: BankSpec, patches: int) -> int:
    """Bytes of a graph over them, at most: it is built over a second copy, before the first one goes, and has a size of
    its own. File systems that do not leave holes out, such as one in memory, take more."""
    return _ENGINE_FILES + 3 * patches * (spec.patch_dim + _ENGINE_POINT)
