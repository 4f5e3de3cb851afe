"""Reads and embeds image files for a bank or for its calibration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from patchbank.embedding.embedder import Embedder
from patchbank.embedding.stream import Seen, Skipped, embed_files
from patchbank.embedding.turned import Turn
from patchbank.errors import InvalidMask
from patchbank.progress import Progress
from patchbank.scales import Scales
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.settings import Settings
from patchbank.teaching.pixel_range import LearntRange


class Reader:
    """Reads and embeds files. Bad files, and those that the class's mask does not fit, are collected in ``skipped``;
    with ``strict`` the first of them raises its error. ``warnings`` holds, per warning of the decoder, the files that
    it is about. ``scales`` are the class's input scales, ``values`` is the range of 16-bit grey with which files are
    read."""

    def __init__(
        self,
        settings: Settings,
        embedder: Embedder,
        areas: InspectedAreas,
        progress: Progress,
        values: LearntRange,
        *,
        strict: bool,
        scales: Scales,
    ) -> None:
        self._pictures = embedder.pictures.within(settings.image_limits)
        self._embedder = embedder
        self._progress = progress
        self._strict = strict
        self._scales = scales
        self._areas = areas
        self.values = values
        self.skipped: list[Skipped] = []
        self.warnings: dict[str, list[Path]] = values.warnings

    def read(self, files: Sequence[Path], stage: str, turns: Sequence[Turn] = ()) -> Iterator[Seen]:
        """Read files in a random order, so that every part of the coreset sees the whole class."""
        steps = self._progress.begin(stage, len(files))
        mixed = [files[position] for position in np.random.default_rng(0).permutation(len(files))]
        with closing(
            embed_files(self._embedder, mixed, self._pictures, turns, self.values.rule, self._scales)
        ) as stream:
            for item in map(self._checked, stream):
                if isinstance(item, Seen):
                    for warning in item.picture.warnings:
                        self.warnings.setdefault(warning, []).append(item.picture.path)
                    yield item
                elif self._strict:
                    raise item.error
                else:
                    self.skipped.append(item)
                steps.advance()

    def _checked(self, item: Seen | Skipped) -> Seen | Skipped:
        """The image itself, or the reason why the class's mask does not fit it."""
        if isinstance(item, Skipped):
            return item
        objection = self._areas.misfit(item.picture.size)
        if objection is None and self._areas.on(item.embedding.grid).is_empty:
            objection = "the class's mask leaves none of the image's patches"
        return item if objection is None else Skipped(item.picture.path, InvalidMask(objection))
