"""The bank store that the settings ask for."""

from __future__ import annotations

from contextlib import closing

from patchbank.bank.edge.pool import PooledStore
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.store import PatchStore
from patchbank.errors import StoreUnavailable
from patchbank.settings import Settings


def open_store(settings: Settings, search_workers: int = 0, *, caching: bool = False) -> PatchStore:
    """The Qdrant server's store if the settings name one, else the embedded store. With ``search_workers`` the embedded
    store's searches run in that many processes of their own; with ``caching`` the server's store keeps patches that are
    searched often in memory."""
    if settings.qdrant_url:
        # Importing the client takes a second; the embedded store does not need it.
        from patchbank.bank.server.store import ServerStore  # noqa: PLC0415

        return ServerStore.open(settings, caching=caching)
    if search_workers:
        return PooledStore(settings.data_dir, search_workers, settings.keep_versions)
    return EdgeStore(settings.data_dir, settings.keep_versions)


def server_troubles(settings: Settings) -> list[tuple[str, StoreUnavailable | None]]:
    """Each node of the Qdrant server by its URL, asked now, with the error that says why it cannot be used; none for
    the embedded store."""
    if not settings.qdrant_url:
        return []
    from patchbank.bank.server.link import ServerLink  # noqa: PLC0415  # as above

    with closing(ServerLink.open(settings)) as link:
        return [(node.address.url, trouble) for node, trouble in link.nodes.troubles()]
