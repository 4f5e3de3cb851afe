"""Why a node that should be a Qdrant server cannot be spoken to: looked at from below gRPC, whose own words are the
same for a wrong port, a wrong certificate and TLS on one side alone."""

from __future__ import annotations

import socket
import ssl
from contextlib import closing, suppress
from typing import Final

from patchbank.errors import (
    StoreCertificateOtherHost,
    StoreCertificateUntrusted,
    StoreNotQdrant,
    StoreOtherPort,
    StoreUnavailable,
    StoreWithoutTls,
    StoreWithTls,
)
from patchbank.reason import reason_of
from patchbank.server_urls import ServerUrl

PATIENCE: Final = 1.0
"""Seconds for each step; a look takes at most three."""

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
"""What an HTTP/2 client says first: the preface and a settings frame without settings."""
_SETTINGS: Final = 4
_ALERT: Final = b"\x15\x03"
_HOST_MISMATCH: Final = (62, 64)
"""OpenSSL's codes for another host name and another IP address."""


def why_closed(node: ServerUrl, authority: bytes | None) -> StoreUnavailable | None:
    """The error that says what is wrong at this node's gRPC port; None where HTTP/2 is spoken there as it should be.

    ``authority`` is the PEM of the authority that must have signed the node's certificate, None for the usual ones.
    """
    try:
        connected = socket.create_connection((node.host, node.grpc_port), PATIENCE)
    except socket.gaierror:
        return StoreUnavailable(f"the host name {node.host} is not known: is PATCHBANK_QDRANT_URL right?")
    except TimeoutError:
        return StoreUnavailable(f"{node.target} does not answer at all: is the node up, and no firewall in between?")
    except OSError as error:
        return StoreUnavailable(f"nothing can be reached at {node.target} ({reason_of(error)}): is Qdrant up there?")
    with closing(connected):
        return _behind_tls(node, connected, authority) if node.tls else _behind_plain(node, connected)


def _behind_tls(node: ServerUrl, connected: socket.socket, authority: bytes | None) -> StoreUnavailable | None:
    context = _trusting(authority)
    context.set_alpn_protocols(["h2"])
    try:
        with context.wrap_socket(connected, server_hostname=node.host) as secured:
            return (
                None
                if secured.selected_alpn_protocol() == "h2" and _speaks(secured)
                else why_no_qdrant(node, authority)
            )
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in _HOST_MISMATCH:
            return StoreCertificateOtherHost(
                f"the certificate at {node.target} is not for {node.host} ({error.verify_message}): name the node in "
                "PATCHBANK_QDRANT_URL as its certificate does"
            )
        return StoreCertificateUntrusted(
            f"the certificate at {node.target} is not trusted ({error.verify_message}): name the authority that signed "
            "it with PATCHBANK_QDRANT_CA_FILE"
        )
    except TimeoutError:
        return _silent(node)
    except OSError:
        if not _answers_without_tls(node):
            return _wordless(node)
        return StoreWithoutTls(
            f"{node.target} speaks without TLS: write http:// in PATCHBANK_QDRANT_URL, or switch TLS on in Qdrant "
            "(service.enable_tls)"
        )


def _behind_plain(node: ServerUrl, connected: socket.socket) -> StoreUnavailable | None:
    connected.settimeout(PATIENCE)
    try:
        connected.sendall(_PREFACE)
        answer = connected.recv(9)
    except TimeoutError:
        return _silent(node)
    except OSError:
        answer = b""
    if answer[3:4] == bytes([_SETTINGS]):
        return None
    if answer.startswith(_ALERT) or _has_tls(node):
        return StoreWithTls(f"{node.target} speaks with TLS alone: write https:// in PATCHBANK_QDRANT_URL")
    return why_no_qdrant(node, None) if answer or _front_page(node, None) else _wordless(node)


def _silent(node: ServerUrl) -> StoreUnavailable:
    return StoreUnavailable(f"{node.target} accepts connections and says nothing: does the node hang?")


def _wordless(node: ServerUrl) -> StoreUnavailable:
    """What forwards a port, a container's or a balancer's, takes connections for a server that is not up."""
    return StoreUnavailable(
        f"{node.target} closes connections without a word: something forwards this port, is Qdrant up behind it?"
    )


def _trusting(authority: bytes | None) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=None if authority is None else authority.decode("ascii", "replace"))


def _speaks(secured: ssl.SSLSocket) -> bool:
    """Whether HTTP/2 is answered with HTTP/2."""
    secured.settimeout(PATIENCE)
    secured.sendall(_PREFACE)
    return secured.recv(9)[3:4] == bytes([_SETTINGS])


def why_no_qdrant(node: ServerUrl, authority: bytes | None) -> StoreUnavailable:
    """The error that says what listens at a node's gRPC port, where it is no Qdrant server's."""
    if b"qdrant" in _front_page(node, authority):
        return StoreOtherPort(
            f"{node.target} is Qdrant's port for HTTP: PATCHBANK_QDRANT_GRPC_PORT is that for gRPC, 6334 if nothing "
            "else was chosen"
        )
    return StoreNotQdrant(
        f"what answers at {node.target} is no Qdrant server: are PATCHBANK_QDRANT_URL and PATCHBANK_QDRANT_GRPC_PORT "
        "right?"
    )


def _front_page(node: ServerUrl, authority: bytes | None) -> bytes:
    """The begin of what the port answers to a browser; empty where it does not answer one."""
    with suppress(OSError), socket.create_connection((node.host, node.grpc_port), PATIENCE) as connected:
        if not node.tls:
            return _asked(node, connected)
        context = _trusting(authority)
        with context.wrap_socket(connected, server_hostname=node.host) as secured:
            return _asked(node, secured)
    return b""


def _answers_without_tls(node: ServerUrl) -> bool:
    """Whether the port says anything at all to HTTP/2 without TLS."""
    with suppress(OSError), socket.create_connection((node.host, node.grpc_port), PATIENCE) as connected:
        connected.settimeout(PATIENCE)
        connected.sendall(_PREFACE)
        return bool(connected.recv(9))
    return False


def _asked(node: ServerUrl, connected: socket.socket) -> bytes:
    connected.settimeout(PATIENCE)
    connected.sendall(f"GET / HTTP/1.1\r\nHost: {node.target}\r\nConnection: close\r\n\r\n".encode())
    answer = b""
    with suppress(OSError):
        while len(answer) < 4_096 and (more := connected.recv(4_096)):
            answer += more
    return answer


def _has_tls(node: ServerUrl) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # only whether it speaks TLS; nothing is sent
    with (
        suppress(OSError),
        socket.create_connection((node.host, node.grpc_port), PATIENCE) as connected,
        context.wrap_socket(connected, server_hostname=node.host),
    ):
        return True
    return False
