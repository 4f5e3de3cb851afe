"""Image files on their way into a bank, or to its calibration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from service.embedding.embedder import Embedder
from service.embedding.stream import Seen, Skipped, embed_files
from service.embedding.turned import Turn
from service.progress import Progress
from service.settings import Settings


class Reader:
    """Reads and embeds files. Bad ones are collected in ``skipped``; with ``strict`` the first is an error."""

    def __init__(self, settings: Settings, embedder: Embedder, progress: Progress, *, strict: bool) -> None:
        self._settings = settings
        self._embedder = embedder
        self._progress = progress
        self._strict = strict
        self.skipped: list[Skipped] = []

    def read(self, files: Sequence[Path], stage: str, turns: Sequence[Turn] = ()) -> Iterator[Seen]:
        """Files in an order of chance, so that every part of the coreset sees the whole class."""
        steps = self._progress.begin(stage, len(files))
        mixed = [files[position] for position in np.random.default_rng(0).permutation(len(files))]
        with closing(embed_files(self._embedder, mixed, self._settings.image_limits, turns)) as stream:
            for one in stream:
                if isinstance(one, Seen):
                    yield one
                elif self._strict:
                    raise one.error
                else:
                    self.skipped.append(one)
                steps.advance()
