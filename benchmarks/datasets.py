"""The data sets that benchmarks measure on, each as references, held-out good and defective images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from patchbank_indexer.datasets.layouts import read_class
from patchbank_indexer.demo.products import Product, load_products

CAP = 150


def load_datasets(mvtec: list[str], references: int, seed: int, cap: int = CAP) -> list[Product]:
    """The demo's three products and MVTec-layout folders given as NAME=FOLDER; at most ``cap`` of each test kind."""
    products = load_products(references, cap, seed)
    for item in mvtec:
        name, _, folder = item.partition("=")
        products.append(_mvtec(name, Path(folder), references, seed, cap))
    return products


def _mvtec(name: str, folder: Path, references: int, seed: int, cap: int) -> Product:
    rng = np.random.default_rng(seed)

    def pick(files: Sequence[Path], count: int) -> tuple[Path, ...]:
        return tuple(files[place] for place in rng.permutation(len(files))[:count])

    data = read_class(folder)
    good, bad = ([image.file for image in data.tests if image.defective == kind] for kind in (False, True))
    return Product(name, pick(data.references, references), pick(good, cap), pick(bad, cap))
