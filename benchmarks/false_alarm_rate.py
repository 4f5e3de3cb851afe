"""Target false-alarm rates, and those measured on new normal images: ``python -m benchmarks.false_alarm_rate``.

The normal images of a class are split at random, ``--splits`` times: references, calibration images, new images. The
thresholds come from leave-one-image-out over the references (all others are new then), or from the calibration
images. Every image is embedded once; the splits are scored from the distances between all pairs of images.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Final, Literal

import numpy as np
from scipy import stats

from benchmarks.patch_distances import PatchDistances
from patchbank.arrays import DoubleArray, IntArray
from patchbank.embedding.embedder import Embedder
from patchbank.scoring.threshold import calibrate
from patchbank.settings import load_settings
from patchbank.teaching.normal_scores import NormalScore
from patchbank_indexer.demo.products import load_products

Method = Literal["leave-one-image-out", "held-out"]
TARGETS: Final = (0.01, 0.05, 0.1)


def main() -> None:
    """Print one row per class, method and target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mvtec", action="append", default=[], metavar="NAME=FOLDER", help="train/good is taken")
    parser.add_argument("--images", type=int, default=300, help="normal images per class")
    parser.add_argument("--references", type=int, default=100)
    parser.add_argument("--calibration", type=int, default=100)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--only", action="append")
    parser.add_argument("--backbone", default="efficientnet-lite2")
    given = parser.parse_args()
    if given.references + given.calibration >= given.images:
        parser.error("no image is left to be judged: raise --images")
    files = {product.class_name: list(product.references) for product in load_products(given.images, 0)}
    for item in given.mvtec:
        name, _, folder = item.partition("=")
        files[name] = _some(sorted((Path(folder) / "train" / "good").iterdir()), given.images)
    print(
        "| class | method | images | target | promised | got, mean (95 % interval) | splits | any pixel: target | got |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    with Embedder.open(load_settings(backbone=given.backbone)) as embedder:
        for name, chosen in files.items():
            if given.only and name not in given.only:
                continue
            distances = PatchDistances.of_files(embedder, chosen)
            _print(name, distances, given.splits, given.references, given.calibration)


def _some(files: list[Path], count: int) -> list[Path]:
    return [files[place] for place in np.random.default_rng(0).permutation(len(files))[:count]]


def _print(name: str, distances: PatchDistances, splits: int, references: int, calibration: int) -> None:
    got: dict[tuple[Method, float], list[tuple[float, float]]] = defaultdict(list)
    facts: dict[tuple[Method, float], tuple[int, float, float]] = {}
    for split in range(splits):
        order = np.random.default_rng(split).permutation(len(distances))
        bank, rest = order[:references], order[references:]
        scored = {int(image): distances.score(int(image), bank) for image in order}
        cut = rest[:calibration], rest[calibration:]
        ways: list[tuple[Method, IntArray, IntArray]] = [
            ("leave-one-image-out", bank, rest),
            ("held-out", *cut),
        ]
        for method, normal, new in ways:
            known = [scored[int(image)] for image in normal]
            for target in TARGETS:
                rates, promised, pixels = _rates(known, [scored[int(image)] for image in new], method, target)
                got[method, target].append(rates)
                facts[method, target] = (len(normal), promised, pixels)
    for (method, target), rates_of_splits in got.items():
        count, promised, pixels = facts[method, target]
        images, spots = np.array(rates_of_splits).T
        print(
            f"| {name} | {method} | {count} | {target:.0%} | {promised:.2%} | {_mean(images)} | "
            f"{images.min():.1%} to {images.max():.1%} | {pixels:.0%} | {_mean(spots)} |",
            flush=True,
        )


def _rates(
    known: list[NormalScore], new: list[NormalScore], method: Method, target: float
) -> tuple[tuple[float, float], float, float]:
    """Shares of the new images above the thresholds (image, any pixel), and what the thresholds promise."""
    made = calibrate([image.score for image in known], method, target, [image.peak for image in known])
    assert made.pixel_threshold is not None
    assert made.pixel_target_far is not None
    above = float(np.mean([image.score > made.threshold for image in new]))
    spotted = float(np.mean([image.peak > made.pixel_threshold for image in new]))
    higher = sum(score > made.threshold for score in made.scores)
    return (above, spotted), (1 + higher) / (made.count + 1), made.pixel_target_far


def _mean(rates: DoubleArray) -> str:
    """Mean over the splits with Student's interval. The splits share images, so it is a little too narrow."""
    mean = float(rates.mean())
    if len(rates) < 2:
        return f"{mean:.2%}"
    half = float(stats.t.ppf(0.975, len(rates) - 1)) * float(rates.std(ddof=1)) / len(rates) ** 0.5
    return f"{mean:.2%} ({max(0.0, mean - half):.2%} to {mean + half:.2%})"


if __name__ == "__main__":
    main()
