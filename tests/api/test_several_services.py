"""Several services on one Qdrant server: changes at once through all of them lose nothing, and each sees them all."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
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
    """Three services, each with a data directory of its own."""
    with ExitStack() as stack:
        settings = settings_of(stack.enter_context(serving_qdrant()))
        yield [
            stack.enter_context(
                serving(settings.model_copy(update={"data_dir": tmp_path / str(number), "keep_versions": 30}))
            )
            for number in range(3)
        ]


def told(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def score(client: httpx.Client, seed: int) -> dict[str, Any]:
    answer: dict[str, Any] = told(
        client.post("/detect", files={"file": png(seed)}, data={"class_name": "part", "return_map": "false"})
    )
    return answer


def test_adds_withdrawals_activations_and_detections_at_once_through_three_services(
    services: list[httpx.Client],
) -> None:
    first, second, third = services
    assert ended(first, order(first, "part", 4))["state"] == "done"
    held = told(third.get(REFERENCES))["references"]
    assert [row["name"] for row in held] == [f"good-{seed:03d}.png" for seed in range(4)], "each sees what one taught"

    def add(client: httpx.Client, seed: int) -> dict[str, Any]:
        answer: dict[str, Any] = told(client.post(REFERENCES, files=files(1, seed), data={"keep_all": "true"}))
        return answer

    with ThreadPoolExecutor(8) as pool:
        adding = [pool.submit(add, client, 50 + place) for place, client in enumerate(services)]
        gone = [f"{REFERENCES}/{row['image_id']}" for row in held[:2]]
        withdrawing = [pool.submit(second.delete, gone[0]), pool.submit(third.delete, gone[1])]
        judging = [pool.submit(score, client, 50) for client in services for _ in range(4)]
        versions = [future.result()["version"] for future in adding]
        versions += [told(future.result())["version"] for future in withdrawing]
        answers = [future.result() for future in judging]
    assert len(set(versions)) == 5, "each change is a version of its own"
    wanted = {"good-002.png", "good-003.png", *(f"good-{seed:03d}.png" for seed in range(50, 53))}
    for client in services:
        assert {row["name"] for row in told(client.get(REFERENCES))["references"]} == wanted
        assert score(client, 52)["anomaly_score"] == pytest.approx(0, abs=1e-5)
    listed = told(first.get("/classes/part/versions"))["versions"]
    assert {answer["bank_version"] for answer in answers} <= {row["version"] for row in listed}
    before = told(second.get("/classes/part/versions"))["versions"][0]["version"]
    now = told(third.get("/classes/part"))["version"]
    told(second.post("/classes/part/activate", json={"version": before}))
    assert {row["name"] for row in told(first.get(REFERENCES))["references"]} == {row["name"] for row in held}
    told(third.post("/classes/part/activate", json={"version": now}))
    assert score(first, 52)["anomaly_score"] == pytest.approx(0, abs=1e-5)
