"""Pictures of an audit, from the thumbnails that the bank keeps."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from patchbank.atomic_file import replacing
from patchbank.bank.manifest import ScoringRule
from patchbank.bank.reference import Reference
from patchbank.bank.store import Bank
from patchbank.disk import write_error
from patchbank.errors import StoreUnavailable
from patchbank.scoring.anomaly_map import anomaly_map
from patchbank.scoring.heatmap import overlay
from patchbank.scoring.regions import Region, find_regions
from patchbank.teaching.audit import Audited, Twins

Box = tuple[int, int, int, int]

_CORE: Final = 0.7
"""The region shown is what is above this share of the highest value."""


def thumbnail(reference: Reference) -> Image.Image:
    """A reference's thumbnail."""
    with Image.open(io.BytesIO(reference.thumbnail)) as picture:
        upright: Image.Image = picture.convert("RGB")
    return upright


class Located:
    """Where a reference is most unlike the others: ``box`` in pixels of the original, None where nothing is unlike."""

    def __init__(self, bank: Bank, image: Audited, rule: ScoringRule) -> None:
        self.image = image
        reference, area = image.patches.reference, image.patches.area
        self._picture = thumbnail(reference)
        self._inspected = area.pixels(self._picture.size)
        grid = image.patches.on_grid(bank, image.patch_scores)
        self._values = anomaly_map(grid, rule, self._picture.size, area)
        self._cut = _CORE * float(self._values.max())
        self._regions: list[Region] = find_regions(self._values, self._cut, self._inspected, limit=1)
        self.box = self._scaled(reference) if self._regions else None

    def _scaled(self, reference: Reference) -> Box:
        left, top, right, bottom = self._regions[0].box
        across, down = reference.width / self._picture.width, reference.height / self._picture.height
        return round(left * across), round(top * down), round(right * across), round(bottom * down)

    def write(self, path: Path) -> Path:
        """The picture, and beside it the same with the region marked."""
        marked = overlay(self._values, self._cut, np.asarray(self._picture), self._regions, self._inspected)
        return _beside(self._picture, marked, path)


def write_twins(twins: Twins, path: Path) -> Path:
    """Two near-duplicates side by side."""
    return _beside(thumbnail(twins.first), thumbnail(twins.second), path)


def _beside(left: Image.Image, right: Image.Image, path: Path) -> Path:
    sheet = Image.new("RGB", (left.width + 4 + right.width, max(left.height, right.height)), "white")
    sheet.paste(left, (0, 0))
    sheet.paste(right, (left.width + 4, 0))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, sweep=False) as file:
            sheet.save(file, format=Image.registered_extensions()[path.suffix.lower()])
    except OSError as error:
        raise write_error(error, f"{path.parent} cannot be written", StoreUnavailable, path.parent) from error
    return path
