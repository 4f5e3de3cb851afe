"""Python objects through a pipe; large arrays and bytes go beside the pickle, in memory that both processes see.

A picture of 50 megapixels is 150 MB: through the pipe it would be copied four times, and every 200 kB one process would
wait for the other. Where the system has no such memory, large buffers go through the pipe after all.
"""

from __future__ import annotations

import mmap
import os
import pickle
import socket
from multiprocessing.connection import Connection
from typing import Any, Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_IN_BAND: Final = 65_536
"""Smaller buffers stay in the pickle: a system call costs more than to copy them."""

_SHARED: Final = 262_144
"""Bytes of all buffers from which on shared memory pays."""

_ALIGNED: Final = 64
_NAME: Final = "patchbank"


def send(pipe: Connection, thing: Any) -> None:
    """Send an object. What cannot be pickled raises before anything is sent."""
    buffers: list[pickle.PickleBuffer] = []

    def in_band(buffer: pickle.PickleBuffer) -> bool:
        aside = buffer.raw().nbytes >= _IN_BAND
        if aside:
            buffers.append(buffer)
        return not aside

    body = pickle.dumps(thing, protocol=5, buffer_callback=in_band)
    views = [buffer.raw() for buffer in buffers]
    sizes = [len(view) for view in views]
    memory = _shared(views) if sum(sizes) >= _SHARED else None
    try:
        pipe.send_bytes(pickle.dumps((sizes, memory is not None), protocol=5))
        if memory is not None:
            with socket.socket(fileno=os.dup(pipe.fileno())) as line:
                socket.send_fds(line, [b"\0"], [memory])
        pipe.send_bytes(body)
    finally:
        if memory is not None:
            os.close(memory)
    if memory is None:
        for view in views:
            pipe.send_bytes(view)


def receive(pipe: Connection) -> Any:
    """The next object. Raises ``EOFError`` or ``OSError`` where the other side has gone."""
    sizes, is_shared = pickle.loads(pipe.recv_bytes())  # noqa: S301  # from a process of ours
    if is_shared:
        with socket.socket(fileno=os.dup(pipe.fileno())) as line:
            _, handles, _, _ = socket.recv_fds(line, 1, 1)
        if not handles:
            raise EOFError
        buffers: list[Any] = _mapped(handles[0], sizes)
        body = pipe.recv_bytes()
    else:
        body = pipe.recv_bytes()
        buffers = [bytearray(pipe.recv_bytes()) for _ in sizes]
    return pickle.loads(body, buffers=buffers)  # noqa: S301  # as above


def _shared(views: list[memoryview]) -> int | None:
    """A handle on memory with these contents, one after the other; None where there is none to be had."""
    if fcntl is None or not hasattr(os, "memfd_create"):
        return None
    memory = os.memfd_create(_NAME, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        place = 0
        for view in views:
            begin = place
            while begin - place < len(view):
                begin += os.pwrite(memory, view[begin - place :], begin)
            place = _after(place, len(view))
        os.ftruncate(memory, max(1, place))
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    except BaseException:
        os.close(memory)
        raise
    return memory


def _mapped(memory: int, sizes: list[int]) -> list[Any]:
    """The contents behind a handle, which is closed. They stay for as long as anything made of them does."""
    try:
        if not fcntl.fcntl(memory, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK:
            raise OSError("memory from another process may shrink, and whoever reads it would be killed")
        whole = memoryview(mmap.mmap(memory, os.fstat(memory).st_size))
    finally:
        os.close(memory)
    buffers, place = [], 0
    for size in sizes:
        buffers.append(whole[place : place + size])
        place = _after(place, size)
    return buffers


def _after(place: int, size: int) -> int:
    return -(-(place + size) // _ALIGNED) * _ALIGNED
