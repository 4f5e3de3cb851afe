"""Image AUROC of the real pipeline, defaults throughout: ``python -m benchmarks.detection_quality``.

Every class is taught from ``--references`` images in a fresh store; held-out good and defective images are judged
with the class given. ``--mvtec NAME=FOLDER`` adds data sets in MVTec layout.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.datasets import load_datasets
from benchmarks.verdicts import verdict_on
from patchbank.bank.open_store import open_store
from patchbank.embedding.embedder import Embedder
from patchbank.judging.inspector import Inspector
from patchbank.scoring.curve import Curve
from patchbank.settings import load_settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher


def main() -> None:
    """Print one row per data set and seed, and the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mvtec", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--references", type=int, default=100)
    parser.add_argument("--coreset", type=float)
    parser.add_argument("--cap", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", action="append")
    parser.add_argument("--backbone", default="efficientnet-lite2")
    given = parser.parse_args()
    aurocs: dict[str, list[float]] = {}
    print("| data set | seed | images | patches | AUROC | threshold | found | false alarms | teach s | detect ms |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for seed in range(given.seeds):
        for product in load_datasets(given.mvtec, given.references, seed, given.cap):
            if given.only and product.class_name not in given.only:
                continue
            with tempfile.TemporaryDirectory() as folder:
                settings = load_settings(data_dir=Path(folder), backbone=given.backbone)
                store = open_store(settings, search_workers=2)
                with Inspector(settings, Embedder.open(settings), store) as inspector:
                    begin = time.perf_counter()
                    teacher = Teacher(settings, inspector.embedder, store)
                    options = TeachOptions(coreset=given.coreset)
                    manifest = teacher.teach(product.class_name, product.references, options=options).manifest
                    taught = time.perf_counter() - begin
                    begin = time.perf_counter()
                    scores = [
                        [verdict_on(inspector, file, product.class_name).score for file in files]
                        for files in (product.good, product.defective)
                    ]
                    spent = (time.perf_counter() - begin) / max(1, len(scores[0]) + len(scores[1]))
            area = Curve.of_scores(scores[0], scores[1]).auroc
            aurocs.setdefault(product.class_name, []).append(area)
            limit = manifest.calibration.threshold
            print(
                f"| {product.class_name} | {seed} | {len(scores[0])} + {len(scores[1])} | {manifest.patches} | "
                f"{area:.4f} | {limit:.4f} | {np.mean(np.array(scores[1]) > limit):.1%} | "
                f"{np.mean(np.array(scores[0]) > limit):.1%} | {taught:.0f} | {spent * 1e3:.0f} |",
                flush=True,
            )
    for name, areas in aurocs.items():
        print(f"mean {name}: {np.mean(areas):.4f}")


if __name__ == "__main__":
    main()
