"""Which files a path means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from patchbank.errors import NoReferences
from patchbank.images import SUFFIXES


def image_files(paths: Sequence[Path]) -> list[Path]:
    """The image files below ``paths``: a folder is searched (hidden files left out), a file is taken as it is.

    Raises ``NoReferences`` where a path does not exist or a folder holds no image file.
    """
    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(
                file
                for file in path.rglob("*")
                if file.suffix.lower() in SUFFIXES and file.is_file() and not _hidden(file.relative_to(path))
            )
            if not inside:
                raise NoReferences(f"the folder {path} holds no image files ({', '.join(sorted(SUFFIXES))})")
            files.update(dict.fromkeys(inside))
        elif path.exists():
            files[path] = None
        else:
            raise NoReferences(f"{path} does not exist")
    return list(files)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
