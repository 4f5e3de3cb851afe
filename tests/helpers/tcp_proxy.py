"""A TCP proxy that misbehaves on demand."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Literal

Mode = Literal["pass", "refuse", "stall", "delay"]


class TcpProxy:
    """Forwards a port of this machine to another one.

    ``mode`` can be changed at any time: ``refuse`` breaks every connection and accepts none, ``stall`` keeps them open
    and forwards nothing, ``delay`` forwards every piece ``delay_s`` later.
    """

    def __init__(self, target: int, delay_s: float = 0.05) -> None:
        self.mode: Mode = "pass"
        self.delay_s = delay_s
        self._target = target
        self._sockets: set[socket.socket] = set()
        self._guard = threading.Lock()
        self._closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def turn(self, mode: Mode) -> None:
        """Change the mode; ``refuse`` also breaks open connections."""
        self.mode = mode
        if mode == "refuse":
            self._break()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                ours, _ = self._listener.accept()
            except OSError:
                return
            if self.mode == "refuse":
                ours.close()
                continue
            try:
                theirs = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                ours.close()
                continue
            with self._guard:
                self._sockets |= {ours, theirs}
            for source, sink in ((ours, theirs), (theirs, ours)):
                threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                while self.mode == "stall" and not self._closed.is_set():
                    time.sleep(0.01)
                if self.mode == "delay":
                    time.sleep(self.delay_s)
                sink.sendall(data)
        self._drop({source, sink})

    def _break(self) -> None:
        with self._guard:
            sockets = set(self._sockets)
        self._drop(sockets)

    def _drop(self, sockets: set[socket.socket]) -> None:
        with self._guard:
            self._sockets -= sockets
        for end in sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        """Stop listening and break open connections."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        self._break()


@contextlib.contextmanager
def proxy_to(target: int) -> Iterator[TcpProxy]:
    """A proxy, closed at the end."""
    proxy = TcpProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
