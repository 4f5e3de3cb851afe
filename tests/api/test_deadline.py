"""A detection ends at its deadline and when its client leaves; what waits behind it is then never begun."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from patchbank.deadline import check_deadline
from patchbank.judging.inspector import Inspector
from patchbank.settings import Settings, load_settings
from tests.helpers.http_service import serving
from tests.helpers.pictures import png
from tests.helpers.uploads import until


class Slow:
    """In the place of ``Inspector.inspect``: works until it is told to end, and remembers what was begun."""

    def __init__(self) -> None:
        self.begun: list[bytes] = []
        self.ended: list[bytes] = []
        self._guard = threading.Lock()

    def __call__(self, image: bytes, *given: object, **named: object) -> None:
        with self._guard:
            self.begun.append(image)
        try:
            while True:
                time.sleep(0.02)
                check_deadline()
        finally:
            with self._guard:
                self.ended.append(image)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(
        data_dir=tmp_path_factory.mktemp("bank"), max_concurrency=1, search_workers=0, request_timeout_s=1.0
    )


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[httpx.Client]:
    with serving(settings) as opened:
        yield opened


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    made = Slow()
    monkeypatch.setattr(Inspector, "inspect", lambda _, image, *given, **named: made(image, *given, **named))
    return made


def test_a_request_that_takes_too_long_is_answered_and_its_work_ends(client: httpx.Client, slow: Slow) -> None:
    begin = time.monotonic()
    answer = client.post("/detect", files={"file": png(1)})
    assert 1.0 <= time.monotonic() - begin < 3.0
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "deadline_passed")
    assert answer.headers["retry-after"] == "1"
    assert slow.ended == slow.begun == [png(1)]


def test_each_image_of_a_batch_has_its_own_time(client: httpx.Client, slow: Slow) -> None:
    answer = client.post("/detect/batch", files=[("files", png(1)), ("files", png(2))])
    assert answer.status_code == 200
    assert [result["error"]["code"] for result in answer.json()["results"]] == ["deadline_passed"] * 2
    assert slow.begun == [png(1), png(2)]


def leave(client: httpx.Client, data: bytes, after: float = 0.3) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{client.base_url}/detect", files={"file": data}, timeout=httpx.Timeout(10, read=after))


def test_the_work_of_a_client_that_leaves_ends(client: httpx.Client, slow: Slow) -> None:
    begin = time.monotonic()
    leave(client, png(3))
    until(lambda: slow.ended == [png(3)])
    assert time.monotonic() - begin < 0.9  # it is not its deadline that ends it


def test_what_waits_for_a_client_that_has_left_is_never_begun(client: httpx.Client, slow: Slow) -> None:
    holding = threading.Thread(target=client.post, args=("/detect",), kwargs={"files": {"file": png(4)}})
    holding.start()
    until(lambda: slow.begun == [png(4)])
    leave(client, png(5))
    holding.join()
    answer = client.post("/detect", files={"file": png(6)})
    assert answer.status_code == 503
    assert slow.begun == [png(4), png(6)]
