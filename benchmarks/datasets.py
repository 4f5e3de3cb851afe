"""The data sets that benchmarks measure on, each as references, held-out good and defective images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from indexer.demo.products import Product, load_products

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

    def pick(files: list[Path], count: int) -> tuple[Path, ...]:
        return tuple(files[place] for place in rng.permutation(len(files))[:count])

    train = sorted((folder / "train" / "good").iterdir())
    good = sorted((folder / "test" / "good").iterdir())
    bad = sorted(file for kind in (folder / "test").iterdir() if kind.name != "good" for file in kind.iterdir())
    return Product(name, pick(train, references), pick(good, cap), pick(bad, cap))
