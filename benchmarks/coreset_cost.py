"""What a coreset costs in detection: ``python -m benchmarks.coreset_cost``.

Every image is embedded once. For each share a coreset is chosen from the references' patches, thresholds come from
leave-one-image-out as in teaching, and the same held-out images are judged. ``--mvtec NAME=FOLDER`` adds data sets in
MVTec layout.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.datasets import load_datasets
from patchbank.arrays import ByteArray, FloatArray
from patchbank.bank.coreset import select_coreset
from patchbank.bank.exact.index import ExactIndex
from patchbank.bank.exact.int8_product import Int8Product
from patchbank.bank.names import point_ids
from patchbank.bank.store import Neighbours
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.stream import Seen, embed_files
from patchbank.judging.judge import Judge
from patchbank.scoring.curve import Curve
from patchbank.scoring.foreground import Sample, spread_out
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.settings import load_settings
from patchbank.teaching.normal_scores import NormalScore, NotScored
from patchbank.teaching.plan import NewClass, TeachOptions
from patchbank_indexer.demo.products import Product

AREAS = InspectedAreas(None)


class _Index:
    """``PatchIndex`` over vectors in memory."""

    def __init__(self, vectors: FloatArray, ids: ByteArray) -> None:
        self._index = ExactIndex(vectors, ids, Int8Product())

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Sequence[str] = ()
    ) -> Neighbours:
        return self._index.nearest(queries, k, exclude_images)


def main() -> None:
    """Print one row per data set and share."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mvtec", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--references", type=int, default=100)
    parser.add_argument("--cap", type=int, default=150)
    parser.add_argument("--shares", type=float, nargs="+", default=[1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01])
    parser.add_argument("--only", action="append")
    parser.add_argument("--backbone", default="efficientnet-lite2")
    given = parser.parse_args()
    print("| data set | images | share | patches | radius | choosing s | AUROC | threshold | found | false alarms |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    settings = load_settings(backbone=given.backbone)
    with Embedder.open(settings) as embedder:
        for product in load_datasets(given.mvtec, given.references, 0, given.cap):
            if given.only and product.class_name not in given.only:
                continue
            plan = NewClass.of(product.references, TeachOptions(), settings, embedder)
            kinds = (product.references, product.good, product.defective)
            references, good, defective = (_embedded(embedder, files, plan) for files in kinds)
            for share in given.shares:
                _row(product, plan, share, references, good, defective)


def _embedded(embedder: Embedder, files: Sequence[Path], plan: NewClass) -> list[Seen]:
    stream = embed_files(embedder, files, embedder.pictures, scales=plan.scales)
    return [item for item in stream if isinstance(item, Seen)]


def _row(
    product: Product,
    plan: NewClass,
    share: float,
    references: Sequence[Seen],
    good: Sequence[Seen],
    defective: Sequence[Seen],
) -> None:
    order = np.random.default_rng(0).permutation(len(references))  # as teaching reads them
    references = [references[place] for place in order]
    vectors = np.concatenate([seen.embedding.patches for seen in references])
    ids = np.concatenate([_ids(seen) for seen in references])
    begin = time.perf_counter()
    selection = select_coreset(vectors, int(share * len(vectors)), np.random.default_rng(0))
    spent = time.perf_counter() - begin
    index = _Index(vectors[selection.kept], ids[selection.kept])
    embeddings = [seen.embedding for seen in references]
    foreground, _ = plan.foreground(lambda: [Sample(e.patches, AREAS.on(e.grid)) for e in spread_out(embeddings)])
    judge = Judge(index, plan.rule, foreground, AREAS)
    left_out = [judge.judge(seen.embedding, left_out=[seen.picture.image_id]) for seen in references]
    normal = [NormalScore(judged.score, judged.peak) for judged in left_out]
    threshold = plan.calibration(normal, held_out=False, rest=NotScored()).threshold
    scores = [[judge.judge(seen.embedding).score for seen in kind] for kind in (good, defective)]
    found, alarms = (float(np.mean([score > threshold for score in kind])) for kind in reversed(scores))
    print(
        f"| {product.class_name} | {len(good)} + {len(defective)} | {share:.0%} | {len(selection.kept)} | "
        f"{selection.radius:.3f} | {spent:.1f} | {Curve.of_scores(*scores).auroc:.4f} | {threshold:.4f} | "
        f"{found:.1%} | {alarms:.1%} |",
        flush=True,
    )


def _ids(seen: Seen) -> ByteArray:
    rows, columns = seen.embedding.grid
    cells = np.stack(np.divmod(np.arange(rows * columns), columns), axis=1)
    return point_ids([seen.picture.image_id] * len(cells), cells)


if __name__ == "__main__":
    main()
