"""Forward passes that threads share: each gets what it would get alone, and none waits longer than its deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbank.arrays import FloatArray
from patchbank.deadline import Deadline, working_until
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.embedding import Embedding
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.embedding.input_size import Area
from patchbank.embedding.model_files import find_backbone, model_path
from patchbank.embedding.passes import ForwardPasses, Made, passes_at_once
from patchbank.embedding.session import OnnxSession
from patchbank.errors import DeadlinePassed, ModelUnavailable
from patchbank.images import DecodedImage
from tests.helpers.graphs import SEQUENCE, write_sequence
from tests.helpers.uploads import until

BAD = -1.0


class Device:
    """Doubles its inputs, notes what shared a pass, and works for as long as it is ``held``."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.passes: list[list[float]] = []
        self.running = self.most_running = 0
        self._guard = threading.Lock()

    def forward(self, inputs: Sequence[FloatArray]) -> list[Made]:
        with self._guard:
            self.passes.append([float(values.flat[0]) for values in inputs])
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        try:
            assert self.free.wait(30)
            assert len({values.shape for values in inputs}) == 1
            if any(values.flat[0] == BAD for values in inputs):
                raise ModelUnavailable("too much")
            return [(2 * values, 3 * values) for values in inputs]
        finally:
            with self._guard:
                self.running -= 1


def asked(value: float, side: int = 1) -> FloatArray:
    return np.full((3, side, side), value, dtype=np.float32)


@pytest.fixture
def device() -> Device:
    return Device()


def queued(
    passes: ForwardPasses, device: Device, pool: ThreadPoolExecutor, *batches: list[FloatArray]
) -> list[Future[list[Made]]]:
    """Asked for in this order, while the device does something else."""
    device.free.clear()
    made = [pool.submit(passes.run, [asked(0.0)])]
    until(lambda: bool(device.passes))
    for number, batch in enumerate(batches, 1):
        made.append(pool.submit(passes.run, batch))
        until(lambda number=number: len(passes._queue) == number)  # type: ignore[misc]
    device.free.set()
    return made


def test_what_waits_shares_the_next_pass_where_it_has_one_size_and_fits(device: Device) -> None:
    passes = ForwardPasses(device.forward, 1, 3)
    batches = [[asked(1)], [asked(2, side=2)], [asked(3)], [asked(4), asked(5)], [asked(6)]]
    with ThreadPoolExecutor(6) as pool:
        made = queued(passes, device, pool, *batches)
        for batch, future in zip(batches, made[1:], strict=True):
            for values, (tokens, summary) in zip(batch, future.result(30), strict=True):
                np.testing.assert_array_equal(tokens, 2 * values)
                np.testing.assert_array_equal(summary, 3 * values)
    assert device.passes == [[0.0], [1.0, 3.0, 6.0], [2.0], [4.0, 5.0]]


def test_an_input_that_fails_does_not_fail_what_shared_its_pass(device: Device) -> None:
    passes = ForwardPasses(device.forward, 1, 8)
    with ThreadPoolExecutor(4) as pool:
        _, first, bad, last = queued(passes, device, pool, [asked(1)], [asked(BAD)], [asked(2)])
        assert (first.result(30)[0][0] == 2).all() and (last.result(30)[0][0] == 4).all()
        with pytest.raises(ModelUnavailable, match="too much"):
            bad.result(30)
    assert passes.run([asked(7)])[0][0].flat[0] == 14


def test_a_deadline_is_kept_by_what_waits_and_the_others_go_on(device: Device) -> None:
    passes = ForwardPasses(device.forward, 1, 8)
    device.free.clear()
    with ThreadPoolExecutor(3) as pool:
        begun = pool.submit(passes.run, [asked(1)])
        until(lambda: bool(device.passes))
        begin = time.monotonic()
        with working_until(Deadline(0.05)), pytest.raises(DeadlinePassed):
            passes.run([asked(2)])
        assert time.monotonic() - begin < 5
        waits = pool.submit(passes.run, [asked(3)])
        until(lambda: len(passes._queue) == 1)
        device.free.set()
        assert begun.result(30)[0][0].flat[0] == 2
        assert waits.result(30)[0][0].flat[0] == 6
    assert device.passes == [[1.0], [3.0]]


@given(
    sides=st.lists(st.integers(1, 3), min_size=1, max_size=12),
    at_once=st.integers(1, 3),
    most=st.integers(1, 4),
)
def test_each_thread_gets_its_own_and_no_more_run_at_once_than_may(sides: list[int], at_once: int, most: int) -> None:
    device = Device()
    passes = ForwardPasses(device.forward, at_once, most)
    with ThreadPoolExecutor(len(sides)) as pool:
        made = [pool.submit(passes.run, [asked(float(place), side)]) for place, side in enumerate(sides)]
        for place, (side, future) in enumerate(zip(sides, made, strict=True)):
            np.testing.assert_array_equal(future.result(30)[0][0], asked(2.0 * place, side))
    assert device.most_running <= at_once
    assert max(map(len, device.passes)) <= most
    assert sorted(value for each in device.passes for value in each) == list(range(len(sides)))


def test_all_places_are_taken_as_soon_as_they_are_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("patchbank.embedding.passes._TICK", 60.0)
    both = threading.Barrier(2, timeout=10)

    def in_pairs(inputs: Sequence[FloatArray]) -> list[Made]:
        both.wait()  # broken where only one of two places is taken
        return [(values, values) for values in inputs]

    passes = ForwardPasses(in_pairs, 2, 1)
    with ThreadPoolExecutor(100) as pool:
        made = [pool.submit(passes.run, [asked(float(place))]) for place in range(100)]
        assert [future.result(30)[0][0].flat[0] for future in made] == list(range(100))


def test_passes_share_the_cores_and_two_run_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert [passes_at_once(threads) for threads in (0, 1, 2, 3, 8, 16)] == [2, 8, 4, 2, 2, 2]


class Held(OnnxSession):
    """A real session whose passes wait until ``free``; it counts the inputs of each."""

    def hold(self) -> None:
        self.free = threading.Event()
        self.batches: list[int] = []

    def run(self, names: Sequence[str], inputs: FloatArray) -> list[FloatArray]:
        self.batches.append(len(inputs))
        assert self.free.wait(30)
        return super().run(names, inputs)


def together(embedder: Embedder, session: Held, images: Sequence[DecodedImage]) -> list[Embedding]:
    """Embedded by a thread each; all but the first wait for the first pass."""
    session.hold()
    with ThreadPoolExecutor(len(images)) as pool:
        first = pool.submit(embedder.embed, images[0])
        until(lambda: bool(session.batches))
        rest = [pool.submit(embedder.embed, image) for image in images[1:]]
        until(lambda: len(embedder._network._passes._queue) == len(rest))
        session.free.set()
        return [future.result(60) for future in (first, *rest)]


@pytest.mark.parametrize("kind", ["sequence", "built-in"])
def test_pictures_embedded_together_are_embedded_as_alone(kind: str, tmp_path: Path) -> None:
    if kind == "sequence":
        backbone, path = SEQUENCE, write_sequence(tmp_path / "tiny.onnx")
    else:
        backbone = find_backbone(BUILT_IN, tmp_path).resized(Area(128))
        path = model_path(backbone, tmp_path)
    rng = np.random.default_rng(0)
    images = [DecodedImage.of_pixels(rng.integers(0, 256, (90, 90, 3), dtype=np.uint8)) for _ in range(5)]
    session = Held(path)
    with Embedder(backbone, session, batch_size=4) as embedder:
        made = together(embedder, session, images)
        assert session.batches == [1, 4]
        for image, got in zip(images, made, strict=True):
            alone = embedder.embed(image)
            assert got.grid == alone.grid
            np.testing.assert_allclose(got.patches, alone.patches, atol=2e-5)
            np.testing.assert_allclose(got.cls, alone.cls, atol=2e-5)
