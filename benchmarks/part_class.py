"""One class of solar cells, as the benchmarks of the service serve it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from patchbank.bank.manifest import Manifest
from patchbank.bank.open_store import open_store
from patchbank.embedding.embedder import Embedder
from patchbank.settings import Settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher

PART: Final = "part"


def taught_part(
    settings: Settings, embedder: Embedder, references: Sequence[Path], coreset: float | None = None
) -> Manifest:
    """The manifest of the class ``PART``; it is taught where the data directory does not hold it."""
    store = open_store(settings)
    try:
        version = store.active().get(PART)
        if version is not None:
            return store.bank(PART, version).manifest
        return (
            Teacher(settings, embedder, store).teach(PART, references, options=TeachOptions(coreset=coreset)).manifest
        )
    finally:
        store.close()
