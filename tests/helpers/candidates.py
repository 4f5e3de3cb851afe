"""A class with a version that waits, and pictures that the two decide differently."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.embedder import Embedder
from patchbank.settings import Settings, load_settings
from patchbank.teaching.republish import republish
from patchbank.teaching.teacher import Teacher
from tests.helpers.pictures import folder_of, picture


@dataclass(frozen=True)
class Taught:
    """A class, the version that serves, and one that differs by its threshold alone: it rejects nearly everything."""

    settings: Settings
    serving: str
    strict: str


def taught(folder: Path, embedder: Embedder) -> Taught:
    """Both versions in a store of their own, in the folder."""
    settings = load_settings(data_dir=folder / "data", search_workers=0)
    store = EdgeStore(settings.data_dir)
    report = Teacher(settings, embedder, store).teach("part", sorted(folder_of(folder / "in", 4).iterdir()))
    manifest = report.manifest
    strict = manifest.calibration.model_copy(update={"threshold": 1e-4})
    waiting = republish(store, manifest, {"calibration": strict}, serve=False)
    store.close()
    return Taught(settings, manifest.version, waiting.version)


def nearly(seed: int) -> bytes:
    """A picture that the class was taught, with a little noise."""
    pixels = np.asarray(picture(seed), np.int16)
    noise = np.random.default_rng(seed).integers(-1, 2, pixels.shape)
    out = io.BytesIO()
    Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()
