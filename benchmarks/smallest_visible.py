"""How small a defect is still found: ``python -m benchmarks.smallest_visible NAME=FOLDER ...``.

Classes are in MVTec layout. Dots and scratches of growing size are drawn on good pictures that the bank does not hold.
Sizes are in patches: the diameter of a dot, the length of a scratch that is a tenth as wide. With ``--width`` all
pictures are enlarged first, as if a finer camera had taken them.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from patchbank.arrays import ByteArray, DoubleArray, FloatArray
from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.embedding.preprocess import plan_geometry
from patchbank.images import DecodedImage, read_image
from patchbank.judging.inspector import Inspector
from patchbank.settings import load_settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher

SIZES: Final = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
KINDS: Final = ("dot", "scratch")
CONTRAST: Final = 80
"""Levels of 255 by which a defect is darker than what it lies on, or brighter where that is dark."""


def main() -> None:
    """Print a row per class, kind and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("classes", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--references", type=int, default=40)
    parser.add_argument("--pictures", type=int, default=12, help="good pictures that are drawn on")
    parser.add_argument("--width", type=int, help="enlarge all pictures to so many pixels")
    given = parser.parse_args()
    print("| class | pixels | patch | defect | " + " | ".join(f"{size:g}" for size in SIZES) + " |")
    print("|---|---|---|---|" + "---|" * len(SIZES))
    settings = load_settings(backbone=BUILT_IN)
    for item in given.classes:
        name, _, folder = item.partition("=")
        with tempfile.TemporaryDirectory() as scratch:
            good, tests = (
                [_scaled(file, given.width, Path(scratch) / kind) for file in _some(Path(folder) / kind / "good", most)]
                for kind, most in (("train", given.references), ("test", given.pictures))
            )
            store, embedder = EdgeStore(Path(scratch) / "data"), Embedder.open(settings)
            with Inspector(settings, embedder, store) as inspector:
                Teacher(settings, embedder, store).teach(name, good, options=TeachOptions(target_far=0.05))
                for row in _rows(inspector, name, [read_image(file) for file in tests]):
                    print(row, flush=True)


def _rows(inspector: Inspector, name: str, pictures: Sequence[DecodedImage]) -> Iterator[str]:
    geometry = plan_geometry(pictures[0].size, inspector.embedder.backbone)
    (width, height), (rows, columns) = geometry.image, geometry.grid
    for kind in KINDS:
        told = [_shares(inspector, name, pictures, kind, size) for size in SIZES]
        yield (
            f"| {name} | {width} x {height} | {width / columns:.0f} x {height / rows:.0f} | {kind} | "
            + " | ".join(f"{marked:.0%} / {alarmed:.0%}" for marked, alarmed in told)
            + " |"
        )


def _shares(
    inspector: Inspector, name: str, pictures: Sequence[DecodedImage], kind: str, size: float
) -> tuple[float, float]:
    """Shares of the pictures that have a pixel above the pixel threshold at the defect, and that are anomalous."""
    marked = alarmed = 0
    for number, picture in enumerate(pictures):
        rng = np.random.default_rng(number)
        geometry = plan_geometry(picture.size, inspector.embedder.backbone)
        patch = (geometry.image[0] / geometry.grid[1] + geometry.image[1] / geometry.grid[0]) / 2
        place = rng.uniform(0.3, 0.7, 2) * geometry.image
        shape = _shape(picture.pixels.shape[:2], place, kind, size * patch, rng.uniform(0, np.pi))
        verdict = inspector.inspect(DecodedImage.of_pixels(_drawn(picture.pixels, shape)), name).verdict
        assert verdict is not None  # the class was named
        reach = (max(size, 1.0) / 2 + 1) * patch
        left, top = np.maximum(place - reach, 0).astype(int)
        right, bottom = (place + reach).astype(int)
        marked += bool((verdict.map[top:bottom, left:right] > verdict.pixel_threshold).any())
        alarmed += verdict.is_anomalous
    return marked / len(pictures), alarmed / len(pictures)


def _shape(shape: tuple[int, ...], place: DoubleArray, kind: str, extent: float, angle: float) -> FloatArray:
    """Coverage (H, W), 0..1, of a defect of so many pixels; smooth over one pixel at its edge."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    x, y = columns + 0.5 - place[0], rows + 0.5 - place[1]
    if extent == 0:
        return np.zeros(shape, np.float32)
    if kind == "dot":
        distance = np.hypot(x, y) - extent / 2
        thin = extent
    else:
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        thin = extent / 10
        distance = np.maximum(np.abs(along) - extent / 2, np.abs(across) - thin / 2)
    # what is thinner than a pixel covers it in part
    return np.asarray(np.clip(0.5 - distance, 0, 1) * min(1.0, thin), np.float32)


def _drawn(pixels: ByteArray, shape: FloatArray) -> ByteArray:
    sign = np.where(pixels.mean() < CONTRAST, 1, -1)
    return np.asarray(np.clip(pixels + sign * CONTRAST * shape[:, :, None], 0, 255), np.uint8)


def _scaled(file: Path, width: int | None, folder: Path) -> Path:
    """The file, or a copy of it at another width."""
    if width is None:
        return file
    folder.mkdir(exist_ok=True)
    picture = Image.fromarray(read_image(file).pixels)
    copy = folder / f"{file.stem}.png"
    height = round(picture.height * width / picture.width)
    picture.resize((width, height), Image.Resampling.BICUBIC).save(copy, compress_level=1)
    return copy


def _some(folder: Path, most: int) -> list[Path]:
    files = sorted(folder.iterdir())
    return [files[place] for place in np.random.default_rng(0).permutation(len(files))[:most]]


if __name__ == "__main__":
    main()
