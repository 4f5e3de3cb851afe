"""Bad frames: false alarms, and which faults are caught: ``python -m benchmarks.bad_frames --mvtec NAME=FOLDER``.

Per class, the limits are learnt from ``--references`` good images and tried on the other good and defective ones, on
``--shown`` good ones that are blurred, and on pictures of one value. A blur's width is its standard deviation over the
picture's longer side. ``--draws`` learns the limits again from so many random sets of fewer references.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from scipy import ndimage

from benchmarks.datasets import load_datasets
from patchbank.arrays import ByteArray
from patchbank.bank.frame_limits import FrameLimits
from patchbank.images import read_image
from patchbank.images.frame_facts import FrameFacts, frame_facts
from patchbank.scoring.frame import frame_fault, learn_limits
from patchbank_indexer.demo.products import Product

_NOISE: Final = 2.0
"""Standard deviation of the sensor noise that is added, of 255."""

_FLAT: Final = {"black": (0, 0), "white": (255, 250), "blank": (128, 128)}
"""Values of a dead picture without noise, and with it."""

_FEW: Final = (5, 10, 20)
_BLURS: Final = (0.0025, 0.005, 0.01, 0.02)


def main() -> None:
    """Print one row per class."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mvtec", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--references", type=int, default=80)
    parser.add_argument("--cap", type=int, default=1000)
    parser.add_argument("--shown", type=int, default=40)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    blurs = [f"blur {share:.2%}" for share in _BLURS]
    few = [f"{count} references: good" for count in _FEW]
    columns = ("class", "good", "defective", *few, *_FLAT, *blurs)
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    for product in load_datasets(given.mvtec, given.references, given.seed, given.cap):
        print("| " + " | ".join(_row(product, given.shown, given.draws, np.random.default_rng(given.seed))) + " |")


def _row(product: Product, shown: int, draws: int, rng: np.random.Generator) -> list[str]:
    """Bad frames among the good and the defective, then the share caught: without noise / with it."""
    references, good = _facts(product.references), _facts(product.good)
    limits = _learnt(references)
    cells = [product.class_name, *(_count(facts, limits) for facts in (good, _facts(product.defective)))]
    for count in _FEW:
        drawn = [rng.permutation(len(references))[:count] for _ in range(draws)]
        alarms = [_bad(good, _learnt([references[place] for place in places])) for places in drawn]
        cells.append(f"{np.mean(alarms):.2%}" if count < len(references) else "-")
    pictures = [read_image(file).pixels for file in product.good[:shown]]
    for clean, noisy in _FLAT.values():
        flat = [np.full_like(pixels, clean) for pixels in pictures]
        dim = [_with_noise(np.full_like(pixels, noisy), rng) for pixels in pictures]
        cells.append(f"{_caught(flat, limits):.0%} / {_caught(dim, limits):.0%}")
    for share in _BLURS:
        soft = [_blurred(pixels, share) for pixels in pictures]
        cells.append(
            f"{_caught(soft, limits):.0%} / {_caught([_with_noise(pixels, rng) for pixels in soft], limits):.0%}"
        )
    return cells


def _facts(files: Iterable[Path]) -> list[FrameFacts]:
    return [frame_facts(read_image(file).pixels) for file in files]


def _learnt(references: Sequence[FrameFacts]) -> FrameLimits:
    limits = learn_limits(references)
    assert limits is not None
    return limits


def _bad(facts: Sequence[FrameFacts], limits: FrameLimits) -> float:
    """Share of bad frames."""
    return float(np.mean([frame_fault(each, limits) is not None for each in facts]))


def _count(facts: Sequence[FrameFacts], limits: FrameLimits) -> str:
    return f"{round(_bad(facts, limits) * len(facts))} of {len(facts)}"


def _caught(pictures: Sequence[ByteArray], limits: FrameLimits) -> float:
    return _bad([frame_facts(pixels) for pixels in pictures], limits)


def _blurred(pixels: ByteArray, share: float) -> ByteArray:
    sigma = share * max(pixels.shape[:2])
    return np.asarray(ndimage.gaussian_filter(pixels, (sigma, sigma, 0)), dtype=np.uint8)


def _with_noise(pixels: ByteArray, rng: np.random.Generator) -> ByteArray:
    return np.asarray(np.clip(np.rint(pixels + rng.normal(0, _NOISE, pixels.shape)), 0, 255), dtype=np.uint8)


if __name__ == "__main__":
    main()
