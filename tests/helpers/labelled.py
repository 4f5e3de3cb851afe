"""Labelled data sets of small pictures: good parts that differ a little, and parts with a foreign patch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.helpers.pictures import picture

SIZE = (96, 80)
BOX = (30, 24, 62, 48)
"""Where the defects are: left, top, right, bottom."""


def part(product: int, seed: int, defective: bool = False) -> Image.Image:
    """A part of a product. Its pictures differ by noise; a defective one has a patch of another picture."""
    base = np.asarray(picture(product, SIZE), dtype=np.int16)
    noise = np.random.default_rng(1000 * product + seed).integers(-6, 7, base.shape)
    image = Image.fromarray(np.clip(base + noise, 0, 255).astype(np.uint8))
    if defective:
        strange = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        image.paste(Image.fromarray(strange), BOX[:2])
    return image


def mask() -> Image.Image:
    """Ground truth of the defect, with the value 1 as in some data sets."""
    truth = np.zeros(SIZE[::-1], dtype=np.uint8)
    truth[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 1
    return Image.fromarray(truth)


def save(picture_: Image.Image, file: Path) -> Path:
    """Save it and create the folders it needs."""
    file.parent.mkdir(parents=True, exist_ok=True)
    picture_.save(file)
    return file


def mvtec_class(folder: Path, product: int, *, references: int = 5, tests: int = 2, masks: bool = True) -> Path:
    """A class in MVTec layout, with this many good and as many defective test images."""
    for seed in range(references):
        save(part(product, seed), folder / "train" / "good" / f"{seed:03d}.png")
    for seed in range(tests):
        save(part(product, 50 + seed), folder / "test" / "good" / f"{seed:03d}.png")
        save(part(product, 80 + seed, True), folder / "test" / "hole" / f"{seed:03d}.png")
        if masks:
            save(mask(), folder / "ground_truth" / "hole" / f"{seed:03d}_mask.png")
    return folder
