"""A candidate beside the serving version, and two versions on the recent detections, over real HTTP."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from patchbank.embedding.embedder import Embedder
from tests.helpers.answers import refusal, told
from tests.helpers.candidates import Taught, nearly, taught
from tests.helpers.http_service import serving
from tests.helpers.pictures import png
from tests.helpers.uploads import sample, until

SHADOW = "/classes/part/shadow"


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Taught:
    return taught(tmp_path_factory.mktemp("candidates"), embedder)


@pytest.fixture
def part(once: Taught, tmp_path: Path) -> Taught:
    """Each test's own copy of the banks."""
    shutil.copytree(once.settings.data_dir, tmp_path / "data")
    return replace(once, settings=once.settings.model_copy(update={"data_dir": tmp_path / "data"}))


@pytest.fixture
def client(part: Taught) -> Iterator[httpx.Client]:
    with serving(part.settings) as opened:
        yield opened


def detected(client: httpx.Client, data: bytes, **form: str) -> dict[str, Any]:
    answer = client.post(
        "/detect",
        files={"file": ("n.png", data)},
        data={"class_name": "part", "return_map": "false", **form},
    )
    detection: dict[str, Any] = told(answer)
    return detection


def began(client: httpx.Client, part: Taught, share: float = 1.0, **fields: str) -> dict[str, Any]:
    shown: dict[str, Any] = told(client.put(SHADOW, json={"version": part.strict, "share": share, **fields}))
    return shown


def shown(client: httpx.Client) -> dict[str, Any]:
    answer: dict[str, Any] = told(client.get(SHADOW))
    return answer


def test_a_candidate_with_another_threshold_disagrees_and_decides_nothing(client: httpx.Client, part: Taught) -> None:
    start = began(client, part, by="ada")
    assert (start["state"], start["judged"], start["share"], start["by"]) == ("running", 0, 1.0, "ada")
    same, other = detected(client, png(0)), nearly(1)
    odd = detected(client, other)
    assert (odd["decision"], odd["bank_version"]) == ("pass", part.serving)
    until(lambda: shown(client)["judged"] == 2)
    counts = shown(client)
    assert (counts["agreed"], counts["disagreed"], counts["skipped"], counts["failed"]) == (1, 1, 0, {})
    assert counts["decisions"] == [
        {"serving": "pass", "candidate": "pass", "detections": 1},
        {"serving": "pass", "candidate": "reject", "detections": 1},
    ]
    assert counts["serving_versions"] == [{"version": part.serving, "judged": 2, "agreed": 1}]
    page = told(client.get(f"{SHADOW}/disagreements"))
    (listed,) = page["disagreements"]
    assert (listed["detection"]["id"], page["after"]) == (odd["detection_id"], None)
    assert (listed["serving"]["version"], listed["candidate"]["version"]) == (part.serving, part.strict)
    assert (listed["serving"]["decision"], listed["candidate"]["decision"]) == ("pass", "reject")
    assert listed["candidate"]["score"] == pytest.approx(odd["anomaly_score"], abs=1e-6)
    assert listed["candidate"]["threshold"] == 1e-4
    assert client.get(listed["thumbnail"]).headers["content-type"] == "image/jpeg"
    assert sample(client, "patchbank_shadow_verdicts_total", class_name="part", agreement="agree") == 1
    assert sample(client, "patchbank_shadow_verdicts_total", class_name="part", agreement="disagree") == 1
    assert same["decision"] == "pass"
    asked = detected(client, other, version=part.strict)
    assert (asked["decision"], asked["bank_version"]) == ("reject", part.strict)
    detected(client, other, threshold="0.5")
    detected(client, nearly(2))
    until(lambda: shown(client)["judged"] == 3)  # those with a rule of the caller's own are not among them
    first = told(client.get(f"{SHADOW}/disagreements", params={"limit": 1}))
    second = told(client.get(f"{SHADOW}/disagreements", params={"limit": 1, "after": first["after"]}))
    assert second["disagreements"] == [listed]
    assert second["after"] is None


def test_activating_it_ends_it_and_so_does_pruning_or_removing(client: httpx.Client, part: Taught) -> None:
    began(client, part)
    told(client.post("/classes/part/activate", json={"version": part.strict}))
    assert (shown(client)["state"], shown(client)["ended"]) == ("ended", "activated")
    detected(client, nearly(1))
    assert refusal(client.put(SHADOW, json={"version": part.strict})) == (409, "already_serving")
    before = told(client.put(SHADOW, json={"version": part.serving, "share": 0.5}))
    assert (before["state"], before["judged"]) == ("running", 0)
    told(client.post("/classes/part/prune", params={"keep": 1}))
    assert (shown(client)["state"], shown(client)["ended"]) == ("ended", "version_gone")
    dropped = told(client.delete(SHADOW))
    assert dropped == {"class_name": "part", "version": part.serving}
    for asked in (client.get(SHADOW), client.delete(SHADOW), client.get(f"{SHADOW}/disagreements")):
        assert refusal(asked) == (404, "unknown_shadow")


def test_a_class_whose_serving_version_is_damaged_goes_back_to_a_sound_one(part: Taught) -> None:
    with serving(part.settings) as client:
        told(client.post("/classes/part/activate", json={"version": part.strict}))
    (broken,) = (part.settings.data_dir / "collections").glob(f"*{part.strict}")
    (broken / "manifest.json").write_text("{")
    with serving(part.settings) as client:
        assert client.get("/classes").json() == {"classes": [], "damaged": ["part"]}
        assert refusal(client.get("/classes/part")) == (503, "damaged_bank")
        listed = {row["version"]: row["damaged"] for row in told(client.get("/classes/part/versions"))["versions"]}
        assert listed == {part.serving: False, part.strict: True}
        activated = told(client.post("/classes/part/activate", json={"version": part.serving}))
        assert (activated["before"], activated["active"]) == (part.strict, part.serving)
        assert detected(client, nearly(1))["bank_version"] == part.serving
        (again,) = told(client.get("/classes"))["classes"]
        assert again["vector_bytes"] == 4 * (again["patches"] * 240 + again["references"] * 120)


def test_what_cannot_be_a_candidate_is_refused(client: httpx.Client, part: Taught) -> None:
    unknown = "20200101-000000-000000"
    assert refusal(client.put(SHADOW, json={"version": unknown})) == (404, "unknown_version")
    assert refusal(client.put(SHADOW, json={"version": part.serving})) == (409, "already_serving")
    nothing = client.put("/classes/nothing/shadow", json={"version": part.strict})
    assert refusal(nothing) == (404, "unknown_class")
    for share in (0, 1.5, -1, "many"):
        assert refusal(client.put(SHADOW, json={"version": part.strict, "share": share})) == (422, "invalid_parameters")
    assert refusal(client.get(SHADOW)) == (404, "unknown_shadow")
    other = {"Origin": "http://other.example", "Sec-Fetch-Site": "cross-site"}
    assert refusal(client.put(SHADOW, json={"version": part.strict}, headers=other)) == (403, "other_site")
    assert refusal(client.delete(SHADOW, headers=other)) == (403, "other_site")


def test_a_full_queue_is_told(part: Taught, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("patchbank.api.running.WAITING", 0)
    with serving(part.settings) as client:
        began(client, part)
        assert detected(client, nearly(1))["decision"] == "pass"
        assert (shown(client)["skipped"], shown(client)["judged"]) == (1, 0)
        assert sample(client, "patchbank_shadow_skipped_total", class_name="part") == 1


def test_without_a_history_there_is_no_candidate(part: Taught) -> None:
    with serving(part.settings.model_copy(update={"history": False})) as client:
        assert refusal(client.put(SHADOW, json={"version": part.strict})) == (409, "history_off")
        assert refusal(client.get(SHADOW)) == (409, "history_off")
        asked = client.get("/classes/part/diff", params={"before": part.strict, "recent": 5})
        assert refusal(asked) == (409, "history_off")
        assert told(client.get("/classes/part/diff", params={"before": part.strict}))["recent"] is None


def test_a_diff_tells_what_both_say_of_recent_detections(client: httpx.Client, part: Taught) -> None:
    made = [detected(client, nearly(seed))["detection_id"] for seed in (1, 2, 3)]
    query = {"before": part.serving, "after": part.strict}
    assert told(client.get("/classes/part/diff", params=query))["recent"] is None
    diff = told(client.get("/classes/part/diff", params={**query, "recent": 2}))
    recent = diff["recent"]
    assert (recent["asked"], recent["looked_at"], recent["without_picture"], recent["failed"]) == (2, 2, 0, [])
    assert recent["decisions"] == [{"before": "pass", "after": "reject", "detections": 2}]
    assert [row["detection_id"] for row in recent["changed"]] == [made[2], made[1]]
    assert (recent["changed"][0]["before"]["version"], recent["changed"][0]["after"]["version"]) == (
        part.serving,
        part.strict,
    )
    assert diff["changes"]["threshold"]["after"] == 1e-4
    back = told(client.get("/classes/part/diff", params={"before": part.strict, "recent": 500}))["recent"]
    assert back["decisions"] == [{"before": "reject", "after": "pass", "detections": 3}]
    asked = client.get("/classes/part/diff", params={**query, "recent": 501})
    assert refusal(asked) == (422, "invalid_parameters")


def test_a_diff_tells_of_detections_whose_pictures_are_gone(part: Taught) -> None:
    with serving(part.settings.model_copy(update={"history_mb": 0.0})) as client:
        detected(client, nearly(1))
        query: dict[str, Any] = {"before": part.serving, "after": part.strict, "recent": 5}
        recent = told(client.get("/classes/part/diff", params=query))["recent"]
        assert (recent["looked_at"], recent["without_picture"]) == (0, 1)
