"""What lies in the data directory and in the directory of a collection."""

from __future__ import annotations

from typing import Final

COLLECTIONS: Final = "collections"
"""The directory of all collections."""

PARTIAL: Final = ".partial"
"""The end of the name of a version in work."""

SHARD: Final = "shard"
"""The engine's files, made from the flat files; a small part has none."""

SHARD_SUMS: Final = "shard.json"
"""The checksums of the engine's files."""

EXACT_COPY: Final = "exact"
"""The patches in flat files: what the part is."""

CLS_COPY: Final = "cls"
"""The CLS embeddings in flat files."""

REFERENCES: Final = "references.json"
"""The reference images, one a line; large parts of older layouts have them in the engine's files alone."""

MANIFEST: Final = "manifest.json"
"""The description of a finished version."""

PENDING: Final = "pending"
"""Marks a finished version that nobody was told of yet."""

MENDING: Final = ".mending-"
"""The begin of the names of directories in which what is lost is made anew."""
