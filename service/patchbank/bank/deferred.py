"""A collection that is opened at its first use: many changes of a bank read none of its patches."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from patchbank.arrays import FloatArray
from patchbank.bank.forwarding import Forwarding
from patchbank.bank.parted import Collection


class Deferred(Forwarding):
    """``Collection``; ``opened`` opens it. ``cls_vectors`` are read by ``read_cls``, without opening it."""

    def __init__(self, opened: Callable[[], Collection], read_cls: Callable[[], tuple[list[str], FloatArray]]) -> None:
        self._open = opened
        self._read_cls = read_cls

    @cached_property
    def _opened(self) -> Collection:
        return self._open()

    def _content(self) -> Collection:
        return self._opened

    def cls_vectors(self) -> tuple[list[str], FloatArray]:
        return self._read_cls()
