"""How soon a change is told as drift: ``python -m benchmarks.drift``.

Per class and split: references are drawn at random, taught, and a stream of other good images is judged, alone, with
defective ones among them, and with a change after 100 images.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from patchbank.arrays import ByteArray
from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.embedding import Embedding
from patchbank.history.normal_images import NormalImages
from patchbank.images import DecodedImage, read_image
from patchbank.images.frame_facts import brightness
from patchbank.judging.judge import Judge
from patchbank.scales import DETAILS
from patchbank.scoring.drift import WINDOWS, compare
from patchbank.scoring.drift_state import QUANTITIES, DriftState, Quantity
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.settings import Settings, load_settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.datasets.layouts import read_class
from patchbank_indexer.demo.products import load_products

Change = Callable[[ByteArray], ByteArray]

BEFORE: Final = 100
"""Unchanged images before a change."""

_EVERY: Final = 1_000_000


def lit(factor: float) -> Change:
    """Another brightness; what is brighter than white is white."""
    return lambda pixels: np.clip(np.rint(pixels * factor), 0, 255).astype(np.uint8)


def _blurred(sigma: float) -> Change:
    return lambda pixels: np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma)))


def _turned(degrees: float) -> Change:
    """Turned about the middle, and cut so that no corner is empty; the size stays."""

    def turned(pixels: ByteArray) -> ByteArray:
        picture = Image.fromarray(pixels)
        width, height = picture.size
        cut = round(max(width, height) * np.tan(np.radians(degrees)) / 2) + 1
        middle = (cut, cut, width - cut, height - cut)
        return np.asarray(picture.rotate(degrees, Image.Resampling.BICUBIC).crop(middle).resize((width, height)))

    return turned


CHANGES: Final[dict[str, Change]] = {
    "brightness x 0.85": lit(0.85),
    "brightness x 0.90": lit(0.90),
    "brightness x 0.95": lit(0.95),
    "brightness x 1.05": lit(1.05),
    "brightness x 1.10": lit(1.10),
    "brightness x 1.15": lit(1.15),
    "blur, 1 pixel": _blurred(1.0),
    "turned by 2 degrees": _turned(2.0),
}


@dataclass(frozen=True)
class Pictures:
    """Good and defective images of a class."""

    good: Sequence[Path]
    defective: Sequence[Path]


def read_pictures(mvtec: Sequence[str]) -> dict[str, Pictures]:
    """Those of the demo's products, and of MVTec-layout folders given as NAME=FOLDER."""
    pictures = {
        product.class_name: Pictures((*product.references, *product.good), product.defective)
        for product in load_products(_EVERY, _EVERY)
    }
    for item in mvtec:
        name, _, folder = item.partition("=")
        data = read_class(Path(folder))
        good, bad = ([image.file for image in data.tests if image.defective == kind] for kind in (False, True))
        pictures[name] = Pictures((*data.references, *good), bad)
    return pictures


def main() -> None:
    """Print a table per class."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mvtec", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--only", action="append", help="classes")
    parser.add_argument("--references", type=int, default=60)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--stream", type=int, default=500)
    parser.add_argument("--changed", type=int, default=50, help="images after a change")
    parser.add_argument("--backbone", default="efficientnet-lite2")
    given = parser.parse_args()
    pictures = read_pictures(given.mvtec)
    settings = load_settings(backbone=given.backbone)
    with Embedder.open(settings) as embedder:
        for name, shown in pictures.items():
            if given.only and name not in given.only:
                continue
            measured = Measured(settings, embedder, name, shown, given.references, given.stream, given.changed)
            measured.measure(given.splits)


@dataclass(frozen=True)
class Values:
    """What one image is compared by."""

    score: float
    similarity: float
    brightness: float


@dataclass(frozen=True)
class Split:
    """One class taught from some references: what its ``normal`` images are like, and per stream its values, and how
    many of them come before the change."""

    normal: NormalImages
    streams: Mapping[str, tuple[Sequence[Values], int]]


class Measured:
    """One class. Embeddings of unchanged good images are kept for all splits: a megabyte or so each."""

    def __init__(
        self,
        settings: Settings,
        embedder: Embedder,
        name: str,
        shown: Pictures,
        references: int,
        stream: int,
        changed: int,
    ) -> None:
        self._settings = settings
        self._embedder = embedder
        self._name = name
        self._shown = shown
        self._references = references
        self._stream = stream
        self._changed = changed
        self._kept: dict[Path, tuple[Embedding, float]] = {}

    def measure(self, splits: int) -> None:
        """Print how often which state was told of unchanged streams, and when each change was."""
        first: dict[str, list[int | None]] = defaultdict(list)
        states: dict[str, list[DriftState]] = defaultdict(list)
        judged = 0
        for split in range(splits):
            made = self.split(split)
            for kind, (stream, before) in made.streams.items():
                worst, told = _told(made, stream, before)
                states[kind].append(worst)
                first[kind].append(told)
            judged = len(made.streams["unchanged"][0])
        print(f"\n{self._name}, {self._references} references, {splits} splits, streams of {judged} images\n")
        print("| stream | never more than ok | watch | drifting | images until drifting: median | most |")
        print("|---|---|---|---|---|---|")
        for kind, worst_of in states.items():
            counts = [worst_of.count(state) for state in ("ok", "watch", "drifting")]
            known = [images for images in first[kind] if images is not None]
            missed = len(first[kind]) - len(known)
            middle = f"{median([*known, *([_EVERY] * missed)]):.0f}" if len(known) > missed else "-"
            most = "-" if missed or not known else f"{max(known)}"
            print(f"| {kind} | {counts[0]} | {counts[1]} | {counts[2]} | {middle} | {most} |", flush=True)

    def split(self, split: int) -> Split:
        """Teach and judge once."""
        rng = np.random.default_rng(split)
        good = [self._shown.good[place] for place in rng.permutation(len(self._shown.good))]
        bad = [self._shown.defective[place] for place in rng.permutation(len(self._shown.defective))]
        taught, rest = good[: self._references], good[self._references :][: self._stream]
        with tempfile.TemporaryDirectory() as folder:
            store = EdgeStore(Path(folder))
            try:
                options = TeachOptions(scales=DETAILS["fast"])
                Teacher(self._settings, self._embedder, store).teach(self._name, taught, options=options)
                bank = store.bank(self._name)
                normal = NormalImages.of(bank)
                judge, cls = Judge.of(bank, InspectedAreas(bank.manifest.roi)), bank.cls_vectors()[1]

                def values(seen: Embedding, light: float) -> Values:
                    score = judge.judge(seen, bank.manifest.calibration.mask_threshold).score
                    return Values(score, float((cls @ seen.cls).max()), light)

                steady = [values(*self._good(file)) for file in rest]
                streams: dict[str, tuple[list[Values], int]] = {"unchanged": (steady, 0)}
                share = max(1, len(steady) // 20)
                mixed = list(steady)
                for place, file in zip(rng.permutation(len(steady))[:share], bad, strict=False):
                    mixed[int(place)] = values(*self._seen(read_image(file)))
                streams["5 % defective"] = mixed, 0
                after = rest[BEFORE : BEFORE + self._changed]
                for kind, change in CHANGES.items():
                    changed = (DecodedImage.of_pixels(change(read_image(file).pixels)) for file in after)
                    streams[kind] = steady[:BEFORE] + [values(*self._seen(image)) for image in changed], BEFORE
            finally:
                store.close()
        return Split(normal, streams)

    def _seen(self, image: DecodedImage) -> tuple[Embedding, float]:
        return self._embedder.embed(image), brightness(image.pixels)

    def _good(self, file: Path) -> tuple[Embedding, float]:
        if file not in self._kept:
            self._kept[file] = self._seen(read_image(file))
        return self._kept[file]


def _told(split: Split, stream: Sequence[Values], before: int) -> tuple[DriftState, int | None]:
    """The worst state that is told of a stream, and the images after ``before`` until it is drifting, if it ever is."""
    order: tuple[DriftState, ...] = ("unknown", "ok", "watch", "drifting")
    worst: DriftState = "unknown"
    for end in range(before + 1, len(stream) + 1):
        shown = stream[max(0, end - WINDOWS[-1]) : end]
        recent: dict[Quantity, list[float]] = {name: [getattr(each, name) for each in shown] for name in QUANTITIES}
        state = compare(split.normal.values, recent, split.normal.shared).state
        worst = max(worst, state, key=order.index)
        if state == "drifting":
            return worst, end - before
    return worst, None


if __name__ == "__main__":
    main()
