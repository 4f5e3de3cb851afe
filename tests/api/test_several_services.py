"""Services on one Qdrant server: changes at once through all of them lose nothing, and each sees them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from patchbank.answers.detection import Detection
from patchbank.answers.references import Added
from patchbank.client import Client, Refused
from tests.helpers.grpc_qdrant import serving_qdrant
from tests.helpers.http_service import serving, typed
from tests.helpers.pictures import png
from tests.helpers.stores import settings_of

T = TypeVar("T")


@pytest.fixture
def services(tmp_path: Path) -> Iterator[list[Client]]:
    """Two services, each with a data directory of its own."""
    with ExitStack() as stack:
        settings = settings_of(stack.enter_context(serving_qdrant()))
        yield [
            typed(
                stack.enter_context(
                    serving(settings.model_copy(update={"data_dir": tmp_path / str(number), "keep_versions": 30}))
                )
            )
            for number in range(2)
        ]


def changed(ask: Callable[[], T]) -> T:
    """The answer of a change; one that is refused because the class is busy has changed nothing and is asked again."""
    end = time.monotonic() + 240
    while True:
        try:
            return ask()
        except Refused as error:
            assert error.code == "class_busy"
            assert time.monotonic() < end


def test_adds_withdrawals_activations_and_detections_at_once_through_two_services(services: list[Client]) -> None:
    first, second = services
    pictures = [(f"good-{seed:03d}.png", png(seed)) for seed in range(4)]
    first.wait(first.teach("part", pictures, keep_all=True, roi="0,0,32,26"))
    held = [*second.references("part")]
    assert [row.name for row in held] == [name for name, _ in pictures], "each sees what one taught"

    def add(client: Client, seed: int) -> Added:
        return client.add_references("part", [(f"good-{seed:03d}.png", png(seed))], keep_all=True)

    def judged(client: Client, seed: int) -> Detection:
        return client.detect(png(seed), class_name="part", return_map=False)

    def names(client: Client) -> set[str]:
        return {row.name for row in client.references("part")}

    with ThreadPoolExecutor(8) as pool:
        adding = [pool.submit(changed, partial(add, client, 50 + place)) for place, client in enumerate(services)]
        withdrawing = pool.submit(changed, partial(second.withdraw_reference, "part", held[0].image_id))
        judging = [pool.submit(judged, client, 50) for client in services for _ in range(3)]
        versions = [*(future.result().version for future in adding), withdrawing.result().version]
        answers = [future.result() for future in judging]
    assert len(set(versions)) == 3, "each change is a version of its own"
    for client in services:
        assert names(client) == {f"good-{seed:03d}.png" for seed in (1, 2, 3, 50, 51)}
        assert judged(client, 51).anomaly_score == pytest.approx(0, abs=1e-5)
    kept = first.versions("part").versions
    assert {answer.bank_version for answer in answers} <= {row["version"] for row in kept}
    before, now = second.versions("part").versions[0]["version"], second.show_class("part").version
    changed(partial(second.activate, "part", before))
    assert names(first) == {row.name for row in held}
    changed(partial(first.activate, "part", now))
    assert judged(first, 51).anomaly_score == pytest.approx(0, abs=1e-5)
