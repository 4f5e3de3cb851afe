"""A server on this machine that answers as the Hugging Face hub does."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = bytes(range(256)) * 400
SHA256 = hashlib.sha256(BODY).hexdigest()
REVISION = "8b1f705a3a7f6f062f6bdd21986c1583d3ef105d"


@dataclass
class Hub:
    """What the server holds and how it behaves.

    The first ``breaks`` downloads break off ``breaks_after`` bytes into the file; the content is sent in pieces of
    ``piece`` bytes, ``pause`` seconds apart; ``asked`` is every request it got.
    """

    body: bytes = BODY
    status: int = 200
    revision: str | None = REVISION
    redirects: bool = False
    breaks_after: int | None = None
    breaks: int = 10**9
    piece: int = 10**9
    pause: float = 0.0
    asked: list[str] = field(default_factory=list)
    endpoint: str = ""

    @property
    def downloads(self) -> int:
        """How often the file's content was asked for."""
        return sum(line.startswith("GET ") for line in self.asked)


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            hub.asked.append(f"HEAD {self.path}")
            if not self._known():
                return
            tag = hashlib.sha256(hub.body).hexdigest()
            if hub.redirects and "/resolve/" in self.path:
                # The hub tells a large file's size and hash itself and leaves the content to another server.
                self.send_response(302)
                self.send_header("Location", f"{hub.endpoint}/cdn/{tag}")
                self.send_header("X-Linked-Size", str(len(hub.body)))
                self.send_header("X-Linked-Etag", f'"{tag}"')
                self.send_header("Content-Length", "0")
            else:
                self.send_response(200)
                self.send_header("ETag", f'"{tag}"')
                self.send_header("Content-Length", str(len(hub.body)))
            if hub.revision is not None:
                self.send_header("X-Repo-Commit", hub.revision)
            self.end_headers()

        def do_GET(self) -> None:
            hub.asked.append(f"GET {self.path}")
            if not self._known():
                return
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            begin = int(asked[1]) if asked else 0
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {begin}-{len(hub.body) - 1}/{len(hub.body)}")
            self.send_header("Content-Length", str(len(hub.body) - begin))
            self.end_headers()
            end = hub.breaks_after if hub.breaks_after is not None and hub.downloads <= hub.breaks else len(hub.body)
            for start in range(begin, end, hub.piece):
                self.wfile.write(hub.body[start : min(start + hub.piece, end)])
                self.wfile.flush()
                time.sleep(hub.pause)

        def _known(self) -> bool:
            if hub.status == 200:
                return True
            self.send_response(hub.status)
            self.send_header("X-Repo-Commit", REVISION)
            if hub.status == 404:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep the test's output clean."""

    return Handler


@contextmanager
def serving_hub() -> Iterator[Hub]:
    """A hub on a free port."""
    held = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(held))
    server.daemon_threads = True
    held.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
