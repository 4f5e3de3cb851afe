"""Choosing a coreset: time, radius and memory: ``python -m benchmarks.coreset``.

Patches of real pictures (solar cells) wait in ``HeldPatches``, as in teaching. ``--features FILE.npy`` keeps them for
the next run. Beside each row is the time that is told before, and what comparing each patch once with each kept one
would take at the measured speed of matrix products. Up to ``--exact-up-to`` patches exact greedy k-center is beside it.
"""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import elpv_dataset
import numpy as np

from patchbank.arrays import FloatArray, IntArray
from patchbank.bank.coreset import at_once, expected_seconds, select_coreset
from patchbank.bank.edge.npy_file import FileRows, NpyFile
from patchbank.bank.exact.rows import Rows
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.stream import Seen, embed_files
from patchbank.peak_memory import peak_memory_mb
from patchbank.settings import load_settings
from patchbank.teaching.held_patches import HeldPatches

IMAGE = 1_024
"""Patches of an image."""


def main() -> None:
    """Print one row per number of patches."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=int, nargs="+", default=[40_000, 200_000, 800_000])
    parser.add_argument("--ratio", type=float, default=0.1)
    parser.add_argument("--exact-up-to", type=int, default=40_000)
    parser.add_argument("--features", type=Path)
    parser.add_argument("--backbone", default="efficientnet-lite2")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        file = given.features or Path(folder) / "patches.npy"
        if not file.exists():
            _written(file, max(given.patches), given.backbone)
        _table(file, given)


def _table(file: Path, given: argparse.Namespace) -> None:
    width = np.load(file, mmap_mode="r").shape[1]
    patches = FileRows(NpyFile.open(file, "<f4", width))  # read, not mapped: that would count as memory
    print("| patches | kept | one product s | told s | took s | radius | exact greedy | takes s | peak MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    for count in given.patches:
        _row(patches, count, given)


def _written(file: Path, most: int, backbone: str) -> None:
    """Write so many patches, or as many as there are pictures for."""
    files = sorted((Path(elpv_dataset.__file__).parent / "data" / "images").glob("*.png"))
    files = [files[place] for place in np.random.default_rng(0).permutation(len(files))[: -(-most // IMAGE)]]
    with Embedder.open(load_settings(backbone=backbone)) as embedder:
        seen = embed_files(embedder, files, embedder.pictures)
        np.save(file, np.concatenate([item.embedding.patches for item in seen if isinstance(item, Seen)]))


def _row(patches: Rows, count: int, given: argparse.Namespace) -> None:
    sample = patches.rows(0, IMAGE)
    told = expected_seconds(count, given.ratio, sample)
    part = min(count, at_once(given.ratio))
    kept, radius, spent = 0, 0.0, 0.0
    for begin in range(0, count, part):
        with closing(HeldPatches()) as held:
            _hold(held, patches, begin, min(begin + part, count))
            start = time.perf_counter()
            chosen = select_coreset(held, int(given.ratio * len(held)), np.random.default_rng(0))
            spent += time.perf_counter() - start
        kept, radius = kept + len(chosen.kept), max(radius, chosen.radius)
    peak = peak_memory_mb()
    exact = takes = ""
    if count <= given.exact_up_to:
        start = time.perf_counter()
        reached = _one_by_one(patches.rows(0, count), int(given.ratio * count))
        exact, takes = f"{reached:.4f} ({radius / reached:.3f})", f"{time.perf_counter() - start:.0f}"
    print(
        f"| {count} | {kept} | {_one_product(sample) * part * given.ratio * count:.0f} | {told:.0f} | {spent:.1f} | "
        f"{radius:.4f} | {exact} | {takes} | {0 if peak is None else peak:.0f} |",
        flush=True,
    )


def _hold(held: HeldPatches, patches: Rows, begin: int, end: int) -> None:
    """Where there are fewer patches, they are held once more."""
    for first in range(begin, end, IMAGE):
        places: IntArray = np.arange(first, min(first + IMAGE, end)) % len(patches)
        vectors = (
            patches.rows(int(places[0]), int(places[-1]) + 1) if places[0] < places[-1] else patches.gather(places)
        )
        held.add(str(first), np.zeros((len(places), 2), dtype=np.int64), vectors)


def _one_by_one(vectors: FloatArray, count: int) -> float:
    """The radius of exact greedy k-center, which begins where ``select_coreset`` does."""
    first = int(np.random.default_rng(0).integers(len(vectors)))
    nearest = vectors @ vectors[first]
    for _ in range(count - 1):
        np.maximum(nearest, vectors @ vectors[nearest.argmin()], out=nearest)
    return 1.0 - float(nearest.min())


def _one_product(sample: FloatArray) -> float:
    """Seconds per pair of patches in a large matrix product."""
    side = np.resize(sample, (4 * IMAGE, sample.shape[1]))
    spent = []
    for _ in range(5):
        start = time.perf_counter()
        side @ side.T
        spent.append(time.perf_counter() - start)
    return min(spent) / len(side) ** 2


if __name__ == "__main__":
    main()
