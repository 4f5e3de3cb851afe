"""Forward passes that several threads ask for: as many at once as there are cores for, and what waits shares one.

Two at least run at once on a CPU, though both want all cores: where one waits for a core that a search has, the other
goes on (docs/inference.md). On a device where a pass of several inputs costs less than as many passes, those that wait
are run together.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from patchbank.arrays import FloatArray
from patchbank.deadline import check_deadline
from patchbank.errors import ModelUnavailable, PatchbankError

Made = tuple[FloatArray, FloatArray]
"""Patch tokens (N, D) and CLS (D',) of one input, as the graph gives them."""

_LEAST: Final = 2
"""Forward passes at once on a CPU, however many cores each takes."""

_TICK: Final = 0.1
"""Seconds between two looks at the deadline of a request that waits."""


def passes_at_once(threads: int) -> int:
    """How many forward passes of so many ``threads`` (0: all cores) run at the same time on a CPU."""
    return max(_LEAST, (os.cpu_count() or 1) // threads) if threads else _LEAST


class ForwardPasses:
    """Runs inputs (3, H, W) through ``forward``, which takes several of one size. Thread-safe: first come, first
    served.

    At most ``at_once`` passes run at the same time. What has one size and waits meanwhile shares the next pass, up to
    ``most`` inputs.
    """

    def __init__(self, forward: Callable[[Sequence[FloatArray]], list[Made]], at_once: int, most: int) -> None:
        self._forward = forward
        self._at_once = at_once
        self._most = most
        self._running = 0
        self._queue: list[_Asked] = []
        self._changed = threading.Condition()

    def run(self, inputs: Sequence[FloatArray]) -> list[Made]:
        """What ``forward`` makes of ``inputs`` of one size, in their order.

        Raises what it raises for them, whatever else shared their pass, and ``DeadlinePassed`` where the request that
        is being answered is over before its pass is.
        """
        asked = _Asked(inputs)
        with self._changed:
            self._queue.append(asked)
            try:
                while not asked.done and not self._is_turn_of(asked):
                    check_deadline()
                    self._changed.wait(_TICK)
            except BaseException:
                if asked in self._queue:
                    self._queue.remove(asked)
                    self._changed.notify_all()
                raise
            if asked.done:
                return asked.result()
            together = self._take()
            self._running += 1
            self._changed.notify_all()  # there may be room for the next one too
        try:
            self._lead(together)
        finally:
            with self._changed:
                self._running -= 1
                for each in together:
                    each.done = True
                self._changed.notify_all()
        return asked.result()

    def _is_turn_of(self, asked: _Asked) -> bool:
        return self._running < self._at_once and bool(self._queue) and self._queue[0] is asked

    def _take(self) -> list[_Asked]:
        """The first that waits, and those of its size that fit into its pass."""
        first, *others = self._queue
        together, room = [first], self._most - len(first.inputs)
        for each in others:
            if each.inputs[0].shape == first.inputs[0].shape and len(each.inputs) <= room:
                together.append(each)
                room -= len(each.inputs)
        self._queue = [each for each in others if each not in together]
        return together

    def _lead(self, together: Sequence[_Asked]) -> None:
        try:
            made = iter(self._forward([values for each in together for values in each.inputs]))
            for each in together:
                each.made = [next(made) for _ in each.inputs]
        except PatchbankError as error:
            if len(together) == 1:
                together[0].error = error
                return
            for each in together:  # each has its own error, or none
                self._lead([each])


@dataclass(eq=False)
class _Asked:
    """Inputs that one thread waits for, and what became of them."""

    inputs: Sequence[FloatArray]
    done: bool = False
    made: list[Made] | None = None
    error: PatchbankError | None = None

    def result(self) -> list[Made]:
        if self.error is not None:
            raise self.error
        if self.made is None:
            raise ModelUnavailable("the forward pass was ended before it was done; try again")
        return self.made
