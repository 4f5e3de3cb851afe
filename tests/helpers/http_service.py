"""A real server for tests: uvicorn in a thread, spoken to over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
from starlette.types import ASGIApp

from patchbank.api.app import create_app
from patchbank.api.server import server_of
from patchbank.client import Client
from patchbank.settings import Settings


@contextmanager
def serving(
    settings: Settings, around: Callable[[ASGIApp], ASGIApp] = lambda app: app, port: int = 0
) -> Iterator[httpx.Client]:
    """A client of a service with these settings; ``around`` wraps the application before it is served. It has any port
    that is free, or one that is given."""
    made = create_app(settings)
    app = around(made)
    server = server_of(app, "127.0.0.1", port, log_level="error")
    made.state.stopping = lambda: server.should_exit
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.02)
        assert server.started
        place = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{place}", timeout=60.0, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def typed(http: httpx.Client) -> Client:
    """The typed client of the same service, for tests of what the service does and not of what goes over the wire."""
    return Client(str(http.base_url), http=http)
