"""The reference images of a part, in a file with one a line: their facts are held in memory, their pictures are not."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from patchbank.bank.content_digest import ReferencesDigest
from patchbank.bank.names import is_image_id
from patchbank.bank.reference import Reference, ReferenceFacts
from patchbank.bank.sealed_document import canonical
from patchbank.regular_file import open_regular

UNREADABLE: Final = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading a damaged file may raise."""


class Shelf(Protocol):
    """The references of a part by their image ids. Reading may raise what ``UNREADABLE`` lists."""

    @property
    def facts(self) -> dict[str, ReferenceFacts]: ...
    def reference(self, image_id: str) -> Reference: ...
    def references(self) -> list[Reference]: ...


class MemoryShelf:
    """References that are held whole."""

    def __init__(self, references: Iterable[Reference]) -> None:
        self._references = {reference.image_id: reference for reference in references}

    @property
    def facts(self) -> dict[str, ReferenceFacts]:
        return {image_id: reference.facts() for image_id, reference in self._references.items()}

    def reference(self, image_id: str) -> Reference:
        """One of them; ``KeyError``."""
        return self._references[image_id]

    def references(self) -> list[Reference]:
        """All of them."""
        return list(self._references.values())


class FileShelf:
    """References in a file, each at its place (offset, length)."""

    def __init__(self, path: Path, facts: dict[str, ReferenceFacts], places: dict[str, tuple[int, int]]) -> None:
        self._path = path
        self._facts = facts
        self._places = places

    @property
    def facts(self) -> dict[str, ReferenceFacts]:
        return self._facts

    def reference(self, image_id: str) -> Reference:
        """One of them; ``KeyError``."""
        place = self._places[image_id]
        with self._path.open("rb") as file:
            return _at(file, *place)

    def references(self) -> list[Reference]:
        """All of them."""
        with self._path.open("rb") as file:
            return [_at(file, *place) for place in self._places.values()]


def read_shelf(path: Path, digest: str | None, count: int) -> Shelf:
    """The references in a file. Raises what ``UNREADABLE`` lists where it is missing or damaged, where it holds more or
    less than ``count``, or is not what the ``digest`` tells; files of older parts have none, and are in one line."""
    with open_regular(path) as file:
        shelf, own = _lines(path, file) if file.readline(8) == b"[\n" else (_whole(path), None)
    if len(shelf.facts) != count:
        raise ValueError(f"{path.name} holds {len(shelf.facts)} references, not {count}")
    if digest is not None and digest != own:
        raise ValueError(f"{path.name} does not hold the references that were written")
    return shelf


def _lines(path: Path, file: BinaryIO) -> tuple[Shelf, str | None]:
    facts: dict[str, ReferenceFacts] = {}
    places: dict[str, tuple[int, int]] = {}
    digest, offset, line = ReferencesDigest(), file.tell(), b""
    for line in file:
        if line == b"]\n":
            break
        text = line.rstrip(b",\n")
        reference = _parsed(text)
        digest.add(reference.as_payload())
        facts[reference.image_id] = reference.facts()
        places[reference.image_id] = (offset, len(text))
        offset += len(line)
    if line != b"]\n" or file.read(1):
        raise ValueError(f"{path.name} does not end where it should")
    return FileShelf(path, facts, places), digest.hexdigest()


def _whole(path: Path) -> Shelf:
    listed: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return MemoryShelf(Reference.from_payload(payload) for payload in listed)


def write_shelf(path: Path, references: Iterable[Reference]) -> str:
    """Write references, which come in the order of their image ids, to a new file. Returns their digest."""
    digest = ReferencesDigest()
    with path.open("xb") as file:
        file.write(b"[\n")
        between = b""
        for reference in references:
            payload = reference.as_payload()
            digest.add(payload)
            file.write(between + canonical(payload))
            between = b",\n"
        file.write(b"\n]\n" if between else b"]\n")
    return digest.hexdigest()


def _at(file: BinaryIO, offset: int, length: int) -> Reference:
    file.seek(offset)
    return _parsed(file.read(length))


def _parsed(text: bytes) -> Reference:
    reference = Reference.from_payload(json.loads(text))
    if not is_image_id(reference.image_id):
        raise ValueError("an image id is not 24 hex digits")
    return reference
