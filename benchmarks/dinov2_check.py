"""DINOv2 beside the built-in backbone, where the hub can be reached: ``make dinov2-check``, with ``DATA=FOLDER``.

Pulls ``dinov2-vits14``, verifies and tries it, then teaches and judges the same images with both: the demo's products,
or a labelled data set in a layout that ``indexer evaluate`` knows. With the extra ``export`` also the mean of the
network's upper half of blocks. Exit status 1 where the model cannot be had.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.verdicts import verdict_on
from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.backbones import HubFile
from patchbank.embedding.download import pull_model, verify_model
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.first_choice import BUILT_IN, PATIENCE
from patchbank.embedding.model_files import find_backbone
from patchbank.errors import PatchbankError
from patchbank.judging.inspector import Inspector
from patchbank.scoring.curve import Curve
from patchbank.settings import Settings, load_settings
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.datasets.layouts import find_classes
from patchbank_indexer.demo.products import Product, load_products

DINOV2: Final = "dinov2-vits14"
BLOCK_MEAN: Final = "dinov2-vits14-b7-12mean"
_EXPORT: Final = ("model", "export", DINOV2, "--blocks", "7-12", "--join", "mean", "--name", BLOCK_MEAN)


@dataclass(frozen=True)
class Row:
    """A backbone on one class: the scores of good and defective images, the threshold, and seconds per image."""

    backbone: str
    class_name: str
    good: tuple[float, ...]
    defective: tuple[float, ...]
    threshold: float
    seconds: float

    @property
    def figures(self) -> tuple[float, float, float, float, float]:
        """AUROC, average precision, recall and false-alarm rate at the threshold, seconds per image."""
        curve = Curve.of_scores(self.good, self.defective)
        recall, alarms = (float(np.mean(np.array(part) > self.threshold)) for part in (self.defective, self.good))
        return curve.auroc, curve.average_precision, recall, alarms, self.seconds


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The table's lines in Markdown: the backbones of each class beside each other, then each backbone's mean."""
    yield "| class | backbone | images | AUROC | AP | recall | false alarms | s per image |"
    yield "|---|---|---|---|---|---|---|---|"
    for name in dict.fromkeys(row.class_name for row in rows):
        for row in rows:
            if row.class_name == name:
                yield _line(name, row.backbone, f"{len(row.good)} + {len(row.defective)}", row.figures)
    for backbone in dict.fromkeys(row.backbone for row in rows):
        mine = [row for row in rows if row.backbone == backbone]
        means = np.mean([row.figures for row in mine], axis=0)
        yield _line("mean", backbone, str(sum(len(row.good) + len(row.defective) for row in mine)), means)


def _line(name: str, backbone: str, images: str, figures: Sequence[float]) -> str:
    auroc, precision, recall, alarms, seconds = figures
    told = f"{auroc:.4f} | {precision:.4f} | {recall:.1%} | {alarms:.1%} | {seconds:.3f}"
    return f"| {name} | {backbone} | {images} | {told} |"


def measure(settings: Settings, products: Sequence[Product]) -> Iterator[Row]:
    """Teach and judge every product, each alone in a fresh store, with the backbone of the settings."""
    with Embedder.open(settings) as embedder:
        for product in products:
            with tempfile.TemporaryDirectory() as folder:
                store = EdgeStore(Path(folder))
                try:
                    yield _measure(settings, embedder, store, product)
                finally:
                    store.close()


def _measure(settings: Settings, embedder: Embedder, store: EdgeStore, product: Product) -> Row:
    manifest = Teacher(settings, embedder, store).teach(product.class_name, product.references).manifest
    inspector = Inspector(settings, embedder, store)
    verdict_on(inspector, product.good[0], product.class_name)  # the first one also opens the bank
    begin = time.perf_counter()
    good, defective = (
        tuple(verdict_on(inspector, file, product.class_name).score for file in files)
        for files in (product.good, product.defective)
    )
    seconds = (time.perf_counter() - begin) / (len(good) + len(defective))
    return Row(embedder.backbone.name, product.class_name, good, defective, manifest.calibration.threshold, seconds)


def read_products(data: Path | None, references: int, tests: int) -> list[Product]:
    """The demo's products, or the classes of a labelled data set, a seeded sample of each."""
    if data is None:
        return load_products(references, tests)
    products = []
    for whole in find_classes(data)[1]:
        part = whole.sample(references, tests)
        good, bad = (tuple(image.file for image in part.tests if image.defective == kind) for kind in (False, True))
        products.append(Product(part.name, part.references, good, bad))
    return products


def bring(name: str, settings: Settings) -> None:
    """Pull a backbone, or take what is here, verify it and run it once. Raises ``PatchbankError``."""
    backbone = find_backbone(name, settings.data_dir)
    if isinstance(backbone.source, HubFile):
        pull_model(backbone, settings.data_dir, patience=PATIENCE)
    digest = verify_model(backbone, settings.data_dir)
    begin = time.perf_counter()
    with Embedder.open(settings.model_copy(update={"backbone": name})) as embedder:
        print(f"{name}: SHA-256 {digest}, runs, loaded and tried in {time.perf_counter() - begin:.1f} s", flush=True)
        print(f"{name}: {embedder.dimensions()[0]} numbers per patch, on {', '.join(embedder.providers)}", flush=True)


def export_block_mean(settings: Settings) -> bool:
    """Make the backbone of the upper half's mean; False, and the reason on standard error, where that fails."""
    command = [sys.executable, "-m", "patchbank_indexer.cli", *_EXPORT, "--data-dir", str(settings.data_dir)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"{BLOCK_MEAN} is not measured: {why}", file=sys.stderr, flush=True)
    return done.returncode == 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 where DINOv2 cannot be had."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="labelled data set; else the demo's products")
    parser.add_argument("--references", type=int, default=100)
    parser.add_argument("--tests", type=int, default=40, help="most good, and most defective, images per class")
    parser.add_argument("--backbone", default=DINOV2, help="what is held against the built-in one")
    parser.add_argument("--data-dir", type=Path, default=Path("demo/dinov2-check"), help="where models go")
    given = parser.parse_args(arguments)
    settings = load_settings(data_dir=given.data_dir, backbone=BUILT_IN)
    try:
        bring(given.backbone, settings)
        products = read_products(given.data, given.references, given.tests)
        backbones = [BUILT_IN, given.backbone]
        if given.backbone == DINOV2 and export_block_mean(settings):
            backbones.append(BLOCK_MEAN)
        rows: list[Row] = []
        for name in backbones:
            print(f"measuring {name}", file=sys.stderr, flush=True)
            rows += measure(settings.model_copy(update={"backbone": name}), products)
    except PatchbankError as error:
        print(f"nothing was measured: {error.message} [{error.code}]", file=sys.stderr)
        return 1
    for line in table(rows):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
