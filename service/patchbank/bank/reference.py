"""A reference image: a normal image that a bank holds."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, TypeVar

from patchbank.text import storable

Kind = TypeVar("Kind", bound="ReferenceFacts")


@dataclass(frozen=True)
class ReferenceFacts:
    """What is known of a reference image beside its picture.

    ``source`` is where it came from, ``added_by`` who added it and ``note`` what they said of it, both empty where
    that is not known; ``series`` names the series that it belongs to, and is empty where it is alone. ``same_as`` is
    the image id of the first reference that shows the same, itself where there is none, and empty in older banks.
    ``accepted_from`` is the id of the detection that it was accepted from, empty where it was taught: such a picture
    was chosen because its verdict was doubted, so it is never scored to tell how normal pictures score. ``rows`` and
    ``columns`` are those of its patch grid.
    """

    image_id: str
    name: str
    sha256: str
    added_at: str
    source: str
    width: int
    height: int
    rows: int
    columns: int
    series: str = field(default="", kw_only=True)
    added_by: str = field(default="", kw_only=True)
    note: str = field(default="", kw_only=True)
    same_as: str = field(default="", kw_only=True)
    accepted_from: str = field(default="", kw_only=True)

    def as_payload(self) -> dict[str, Any]:
        """The point's payload; names are stored as ``patchbank.text.storable`` makes them. What is empty by default is
        not written, as before there was any of it."""
        payload = {name: value for name, value in asdict(self).items() if value or name not in _OPTIONAL}
        return {name: storable(value) if isinstance(value, str) else value for name, value in payload.items()}

    @classmethod
    def from_payload(cls: type[Kind], payload: Mapping[str, Any]) -> Kind:
        """Read back what ``as_payload`` wrote."""
        return cls(**{name: payload[name] for name in _names(cls) if name in payload or name not in _OPTIONAL})


@dataclass(frozen=True)
class Reference(ReferenceFacts):
    """A reference image with its ``thumbnail``, a JPEG of at most 512 pixels per side."""

    thumbnail: bytes

    def facts(self) -> ReferenceFacts:
        """It without its picture."""
        return ReferenceFacts(**{name: getattr(self, name) for name in FACTS})

    def as_payload(self) -> dict[str, Any]:
        return {**super().as_payload(), "thumbnail": base64.b64encode(self.thumbnail).decode()}

    @classmethod
    def from_payload(cls: type[Kind], payload: Mapping[str, Any]) -> Kind:
        return super().from_payload({**payload, "thumbnail": base64.b64decode(payload["thumbnail"])})


def _names(kind: type[ReferenceFacts]) -> list[str]:
    return [each.name for each in fields(kind)]


_OPTIONAL: Final = frozenset({"series", "added_by", "note", "same_as", "accepted_from"})

FACTS: Final = tuple(_names(ReferenceFacts))
"""Names of the payload's fields that are not the picture."""
