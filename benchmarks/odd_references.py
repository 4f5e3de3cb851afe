"""Which references are set aside: ``python -m benchmarks.odd_references --mvtec NAME=FOLDER``.

Per class, ``--references`` good pictures are judged as they are before a class is taught, in ``--draws`` random draws,
and again with ``--planted`` of them replaced by defective, foreign, black, blurred or cut-off ones. Printed are the
share of good pictures set aside, and the share of planted ones that is caught.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy import ndimage

from benchmarks.datasets import load_datasets
from patchbank.arrays import ByteArray, FloatArray
from patchbank.bank.store import RouterHit
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.embedding.stream import Picture, Seen
from patchbank.images import DecodedImage, read_image
from patchbank.images.frame_facts import frame_facts
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.settings import load_settings
from patchbank.teaching.reference_check import NewClassCheck
from patchbank.teaching.same_part import SameParts
from patchbank.teaching.shelf import Shelf
from patchbank_indexer.demo.products import Product

_KINDS: Final = ("defective", "foreign", "black", "blurred", "cut off")


def main() -> None:
    """Print one row per class."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mvtec", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--references", type=int, default=100)
    parser.add_argument("--planted", type=int, default=5)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--pool", type=int, default=150)
    given = parser.parse_args()
    products = load_datasets(given.mvtec, given.pool, 0, given.planted * given.draws)
    print("| class | good set aside | " + " | ".join(_KINDS) + " |\n" + "|---" * (2 + len(_KINDS)) + "|")
    with Embedder.open(load_settings(backbone=BUILT_IN)) as embedder:
        for product, other in zip(products, [*products[1:], products[0]], strict=True):
            print(_row(product, other, embedder, given.references, given.planted, given.draws), flush=True)


def _row(product: Product, other: Product, embedder: Embedder, references: int, planted: int, draws: int) -> str:
    good = [_seen(read_image(file), file, embedder) for file in (*product.references, *product.good)]
    count = min(references, len(good))
    rng = np.random.default_rng(0)
    orders = [rng.permutation(len(good))[:count] for _ in range(draws)]
    clean = sum(len(_set_aside([good[place] for place in order])) for order in orders)
    cells = [product.class_name, f"{clean} of {draws * count} ({clean / (draws * count):.2%})"]
    for kind in _KINDS:
        caught = wrong = 0
        bad = itertools.cycle(_bad(kind, product, other, embedder, planted * draws))
        for order in orders:
            odd = list(itertools.islice(bad, planted))
            mixed = [*(good[place] for place in order[planted:]), *odd]
            aside = _set_aside([mixed[place] for place in rng.permutation(len(mixed))])
            own = {seen.picture.image_id for seen in odd}
            caught, wrong = caught + len(aside & own), wrong + len(aside - own)
        cells.append(f"{caught} of {planted * draws}; {wrong} good")
    return "| " + " | ".join(cells) + " |"


def _set_aside(references: Sequence[Seen]) -> set[str]:
    with Shelf() as shelf:
        parts = SameParts()
        with closing(NewClassCheck("part", InspectedAreas(None), _no_other_class, shelf)) as check:
            for seen in references:
                check.admit(seen, parts.add(seen.picture.thumbnail))
            return {aside.picture.image_id for aside in check.finish()}


def _no_other_class(cls: FloatArray, count: int) -> list[RouterHit]:
    return []


def _bad(kind: str, product: Product, other: Product, embedder: Embedder, count: int) -> Iterator[Seen]:
    rng = np.random.default_rng(1)
    files = {"defective": product.defective, "foreign": other.references}.get(kind, product.references)
    change: Callable[[ByteArray], Any] = {
        "black": lambda pixels: rng.normal(2, 2, pixels.shape).clip(0, 255).astype(np.uint8),
        "blurred": _blurred,
        "cut off": _cut,
    }.get(kind, lambda pixels: pixels)
    for file in files[:count]:
        yield _seen(DecodedImage.of_pixels(np.ascontiguousarray(change(read_image(file).pixels))), file, embedder)


def _blurred(pixels: ByteArray) -> Any:
    width = 0.01 * max(pixels.shape)
    return np.asarray(ndimage.gaussian_filter(pixels, (width, width, 0)), dtype=np.uint8)


def _cut(pixels: ByteArray) -> Any:
    """The right half never came."""
    cut = pixels.copy()
    cut[:, pixels.shape[1] // 2 :] = 0
    return cut


def _seen(image: DecodedImage, file: Path, embedder: Embedder) -> Seen:
    picture = Picture(file, image.image_id, "", image.size, image.thumbnail(), frame_facts(image.pixels))
    return Seen(picture, embedder.embed(image))


if __name__ == "__main__":
    main()
