"""A picture that was given as a reference and is none, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from patchbank.embedding.stream import Picture

Oddity = Literal[
    "unlike_references", "local_oddity", "unlike_class", "other_class", "known_defect", "bad_frame", "mask"
]

_MESSAGES: Final[dict[Oddity, str]] = {
    "unlike_references": "as a whole unlike the other references",
    "local_oddity": "has places that are far from anything in the other references: perhaps a defect",
    "unlike_class": "unlike the references of the class",
    "other_class": "like the references of another class",
    "known_defect": "shows a known defect of the class, which as a reference it would make normal",
    "bad_frame": "a bad frame",
    "mask": "a mask or label image, not a photograph",
}


@dataclass(frozen=True)
class SetAside:
    """A picture that does not join the bank and sets no threshold. ``detail`` says more than ``reason`` alone."""

    picture: Picture
    reason: Oddity
    detail: str = ""

    @property
    def path(self) -> Path:
        """The picture's file."""
        return self.picture.path

    @property
    def message(self) -> str:
        """The reason in words."""
        return _MESSAGES[self.reason] + (f": {self.detail}" if self.detail else "")

    @property
    def line(self) -> str:
        """For people: the file and the reason."""
        return f"set aside {self.path}: {self.message} [{self.reason}]"

    def as_dict(self) -> dict[str, Any]:
        """For machines, without the picture."""
        return {
            "path": str(self.path),
            "image_id": self.picture.image_id,
            "reason": self.reason,
            "message": self.message,
        }
