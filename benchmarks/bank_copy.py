"""A class goes from an embedded store to a file and into another embedded store: are its verdicts the same?

``python -m benchmarks.bank_copy`` teaches solar cells, copies, and judges held-out images by both.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.verdicts import verdict_on
from patchbank.bank.archive import Archive, write_archive
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.transfer import put_class
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.embedding import Embedding
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.images import DecodedImage
from patchbank.judging.inspector import Inspector
from patchbank.judging.verdict import Verdict
from patchbank.scales import BASE, Scales
from patchbank.settings import Settings, load_settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import load_products


class Remembering(Embedder):
    """An embedder that embeds each picture once, so that the banks alone can differ."""

    def __init__(self, inner: Embedder) -> None:
        self.__dict__.update(inner.__dict__)
        self._known: dict[tuple[str, Scales], Embedding] = {}

    def embed(self, image: DecodedImage, scales: Scales = BASE) -> Embedding:
        if (image.image_id, scales) not in self._known:
            self._known[image.image_id, scales] = super().embed(image, scales)
        return self._known[image.image_id, scales]

    def refine(self, image: DecodedImage, base: Embedding, scales: Scales) -> Embedding:
        return self.embed(image, scales)


def judged(settings: Settings, embedder: Embedder, store: EdgeStore, file: Path) -> Verdict:
    """The verdict of the bank in ``store``."""
    return verdict_on(Inspector(settings, embedder, store), file, "solar")


def main() -> None:
    """Print what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--references", type=int, default=60)
    options = parser.parse_args()
    product = load_products(options.references, options.images // 2)[0]
    files = [*product.good, *product.defective]
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(data_dir=Path(folder) / "first", backbone=BUILT_IN)
        embedder = Remembering(Embedder.open(settings))
        first, copy = EdgeStore(settings.data_dir), EdgeStore(Path(folder) / "copy")
        teach = TeachOptions(coreset=0.5)
        manifest = Teacher(settings, embedder, first).teach("solar", product.references, options=teach).manifest
        path = Path(folder) / "solar.patchbank"
        begin = time.perf_counter()
        write_archive(path, first.bank("solar"))
        written = time.perf_counter()
        with Archive(path) as archive:
            put_class(archive, copy)
        read = time.perf_counter()
        print(
            f"{manifest.patches} patches of {manifest.patch_dim}, {path.stat().st_size / 1e6:.1f} MB: "
            f"written in {written - begin:.1f} s, restored in {read - written:.1f} s"
        )
        scores, maps, alike, anomalous = [], [], 0, 0
        for file in files:
            before, after = (judged(settings, embedder, store, file) for store in (first, copy))
            scores.append(abs(before.score - after.score))
            maps.append(float(np.abs(before.map - after.map)[before.map > before.threshold].max(initial=0.0)))
            mask = (before.map > before.threshold) == (after.map > after.threshold)
            alike += before.is_anomalous == after.is_anomalous and bool(mask.all())
            anomalous += before.is_anomalous
        print(
            f"{alike} of {len(files)} verdicts and masks alike ({anomalous} anomalous); largest difference "
            f"of scores {max(scores):.1e}, of maps above the threshold {max(maps):.1e}"
        )
        for store in (first, copy):
            store.close()
        embedder.close()


if __name__ == "__main__":
    main()
