"""What lies in a folder of pictures and is not used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

NO_IMAGE: Final = "no image"

_NAMED: Final = 3


@dataclass(frozen=True)
class LeftOutFile:
    """A file that is not used: ``kind`` says why, ``advice`` what to do. ``maybe_image`` is False for what is surely no
    picture, such as a text beside the pictures."""

    path: Path
    kind: str
    advice: str = ""
    maybe_image: bool = False


class LeftOut:
    """Files that are not used. ``hides_images`` says that pictures may be among them."""

    def __init__(self, files: Sequence[LeftOutFile]) -> None:
        self.files = tuple(files)
        self.hides_images = any(file.maybe_image for file in self.files)

    def lines(self) -> list[str]:
        """One line per kind, with the number of files and the names of the first ones."""
        kinds: dict[str, list[LeftOutFile]] = {}
        for file in self.files:
            kinds.setdefault(file.kind, []).append(file)
        return [_line(kind, files) for kind, files in kinds.items()]

    def as_list(self) -> list[dict[str, Any]]:
        """Every file, for JSON."""
        return [{"path": str(file.path), "kind": file.kind} for file in self.files]


def _line(kind: str, files: Sequence[LeftOutFile]) -> str:
    count = f"left out {len(files)} file{'s' * (len(files) > 1)}"
    names = ", ".join(file.path.name for file in files[:_NAMED]) + ", ..." * (len(files) > _NAMED)
    if kind == NO_IMAGE:
        return f"{count} that {'are' if len(files) > 1 else 'is'} no image{'s' * (len(files) > 1)}: {names}"
    if files[0].advice:
        return f"{count} of a format that is not read, {kind}: {names}; {files[0].advice}"
    return f"{count}, {kind}: {names}"
