"""Worker processes: what comes through the pipe, and what ends a call that does not end by itself."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from patchbank.deadline import Deadline, working_until
from patchbank.errors import (
    Closed,
    DeadlinePassed,
    ImageTooCostly,
    InvalidParameters,
    StoreUnavailable,
    UndecodableImage,
)
from patchbank.processes.pool import WorkerPool
from patchbank.processes.pulse import STILL, STOPPED
from tests.processes.answering import kind

LATE = ImageTooCostly("too long")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and /proc")


@pytest.fixture
def make() -> Iterator[Callable[..., WorkerPool]]:
    """Makes pools that have started. At the end none of their processes may be left."""
    before = set(multiprocessing.active_children())
    pools = []

    def pool(count: int = 1, memory_mb: float | None = None) -> WorkerPool:
        made = WorkerPool(kind(memory_mb), count)
        pools.append(made)
        made.wait_until_ready()
        return made

    yield pool
    for made in pools:
        made.close()
    assert set(multiprocessing.active_children()) <= before


def ask(pool: WorkerPool, word: str, given: Any = None, seconds: float = 30.0) -> Any:
    return pool.call((word, given), seconds, LATE)


def timed(work: Callable[[], Any]) -> float:
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def test_arrays_and_bytes_of_any_size_come_back_as_they_went(make: Callable[..., WorkerPool]) -> None:
    pool = make()
    for size in (0, 1, 65_535, 65_536, 5_000_000):
        array = np.arange(size, dtype=np.uint8)
        back = ask(pool, "echo", {"array": array, "bytes": array.tobytes(), "turned": array.reshape(1, -1).T})
        assert np.array_equal(back["array"], array)
        assert back["array"].flags.writeable
        assert back["bytes"] == array.tobytes()
        assert back["turned"].shape == (size, 1)


def test_an_error_with_a_code_comes_back_as_itself(make: Callable[..., WorkerPool]) -> None:
    with pytest.raises(InvalidParameters) as raised:
        ask(make(), "refuse", 7)
    assert (raised.value.message, raised.value.detail) == ("no", {"given": 7})


def test_a_panic_is_an_error_with_a_code_and_the_process_lives(make: Callable[..., WorkerPool]) -> None:
    pool = make()
    pid = ask(pool, "pid", 0)
    with pytest.raises(StoreUnavailable, match="a test process failed: Panic: index out of bounds"):
        ask(pool, "panic")
    assert ask(pool, "pid", 0) == pid


def test_a_process_that_dies_in_a_call_is_replaced(make: Callable[..., WorkerPool]) -> None:
    pool = make()
    with pytest.raises(StoreUnavailable, match="ended unexpectedly"):
        ask(pool, "die")
    assert ask(pool, "echo", 1) == 1


def test_a_process_that_crashes_is_told_from_one_that_others_killed(make: Callable[..., WorkerPool]) -> None:
    pool = make()
    with pytest.raises(UndecodableImage, match=r"a test process crashed \(SIGSEGV\)"):
        ask(pool, "crash")
    assert ask(pool, "echo", 1) == 1


def test_a_process_over_the_processor_time_that_it_gave_itself_raises_what_was_said(
    make: Callable[..., WorkerPool],
) -> None:
    pool = make()
    with pytest.raises(ImageTooCostly, match="too long"):
        ask(pool, "end itself", 0.5)
    assert ask(pool, "echo", 1) == 1


def test_a_process_that_is_stopped_in_a_call_is_replaced_within_seconds(make: Callable[..., WorkerPool]) -> None:
    pool = make()

    def stopped() -> None:
        with pytest.raises(StoreUnavailable, match="was stopped or hung"):
            ask(pool, "stop", seconds=60)

    assert timed(stopped) < STOPPED + 2
    assert ask(pool, "echo", 1) == 1


def test_a_process_that_does_nothing_in_a_call_is_replaced(make: Callable[..., WorkerPool]) -> None:
    pool = make()

    def hung() -> None:
        with pytest.raises(StoreUnavailable, match="was stopped or hung"):
            ask(pool, "sleep", 60, seconds=60)

    assert STILL < timed(hung) < STILL + 3
    assert ask(pool, "echo", 1) == 1


def test_a_process_that_works_for_long_is_left_alone(make: Callable[..., WorkerPool]) -> None:
    assert ask(make(), "spin", STILL + 2) is None


def test_a_stopped_process_that_is_sent_more_than_its_pipe_holds_keeps_nobody(
    make: Callable[..., WorkerPool],
) -> None:
    pool = make()
    os.kill(ask(pool, "pid", 0), signal.SIGSTOP)
    begin = time.monotonic()
    for _ in range(2):  # the first may find it stopped, or already replaced
        try:
            assert len(ask(pool, "echo", bytes(10_000_000))) == 10_000_000
            break
        except StoreUnavailable:
            pass
    else:
        pytest.fail("not replaced")
    assert time.monotonic() - begin < STOPPED + 4


def test_an_idle_process_that_was_stopped_or_killed_is_replaced_before_anyone_asks(
    make: Callable[..., WorkerPool],
) -> None:
    pool = make()
    for number in (signal.SIGSTOP, signal.SIGKILL):
        pid = ask(pool, "pid", 0)
        os.kill(pid, number)
        time.sleep(1.0)
        assert ask(pool, "pid", 0) != pid


def test_a_call_over_its_own_time_raises_what_was_said(make: Callable[..., WorkerPool]) -> None:
    pool = make()

    def late() -> None:
        with pytest.raises(ImageTooCostly, match="too long"):
            ask(pool, "spin", 60, seconds=0.5)

    assert timed(late) < 2
    assert ask(pool, "echo", 1) == 1


def test_the_deadline_of_a_request_ends_its_call(make: Callable[..., WorkerPool]) -> None:
    pool = make()
    with working_until(Deadline(0.5)), pytest.raises(DeadlinePassed, match=r"not done within 0\.5 s"):
        ask(pool, "spin", 60)
    assert ask(pool, "echo", 1) == 1


def test_a_request_that_nobody_wants_any_more_ends_its_call(make: Callable[..., WorkerPool]) -> None:
    pool, deadline = make(), Deadline(60)
    timer = threading.Timer(0.3, deadline.cancel)
    timer.start()

    def cancelled() -> None:
        with working_until(deadline), pytest.raises(DeadlinePassed, match="the client has gone"):
            ask(pool, "spin", 60)

    assert timed(cancelled) < 2
    timer.join()


def test_a_request_that_waits_for_a_busy_process_is_told_at_its_deadline(make: Callable[..., WorkerPool]) -> None:
    pool = make()
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(ask, pool, "spin", 3)
        time.sleep(0.2)
        with working_until(Deadline(0.5)), pytest.raises(DeadlinePassed):
            ask(pool, "echo", 1)
        busy.result()


def test_an_allocation_over_the_limit_fails_and_the_process_lives(make: Callable[..., WorkerPool]) -> None:
    pool = make(memory_mb=100)
    pid = ask(pool, "pid", 0)
    assert ask(pool, "take", 50) == 50_000_000
    with pytest.raises(StoreUnavailable, match="Memory"):
        ask(pool, "take", 200)
    assert ask(pool, "pid", 0) == pid


def test_while_one_process_starts_callers_get_the_others(make: Callable[..., WorkerPool]) -> None:
    pool = make(2)
    with ThreadPoolExecutor(2) as threads:
        pids = {future.result() for future in [threads.submit(ask, pool, "pid", 0.3) for _ in range(2)]}
    assert len(pids) == 2
    with pytest.raises(StoreUnavailable):
        ask(pool, "die")
    begin = time.monotonic()
    answered = {ask(pool, "pid", 0) for _ in range(20)}
    assert len(answered & pids) == 1
    assert time.monotonic() - begin < 0.2  # a new process takes longer than that to start


def test_closing_does_not_wait_for_a_stopped_process_nor_for_a_call(make: Callable[..., WorkerPool]) -> None:
    pool = make(2)
    with ThreadPoolExecutor(1) as threads:
        under_way = threads.submit(ask, pool, "spin", 60)
        time.sleep(0.3)
        os.kill(ask(pool, "pid", 0), signal.SIGSTOP)
        assert timed(pool.close) < 5
        with pytest.raises(Closed):
            under_way.result(5)
    with pytest.raises(Closed):
        ask(pool, "echo", 1)
