"""Wrong keys, certificates and ports: each is told apart, by its code and in words that say what to do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import grpc as wire
import pytest
import trustme

from patchbank.bank.server.store import ServerStore
from patchbank.errors import StoreUnavailable
from patchbank.settings import load_settings
from tests.helpers.grpc_qdrant import Behaviour, serving_qdrant
from tests.helpers.tcp_proxy import proxy_to


class _Page(BaseHTTPRequestHandler):
    text: ClassVar[bytes] = b'{"title":"qdrant - vector search engine","version":"1.18.3"}'

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.text)

    def log_message(self, *_args: object) -> None:
        pass


@contextmanager
def page(text: bytes) -> Iterator[int]:
    """A web server that answers with ``text``; its port."""
    kind = type("_Other", (_Page,), {"text": text})
    with HTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@contextmanager
def silence() -> Iterator[int]:
    """Something that takes connections and says nothing; its port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("authorities")


@pytest.fixture(scope="module")
def authority(folder: Path) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(str(folder / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(folder / "other.pem"))
    return made


@contextmanager
def secured(authority: trustme.CA, host: str) -> Iterator[int]:
    """A server with TLS and a key, whose certificate is for ``host``; its port."""
    certificate = authority.issue_cert(host)
    pair = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
    with serving_qdrant(Behaviour(api_key="right"), wire.ssl_server_credentials([pair])) as served:
        yield served.port


def error_at(port: int, url: str = "http://127.0.0.1", key: str = "right", ca: Path | None = None) -> StoreUnavailable:
    settings = load_settings(
        qdrant_url=url, qdrant_grpc_port=port, qdrant_api_key=key, qdrant_ca_file=ca, qdrant_timeout_s=2.0
    )
    with closing(ServerStore.open(settings)) as store, pytest.raises(StoreUnavailable) as caught:
        store.active()
    assert "right" not in caught.value.message.replace("right?", "")
    assert caught.value.status == 503
    return caught.value


def test_a_certificate_that_nobody_here_trusts(authority: trustme.CA, folder: Path) -> None:
    with secured(authority, "localhost") as port:
        for ca in (folder / "other.pem", None):
            error = error_at(port, "https://localhost", ca=ca)
            assert error.code == "store_certificate_untrusted"
            assert "PATCHBANK_QDRANT_CA_FILE" in error.message


def test_a_certificate_for_another_host(authority: trustme.CA, folder: Path) -> None:
    with secured(authority, "elsewhere.example") as port:
        for host in ("localhost", "127.0.0.1"):
            error = error_at(port, f"https://{host}", ca=folder / "ca.pem")
            assert error.code == "store_certificate_other_host"
            assert host in error.message


def test_tls_on_one_side_alone(authority: trustme.CA, folder: Path) -> None:
    with secured(authority, "localhost") as port:
        error = error_at(port, "http://localhost")
        assert (error.code, "https://" in error.message) == ("store_with_tls", True)
    with serving_qdrant() as served:
        error = error_at(served.port, "https://localhost", ca=folder / "ca.pem")
        assert (error.code, "http://" in error.message) == ("store_without_tls", True)


def test_a_wrong_key_behind_the_right_certificate(authority: trustme.CA, folder: Path) -> None:
    with secured(authority, "localhost") as port:
        for key in ("wrong", ""):
            error = error_at(port, "https://localhost", key, folder / "ca.pem")
            assert (error.code, "PATCHBANK_QDRANT_API_KEY" in error.message) == ("store_refused", True)


def test_the_port_for_http() -> None:
    with page(_Page.text) as port:
        error = error_at(port)
    assert (error.code, "PATCHBANK_QDRANT_GRPC_PORT" in error.message) == ("store_other_port", True)


def test_a_port_that_is_forwarded_to_nothing_is_a_server_that_is_away(authority: trustme.CA, folder: Path) -> None:
    with proxy_to(1) as proxy:
        for url, ca in (("http://127.0.0.1", None), ("https://localhost", folder / "ca.pem")):
            error = error_at(proxy.port, url, ca=ca)
            assert (error.code, "is Qdrant up behind it?" in error.message) == ("store_unavailable", True)


def test_another_program() -> None:
    with page(b"<html>hello</html>") as port:
        assert error_at(port).code == "store_not_qdrant"


def test_another_program_that_speaks_grpc() -> None:
    server = wire.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        assert error_at(port).code == "store_not_qdrant"
    finally:
        server.stop(0).wait()


def test_something_that_hangs_nothing_at_all_and_a_name_that_is_none() -> None:
    with silence() as port:
        told = error_at(port)
        assert (told.code, "says nothing" in told.message) == ("store_unavailable", True)
    told = error_at(port)
    assert (told.code, "nothing can be reached" in told.message) == ("store_unavailable", True)
    told = error_at(6334, "http://no-such-host.invalid")
    assert (told.code, "is not known" in told.message) == ("store_unavailable", True)
