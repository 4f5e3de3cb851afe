"""Many image files to embeddings: decoded and resized in threads while the network runs, in bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from patchbank.embedding.embedder import Embedder
from patchbank.embedding.embedding import Embedding, Prepared
from patchbank.embedding.turned import Turn
from patchbank.errors import PatchbankError
from patchbank.images import UNKNOWN, PictureReader, RangeRule
from patchbank.images.frame_facts import FrameFacts, frame_facts
from patchbank.kept_error import without_frames
from patchbank.scales import BASE, Scales

READERS: Final = max(1, min(4, os.cpu_count() or 1))
"""Threads that decode and resize; each holds one decoded picture at a time."""


@dataclass(frozen=True)
class Picture:
    """What is kept of a file once its pixels are embedded. ``size`` is (width, height); ``thumbnail`` a JPEG;
    ``frame`` is what shows whether the camera worked; ``warnings`` are the decoder's; ``greatest`` as in
    ``DecodedImage``."""

    path: Path
    image_id: str
    sha256: str
    size: tuple[int, int]
    thumbnail: bytes
    frame: FrameFacts
    warnings: tuple[str, ...] = ()
    greatest: int | None = None


@dataclass(frozen=True)
class Seen:
    """A file that was read and embedded; ``turned`` are the embeddings of its turned copies, with their turns."""

    picture: Picture
    embedding: Embedding
    turned: tuple[tuple[Turn, Embedding], ...] = ()


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and why. The error is kept without its frames."""

    path: Path
    error: PatchbankError

    def __post_init__(self) -> None:
        without_frames(self.error)


@dataclass(frozen=True)
class _Ready:
    """A picture and its turned copies, ready for the network."""

    picture: Picture
    prepared: Prepared
    turned: tuple[tuple[Turn, Prepared], ...]


def embed_files(
    embedder: Embedder,
    files: Sequence[Path],
    pictures: PictureReader,
    turns: Sequence[Turn] = (),
    rule: RangeRule = UNKNOWN,
    scales: Scales = BASE,
) -> Generator[Seen | Skipped, None, None]:
    """Embed ``files``, which ``pictures`` reads, at ``scales`` in their order, each also in the given ``turns``;
    ``rule`` reads 16-bit grey without a range.

    At most two batches and one picture per thread are held, whatever the number of files. A file that is no usable
    picture comes back as ``Skipped``; an error of the network is raised.
    """

    def make(path: Path) -> _Ready | Skipped:
        try:
            image = pictures.read(path, rule)
        except PatchbankError as error:
            return Skipped(path, error)
        notes, facts = (*image.warnings, *rule.notes(image.greatest)), frame_facts(image.pixels)
        thumbnail = image.thumbnail()
        picture = Picture(path, image.image_id, image.sha256, image.size, thumbnail, facts, notes, image.greatest)
        prepared = embedder.prepare(image, scales)
        copies = tuple((turn, embedder.prepare(image, scales, turn)) for turn in turns)
        return _Ready(picture, prepared, copies)

    with ThreadPoolExecutor(READERS, thread_name_prefix="read") as readers:
        for part in _parts(readers, make, files, embedder.batch_size):
            yield from _embed(embedder, part)


def _parts(
    readers: ThreadPoolExecutor, make: Callable[[Path], _Ready | Skipped], files: Sequence[Path], size: int
) -> Iterator[list[_Ready | Skipped]]:
    """Lists of ``size`` items in order. While a list is in use, the next items are made."""
    waiting: deque[Future[_Ready | Skipped]] = deque()
    rest = iter(files)
    try:
        while True:
            waiting.extend(readers.submit(make, path) for path in islice(rest, size + READERS - len(waiting)))
            if not waiting:
                return
            part = [waiting.popleft().result() for _ in range(min(size, len(waiting)))]
            waiting.extend(readers.submit(make, path) for path in islice(rest, size + READERS - len(waiting)))
            yield part
    finally:
        for future in waiting:
            future.cancel()


def _embed(embedder: Embedder, part: Sequence[_Ready | Skipped]) -> Iterator[Seen | Skipped]:
    """Embed one list, in its order."""
    batch = [prepared for item in part if isinstance(item, _Ready) for prepared in _all_of(item)]
    embeddings = iter(embedder.embed_batch(batch))
    for item in part:
        if isinstance(item, Skipped):
            yield item
        else:
            first = next(embeddings)
            yield Seen(item.picture, first, tuple((turn, next(embeddings)) for turn, _ in item.turned))


def _all_of(ready: _Ready) -> list[Prepared]:
    return [ready.prepared, *(prepared for _, prepared in ready.turned)]
