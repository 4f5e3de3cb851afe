"""What a snapshot may hold: references and patches that belong together, as no stranger's file need to."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from patchbank.arrays import ByteArray
from patchbank.bank.content_digest import keys_of
from patchbank.bank.names import ID_BYTES, TURN_ROWS, is_image_id
from patchbank.bank.reference import FACTS, Reference
from patchbank.errors import PatchbankError
from patchbank.images import ImageLimits, decode_image

_NUMBERS: Final = frozenset({"width", "height", "rows", "columns"})
_THUMBNAIL: Final = ImageLimits(max_megapixels=512 * 512 / 1e6, max_megabytes=1.0)
_MOST_CHARACTERS: Final = 100_000
_MOST_SIDE: Final = 1 << 20
_MOST_COLUMNS: Final = 1 << 16
_TURNS: Final = 8


def references_of(listed: Any, expected: int) -> list[Reference]:
    """The references of a JSON document. Raises ``ValueError`` where there are not as many as ``expected``, where one
    is there twice, and for what no reference is."""
    if not isinstance(listed, list) or len(listed) != expected:
        raise ValueError(f"it does not list the {expected} references of its manifest")
    references = [_reference(payload) for payload in listed]
    if len({reference.image_id for reference in references}) != expected:
        raise ValueError("a reference is there twice")
    return references


def _reference(payload: Any) -> Reference:
    if not isinstance(payload, Mapping) or not set(payload) <= {*FACTS, "thumbnail"}:
        raise ValueError("a reference with other fields than a reference has")
    for name in set(payload) - {"thumbnail"}:
        if type(payload[name]) is not (int if name in _NUMBERS else str):
            raise ValueError(f"{name} of a reference is a {type(payload[name]).__name__}")
        if name not in _NUMBERS and len(payload[name]) > _MOST_CHARACTERS:
            raise ValueError(f"{name} of a reference has {len(payload[name])} characters")
    thumbnail = base64.b64decode(payload["thumbnail"], validate=True)
    reference = Reference.from_payload(payload)
    if not is_image_id(reference.image_id):
        raise ValueError("an image id is not 24 hex digits")
    if len(reference.sha256) != 64 or set(reference.sha256) - set("0123456789abcdef"):
        raise ValueError("a SHA-256 is not 64 hex digits")
    if not all(1 <= side <= _MOST_SIDE for side in (reference.width, reference.height)):
        raise ValueError(f"a picture of {reference.width} x {reference.height} pixels")
    if not (1 <= reference.rows < TURN_ROWS and 1 <= reference.columns <= _MOST_COLUMNS):
        raise ValueError(f"a grid of {reference.rows} x {reference.columns} patches")
    try:
        decode_image(thumbnail, _THUMBNAIL, "a thumbnail")
    except PatchbankError as error:
        raise ValueError(error.message) from error
    return reference


def check_ids(ids: ByteArray, references: Sequence[Reference]) -> None:
    """Raise ``ValueError`` where a patch's id (N, 16) is there twice or of no reference, or its cell lies outside of
    its picture's grid."""
    ordered = np.sort(keys_of(ids))
    if (ordered[1:] == ordered[:-1]).any():
        raise ValueError("a patch is there twice")
    known = sorted(references, key=lambda reference: reference.image_id)
    names = np.array([bytes.fromhex(reference.image_id) for reference in known], dtype=f"S{ID_BYTES}")
    images = keys_of(ids[:, :ID_BYTES])
    places = np.minimum(np.searchsorted(names, images), max(0, len(names) - 1))
    if len(images) and (not len(names) or (names[places] != images).any()):
        raise ValueError("a patch is of a picture that is no reference")
    cells = np.ascontiguousarray(ids[:, ID_BYTES:]).view(">u2").astype(np.int64).reshape(len(ids), 2)
    grids = np.array([(reference.rows, reference.columns) for reference in known], dtype=np.int64).reshape(-1, 2)
    turns, rows = np.divmod(cells[:, 0], TURN_ROWS)
    # A turned copy's grid has the same sides, perhaps in the other order, and rounded anew.
    most = np.where((turns == 0)[:, None], grids[places], grids[places].max(axis=1, initial=0)[:, None] + 1)
    if (turns >= _TURNS).any() or (rows >= most[:, 0]).any() or (cells[:, 1] >= most[:, 1]).any():
        raise ValueError("a patch lies outside of its picture's grid")
