"""Python objects through a pipe; arrays and bytes go beside the pickle, and are read into the memory that they keep.

A picture of 50 megapixels is 150 MB: ``Connection.send`` would copy it into the pickle, and ``recv`` out of it again.
"""

from __future__ import annotations

import os
import pickle
from multiprocessing.connection import Connection
from typing import Any, Final

_AT_ONCE: Final = 1 << 20
_IN_BAND: Final = 65_536
"""Smaller buffers stay in the pickle: a system call costs more than to copy them."""


def send(pipe: Connection, thing: Any) -> None:
    """Send an object. What cannot be pickled raises before anything is sent."""
    buffers: list[pickle.PickleBuffer] = []

    def beside(buffer: pickle.PickleBuffer) -> bool:
        aside = buffer.raw().nbytes >= _IN_BAND
        if aside:
            buffers.append(buffer)
        return not aside

    body = pickle.dumps(thing, protocol=5, buffer_callback=beside)
    views = [buffer.raw() for buffer in buffers]
    pipe.send_bytes(pickle.dumps([len(view) for view in views], protocol=5))
    pipe.send_bytes(body)
    for view in views:
        _write(pipe, view)


def receive(pipe: Connection) -> Any:
    """The next object. Raises ``EOFError`` or ``OSError`` where the other side has gone."""
    sizes: list[int] = pickle.loads(pipe.recv_bytes())  # noqa: S301  # from a process of ours
    body = pipe.recv_bytes()
    buffers = []
    for size in sizes:
        room = bytearray(size)
        _read(pipe, memoryview(room))
        buffers.append(room)
    return pickle.loads(body, buffers=buffers)  # noqa: S301  # as above


def _write(pipe: Connection, view: memoryview) -> None:
    if os.name == "nt":
        for begin in range(0, len(view), _AT_ONCE):
            pipe.send_bytes(view[begin : begin + _AT_ONCE])
        return
    while view:
        view = view[os.write(pipe.fileno(), view[:_AT_ONCE]) :]


def _read(pipe: Connection, view: memoryview) -> None:
    if os.name == "nt":
        while view:
            view = view[pipe.recv_bytes_into(view) :]
        return
    while view:
        count = os.readv(pipe.fileno(), [view])
        if not count:
            raise EOFError
        view = view[count:]
