"""Services on one Qdrant server: changes at once through all of them lose nothing, and each sees them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.helpers.grpc_qdrant import serving_qdrant
from tests.helpers.http_service import serving
from tests.helpers.jobs import ended, files, order
from tests.helpers.pictures import png
from tests.helpers.stores import settings_of

REFERENCES = "/classes/part/references"


@pytest.fixture
def services(tmp_path: Path) -> Iterator[list[httpx.Client]]:
    """Two services, each with a data directory of its own."""
    with ExitStack() as stack:
        settings = settings_of(stack.enter_context(serving_qdrant()))
        yield [
            stack.enter_context(
                serving(settings.model_copy(update={"data_dir": tmp_path / str(number), "keep_versions": 30}))
            )
            for number in range(2)
        ]


def told(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def changed(ask: Callable[[], httpx.Response]) -> Any:
    """The answer of a change; one that is refused because the class is busy has changed nothing and is asked again."""
    end = time.monotonic() + 240
    while True:
        answer = ask()
        if answer.status_code != httpx.codes.CONFLICT or time.monotonic() > end:
            return told(answer)
        assert answer.json()["error"]["code"] == "class_busy"


def score(client: httpx.Client, seed: int) -> dict[str, Any]:
    answer: dict[str, Any] = told(
        client.post("/detect", files={"file": png(seed)}, data={"class_name": "part", "return_map": "false"})
    )
    return answer


def test_adds_withdrawals_activations_and_detections_at_once_through_two_services(
    services: list[httpx.Client],
) -> None:
    first, second = services
    assert ended(first, order(first, "part", 4, roi="0,0,32,26"))["state"] == "done"
    held = told(second.get(REFERENCES))["references"]
    assert [row["name"] for row in held] == [f"good-{seed:03d}.png" for seed in range(4)], "each sees what one taught"

    def add(client: httpx.Client, seed: int) -> dict[str, Any]:
        ask = partial(client.post, REFERENCES, files=files(1, seed), data={"keep_all": "true"})
        answer: dict[str, Any] = changed(ask)
        return answer

    with ThreadPoolExecutor(8) as pool:
        adding = [pool.submit(add, client, 50 + place) for place, client in enumerate(services)]
        withdrawing = pool.submit(changed, partial(second.delete, f"{REFERENCES}/{held[0]['image_id']}"))
        judging = [pool.submit(score, client, 50) for client in services for _ in range(3)]
        versions = [future.result()["version"] for future in (*adding, withdrawing)]
        answers = [future.result() for future in judging]
    assert len(set(versions)) == 3, "each change is a version of its own"
    wanted = {f"good-{seed:03d}.png" for seed in (1, 2, 3, 50, 51)}
    for client in services:
        assert {row["name"] for row in told(client.get(REFERENCES))["references"]} == wanted
        assert score(client, 51)["anomaly_score"] == pytest.approx(0, abs=1e-5)
    listed = told(first.get("/classes/part/versions"))["versions"]
    assert {answer["bank_version"] for answer in answers} <= {row["version"] for row in listed}
    before = told(second.get("/classes/part/versions"))["versions"][0]["version"]
    now = told(second.get("/classes/part"))["version"]
    changed(partial(second.post, "/classes/part/activate", json={"version": before}))
    assert {row["name"] for row in told(first.get(REFERENCES))["references"]} == {row["name"] for row in held}
    changed(partial(first.post, "/classes/part/activate", json={"version": now}))
    assert score(first, 51)["anomaly_score"] == pytest.approx(0, abs=1e-5)
