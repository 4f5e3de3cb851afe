"""Health tells the truth of each class, of the history and of the disk; what one class lost, no other one feels."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import httpx
import pytest

from patchbank.api.class_watch import ClassWatch
from patchbank.bank.edge.store import EdgeStore
from patchbank.settings import load_settings
from tests.helpers.banks import teach
from tests.helpers.command_line import teach as teach_pictures
from tests.helpers.http_service import serving
from tests.helpers.pictures import png
from tests.helpers.small_disk import fill, read_only, small_disk


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two classes of made-up vectors, which this backbone cannot judge with, but may read."""
    return tmp_path / "data"


@pytest.fixture
def store(data: Path) -> Iterator[EdgeStore]:
    opened = EdgeStore(data)
    yield opened
    opened.close()


def folder(data: Path, name: str) -> Path:
    (found,) = (data / "collections").glob(f"patchbank__{name}__*")
    return found


def lose_vectors(data: Path, name: str) -> None:
    (folder(data, name) / "exact" / "vectors.npy").write_bytes(b"")


def test_the_watch_tells_of_a_class_that_was_damaged_until_it_is_mended(
    data: Path, store: EdgeStore, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = teach(store, "good"), teach(store, "bad", 1)
    watch = ClassWatch(store)
    anyio.run(watch.look)
    assert watch.damaged(store.active()) == {}
    kept = data.with_name("kept")
    shutil.copytree(folder(data, "bad"), kept)
    lose_vectors(data, "bad")
    with caplog.at_level(logging.WARNING):
        anyio.run(watch.look)
        anyio.run(watch.look)
    (trouble,) = watch.damaged(store.active()).values()
    assert (trouble.version, trouble.code) == (bad.version, "damaged_bank")
    assert caplog.text.count("bad is out of service: ") == 1
    assert watch.damaged({"good": good.version, "bad": "another"}) == {}
    shutil.rmtree(folder(data, "bad"))
    shutil.copytree(kept, data / "collections" / bad.collection)
    with caplog.at_level(logging.WARNING):
        anyio.run(watch.look)
    assert watch.damaged(store.active()) == {}
    assert "bad can be used again" in caplog.text


def test_a_class_that_is_gone_is_no_longer_told(data: Path, store: EdgeStore) -> None:
    teach(store, "bad")
    lose_vectors(data, "bad")
    watch = ClassWatch(store)
    anyio.run(watch.look)
    active = dict(store.active())
    assert set(watch.damaged(active)) == {"bad"}
    store.remove("bad")
    anyio.run(watch.look)
    assert watch.damaged(active) == {}


@pytest.fixture
def taught(tmp_path: Path, data: Path) -> Path:
    for seed, name in enumerate(("first", "second")):
        teach_pictures(data, tmp_path / name, name, count=3 + seed)
    return data


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Banks are looked at all the time."""
    monkeypatch.setattr("patchbank.api.class_watch.PERIOD", 0.05)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens within a second, or a little more on a busy machine."""
    end = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def answer(client: httpx.Client, path: str) -> tuple[int, dict[str, object]]:
    response = client.get(path)
    return response.status_code, response.json()


@pytest.mark.usefixtures("quick")
def test_one_damaged_class_degrades_and_all_of_them_take_the_service_away(taught: Path) -> None:
    with serving(load_settings(data_dir=taught)) as client:
        assert answer(client, "/health/ready") == (200, {"status": "ok", "classes": 2, "refused": [], "damaged": []})
        manifest = folder(taught, "first") / "manifest.json"
        manifest.write_text(manifest.read_text()[:500])
        until(lambda: client.get("/health").json()["status"] == "degraded")
        status, health = answer(client, "/health")
        assert (status, health["status"], health["classes"]) == (200, "degraded", 2)
        damaged = health["damaged"]
        assert isinstance(damaged, dict)
        assert list(damaged) == ["first"]
        assert damaged["first"]["code"] == "damaged_bank"
        assert "manifest" in damaged["first"]["reason"]
        assert str(taught) not in str(health)
        status, ready = answer(client, "/health/ready")
        assert (status, ready["status"], ready["damaged"]) == (200, "degraded", ["first"])
        judged = client.post("/detect", files={"file": ("a.png", png(1))}, data={"class_name": "second"})
        assert judged.status_code == 200
        (folder(taught, "second") / "manifest.json").unlink()
        until(lambda: client.get("/health/ready").status_code == 503)
        status, ready = answer(client, "/health/ready")
        error = ready["error"]
        assert isinstance(error, dict)
        assert error["detail"]["damaged"] == ["first", "second"]
        assert client.get("/health").json()["status"] == "degraded"


def test_a_service_without_classes_is_ready_and_says_so(data: Path) -> None:
    with serving(load_settings(data_dir=data, history=False)) as client:
        assert answer(client, "/health/ready") == (200, {"status": "ok", "classes": 0, "refused": [], "damaged": []})
        health = client.get("/health").json()
        assert (health["classes"], health["history"], health["writable"]) == (0, "off", True)
        assert health["free_bytes"] > 0


def test_a_read_only_data_directory_judges_and_says_that_nothing_is_recorded(tmp_path: Path, taught: Path) -> None:
    with small_disk(tmp_path / "disk", 400) as disk:
        shutil.copytree(taught, disk / "data")
        read_only(disk)
        with serving(load_settings(data_dir=disk / "data")) as client:
            judged = client.post("/detect", files={"file": ("a.png", png(1))})
            assert judged.status_code == 200, judged.text
            assert any("not recorded" in warning for warning in judged.json()["warnings"])
            assert client.get("/health/ready").json()["status"] == "ok"
            health = client.get("/health").json()
            assert (health["status"], health["history"], health["writable"]) == ("ok", "away", False)
            refused = client.post("/classes/first/references", files={"files": ("a.png", png(1))})
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "data_dir_not_writable")
            assert str(disk) not in refused.text
            assert client.get("/jobs").json() == {"jobs": []}


def test_a_full_disk_refuses_jobs_with_a_code_of_its_own(tmp_path: Path, taught: Path) -> None:
    with small_disk(tmp_path / "disk", 400) as disk:
        shutil.copytree(taught, disk / "data")
        with serving(load_settings(data_dir=disk / "data")) as client:
            filler = fill(disk, 100_000)
            judged = client.post("/detect", files={"file": ("a.png", png(1))})
            assert judged.status_code == 200, judged.text
            refused = client.post("/classes/first/references", files={"files": ("a.png", png(1) * 100)})
            assert (refused.status_code, refused.json()["error"]["code"]) == (507, "disk_full")
            assert refused.json()["error"]["detail"]["free_bytes"] <= 100_000
            assert str(disk) not in refused.text
            filler.unlink()
            assert client.post("/classes/first/references", files={"files": ("a.png", png(1))}).status_code == 201
