"""Images per second of teaching, beside embedding alone: ``python -m benchmarks.teaching``.

Real images (solar cells), whole banks, thresholds from leave-one-image-out; ``--rounds`` times one after the other in
the same process, medians. The last column is the share of embedding alone: the rest of teaching takes none where it
is 1.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

from patchbank.bank.open_store import open_store
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.stream import embed_files
from patchbank.progress import Stage
from patchbank.scales import DETAILS
from patchbank.settings import Settings, load_settings
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import load_products


class _Clock:
    """``Progress`` that notes when each stage began."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, float]] = []

    def begin(self, stage: str, total: int | None) -> Stage:
        self.begun.append((stage, time.perf_counter()))
        return self

    def advance(self, steps: int = 1) -> None:
        pass

    def done(self) -> None:
        pass


def main() -> None:
    """Print one row per stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backbone", default="efficientnet-lite2")
    parser.add_argument("--data-dir", type=Path, help="where models are, if not built in")
    given = parser.parse_args()
    files = load_products(given.images, 1)[0].references
    spent: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(data_dir=given.data_dir or Path(folder), backbone=given.backbone)
        with Embedder.open(settings) as embedder:
            list(embed_files(embedder, files[:2], embedder.pictures))  # the first takes longer
            for _ in range(given.rounds):
                begin = time.perf_counter()
                scales = DETAILS[embedder.backbone.detail]
                for _seen in embed_files(embedder, files, embedder.pictures, scales=scales):
                    pass
                spent["embedding alone"].append(time.perf_counter() - begin)
                for stage, seconds in _taught(settings, embedder, files):
                    spent[stage].append(seconds)
    alone = median(spent["embedding alone"])
    print("| | s | images/s | of embedding alone |")
    print("|---|---|---|---|")
    for stage, times in spent.items():
        middle = median(times)
        print(f"| {stage} | {middle:.2f} | {len(files) / middle:.2f} | {alone / middle:.2f} |")


def _taught(settings: Settings, embedder: Embedder, files: tuple[Path, ...]) -> list[tuple[str, float]]:
    """Seconds of each stage and of all."""
    clock, store = _Clock(), open_store(settings)
    try:
        begin = time.perf_counter()
        Teacher(settings, embedder, store).teach("solar", files, progress=clock)
        end = time.perf_counter()
    finally:
        store.close()
    ends = [at for _, at in clock.begun[1:]] + [end]
    stages = [(f"teaching: {name}", after - at) for (name, at), after in zip(clock.begun, ends, strict=True)]
    return [*stages, ("teaching, all", end - begin)]


if __name__ == "__main__":
    main()
