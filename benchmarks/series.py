"""False alarms where normal pictures come in series, simulated: ``python -m benchmarks.series``.

A picture is a point: the centre of its series plus something of its own. Its score is the distance to the nearest
reference, as a patch's is. Thresholds come from references left out one by one, from whole series left out with every
picture counted, and from whole series that count once each; new pictures are of new series.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from patchbank.arrays import DoubleArray
from patchbank.scoring.conformal import Sample

RATES: Final = (0.01, 0.05, 0.1, 0.2)
_DIMENSIONS: Final = 6
_OWN: Final = 0.35
"""Deviation of a picture within its series; that of the series is 1."""

_MOST: Final = 30
"""A series has 1 to so many pictures."""

_NEW: Final = 300


def main() -> None:
    """Print one row per number of series and rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, nargs="+", default=[12, 20, 40, 100])
    parser.add_argument("--rounds", type=int, default=300)
    given = parser.parse_args()
    print("| series | asked | can be promised | one by one | whole series, each picture counts | each series counts |")
    print("|---|---|---|---|---|---|")
    for count in given.series:
        rng = np.random.default_rng(count)
        got: dict[tuple[float, str], list[float]] = defaultdict(list)
        for _ in range(given.rounds):
            samples, new = _class(count, rng)
            for rate in RATES:
                for way, sample in samples.items():
                    got[rate, way].append(float(np.mean(new > sample.cut(rate).value)))
        for rate in RATES:
            shares = " | ".join(_mean(np.array(got[rate, way])) for way in ("single", "whole", "series"))
            print(f"| {count} | {rate:.0%} | {max(rate, 1 / (count + 1)):.1%} | {shares} |", flush=True)


def _class(count: int, rng: np.random.Generator) -> tuple[dict[str, Sample], DoubleArray]:
    """Calibration scores of references in so many series, by way, and scores of new pictures."""
    series = np.repeat(np.arange(count), rng.integers(1, _MOST + 1, count))
    points = rng.normal(size=(count, _DIMENSIONS))[series] + _OWN * rng.normal(size=(len(series), _DIMENSIONS))
    bank = cKDTree(points)
    single = np.asarray(bank.query(points, k=2)[0])[:, 1]
    whole = np.empty(len(series))
    for number in range(count):
        whole[series == number] = cKDTree(points[series != number]).query(points[series == number])[0]
    fresh = rng.normal(size=(_NEW, _DIMENSIONS)) + _OWN * rng.normal(size=(_NEW, _DIMENSIONS))
    samples = {
        "single": Sample.of(single.tolist()),
        "whole": Sample.of(whole.tolist()),
        "series": Sample.of(whole.tolist(), [str(number) for number in series]),
    }
    return samples, np.asarray(bank.query(fresh)[0])


def _mean(shares: DoubleArray) -> str:
    half = 1.96 * float(shares.std(ddof=1)) / len(shares) ** 0.5
    return f"{shares.mean():.1%} ± {half:.1%}"


if __name__ == "__main__":
    main()
