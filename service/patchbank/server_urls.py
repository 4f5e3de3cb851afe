"""The addresses of the Qdrant nodes in ``PATCHBANK_QDRANT_URL``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from patchbank.text import shown

HTTP_PORT: Final = 6333
"""Qdrant's own port for HTTP, where a URL names none."""

_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[^/@\s:\[\]?,]+|\[[0-9A-Fa-f:.]+\])(:(?P<http>\d{1,5}))?/?(\?grpc_port=(?P<grpc>\d{1,5}))?"
)
_LOOPBACK: Final = re.compile(r"localhost|127\.\d+\.\d+\.\d+|\[::1\]", re.IGNORECASE)


@dataclass(frozen=True)
class ServerUrl:
    """One node: ``url`` as people wrote it, without what only we read; ``host`` without an IPv6 address's brackets."""

    url: str
    host: str
    tls: bool
    http_port: int
    grpc_port: int

    @property
    def target(self) -> str:
        """Host and gRPC port, as messages name them."""
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.grpc_port}"

    @property
    def is_exposed(self) -> bool:
        """Whether others may read what is sent: without TLS, to another machine. A name without dots is one of the same
        private network, such as Compose's."""
        here = f"[{self.host}]" if ":" in self.host else self.host
        return not self.tls and re.search(r"[.:]", self.host) is not None and _LOOPBACK.fullmatch(here) is None


def server_urls(text: str, grpc_port: int) -> tuple[ServerUrl, ...]:
    """The nodes in a list with commas; ``grpc_port`` is that of those that name none. Raises ``ValueError``."""
    return tuple(_server_url(part.strip(), grpc_port) for part in text.split(","))


def check_server_urls(text: str) -> None:
    """Raise ``ValueError`` where the list is none, mixes schemes or names a node twice."""
    nodes = server_urls(text, 1)
    if len({node.tls for node in nodes}) > 1:
        raise ValueError("name all nodes with http:// or all with https://")
    targets = [node.target.lower() for node in nodes]
    for place, node in enumerate(nodes):
        if targets[place] in targets[:place]:
            raise ValueError(
                f"{shown(node.url)} is named twice; nodes on one machine differ in their gRPC ports, as in "
                "http://host:6333?grpc_port=6334"
            )


def _server_url(text: str, grpc_port: int) -> ServerUrl:
    match = _URL.fullmatch(text)
    if match is None:
        raise ValueError(
            "use http://host, https://host or either with :port; several with commas between; a gRPC port of its own "
            "as in http://host:6333?grpc_port=6334"
        )
    http, own = int(match["http"] or HTTP_PORT), int(match["grpc"] or grpc_port)
    if not (0 < http <= 65535 and 0 < own <= 65535):
        raise ValueError("ports are numbers from 1 to 65535")
    return ServerUrl(
        text.partition("?")[0].rstrip("/"), match["host"].strip("[]"), match["scheme"] == "https", http, own
    )
