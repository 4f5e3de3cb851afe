"""Class retrieval and unknown products, in the real pipeline: ``python -m benchmarks.class_retrieval``.

Teaches all classes, asks which product each held-out image shows, then takes one class after the other out of the store
and asks again with the images of that class. ``--mvtec NAME=FOLDER`` adds data sets in MVTec layout.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.datasets import load_datasets
from patchbank.bank.open_store import open_store
from patchbank.bank.view import View
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.images import read_image
from patchbank.judging.inspector import Inspector
from patchbank.settings import load_settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product


def main() -> None:
    """Print one row per class, and the totals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mvtec", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--references", type=int, default=100)
    parser.add_argument("--cap", type=int, default=120)
    parser.add_argument("--coreset", type=float)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    products = load_datasets(given.mvtec, given.references, given.seed, given.cap)
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(data_dir=Path(folder), max_calibration_images=40, backbone=BUILT_IN)
        store = open_store(settings)
        with Inspector.open(settings) as inspector:
            teacher = Teacher(settings, inspector.embedder, store)
            options = TeachOptions(coreset=given.coreset)
            for product in products:
                teacher.teach(product.class_name, product.references, options=options)
            known = {product.class_name: _ask(inspector, product) for product in products}
            left_out = {}
            for product in products:
                store.remove(product.class_name)
                left_out[product.class_name] = np.concatenate(_ask(inspector, product))
                teacher.teach(product.class_name, product.references, options=options)
        store.close()
    _print(products, known, left_out)


def _ask(inspector: Inspector, product: Product) -> list[np.ndarray[tuple[int], np.dtype[np.str_]]]:
    """What each good and each defective image was taken for; "" for unknown."""
    return [np.array([_found(inspector, file) for file in files]) for files in (product.good, product.defective)]


def _found(inspector: Inspector, file: Path) -> str:
    embedding = inspector.embedder.embed(read_image(file))
    return inspector.retriever(embedding, View(inspector.store)).retrieve().class_name or ""


def _print(
    products: Sequence[Product],
    known: dict[str, list[np.ndarray[tuple[int], np.dtype[np.str_]]]],
    left_out: dict[str, np.ndarray[tuple[int], np.dtype[np.str_]]],
) -> None:
    print("| class | images | right | taken for another | good rejected | defective rejected | unknown when left out |")
    print("|---|---|---|---|---|---|---|")
    for product in products:
        name = product.class_name
        both = np.concatenate(known[name])
        wrong = (both != name) & (both != "")
        rejected = [np.mean(part == "") for part in known[name]]
        print(
            f"| {name} | {len(both)} | {np.mean(both == name):.1%} | {np.mean(wrong):.1%} | {rejected[0]:.1%} | "
            f"{rejected[1]:.1%} | {np.mean(left_out[name] == ''):.1%} |"
        )
    answers = {name: np.concatenate(parts) for name, parts in known.items()}
    accepted = sum(int(np.count_nonzero(classes != "")) for classes in answers.values())
    right = sum(int(np.count_nonzero(classes == name)) for name, classes in answers.items())
    good = np.concatenate([parts[0] for parts in known.values()])
    everything = np.concatenate(list(answers.values()))
    print(
        f"{right / accepted:.2%} of the accepted images got the right class, {right / len(everything):.2%} of all; "
        f"rejected: {np.mean(good == ''):.2%} of the good ones, {np.mean(everything == ''):.2%} of all"
    )


if __name__ == "__main__":
    main()
