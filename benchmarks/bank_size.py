"""How large a bank is: ``python -m benchmarks.bank_size`` (Linux).

Builds banks in the embedded store and prints the bytes per patch that each part takes on disk (blocks allocated, as
``du`` counts; the engine's files are sparse), and the memory of a process that has opened the bank and searched it
once. The first row's patches are real ones; the size does not depend on the values, so the other dimensions are unit
vectors at random.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.edge.flat_part import FlatPart
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.exact.int8_product import Int8Product
from patchbank.bank.part import Part
from patchbank.bank.reference import Reference
from patchbank.bank.store import BankSpec
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.images import read_image
from patchbank.settings import load_settings
from patchbank_indexer.demo.products import load_products

_CELLS = 32
_PARTS = {
    "flat files": "/exact/",
    "bytes of the engine": "vector_storage-patch/matrix",
    "graph": "vector_index-patch",
    "ids of the engine": "id_tracker",
    "rest": "",
}


def main() -> None:
    """Print one table row per bank."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100, help="reference images of 1,024 patches each")
    given = parser.parse_args()
    print(f"| patches | D | D' | {' | '.join(_PARTS)} | all, bytes per patch | MB | process MB: own, mapped |")
    print("|" + "---|" * (len(_PARTS) + 6))
    real = [_real(given.images)]
    rng = np.random.default_rng(0)
    for patches, cls in real + [(rng.standard_normal((given.images * _CELLS**2, dim)), dim) for dim in (384, 768)]:
        vectors = np.asarray(patches / np.linalg.norm(patches, axis=1, keepdims=True), dtype=np.float32)
        with tempfile.TemporaryDirectory() as folder:
            _row(Path(folder), vectors, cls)


def _real(images: int) -> tuple[FloatArray, int]:
    with Embedder.open(load_settings(backbone=BUILT_IN)) as embedder:
        embeddings = [embedder.embed(read_image(file)) for file in load_products(images, 1)[0].references]
    return np.concatenate([embedding.patches for embedding in embeddings]), len(embeddings[0].cls)


def _row(folder: Path, vectors: FloatArray, cls_dim: int) -> None:
    store = EdgeStore(folder)
    cls = np.full(cls_dim, cls_dim**-0.5, dtype=np.float32)
    cells = np.stack(np.divmod(np.arange(_CELLS**2), _CELLS), axis=1)
    with store.draft("part", BankSpec(vectors.shape[1], cls_dim)) as draft:
        for number, begin in enumerate(range(0, len(vectors), len(cells))):
            image = f"{number:024x}"
            draft.add_reference(Reference(image, "", "", "", "", 1, 1, _CELLS, _CELLS, b""), cls)
            draft.add_patches([image] * len(cells), cells, vectors[begin : begin + len(cells)])
        draft.seal()
        sizes: Counter[str] = Counter()
        for path in folder.rglob("*"):
            if path.is_file():
                part = next(name for name, pattern in _PARTS.items() if re.search(pattern, str(path)))
                sizes[part] += path.stat().st_blocks * 512
        (shard,) = folder.glob("collections/*/shard")
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            bulk = Part(version="measured", references=number + 1, patches=len(vectors), indexed=True)
            spec = BankSpec(vectors.shape[1], cls_dim)
            memory = pool.apply(_memory, (shard.parent, bulk, spec, vectors[:: len(vectors) // 1024][:1024]))
    store.close()
    whole = sizes.total()
    each = " | ".join(f"{sizes[name] / len(vectors):.0f}" for name in _PARTS)
    print(
        f"| {len(vectors)} | {vectors.shape[1]} | {cls_dim} | {each} | {whole / len(vectors):.0f} | "
        f"{whole / 1e6:.0f} | {memory} |",
        flush=True,
    )


def _memory(folder: Path, part: Part, spec: BankSpec, queries: FloatArray) -> str:
    """Megabytes that opening a bank and searching it adds to a process: its own, and mapped files."""

    def used() -> tuple[float, float]:
        text = Path("/proc/self/status").read_text()
        own, mapped = (re.search(rf"{name}:\s+(\d+) kB", text) for name in ("RssAnon", "RssFile"))
        assert own
        assert mapped
        return int(own[1]) / 1e3, int(mapped[1]) / 1e3

    before = used()
    opened = FlatPart(folder, part, spec, product=Int8Product())
    opened.nearest(queries, 1)
    opened.nearest(queries[:32], 1, exact=True)
    after = used()
    opened.close()
    return f"{after[0] - before[0]:.0f}, {after[1] - before[1]:.0f}"


if __name__ == "__main__":
    main()
