"""What parts cost a search: ``python -m benchmarks.parts --patches 60000 --parts 1 2 4 8``.

A bank of real patches (solar cells) in one part, and the same patches with the last images in parts of their own, as
references that were added one by one. The patches of one request are searched approximately and exhaustively; medians,
and the ratio to one part. ``--url`` takes a Qdrant server in place of the embedded engine. Also what adding one image
and setting new thresholds cost.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.manifest import BackboneFacts, Manifest, RetrievalLimit
from patchbank.bank.names import BankRef
from patchbank.bank.open_store import open_store
from patchbank.bank.reference import Reference
from patchbank.bank.store import BankSpec, Draft, PatchStore
from patchbank.embedding.embedder import Embedder
from patchbank.images import read_image
from patchbank.scoring.threshold import calibrate
from patchbank.settings import load_settings
from patchbank_indexer.demo.products import load_products


def main() -> None:
    """Print a row per number of parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=int, default=60_000)
    parser.add_argument("--parts", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--url", help="a Qdrant server")
    given = parser.parse_args()
    product = load_products(150, 4)[0]
    with Embedder.open(load_settings(backbone="efficientnet-lite2")) as embedder:
        images = [embedder.embed(read_image(file)).patches for file in product.references]
        queries = embedder.embed(read_image(product.good[0])).patches
    images = images[: max(max(given.parts) + 1, given.patches // len(images[0]))]
    print(f"{len(images)} images, {sum(map(len, images))} patches of {images[0].shape[1]} numbers")
    print("| parts | approximate ms | ratio | exhaustive ms | ratio | adding one image s | new thresholds s |")
    print("|---|---|---|---|---|---|---|")
    first: tuple[float, float] | None = None
    for parts in given.parts:
        with (
            tempfile.TemporaryDirectory() as folder,
            closing(open_store(load_settings(data_dir=Path(folder), qdrant_url=given.url or ""))) as store,
        ):
            adding = _fill(store, images, parts)
            thresholds = _timed(partial(_version, store, [], 0))
            ask = partial(store.bank("bench").nearest, queries, 1)
            quick = float(np.median([_timed(ask) for _ in range(given.repeats)]))
            whole = float(np.median([_timed(partial(ask, exact=True)) for _ in range(given.repeats)]))
            store.remove("bench")
        first = first or (quick, whole)
        print(
            f"| {parts} | {1e3 * quick:.0f} | {quick / first[0]:.2f} | {1e3 * whole:.0f} | {whole / first[1]:.2f} | "
            f"{adding:.2f} | {thresholds:.2f} |",
            flush=True,
        )


def _fill(store: PatchStore, images: list[FloatArray], parts: int) -> float:
    """Write so many parts; the seconds that the last image took."""
    alone = parts - 1
    _version(store, images[: len(images) - alone], 0, new=True)
    spent = 0.0
    for place in range(len(images) - alone, len(images)):
        spent = _timed(partial(_version, store, [images[place]], place))
    return spent


def _version(store: PatchStore, images: list[FloatArray], number: int, *, new: bool = False) -> None:
    active = store.active().get("bench")
    base = None if new or active is None else BankRef("bench", active)
    spec = BankSpec(240, 4)
    with store.draft("bench", spec, base) as draft:
        for place, patches in enumerate(images, start=number):
            _add(draft, f"{place:024x}", patches)
        draft.seal()
        draft.activate(_manifest(draft, spec))


def _add(draft: Draft, image_id: str, patches: FloatArray) -> None:
    draft.add_reference(
        Reference(image_id, image_id, image_id, "", "", 1, 1, 1, len(patches), b""), np.eye(4, dtype=np.float32)[0]
    )
    cells = np.stack([np.zeros(len(patches), dtype=np.int64), np.arange(len(patches))], axis=1)
    draft.add_patches([image_id] * len(patches), cells, patches)


def _manifest(draft: Draft, spec: BankSpec) -> Manifest:
    references = len(draft.cls_vectors()[0])
    return Manifest(
        class_name=draft.ref.class_name,
        version=draft.ref.version,
        created_at="2026-01-01T00:00:00+00:00",
        backbone=BackboneFacts(name="bench", sha256="0" * 64, fingerprint="0" * 16),
        patch_dim=spec.patch_dim,
        cls_dim=spec.cls_dim,
        references=references,
        patches=draft.count_patches(),
        calibration=calibrate([0.1, 0.2], "held-out", 0.4),
        retrieval=RetrievalLimit(similarity=0.0, coherence=0.0, count=references, witnesses=references),
    )


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
