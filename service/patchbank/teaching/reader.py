"""Image files on their way into a bank, or to its calibration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from patchbank.bank.region_of_interest import RegionOfInterest
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.stream import Seen, Skipped, embed_files
from patchbank.embedding.turned import Turn
from patchbank.errors import InvalidMask
from patchbank.progress import Progress
from patchbank.scoring.inspected_area import inspected_cells, misfit
from patchbank.settings import Settings


class Reader:
    """Reads and embeds files. Bad ones, and those that ``roi`` does not fit, are collected in ``skipped``; with
    ``strict`` the first is an error."""

    def __init__(
        self,
        settings: Settings,
        embedder: Embedder,
        progress: Progress,
        *,
        strict: bool,
        roi: RegionOfInterest | None = None,
    ) -> None:
        self._settings = settings
        self._embedder = embedder
        self._progress = progress
        self._strict = strict
        self._roi = roi
        self.skipped: list[Skipped] = []

    def read(self, files: Sequence[Path], stage: str, turns: Sequence[Turn] = ()) -> Iterator[Seen]:
        """Files in an order of chance, so that every part of the coreset sees the whole class."""
        steps = self._progress.begin(stage, len(files))
        mixed = [files[position] for position in np.random.default_rng(0).permutation(len(files))]
        with closing(embed_files(self._embedder, mixed, self._settings.image_limits, turns)) as stream:
            for one in map(self._checked, stream):
                if isinstance(one, Seen):
                    yield one
                elif self._strict:
                    raise one.error
                else:
                    self.skipped.append(one)
                steps.advance()

    def _checked(self, one: Seen | Skipped) -> Seen | Skipped:
        """The file itself, or why the class's mask does not fit it."""
        if isinstance(one, Skipped):
            return one
        objection = misfit(self._roi, one.picture.size)
        cells = inspected_cells(self._roi, one.embedding.grid)
        if objection is None and cells is not None and not cells.any():
            objection = "the class's mask leaves none of the image's patches"
        return one if objection is None else Skipped(one.picture.path, InvalidMask(objection))
