"""Grey pictures in 16-bit files that do not say which value is white."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docs.format_truth import at_depth
from docs.ranges import GREY, KINDS


def grey_of(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """A picture's green channel (H, W), spread from black to white."""
    grey = pixels[:, :, 1].astype(np.float64)
    return np.asarray(np.round((grey - grey.min()) * 255 / (grey.max() - grey.min())), dtype=np.uint8)


def deep_file(path: Path, grey: NDArray[np.uint8], bits: int, kind: str = "TIFF, grey") -> Path:
    """Write 8-bit values as values of so many bits; 8: as an 8-bit PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if bits == 8:
        Image.fromarray(grey).save(path, "PNG")
    else:
        path.write_bytes(KINDS[kind](at_depth(grey, bits)))
    return path


def deep_files(folder: Path, pictures: Sequence[NDArray[np.uint8]], bits: int) -> list[Path]:
    """One file per picture, in TIFF, PNG and PGM by turns."""
    return [
        deep_file(folder / f"{bits}-{number:03}", grey, bits, GREY[number % len(GREY)])
        for number, grey in enumerate(pictures)
    ]
