"""How a Qdrant cluster keeps a collection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from patchbank.settings import Settings

EVERYWHERE: Final = 64
"""More copies than a cluster has nodes: Qdrant then keeps one on each."""


@dataclass(frozen=True)
class Spread:
    """How the server keeps a collection: number of shards, copies of each shard, copies that a write waits for, and
    whether full vectors lie on disk."""

    shards: int = 1
    replicas: int = 1
    write_consistency: int = 1
    on_disk: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Spread:
        """The spread that the settings ask for."""
        return cls(
            settings.qdrant_shards,
            settings.qdrant_replicas,
            settings.qdrant_write_consistency,
            settings.qdrant_on_disk,
        )

    @property
    def everywhere(self) -> Spread:
        """The same with a copy on each node, for what is small and needed by all classes."""
        return replace(self, shards=1, replicas=EVERYWHERE)
