"""What lies in the directory of a collection."""

from __future__ import annotations

from typing import Final

SHARD: Final = "shard"
"""The engine's files; a small part has none."""

EXACT_COPY: Final = "exact"
"""The patches in flat files, for exhaustive search."""

CLS_COPY: Final = "cls"
"""The CLS embeddings in flat files, for class retrieval."""

REFERENCES: Final = "references.json"
"""The reference images of a small part."""

MANIFEST: Final = "manifest.json"
"""The description of a finished version."""
