"""How often drift is told where nothing changes: ``python -m benchmarks.drift_rate``.

First of random numbers, which are drawn like the calibration values. Then, with ``--only`` a class, of the similarities
of its good images: each split draws references and a stream of others at random.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.drift import read_pictures
from patchbank.arrays import BoolArray, DoubleArray
from patchbank.embedding.embedder import Embedder
from patchbank.images import read_image
from patchbank.scoring.class_retrieval import leave_one_out_similarity
from patchbank.scoring.drift import SHARED_WORTH, WATCH_PROMISED, WINDOWS, Comparison, compare
from patchbank.scoring.drift_state import PROMISED, QUANTITIES
from patchbank.settings import load_settings


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mvtec", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--only", help="a class")
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--stream", type=int, default=500, help="images of a stream of similarities")
    parser.add_argument("--most", type=int, default=1000, help="good images of the class that are taken")
    parser.add_argument("--backbone", default="efficientnet-lite2")
    given = parser.parse_args()
    if given.only is None:
        simulate(given.streams)
        return
    files = read_pictures(given.mvtec)[given.only].good[: given.most]
    with Embedder.open(load_settings(backbone=given.backbone)) as embedder:
        similarities(embedder, given.only, files, given.streams, given.stream)


def similarities(embedder: Embedder, name: str, files: Sequence[Path], splits: int, images: int) -> None:
    """Print how often streams of unchanged images are called watch or drifting because of their similarities."""
    cls = np.stack([embedder.embed(read_image(file)).cls for file in files])
    alike = cls @ cls.T
    print(f"\n{name}: similarities of streams of {images} images\n")
    print("| references | splits | `watch` or more | `drifting` | variance of the chance of a higher value |")
    print("|---|---|---|---|---|")
    for references in (20, 30, 60, 100, 200):
        if references >= len(files) / 2:
            break
        limits = {window: _limits(int(references * SHARED_WORTH), window) for window in WINDOWS}
        told, chances, shown = np.zeros(2), [], 0
        for split in range(splits):
            order = np.random.default_rng(split).permutation(len(files))
            bank, new = order[:references], order[references:][:images]
            normal = np.sort(leave_one_out_similarity(cls[bank]).astype(np.float64))
            values = alike[np.ix_(new, bank)].max(axis=1)
            told += _far(normal, values, limits, len(values))
            chances.append(np.searchsorted(normal, values).mean() / references)
            shown = len(values)
        independent = (references + shown + 1) / (12 * references * shown)
        spread = float(np.var(chances)) / independent
        print(
            f"| {references} | {splits} | {told[0] / splits:.2%} | {told[1] / splits:.2%} | {spread:.2f} times that of "
            "independent values |",
            flush=True,
        )


def _far(normal: DoubleArray, shown: DoubleArray, limits: Mapping[int, DoubleArray], watched: int) -> BoolArray:
    """Whether a stream is ever called watch within the first ``watched`` images, or drifting; ``normal`` rises."""
    sums = np.concatenate([[0.0], np.cumsum(np.searchsorted(normal, shown))])
    told = np.zeros(2, dtype=np.bool_)
    for window, (watch, drifting) in limits.items():
        far = np.abs((sums[window:] - sums[:-window]) / (window * len(normal)) - 0.5)
        told |= [far[: watched - window + 1].max() >= watch, far.max() >= drifting]
    return told


def simulate(streams: int) -> None:
    """Print how often streams without a change are called watch or drifting, in any of the quantities."""
    print("| calibration values | streams | `watch` or more within 1,000 images | `drifting` within 10,000 images |")
    print("|---|---|---|---|")
    for calibration in (12, 30, 60, 100, 200):
        limits = {window: _limits(calibration, window) for window in WINDOWS}
        rng = np.random.default_rng(calibration)
        told = np.zeros(2)
        for _ in range(streams):
            any_of = np.zeros(2, dtype=np.bool_)
            for _ in QUANTITIES:
                any_of |= _far(np.sort(rng.random(calibration)), rng.random(PROMISED), limits, WATCH_PROMISED)
            told += any_of
        print(f"| {calibration} | {streams} | {told[0] / streams:.2%} | {told[1] / streams:.2%} |", flush=True)


def _limits(calibration: int, window: int) -> DoubleArray:
    """How far from 0.5 the chance of a higher value is at which watch and drifting begin; 1 where they never do."""

    def made(above: int) -> Comparison | None:
        """The comparison where so many of all pairs are higher."""
        full, rest = divmod(above, calibration)
        ranks = np.array([calibration] * full + ([rest] if full < window else []) + [0] * max(0, window - full - 1))
        recent = [*(ranks + 0.5).tolist()]
        told = compare({"score": np.arange(1.0, calibration + 1).tolist()}, {"score": recent})
        return next((each for each in told.comparisons if each.images == window), None)

    pairs = calibration * window
    limits = []
    for states in (("watch", "drifting"), ("drifting",)):
        low, high = pairs // 2, pairs + 1
        while low < high:
            middle = (low + high) // 2
            comparison = made(middle) if middle <= pairs else None
            if middle > pairs or (comparison is not None and comparison.state in states):
                high = middle
            else:
                low = middle + 1
        limits.append(1.0 if low > pairs else low / pairs - 0.5)
    return np.array(limits)


if __name__ == "__main__":
    main()
