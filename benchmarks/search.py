"""The search stage against NumPy's BLAS on the same bank: ``python -m benchmarks.search``.

Banks are real patches: those of 150 solar cells, shuffled and cut to size. Queries are held-out good and defective
images. Each image is searched in three ways, in turn: one exhaustive matrix product, the store's exact search, and the
two-stage search that the service runs. Prints medians, the ratio of two-stage to BLAS image by image, and whether
image score, verdict and thresholded mask equal the exhaustive ones.

The exhaustive product takes at least 2 x queries x patches x dimensions operations, and one pass over the bank's bytes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.edge.pool import PooledStore
from patchbank.bank.manifest import BackboneFacts, Manifest, RetrievalLimit, ScoringRule
from patchbank.bank.reference import Reference
from patchbank.bank.search import search_patches
from patchbank.bank.store import Bank, BankSpec
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.embedding import Embedding
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.images import read_image
from patchbank.scoring.anomaly_map import anomaly_map, mask_and_score_demand
from patchbank.scoring.image_score import image_score
from patchbank.scoring.inspected_area import InspectedArea
from patchbank.scoring.threshold import calibrate
from patchbank.settings import load_settings
from patchbank_indexer.demo.products import load_products

_IMAGE = f"{1:024x}"
_QUIET = 0.1

T = TypeVar("T")


def main() -> None:
    """Print one table row per bank size and kind of image."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 27_000, 100_000])
    parser.add_argument("--images", type=int, default=12, help="good, and as many defective ones")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    product = load_products(150, given.images)[0]
    with Embedder.open(load_settings(backbone=BUILT_IN)) as embedder:
        known = np.concatenate([embedder.embed(read_image(file)).patches for file in product.references])
        images = {
            kind: [embedder.embed(read_image(file)) for file in files]
            for kind, files in (("good", product.good), ("defective", product.defective))
        }
    print("| bank | images | BLAS ms | exact ms | two-stage ms | two-stage / BLAS | asked twice | decided alike |")
    print("|---|---|---|---|---|---|---|---|")
    for size in given.sizes:
        bank = known[np.random.default_rng(0).permutation(len(known))[:size]]
        normal = [image_score(_exhaustive(embedding.patches, bank), ScoringRule()) for embedding in images["good"]]
        threshold = max(normal) + 1e-6  # as calibration sets it; matrix products of other shapes round otherwise
        with tempfile.TemporaryDirectory() as folder:
            store = PooledStore(Path(folder), given.workers)
            try:
                index = _teach(store, bank, threshold)
                for kind, embeddings in images.items():
                    print(
                        f"| {len(bank)} x {bank.shape[1]} | {len(embeddings)} {kind} | "
                        f"{_measure(index, bank, embeddings, threshold)} |",
                        flush=True,
                    )
            finally:
                store.close()


def _exhaustive(queries: FloatArray, bank: FloatArray) -> FloatArray:
    return np.asarray(np.maximum(1.0 - (queries @ bank.T).max(axis=1), 0.0), dtype=np.float32)


def _teach(store: PooledStore, bank: FloatArray, threshold: float) -> Bank:
    cls = np.ones((1, 1), dtype=np.float32)
    with store.draft("part", BankSpec(bank.shape[1], 1)) as draft:
        draft.add_reference(Reference(_IMAGE, "", "", "", "", 1, 1, 1, 1, b""), cls[0])
        cells = np.stack(np.divmod(np.arange(len(bank)), 1000), axis=1)
        draft.add_patches([_IMAGE] * len(bank), cells, bank)
        draft.seal()
        draft.activate(
            Manifest(
                class_name="part",
                version=draft.ref.version,
                created_at="",
                backbone=BackboneFacts(name="", sha256="", fingerprint=""),
                patch_dim=bank.shape[1],
                cls_dim=1,
                references=1,
                patches=len(bank),
                calibration=calibrate([threshold], "held-out", 0.01),
                retrieval=RetrievalLimit(similarity=0, coherence=1, count=1, witnesses=1),
            )
        )
    return store.bank("part")


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """What it returns, and its seconds. OpenBLAS's threads go on spinning for a while after a product."""
    time.sleep(_QUIET)
    begin = time.perf_counter()
    return work(), time.perf_counter() - begin


def _measure(index: Bank, bank: FloatArray, embeddings: list[Embedding], threshold: float) -> str:
    rule, size = ScoringRule(), (300, 300)
    spent: list[tuple[float, float, float]] = []
    asked, alike = [], 0
    for embedding in (embeddings[0], *embeddings):  # the first one warms everything up
        queries, grid = embedding.patches, embedding.grid
        area = InspectedArea.everything(grid)
        demand = mask_and_score_demand(rule, threshold, size, area)
        truth, blas = _timed(partial(_exhaustive, queries, bank))
        _, exact = _timed(partial(index.nearest, queries, 1, exact=True))
        answer, both = _timed(partial(search_patches, index, queries, area.cells, 1, demand))
        spent.append((blas, exact, both))
        asked.append(answer.asked)
        score, expected = image_score(answer.scores, rule), image_score(truth.reshape(grid), rule)
        mask, right = (
            anomaly_map(scores, rule, size, area) > threshold for scores in (answer.scores, truth.reshape(grid))
        )
        same_verdict = (score > threshold) == (expected > threshold)
        alike += abs(score - expected) <= 1e-5 and same_verdict and bool((mask == right).all())
    times = np.array(spent[1:])
    ratios = times[:, 2] / times[:, 0]
    medians = " | ".join(f"{value * 1e3:.0f}" for value in np.median(times, axis=0))
    return (
        f"{medians} | {np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f}) | "
        f"{np.median(asked[1:]):.0f} of {len(embeddings[0].patches)} | {alike} of {len(asked)}"
    )


if __name__ == "__main__":
    main()
