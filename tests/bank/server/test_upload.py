"""Bulk upload: it is bounded, runs in the background, and raises its errors."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from patchbank.bank.server.upload import STREAMS, Upload
from patchbank.errors import StoreUnavailable


@pytest.fixture
def upload() -> Iterator[Upload]:
    opened = Upload()
    yield opened
    opened.close()


def test_no_more_than_a_few_writes_are_on_their_way(upload: Upload) -> None:
    guard, running, most, done = threading.Lock(), [0], [0], [0]

    def write() -> None:
        with guard:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.01)
        with guard:
            running[0] -= 1
            done[0] += 1

    for _ in range(20):
        upload.put(write)
    upload.flush()
    assert (most[0], done[0]) == (STREAMS, 20)


def test_who_brings_more_waits_until_there_is_room(upload: Upload) -> None:
    gate = threading.Event()
    for _ in range(STREAMS):
        upload.put(gate.wait)  # type: ignore[arg-type]
    late = threading.Thread(target=upload.put, args=(lambda: None,))
    late.start()
    late.join(0.1)
    assert late.is_alive()
    gate.set()
    late.join(5.0)
    assert not late.is_alive()
    upload.flush()


def test_an_error_is_raised_to_whoever_comes_next(upload: Upload) -> None:
    def fail() -> None:
        raise StoreUnavailable("away")

    upload.put(fail)
    with pytest.raises(StoreUnavailable):
        upload.flush()
    with pytest.raises(StoreUnavailable):
        for _ in range(3 * STREAMS):
            upload.put(lambda: None)
    with pytest.raises(StoreUnavailable):
        upload.flush()


def test_closing_waits_for_what_is_on_its_way() -> None:
    upload, done = Upload(), threading.Event()

    def write() -> None:
        time.sleep(0.05)
        done.set()

    upload.put(write)
    assert not upload.abandoned()
    upload.close()
    assert done.is_set()
    assert upload.abandoned()
