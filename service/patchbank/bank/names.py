"""Names and ids of the bank schema: classes, versions, collections, points."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final
from uuid import UUID

import numpy as np

from patchbank.arrays import ByteArray, IntArray
from patchbank.errors import InvalidClassName
from patchbank.text import quoted

PREFIX: Final = "patchbank"
_CLASS: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]|_(?!_)){0,63}")
NO_CLASS: Final = "router"
"""A name that no class can have."""
_RESERVED: Final = frozenset({NO_CLASS})
_VERSION_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]|_(?!_)){0,63}")
_WHOLE_IMAGE: Final = "ffffffff"
_VERSION: Final = "%Y%m%d-%H%M%S-%f"


def check_class_name(name: str) -> str:
    """The name itself: 1 to 64 letters, digits, ``-`` and single ``_``. Raises ``InvalidClassName`` for any other
    name."""
    if not _CLASS.fullmatch(name) or name.endswith("_"):
        raise InvalidClassName(
            f"{quoted(name)} cannot name a product class: use 1 to 64 letters (a-z, A-Z), digits, '-' and single '_', "
            "beginning with a letter or digit"
        )
    if name.lower() in _RESERVED:
        raise InvalidClassName(f"the name {name!r} is reserved; choose another one")
    return name


def check_version(version: str) -> str:
    """The name of a version itself. Raises ``ValueError`` for what cannot be one: it is part of a folder's name."""
    if not is_version(version):
        raise ValueError(f"{quoted(version)} is no name of a version")
    return version


def is_version(text: str) -> bool:
    """Whether a version can have this name."""
    return _VERSION_NAME.fullmatch(text) is not None


@dataclass(frozen=True, order=True)
class BankRef:
    """One version of one class's bank."""

    class_name: str
    version: str

    @property
    def collection(self) -> str:
        """``patchbank__<class>__<version>``."""
        return f"{PREFIX}__{self.class_name}__{self.version}"

    @classmethod
    def parse(cls, collection: str) -> BankRef | None:
        """The bank that a collection belongs to by its name; None for any other name."""
        parts = collection.split("__")
        if len(parts) != 3 or parts[0] != PREFIX or not parts[2]:
            return None
        if not _CLASS.fullmatch(parts[1]) or parts[1] in _RESERVED:
            return None
        return cls(parts[1], parts[2])


def new_version(now: datetime | None = None) -> str:
    """A version name that sorts by time, to the microsecond, e.g. ``20260131-235959-012345``."""
    moment = now or datetime.now(timezone.utc)
    return f"{moment:{_VERSION}}"


def begun_at(version: str) -> datetime | None:
    """When a version was begun, to the second as in ``now``; None for a name that tells no time."""
    try:
        moment = datetime.strptime(version, _VERSION).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return moment.replace(microsecond=0)


def now() -> str:
    """The current time as manifests and references store it: UTC, to the second, ``2026-01-31T23:59:59+00:00``."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


TURN_ROWS: Final = 4096
"""Rows from here on belong to turned copies of the picture: row = turn x 4096 + row on the copy's own grid."""


ID_BYTES: Final = 12
"""Bytes of a point id that are its image's."""


def patch_point(image_id: str, row: int, column: int) -> str:
    """Point id of a patch: the image's 24 hex digits, then row and column as 16 bits each."""
    return str(UUID(f"{image_id}{row:04x}{column:04x}"))


def point_ids(image_ids: Sequence[str], cells: IntArray) -> ByteArray:
    """Point ids (M, 16) of patches, as bytes, by image id and (row, column)."""
    images = np.frombuffer(bytes.fromhex("".join(image_ids)), dtype=np.uint8).reshape(len(image_ids), ID_BYTES)
    places = np.ascontiguousarray(cells, dtype=">u2").view(np.uint8).reshape(len(image_ids), 4)
    return np.concatenate([images, places], axis=1)


def reference_point(image_id: str) -> str:
    """Point id of a reference image."""
    return str(UUID(image_id + _WHOLE_IMAGE))


def is_image_id(text: str) -> bool:
    """Whether it has the form of an image id: 24 hex digits."""
    return len(text) == 24 and all(digit in "0123456789abcdef" for digit in text)


@dataclass(frozen=True)
class PatchId:
    """A patch of a reference image. ``row`` and ``column`` are on the grid of the copy turned by ``turn`` eighths of a
    full turn; 0 is the picture itself."""

    image_id: str
    row: int
    column: int
    turn: int = 0

    @classmethod
    def from_bytes(cls, raw: ByteArray) -> PatchId:
        """Decode the 16 bytes of a point id."""
        value = raw.tobytes().hex()
        turn, row = divmod(int(value[24:28], 16), TURN_ROWS)
        return cls(value[:24], row, int(value[28:32], 16), turn)
