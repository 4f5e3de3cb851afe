"""Known defects through HTTP: what is taught is named by the next request, and what is removed no more."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from patchbank.settings import Settings, load_settings
from tests.helpers.answers import refusal, told
from tests.helpers.http_service import serving
from tests.helpers.jobs import ended, order
from tests.helpers.pictures import defective_png, png

DEFECTS = "/classes/part/defects"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(data_dir=tmp_path_factory.mktemp("api") / "data", search_workers=0)


@pytest.fixture(scope="module")
def client(running: Settings) -> Iterator[httpx.Client]:
    with serving(running) as opened:
        assert ended(opened, order(opened, "part", 6))["state"] == "done"
        yield opened


def judged(client: httpx.Client, picture: bytes, **fields: str) -> Any:
    return told(client.post("/detect", files={"file": picture}, data={"class_name": "part", **fields}))


def add(client: httpx.Client, picture: bytes, **fields: str) -> httpx.Response:
    return client.post(DEFECTS, files={"file": ("spot.png", picture)}, data=fields)


def names(answer: Any) -> list[str]:
    return [region["defect"]["name"] for region in answer["regions"] if region["defect"] is not None]


def test_a_defect_is_taught_named_listed_shown_and_forgotten(client: httpx.Client) -> None:
    shown = defective_png(2)
    before = judged(client, shown)
    assert all(region["defect"] is None for region in before["regions"])
    made = told(add(client, shown, name="spot", added_by="ada", note="seen on Tuesday"), 201)
    defect = made["defect"]
    assert (defect["name"], defect["added_by"], defect["note"], defect["source"]) == (
        "spot",
        "ada",
        "seen on Tuesday",
        "spot.png",
    )
    assert (made["before"], made["serves"], made["defects"]) == (before["bank_version"], True, 1)
    after = judged(client, shown)
    assert set(names(after)) == {"spot"}
    assert after["bank_version"] == made["version"]
    assert (after["decision"], "known_defect" in after["reasons"]) == ("reject", True)
    assert after["anomaly_score"] == before["anomaly_score"]
    named = [region["defect"] for region in after["regions"] if region["defect"]]
    assert {each["id"] for each in named} == {defect["id"]}
    assert max(each["similarity"] for each in named) == pytest.approx(1.0, abs=1e-3)
    below = judged(client, shown, threshold="2.0", explain="true")
    assert (below["reasons"], below["is_anomalous"], set(names(below))) == (["known_defect"], True, {"spot"})
    assert all(region["nearest"] is not None for region in below["regions"])
    listed = told(client.get(DEFECTS))
    assert (listed["version"], listed["total"], listed["defects"]) == (made["version"], 1, [defect])
    assert listed["patches"] == defect["patches"] == made["kept"]
    assert told(client.get("/classes/part"))["known_defects"] == 1
    assert "defects" not in told(client.get("/classes/part"))
    picture = client.get(f"{DEFECTS}/{defect['id']}/thumbnail")
    with Image.open(io.BytesIO(picture.content)) as opened:
        assert (picture.headers["content-type"], opened.format, max(opened.size) <= 160) == ("image/jpeg", "JPEG", True)
    changes = told(client.get("/classes/part/diff", params={"before": made["before"]}))
    assert [row["id"] for row in changes["defects_added"]] == [defect["id"]]
    assert changes["defects_removed"] == []
    (row,) = [row for row in told(client.get("/classes/part/versions"))["versions"] if row["serves"]]
    assert row["reason"] == "known defects"
    assert refusal(add(client, shown, name="spot")) == (409, "defect_already_known")
    gone = told(client.delete(f"{DEFECTS}/{defect['id']}"))
    assert (gone["defect"], gone["before"], gone["defects"]) == (defect, made["version"], 0)
    last = judged(client, shown)
    changing = {"bank_version": "", "timings_ms": {}, "processing_time_ms": 0, "detection_id": ""}
    assert {**last, **changing} == {
        **before,
        **changing,
    }
    told(client.post("/classes/part/activate", json={"version": made["version"]}))
    assert set(names(judged(client, shown))) == {"spot"}
    told(client.delete(f"{DEFECTS}/{defect['id']}"))


def test_where_a_defect_is_can_be_marked_and_a_version_can_wait(client: httpx.Client) -> None:
    shown = defective_png(3)
    mask = io.BytesIO()
    drawn = Image.new("L", (96, 80))
    drawn.paste(255, (36, 28, 60, 52))
    drawn.save(mask, "PNG")
    files = {"file": ("spot.png", shown), "mask": ("mask.png", mask.getvalue())}
    masked = told(client.post(DEFECTS, files=files, data={"name": "spot", "activate": "false"}), 201)
    boxed = told(add(client, shown, name="spot", box="36,28,24,24", activate="false"), 201)
    assert (masked["serves"], masked["defect"]["id"]) == (False, boxed["defect"]["id"])
    assert told(client.get(DEFECTS))["total"] == 0
    assert told(client.get(DEFECTS, params={"version": masked["version"]}))["total"] == 1
    assert set(names(judged(client, shown, version=masked["version"]))) == {"spot"}
    waiting = f"{DEFECTS}/{masked['defect']['id']}"
    assert refusal(client.get(f"{waiting}/thumbnail")) == (404, "unknown_defect")
    assert client.get(f"{waiting}/thumbnail", params={"version": masked["version"]}).status_code == 200


def test_what_makes_no_sense_is_refused_by_its_code(client: httpx.Client) -> None:
    shown, version = defective_png(4), told(client.get("/classes/part"))["version"]
    assert refusal(add(client, shown)) == (422, "invalid_parameters")
    assert refusal(add(client, shown, name="x" * 61)) == (422, "invalid_parameters")
    assert refusal(add(client, shown, name="spot", box="1,2,3")) == (422, "invalid_parameters")
    assert refusal(add(client, shown, name="spot", box="0,0,500,5")) == (422, "invalid_mask")
    assert refusal(add(client, shown, name="spot", colour="red")) == (422, "invalid_parameters")
    assert refusal(add(client, b"no picture", name="spot")) == (400, "undecodable_image")
    assert refusal(add(client, png(1), name="spot")) == (422, "defect_not_distinct")
    assert refusal(client.post(DEFECTS, data={"name": "spot"}, files={"mask": ("mask.png", shown)})) == (
        422,
        "invalid_parameters",
    )
    assert refusal(client.post("/classes/none/defects", files={"file": shown}, data={"name": "spot"})) == (
        404,
        "unknown_class",
    )
    assert refusal(client.delete(f"{DEFECTS}/0123456789ab")) == (404, "unknown_defect")
    assert refusal(client.get("/classes/none/defects")) == (404, "unknown_class")
    other = {"Origin": "http://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    assert refusal(client.delete(f"{DEFECTS}/0123456789ab", headers=other)) == (403, "other_site")
    assert told(client.get("/classes/part"))["version"] == version
