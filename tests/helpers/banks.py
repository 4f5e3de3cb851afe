"""Synthetic banks for tests: unit vectors, references, and the exhaustive search in NumPy."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from patchbank.arrays import FloatArray
from patchbank.bank.defect_record import DefectRecord, encoded
from patchbank.bank.manifest import BackboneFacts, Calibration, Manifest, RetrievalLimit
from patchbank.bank.names import BankRef
from patchbank.bank.reference import Reference
from patchbank.bank.store import BankSpec, Draft, PatchStore
from patchbank.scoring.threshold import calibrate

FINGERPRINT = "0123456789abcdef"
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAFA3PEY8MlBGQUZaVVBfeMiCeG5uePWvuZHI////////////////////////////////"
    "////////////////////wAALCAAGAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAf/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAI"
    "AQEAAD8AH//Z"
)
"""A picture of 8 x 6 pixels."""

SPEC = BankSpec(patch_dim=8, cls_dim=4)


def unit(vectors: npt.ArrayLike) -> FloatArray:
    """Rows of unit length."""
    array = np.asarray(vectors, dtype=np.float32)
    return np.asarray(array / np.linalg.norm(array, axis=-1, keepdims=True), dtype=np.float32)


def image_id(number: int) -> str:
    """A well-formed image id."""
    return f"{number:024x}"


def reference(number: int, rows: int = 1, columns: int = 1) -> Reference:
    """A reference image's payload."""
    return Reference(
        image_id(number),
        f"image-{number}.png",
        f"{number:064x}",
        "2026-01-01T00:00:00+00:00",
        f"/in/{number}.png",
        64,
        48,
        rows,
        columns,
        JPEG,
    )


def defect(number: int, patches: FloatArray, name: str = "crack") -> DefectRecord:
    """A known defect with these patches (M, D)."""
    return DefectRecord(
        id=f"{number:012x}",
        name=name,
        added_at="2026-01-01T00:00:00+00:00",
        source=f"/in/{name}-{number}.png",
        image_id=image_id(9_000 + number),
        box=(0, 0, 8, 6),
        count=len(patches),
        patches=encoded(patches),
        thumbnail=base64.b64encode(b"jpeg").decode(),
    )


def manifest(draft: Draft, *, references: int, patches: int, dims: tuple[int, int], **facts: Any) -> Manifest:
    """A manifest that fits a draft."""
    calibration: Calibration = facts.pop("calibration", None) or calibrate([0.1, 0.2], "held-out", 0.4)
    return Manifest(
        class_name=draft.ref.class_name,
        version=draft.ref.version,
        created_at="2026-01-01T00:00:00+00:00",
        backbone=BackboneFacts(name="test", sha256="0" * 64, fingerprint=facts.pop("fingerprint", FINGERPRINT)),
        patch_dim=dims[0],
        cls_dim=dims[1],
        references=references,
        patches=patches,
        calibration=calibration,
        retrieval=RetrievalLimit(similarity=0.5, coherence=0.4, count=references, witnesses=references),
        **facts,
    )


def fill(draft: Draft, images: Sequence[FloatArray], cls: FloatArray) -> None:
    """Put one-row images (N_i, D) with their CLS vectors (M, D') into a draft."""
    for number, (vectors, summary) in enumerate(zip(images, cls, strict=True)):
        draft.add_reference(reference(number, 1, len(vectors)), summary)
        cells = np.stack([np.zeros(len(vectors), dtype=np.int64), np.arange(len(vectors))], axis=1)
        draft.add_patches([image_id(number)] * len(vectors), cells, vectors)


def brute_force(queries: FloatArray, bank: FloatArray, k: int) -> FloatArray:
    """Mean cosine distance of every query (Q, D) to its k nearest (all, if there are fewer) in the bank (M, D)."""
    distances = np.maximum(1.0 - queries.astype(np.float64) @ bank.astype(np.float64).T, 0.0)
    nearest = np.sort(distances, axis=1)[:, : min(k, len(bank))]
    return np.asarray(nearest.mean(axis=1), dtype=np.float32)


def vectors(seed: int, count: int = 6, dim: int = 8) -> FloatArray:
    """``count`` random unit vectors (count, dim)."""
    return unit(np.random.default_rng(seed).normal(size=(count, dim)))


def teach(
    store: PatchStore, class_name: str, seed: int = 0, *, base: BankRef | None = None, images: int = 3, **facts: Any
) -> BankRef:
    """A version with 3 images of 6 patches; its patches and CLS vectors follow from the seed."""
    with store.draft(class_name, SPEC, base) as draft:
        fill(draft, [vectors(100 * seed + number) for number in range(images)], vectors(seed + 7, images, 4))
        draft.seal()
        count = len(draft.cls_vectors()[0])
        written = manifest(draft, references=count, patches=draft.count_patches(), dims=(8, 4), **facts)
        return draft.activate(written).ref
