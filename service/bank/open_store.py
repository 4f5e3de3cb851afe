"""The bank store that the settings ask for."""

from __future__ import annotations

from service.bank.edge import EdgeStore
from service.bank.pool import PooledStore
from service.bank.store import PatchStore
from service.settings import Settings


def open_store(settings: Settings, search_workers: int = 0) -> PatchStore:
    """The embedded store; with ``search_workers`` its searches run in that many processes of their own."""
    store = EdgeStore(settings.data_dir, settings.keep_versions)
    return PooledStore(store, search_workers) if search_workers else store
