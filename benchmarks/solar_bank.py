"""What the benchmarks of the search share: real patches of solar cells as a bank, and what is decided exhaustively.

The bank is the patches of solar cells, shuffled and cut to size; its threshold is that of the held-out good images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.manifest import BackboneFacts, Manifest, RetrievalLimit, ScoringRule
from patchbank.bank.reference import Reference
from patchbank.bank.store import BankSpec, PatchStore
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.embedding import Embedding
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.images import read_image
from patchbank.scoring.anomaly_map import anomaly_map
from patchbank.scoring.image_score import image_score
from patchbank.scoring.inspected_area import InspectedArea
from patchbank.scoring.threshold import calibrate
from patchbank.settings import load_settings
from patchbank_indexer.demo.products import load_products

PICTURE = (300, 300)
"""Width and height of the images, in pixels."""

_IMAGE = f"{1:024x}"

_ROUNDING = 1e-6
"""What similarities of 384 numbers were seen to differ by, in float32 and exactly."""


@dataclass(frozen=True)
class Cells:
    """Patches (N, D) of the references, and held-out images, ``good`` and ``defective``."""

    patches: FloatArray
    images: dict[str, list[Embedding]]

    def widened(self, dim: int) -> Cells:
        """Each patch with its neighbours on the right, below, and below on the right, cut to ``dim`` numbers: what a
        backbone of so many numbers would give."""
        if dim == self.patches.shape[1]:
            return self
        grid = next(iter(self.images.values()))[0].grid
        count = grid[0] * grid[1]
        pictures = [self.patches[begin : begin + count] for begin in range(0, len(self.patches), count)]
        return Cells(
            np.concatenate([_widened(patches, grid, dim) for patches in pictures]),
            {
                kind: [replace(image, patches=_widened(image.patches, grid, dim)) for image in images]
                for kind, images in self.images.items()
            },
        )

    def bank(self, size: int) -> tuple[FloatArray, float]:
        """At most so many patches, and the threshold of a bank of them."""
        patches = self.patches[np.random.default_rng(0).permutation(len(self.patches))[:size]]
        normal = [image_score(exhaustive(image.patches, patches), ScoringRule()) for image in self.images["good"]]
        # as calibration sets it; matrix products of other shapes round otherwise
        return patches, max(normal) + 1e-6


def embed_cells(images: int, references: int = 150) -> Cells:
    """Embed the references, so many good images and as many defective ones."""
    product = load_products(references, images)[0]
    with Embedder.open(load_settings(backbone=BUILT_IN)) as embedder:
        patches = np.concatenate([embedder.embed(read_image(file)).patches for file in product.references])
        held_out = {
            kind: [embedder.embed(read_image(file)) for file in files]
            for kind, files in (("good", product.good), ("defective", product.defective))
        }
    return Cells(patches, held_out)


def _widened(patches: FloatArray, grid: tuple[int, int], dim: int) -> FloatArray:
    cells = np.pad(patches.reshape(*grid, -1), ((0, 1), (0, 1), (0, 0)), mode="edge")
    rows, columns = grid
    each = [cells[down : down + rows, right : right + columns] for down, right in ((0, 0), (0, 1), (1, 0), (1, 1))]
    wide = np.concatenate(each, axis=2).reshape(rows * columns, -1)[:, :dim]
    return np.asarray(wide / np.linalg.norm(wide, axis=1, keepdims=True), dtype=np.float32)


def exhaustive(queries: FloatArray, patches: FloatArray) -> FloatArray:
    """Distances (Q,) of the nearest of all patches, by one matrix product."""
    return np.asarray(np.maximum(1.0 - (queries @ patches.T).max(axis=1), 0.0), dtype=np.float32)


def teach(store: PatchStore, class_name: str, patches: FloatArray, threshold: float) -> None:
    """Make a class of these patches, of one reference."""
    with store.draft(class_name, BankSpec(patches.shape[1], 1)) as draft:
        draft.add_reference(Reference(_IMAGE, "", "", "", "", 1, 1, 1, 1, b""), np.ones(1, dtype=np.float32))
        cells = np.stack(np.divmod(np.arange(len(patches)), 1000), axis=1)
        draft.add_patches([_IMAGE] * len(patches), cells, patches)
        draft.seal()
        draft.activate(
            Manifest(
                class_name=class_name,
                version=draft.ref.version,
                created_at="",
                backbone=BackboneFacts(name="bench", sha256="0" * 64, fingerprint="0" * 16),
                patch_dim=patches.shape[1],
                cls_dim=1,
                references=1,
                patches=len(patches),
                calibration=calibrate([threshold], "held-out", 0.01),
                retrieval=RetrievalLimit(similarity=0, coherence=1, count=1, witnesses=1),
            )
        )


def decides_alike(scores: FloatArray, truth: FloatArray, threshold: float) -> bool:
    """Whether image score (1e-5), verdict and mask of these patch scores (rows, columns) are those of the ``truth``. A
    pixel may differ that is nearer to the threshold than what products of other shapes round otherwise."""
    rule, area = ScoringRule(), InspectedArea.everything((truth.shape[0], truth.shape[1]))
    score, expected = image_score(scores, rule), image_score(truth, rule)
    values, right = (anomaly_map(each, rule, PICTURE, area) for each in (scores, truth))
    differ = (values > threshold) != (right > threshold)
    same_verdict = (score > threshold) == (expected > threshold)
    same_mask = bool((np.abs(right[differ] - threshold) <= _ROUNDING).all())
    return abs(score - expected) <= 1e-5 and same_verdict and same_mask
