"""References and versions through HTTP: what is added or withdrawn is seen by the next request, and can be undone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from PIL import Image

from patchbank.settings import Settings, load_settings
from tests.helpers.answers import refusal, told
from tests.helpers.http_service import serving
from tests.helpers.jobs import ended, files, order
from tests.helpers.pictures import png
from tests.helpers.uploads import until

REFERENCES = "/classes/part/references"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(data_dir=tmp_path_factory.mktemp("api") / "data", search_workers=0, max_batch=4)


@pytest.fixture(scope="module")
def client(running: Settings) -> Iterator[httpx.Client]:
    with serving(running) as opened:
        assert ended(opened, order(opened, "part", 6))["state"] == "done"
        yield opened


@pytest.fixture(autouse=True)
def _settled(client: httpx.Client) -> None:
    """No upkeep of an earlier test is at work."""
    until(lambda: not any(job["ended_at"] is None for job in client.get("/jobs").json()["jobs"]), 60)


def score(client: httpx.Client, seed: int, **fields: str) -> float:
    answer = client.post("/detect", files={"file": png(seed)}, data={"class_name": "part", **fields})
    return float(told(answer)["anomaly_score"])


def add(client: httpx.Client, seed: int, **fields: str) -> dict[str, Any]:
    answer = client.post(REFERENCES, files=files(1, seed), data={"keep_all": "true", **fields})
    added: dict[str, Any] = told(answer, 201)
    return added


def test_an_added_image_is_seen_by_the_next_request_and_withdrawing_it_brings_the_old_score_back(
    client: httpx.Client,
) -> None:
    before = score(client, 40)
    assert before > 0.01
    added = add(client, 40, added_by="ada", note="a new lot")
    assert (added["added"], added["serves"], added["references"]) == (1, True, 7)
    (joined,) = added["added_references"]
    assert joined["name"] == "good-040.png"
    assert score(client, 40) == pytest.approx(0, abs=1e-5)
    page = told(client.get(REFERENCES, params={"limit": 1000}))
    (listed,) = [row for row in page["references"] if row["image_id"] == joined["image_id"]]
    assert (listed["added_by"], listed["note"], listed["source"]) == ("ada", "a new lot", "good-040.png")
    withdrawn = told(client.delete(f"{REFERENCES}/{joined['image_id']}"))
    assert [row["image_id"] for row in withdrawn["withdrawn"]] == [joined["image_id"]]
    assert (withdrawn["before"], withdrawn["references"]) == (added["version"], 6)
    assert score(client, 40) == pytest.approx(before, abs=1e-6)
    assert refusal(client.delete(f"{REFERENCES}/{joined['image_id']}")) == (404, "unknown_reference")


def test_stale_scores_are_made_again_by_a_job(client: httpx.Client) -> None:
    added = add(client, 41)
    withdrawn = told(client.delete(f"{REFERENCES}/{added['added_references'][0]['image_id']}"))
    first = told(client.get(REFERENCES))["references"][0]
    withdrawn = told(client.delete(f"{REFERENCES}/{first['image_id']}"))
    if withdrawn["calibration"]["stale"]:
        assert any("may be too low" in remark for remark in withdrawn["remarks"])
        job = ended(client, withdrawn["job"])
        assert (job["kind"], job["state"]) == ("calibrate", "done")
    until(lambda: told(client.get("/classes/part"))["calibration"]["stale"] == 0, 60)
    told(client.post("/classes/part/activate", json={"version": withdrawn["before"]}))


def test_pages_and_thumbnails(client: httpx.Client) -> None:
    everything = told(client.get(REFERENCES, params={"limit": 1000}))
    pages = [told(client.get(REFERENCES, params={"offset": begin, "limit": 4})) for begin in (0, 4)]
    assert [row for page in pages for row in page["references"]] == everything["references"]
    assert [row["name"] for row in everything["references"]] == sorted(row["name"] for row in everything["references"])
    image_id = everything["references"][0]["image_id"]
    picture = client.get(f"{REFERENCES}/{image_id}/thumbnail")
    with Image.open(io.BytesIO(picture.content)) as opened:
        assert opened.size == (96, 80)
    assert refusal(client.get(f"{REFERENCES}/{'0' * 24}/thumbnail")) == (404, "unknown_reference")
    assert refusal(client.get(REFERENCES, params={"version": "20200101-000000-000000"})) == (404, "unknown_version")


def test_what_cannot_be_added_is_told_and_nothing_changes(client: httpx.Client) -> None:
    version = told(client.get("/classes/part"))["version"]
    assert refusal(client.post("/classes/nothing/references", files=files(1))) == (404, "unknown_class")
    assert refusal(client.post(REFERENCES, data={"keep_all": "true"}, files={"x": (None, "y")})) == (
        422,
        "invalid_parameters",
    )
    assert refusal(client.post(REFERENCES, files=files(1), data={"detail": "fine"})) == (422, "invalid_parameters")
    assert refusal(client.post(REFERENCES, files={"files": ("a.png", b"nothing")})) == (422, "no_references")
    many = client.post(REFERENCES, files=files(5, 60))
    assert refusal(many) == (413, "upload_too_large")
    assert "extend=true" in many.json()["error"]["message"]
    odd = io.BytesIO()
    Image.new("RGB", (96, 80), (0, 255, 0)).save(odd, "PNG")
    assert refusal(client.post(REFERENCES, files={"files": ("odd.png", odd.getvalue())})) == (422, "mixed_references")
    foreign = client.post(REFERENCES, files=files(1, 70), headers={"Sec-Fetch-Site": "cross-site"})
    assert refusal(foreign) == (403, "other_site")
    assert told(client.get("/classes/part"))["version"] == version
    again = told(client.post(REFERENCES, files=files(1)), 201)
    assert (again["added"], again["duplicates"]) == (0, ["good-000.png"])


def test_a_version_waits_is_tried_and_serves(client: httpx.Client) -> None:
    before = score(client, 42)
    serving_now = told(client.get("/classes/part"))["version"]
    waiting = add(client, 42, activate="false")
    assert waiting["serves"] is False
    assert told(client.get("/classes/part"))["version"] == serving_now
    assert score(client, 42) == pytest.approx(before, abs=1e-6)
    assert score(client, 42, version=waiting["version"]) == pytest.approx(0, abs=1e-5)
    answer = client.post("/detect", files={"file": png(42)}, data={"version": waiting["version"]})
    assert refusal(answer) == (422, "invalid_parameters")
    listed = told(client.get("/classes/part/versions"))
    assert (listed["active"], listed["versions"][-1]["version"]) == (serving_now, waiting["version"])
    assert listed["versions"][-1]["reason"] == "extended"
    diff = told(client.get("/classes/part/diff", params={"before": serving_now, "after": waiting["version"]}))
    assert [row["name"] for row in diff["added"]] == ["good-042.png"]
    assert diff["changes"]["references"]["after"] == diff["changes"]["references"]["before"] + 1
    activated = told(client.post("/classes/part/activate", json={"version": waiting["version"]}))
    assert (activated["active"], activated["before"]) == (waiting["version"], serving_now)
    assert score(client, 42) == pytest.approx(0, abs=1e-5)
    told(client.post("/classes/part/activate", json={"version": serving_now}))
    assert score(client, 42) == pytest.approx(before, abs=1e-6)
    assert refusal(client.post("/classes/part/activate", json={"version": "nothing"})) == (404, "unknown_version")
    assert client.post("/classes/part/activate", json={"version": serving_now, "more": 1}).status_code == 422


def test_versions_are_pruned_and_what_serves_stays(client: httpx.Client) -> None:
    serving_now = told(client.get("/classes/part"))["version"]
    add(client, 43, activate="false")
    pruned = told(client.post("/classes/part/prune", params={"keep": 1}))
    assert set(pruned["versions"]) >= {serving_now}
    assert len(pruned["versions"]) == 2
    assert told(client.get("/classes/part"))["versions"] == pruned["versions"]


def test_additions_and_withdrawals_at_once_are_all_there_at_the_end(client: httpx.Client) -> None:
    held = {row["name"] for row in told(client.get(REFERENCES, params={"limit": 1000}))["references"]}
    gone = add(client, 80)["added_references"][0]
    with ThreadPoolExecutor(6) as pool:
        adding = [pool.submit(add, client, seed) for seed in (81, 82, 83)]
        withdrawing = pool.submit(client.delete, f"{REFERENCES}/{gone['image_id']}")
        judging = [pool.submit(score, client, 81) for _ in range(8)]
        versions = {future.result()["version"] for future in adding}
        told(withdrawing.result())
        scores = [future.result() for future in judging]
    assert len(versions) == 3, "each is a version of its own"
    names = {row["name"] for row in told(client.get(REFERENCES, params={"limit": 1000}))["references"]}
    assert names == held | {"good-081.png", "good-082.png", "good-083.png"}
    alone = max(scores)
    assert all(value == pytest.approx(0, abs=1e-5) or value == pytest.approx(alone, abs=0.2) for value in scores)
    assert score(client, 81) == pytest.approx(0, abs=1e-5)


def test_a_class_is_rebuilt_from_uploads_and_compacted_as_jobs(client: httpx.Client) -> None:
    assert ended(client, order(client, "nut", 3, first=90, coreset="0.5"))["state"] == "done"
    told(client.post("/classes/nut/references", files=files(1, 93), data={"keep_all": "true"}), 201)
    answer = client.post("/classes/nut/rebuild", files={"activate": (None, "true")})
    job = ended(client, told(answer, 202)["id"])
    assert (job["state"], job["error"]["code"]) == ("failed", "missing_originals")
    drawn = io.BytesIO()
    Image.frombytes("L", (96, 80), (b"\xff" * 48 + b"\0" * 48) * 80).save(drawn, "PNG")
    mask = ("mask", ("mask.png", drawn.getvalue(), "image/png"))
    answer = client.post("/classes/nut/rebuild", files=[*files(4, 90), mask])
    job = ended(client, told(answer, 202)["id"])
    assert (job["kind"], job["state"], job["result"]["references"]) == ("rebuild", "done", 4)
    assert job["result"]["inspected_percentage"] == pytest.approx(50, abs=1)
    sources = {row["source"] for row in told(client.get("/classes/nut/references"))["references"]}
    assert sources == {f"good-{seed:03d}.png" for seed in range(90, 94)}
    job = ended(client, told(client.post("/classes/nut/compact"), 202)["id"])
    assert (job["kind"], job["state"], job["result"]["changed"]) == ("compact", "done", False)
    answer = client.post("/classes/nut/calibrate", files={"again": (None, "all")})
    job = ended(client, told(answer, 202)["id"])
    assert (job["state"], job["result"]["before"]["count"]) == ("done", 4)
    assert job["result"]["scored"] + len(job["result"]["without_picture"]) == 4


def test_labelled_pictures_are_judged_as_a_job_and_references_among_them_do_not_count(client: httpx.Client) -> None:
    good, defects = files(3, 100, "good"), files(2, 200, "defects")
    version = told(client.get("/classes/part"))["version"]
    answer = client.post(
        "/classes/part/evaluate", files=[*good, *files(1, 0, "good"), *defects], data={"version": version}
    )
    job = ended(client, told(answer, 202)["id"])
    assert (job["kind"], job["state"], job["error"]) == ("evaluate", "done", None)
    result = job["result"]
    assert (result["good"]["images"], result["defects"]["images"], result["version"]) == (3, 2, version)
    assert result["references"] == ["good-000.png"]
    assert 0 <= result["auroc"] <= 1
    one = next(row for row in result["images"] if row["path"] == "good-200.png")
    assert one["anomaly_score"] == pytest.approx(score(client, 200), abs=1e-6)
    assert one["label"] == "defects"
    assert refusal(client.post("/classes/part/evaluate", files={"version": (None, version)})) == (
        422,
        "invalid_parameters",
    )
