"""Which files a path means: pictures by their content, and what is left out."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from patchbank.errors import NoReferences
from patchbank.images import HEAD, SUFFIXES, kind_of
from patchbank.reason import reason_of
from patchbank.regular_file import open_regular
from patchbank_indexer.datasets.left_out import NO_IMAGE, LeftOut, LeftOutFile


class FoundFiles:
    """The pictures that paths mean, and what else lies in the folders among them."""

    def __init__(self, images: Sequence[Path], left_out: LeftOut) -> None:
        self.images = images
        self.left_out = left_out


def find_images(paths: Sequence[Path]) -> FoundFiles:
    """The image files below ``paths``: a folder is searched, links to folders included; a file is taken as it is.

    Hidden files are passed over. Raises ``NoReferences`` where a path does not exist or a folder holds no picture.
    """
    images: dict[Path, None] = {}
    left_out: list[LeftOutFile] = []
    for path in paths:
        if path.is_dir():
            inside, rest = _sorted_out(_below(path))
            left_out += rest
            if not inside:
                said = "; ".join(LeftOut(rest).lines())
                raise NoReferences(f"the folder {path} holds no images that can be read{': ' * bool(said)}{said}")
            images.update(dict.fromkeys(inside))
        elif path.exists():
            images[path] = None
        else:
            raise NoReferences(f"{path} does not exist")
    return FoundFiles(list(images), LeftOut(left_out))


def image_files(paths: Sequence[Path]) -> list[Path]:
    """The pictures of :func:`find_images` alone."""
    return list(find_images(paths).images)


def pictures(folder: Path) -> list[Path]:
    """Image files directly in a folder, sorted; an empty list where there is no folder."""
    if not folder.is_dir():
        return []
    files = (file for file in sorted(folder.iterdir()) if not file.name.startswith(".") and not os.path.isdir(file))  # noqa: PTH112 - never raises
    return _sorted_out(files)[0]


def holds_pictures(folder: Path) -> bool:
    """Whether an image file lies anywhere below the folder."""
    return any(_verdict(file) is None for file in _below(folder) if isinstance(file, Path))


def files_below(folder: Path) -> Iterator[Path]:
    """All files below a folder that are not hidden, whatever they hold."""
    return (file for file in _below(folder) if isinstance(file, Path))


def left_out_below(folders: Sequence[Path]) -> LeftOut:
    """All that is no picture, or is not read, below the folders."""
    return LeftOut([bad for folder in folders for bad in _sorted_out(_below(folder))[1]])


def _sorted_out(files: Iterator[Path | LeftOutFile]) -> tuple[list[Path], list[LeftOutFile]]:
    """Images, sorted, and what is left out."""
    images: list[Path] = []
    rest: list[LeftOutFile] = []
    for file in files:
        bad = file if isinstance(file, LeftOutFile) else _verdict(file)
        if bad is not None:
            rest.append(bad)
        elif isinstance(file, Path):
            images.append(file)
    return sorted(images), sorted(rest, key=lambda bad: bad.path)


def _verdict(file: Path) -> LeftOutFile | None:
    """Why a file is left out; None for a picture. Only regular files are opened, and only their beginning is read."""
    try:
        with open_regular(file) as opened:
            head = opened.read(HEAD)
    except FileNotFoundError:
        return LeftOutFile(file, "a link to nothing")
    except OSError as error:
        if error.errno == errno.EINVAL:
            return LeftOutFile(file, "no regular file")
        return LeftOutFile(file, f"cannot be opened ({reason_of(error)})", maybe_image=True)
    kind = kind_of(head, file.suffix)
    if kind is not None and kind.image and not kind.read:
        return LeftOutFile(file, kind.name, kind.advice, maybe_image=True)
    if (kind is not None and kind.read) or file.suffix.lower() in SUFFIXES:
        return None  # what calls itself an image and is none is an error when it is read
    return LeftOutFile(file, NO_IMAGE)


def _below(root: Path) -> Iterator[Path | LeftOutFile]:
    """All files below a folder that are not hidden. Each folder is visited once, whatever links lead to it, under its
    own name rather than a link's; a link to a folder around ``root`` is not followed."""
    visited = {identity for folder in root.resolve().parents if (identity := _identity(folder)) is not None}
    folders, linked = deque([root]), deque[Path]()
    while folders or linked:
        folder = folders.popleft() if folders else linked.popleft()
        identity = _identity(folder)
        if identity in visited:
            continue
        if identity is not None:
            visited.add(identity)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            yield LeftOutFile(folder, f"cannot be opened ({error.strerror or error})", maybe_image=True)
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_dir(entry):
                (linked if entry.is_symlink() else folders).append(folder / entry.name)
            else:
                yield folder / entry.name


def _is_dir(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder; what cannot be looked at, such as a link in a circle, is told of as a file."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        facts = folder.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
