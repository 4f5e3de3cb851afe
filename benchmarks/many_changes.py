"""What many single changes leave behind: ``python -m benchmarks.many_changes --start 100 --add 200 --withdraw 100``.

References are added one by one and others withdrawn one by one, each change a version of its own. Then the time of a
search, the size on disk and a verdict stand beside those of a class taught at once from the same references: before
compaction, and after it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.part import needs_compaction
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.images import read_image
from patchbank.judging.judge import Judge
from patchbank.scales import DETAILS
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.settings import Settings, load_settings
from patchbank.teaching.compactor import compact
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher
from patchbank.teaching.withdrawer import Withdrawer
from patchbank_indexer.demo.products import Product, load_products

_CLASS = "part"
_OPTIONS = TeachOptions(keep_all=True, scales=DETAILS["fast"])


class Measured(NamedTuple):
    """Of one bank: parts, patches that count, seconds of a whole judgement, bytes on disk, and the score."""

    parts: int
    patches: int
    judging: float
    size: int
    score: float


def main() -> None:
    """Print a row per state of the bank."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", type=int, default=100)
    parser.add_argument("--add", type=int, default=200)
    parser.add_argument("--withdraw", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=15)
    given = parser.parse_args()
    product = load_products(given.start + given.add, 2)[0]
    with tempfile.TemporaryDirectory() as folder, Embedder.open(load_settings(backbone=BUILT_IN)) as embedder:
        living = load_settings(data_dir=Path(folder) / "living", backbone=BUILT_IN, keep_versions=2)
        rows = _changed(living, embedder, product, given.start, given.withdraw, given.repeats)
        once = load_settings(data_dir=Path(folder) / "once", backbone=BUILT_IN, keep_versions=2)
        with closing(EdgeStore(living.data_dir)) as store:
            kept = {item.name for item in store.bank(_CLASS).reference_facts()}
        with closing(EdgeStore(once.data_dir, keep_versions=1)) as store:
            files = [file for file in product.references if file.name in kept]
            Teacher(once, embedder, store).teach(_CLASS, files, options=_OPTIONS)
        rows["taught at once"] = _measured(once, embedder, product, given.repeats)
    whole = rows["taught at once"]
    print("| bank | parts | patches | judging ms | ratio | MB on disk | ratio | score |")
    print("|---|---|---|---|---|---|---|---|")
    for name, row in rows.items():
        print(
            f"| {name} | {row.parts} | {row.patches} | {row.judging * 1e3:.0f} | {row.judging / whole.judging:.2f} | "
            f"{row.size / 1e6:.0f} | {row.size / whole.size:.2f} | {row.score:.7f} |"
        )


def _changed(
    settings: Settings, embedder: Embedder, product: Product, start: int, withdraw: int, repeats: int
) -> dict[str, Measured]:
    with closing(EdgeStore(settings.data_dir, keep_versions=2)) as store:
        teacher, withdrawer = Teacher(settings, embedder, store), Withdrawer(settings, store)
        teacher.teach(_CLASS, product.references[:start], options=_OPTIONS)
        due = 0
        begin = time.perf_counter()
        for file in product.references[start:]:
            manifest = teacher.teach(_CLASS, [file], options=_OPTIONS, extend=True).manifest
            due += needs_compaction(manifest.shares)
        adding = time.perf_counter() - begin
        ids = [item.image_id for item in store.bank(_CLASS).reference_facts()]
        begin = time.perf_counter()
        for place in np.random.default_rng(0).choice(len(ids), withdraw, replace=False):
            withdrawer.withdraw(_CLASS, [ids[place]])
        print(
            f"{adding / max(1, len(product.references) - start):.2f} s an addition, "
            f"{(time.perf_counter() - begin) / max(1, withdraw):.3f} s a withdrawal; compaction was due after {due} "
            "of the additions, and did not take place"
        )
    rows = {"before compaction": _measured(settings, embedder, product, repeats)}
    with closing(EdgeStore(settings.data_dir, keep_versions=2)) as store:
        begin = time.perf_counter()
        compact(store, _CLASS)
        print(f"compaction: {time.perf_counter() - begin:.1f} s")
        store.prune(_CLASS, 1)
    rows["after compaction"] = _measured(settings, embedder, product, repeats)
    return rows


def _measured(settings: Settings, embedder: Embedder, product: Product, repeats: int) -> Measured:
    with closing(EdgeStore(settings.data_dir, keep_versions=2)) as store:
        bank = store.bank(_CLASS)
        judge = Judge.of(bank, InspectedAreas(bank.manifest.roi))
        embedding = embedder.embed(read_image(product.defective[0]), bank.manifest.scales)
        ask = partial(judge.judge, embedding, bank.manifest.calibration.mask_threshold)
        score = ask().score
        spent = []
        for _ in range(repeats):
            begin = time.perf_counter()
            ask()
            spent.append(time.perf_counter() - begin)
        size = sum(file.stat().st_blocks * 512 for file in settings.data_dir.rglob("*") if file.is_file())
        return Measured(len(bank.manifest.shares), bank.manifest.patches, float(np.median(spent)), size, score)


if __name__ == "__main__":
    main()
