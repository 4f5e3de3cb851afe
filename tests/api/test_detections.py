"""The history through HTTP: each answer can be looked up, judged by people, learnt from, and undone."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw

from patchbank.history.database import FILE
from patchbank.settings import Settings, load_settings
from tests.helpers.answers import refusal, told
from tests.helpers.http_service import serving
from tests.helpers.jobs import ended, order
from tests.helpers.pictures import picture, png


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(data_dir=tmp_path_factory.mktemp("api") / "data", search_workers=0)


@pytest.fixture(scope="module")
def client(running: Settings) -> Iterator[httpx.Client]:
    with serving(running) as opened:
        assert ended(opened, order(opened, "part", 6))["state"] == "done"
        yield opened


def marked(seed: int) -> bytes:
    """A picture of a part with a scratch."""
    shown, out = picture(seed), io.BytesIO()
    ImageDraw.Draw(shown).line((20, 20, 70, 60), fill=(255, 255, 255), width=6)
    shown.save(out, "PNG")
    return out.getvalue()


def detect(client: httpx.Client, seed: int, name: str = "x.png", data: bytes = b"", **fields: str) -> dict[str, Any]:
    sent = {"file": (name, data or png(seed))}
    answer = client.post("/detect", files=sent, data={"class_name": "part", **fields})
    detected: dict[str, Any] = told(answer)
    return detected


def test_an_answer_can_be_looked_up_at_once(client: httpx.Client) -> None:
    answer = detect(client, 50, "bolt 7.png")
    shown = told(client.get(f"/detections/{answer['detection_id']}"))
    row = shown["detection"]
    assert (row["score"], row["decision"], row["version"]) == (
        answer["anomaly_score"],
        answer["decision"],
        answer["bank_version"],
    )
    assert row["similarity"] == answer["class_similarity"]
    assert row["brightness"] == answer["brightness"]
    assert (row["file_name"], row["own_rule"], shown["words"]) == ("bolt 7.png", False, [])
    picture = client.get(f"/detections/{answer['detection_id']}/picture")
    assert (picture.content, picture.headers["content-type"]) == (png(50), "image/png")
    thumbnail = client.get(f"/detections/{answer['detection_id']}/thumbnail")
    with Image.open(io.BytesIO(thumbnail.content)) as small:
        assert small.format == "JPEG"


def test_the_map_of_an_answer_is_kept_a_pixel_a_patch(client: httpx.Client) -> None:
    answer = detect(client, 54, data=marked(54), map_format="gray16", pixel_threshold="0.5")
    shown = told(client.get(f"/detections/{answer['detection_id']}"))
    kept = client.get(shown["map"])
    assert kept.headers["content-type"] == "image/png"
    assert len(kept.content) < 4_000
    full = Image.open(io.BytesIO(base64.b64decode(answer["anomaly_map_base64"])))
    cells = Image.open(io.BytesIO(kept.content)).resize(full.size, Image.Resampling.BILINEAR)
    scores = np.asarray(full) * answer["grey_values"]["scale"]
    np.testing.assert_allclose(np.asarray(cells) / 255 * 2 * answer["pixel_threshold"], scores, atol=0.006)
    assert scores.max() > 2 * scores.min()


def test_every_picture_of_a_batch_is_recorded_and_bad_files_are_not(client: httpx.Client) -> None:
    files = [("files", ("a.png", png(51))), ("files", ("bad.png", b"no picture")), ("files", ("b.png", png(52)))]
    results = told(client.post("/detect/batch", files=files, data={"class_name": "part", "threshold": "0.5"}))[
        "results"
    ]
    listed = told(client.get("/detections", params={"limit": 2}))["detections"]
    assert [row["id"] for row in listed] == [results[2]["detection_id"], results[0]["detection_id"]]
    assert all(row["own_rule"] for row in listed)


def test_an_unknown_product_is_recorded_too(client: httpx.Client) -> None:
    black = io.BytesIO()
    Image.new("RGB", (96, 80)).save(black, "PNG")
    answer = told(client.post("/detect", files={"file": black.getvalue()}))
    assert answer["status"] == "unknown_product"
    unknown = told(client.get("/detections", params={"status": "unknown_product"}))["detections"]
    assert unknown[0]["id"] == answer["detection_id"]
    assert told(client.get(f"/detections/{unknown[0]['id']}"))["map"] is None
    assert refusal(client.get(f"/detections/{unknown[0]['id']}/map")) == (409, "picture_not_kept")


def test_the_review_queue_goes_on_without_what_people_judged(client: httpx.Client) -> None:
    first = detect(client, 53)["detection_id"]
    queue = told(client.get("/detections", params={"order": "nearest", "class_name": "part", "limit": 1000}))
    assert first in [row["id"] for row in queue["detections"]]
    margins = [row["margin"] for row in queue["detections"]]
    assert margins == sorted(margins)
    said = told(
        client.post(f"/detections/{first}/words", json={"word": "correct", "comment": "fine", "by": "ann"}), 201
    )
    assert (said["word"], said["said_by"]) == ("correct", "ann")
    queue = told(client.get("/detections", params={"order": "nearest", "class_name": "part", "limit": 1000}))
    assert first not in [row["id"] for row in queue["detections"]]
    shown = told(client.get(f"/detections/{first}"))
    assert (shown["detection"]["word"], shown["words"][0]["comment"]) == ("correct", "fine")


def test_what_is_exported_is_what_is_listed(client: httpx.Client) -> None:
    detect(client, 54)
    listed = told(client.get("/detections", params={"limit": 1000}))["detections"]
    exported = client.get("/detections/export", params={"format": "json"})
    assert json.loads(exported.text) == listed
    as_csv = client.get("/detections/export", params={"class_name": "part"})
    assert as_csv.headers["content-type"].startswith("text/csv")
    assert "attachment" in as_csv.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(as_csv.text)))
    assert [row["id"] for row in rows] == [row["id"] for row in listed if row["class_name"] == "part"]
    counts = told(client.get("/detections/counts"))["counts"]
    assert sum(row["detections"] for row in counts) == len(listed)


def test_the_overview_counts_what_is_listed(client: httpx.Client) -> None:
    detect(client, 55)
    told_of = told(client.get("/overview", params={"hours": 2, "bucket": 10}))
    counts = told(client.get("/detections/counts"))["counts"]
    assert sum(each["total"]["images"] for each in told_of["classes"]) == sum(row["detections"] for row in counts)
    (part,) = (each for each in told_of["classes"] if each["class_name"] == "part")
    total = part["total"]
    assert total["images"] == total["passed"] + total["review"] + total["rejected"]
    assert sum(bucket["images"] for bucket in part["buckets"]) == total["images"]
    assert 0 < total["p50_ms"] <= total["p95_ms"]
    alone = told(client.get("/overview", params={"hours": 2, "class_name": "part"}))
    assert [each["class_name"] for each in alone["classes"]] == ["part"]
    assert told(client.get("/links")) == {"grafana": None, "dashboard": None}


def test_a_recorded_rejection_is_shown_beside_what_was_normal(client: httpx.Client) -> None:
    rejected = detect(client, 57, data=marked(57), explain="true")
    place, worst = f"/detections/{rejected['detection_id']}/nearest", rejected["regions"][0]
    shown = told(client.get(place))
    assert shown["bank_version"] == rejected["bank_version"]
    assert shown["nearest"]["reference_id"] == worst["nearest"]["reference_id"]
    assert shown["nearest"]["distance"] == pytest.approx(worst["nearest"]["distance"], abs=1e-5)
    x, y = worst["peak"]
    assert told(client.get(place, params={"x": x, "y": y}))["nearest"] == shown["nearest"]
    assert refusal(client.get(place, params={"x": 1})) == (422, "invalid_parameters")
    assert refusal(client.get(place, params={"x": 10_000, "y": 0})) == (422, "invalid_parameters")
    black = io.BytesIO()
    Image.new("RGB", (96, 80)).save(black, "PNG")
    unknown = told(client.post("/detect", files={"file": black.getvalue()}))
    assert unknown["class_name"] is None
    assert refusal(client.get(f"/detections/{unknown['detection_id']}/nearest")) == (422, "invalid_parameters")


def test_a_dry_run_an_acceptance_and_its_undoing_agree(client: httpx.Client) -> None:
    scratched = marked(55)
    detect(client, 58, data=marked(58))
    anomalous = detect(client, 55, data=scratched)
    assert anomalous["decision"] == "reject"
    detection, before = anomalous["detection_id"], anomalous["bank_version"]
    trial = told(client.post(f"/detections/{detection}/accept/dry-run", json={}))
    assert (trial["version"], trial["itself"]["decision"]) == (before, "pass")
    assert trial["looked_at"] >= 1
    assert trial["without_picture"] == 0
    assert trial["failed"] == []
    assert detect(client, 55, data=scratched)["anomaly_score"] == anomalous["anomaly_score"]
    accepted = told(client.post(f"/detections/{detection}/accept", json={"by": "ann", "note": "dust"}), 201)
    assert accepted["threshold"] == anomalous["threshold"]
    after = detect(client, 55, data=scratched)
    assert (after["decision"], after["bank_version"]) == ("pass", accepted["version"])
    for row in trial["flips"]:
        assert row["before"]["decision"] == "reject"
        assert row["after"]["decision"] != "reject"
    action = accepted["action"]
    assert (action["done_by"], action["note"], action["before_version"]) == ("ann", "dust", before)
    listed = told(client.get("/actions", params={"detection_id": detection}))["actions"]
    assert listed == [action] == [told(client.get(f"/actions/{action['id']}"))]
    undone = told(client.post(f"/actions/{action['id']}/undo", json={"by": "bob"}))
    assert (undone["version"], undone["activated"]) == (before, True)
    assert detect(client, 55, data=scratched)["anomaly_score"] == anomalous["anomaly_score"]
    assert refusal(client.post(f"/actions/{action['id']}/undo")) == (409, "already_undone")
    again = told(client.post(f"/detections/{detection}/accept", json={}), 201)
    assert detect(client, 55, data=scratched)["anomaly_score"] == after["anomaly_score"]
    assert refusal(client.post(f"/detections/{detection}/accept", json={})) == (409, "already_known")
    told(client.post(f"/actions/{again['action']['id']}/undo"))
    row = told(client.get(f"/detections/{detection}"))["detection"]
    assert row["word"] == "false_alarm"
    reference = told(client.get("/classes/part/references", params={"version": again["version"]}))["references"]
    assert detection in [each["accepted_from"] for each in reference]


def test_a_defect_is_tried_learnt_named_and_forgotten(client: httpx.Client) -> None:
    scratched = marked(60)
    rejected = detect(client, 60, data=scratched)
    detection, before = rejected["detection_id"], rejected["bank_version"]
    trial = told(client.post(f"/detections/{detection}/defect/dry-run", json={"name": "scratch"}))
    assert "known_defect" in trial["itself"]["reasons"]
    assert detect(client, 60, data=scratched)["bank_version"] == before
    learnt = told(client.post(f"/detections/{detection}/defect", json={"name": "scratch", "by": "ann"}), 201)
    assert (learnt["defect"]["name"], learnt["defect"]["source"], learnt["defect"]["added_by"]) == (
        "scratch",
        detection,
        "ann",
    )
    shown = detect(client, 60, data=scratched)
    assert (shown["anomaly_score"], shown["threshold"]) == (rejected["anomaly_score"], rejected["threshold"])
    assert "known_defect" in shown["reasons"]
    assert "scratch" in [region["defect"]["name"] for region in shown["regions"] if region["defect"]]
    assert told(client.get(f"/detections/{detection}"))["detection"]["word"] == "correct"
    row = told(client.get(f"/detections/{shown['detection_id']}"))["detection"]
    assert row["regions"] == shown["regions"]
    again = client.post(f"/detections/{detection}/defect", json={"name": "scratch"})
    assert refusal(again) == (409, "defect_already_known")
    undone = told(client.post(f"/actions/{learnt['action']['id']}/undo"))
    assert (undone["version"], undone["activated"]) == (before, True)
    assert "known_defect" not in detect(client, 60, data=scratched)["reasons"]


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/detections/none", None, (404, "unknown_detection")),
        ("GET", "/detections/none/thumbnail", None, (404, "unknown_detection")),
        ("GET", "/detections/none/picture", None, (404, "unknown_detection")),
        ("GET", "/detections/none/nearest", None, (404, "unknown_detection")),
        ("POST", "/detections/none/words", {"word": "correct"}, (404, "unknown_detection")),
        ("POST", "/detections/none/words", {"word": "great"}, (422, "invalid_parameters")),
        ("POST", "/detections/none/words", {"word": "correct", "x": 1}, (422, "invalid_parameters")),
        ("POST", "/detections/none/accept", {}, (404, "unknown_detection")),
        ("POST", "/detections/none/accept/dry-run", {"recent": 501}, (422, "invalid_parameters")),
        ("POST", "/detections/none/defect", {"name": "x"}, (404, "unknown_detection")),
        ("POST", "/detections/none/defect", {"name": ""}, (422, "invalid_parameters")),
        ("POST", "/detections/none/defect", {"name": "x", "box": [1, 2]}, (422, "invalid_parameters")),
        ("GET", "/actions/none", None, (404, "unknown_action")),
        ("POST", "/actions/none/undo", None, (404, "unknown_action")),
        ("GET", "/detections?decision=bad", None, (422, "invalid_parameters")),
        ("GET", "/detections?since=yesterday", None, (422, "invalid_parameters")),
        ("GET", "/detections?order=nearest&after=zz", None, (422, "invalid_parameters")),
        ("GET", "/detections?limit=0", None, (422, "invalid_parameters")),
        ("GET", "/overview?hours=0", None, (422, "invalid_parameters")),
        ("GET", "/overview?hours=nan", None, (422, "invalid_parameters")),
        ("GET", "/overview?bucket=0", None, (422, "invalid_parameters")),
        ("GET", "/overview?hours=100&bucket=1", None, (422, "invalid_parameters")),
    ],
)
def test_what_cannot_be_is_a_coded_error(
    client: httpx.Client, method: str, path: str, body: Any, expected: tuple[int, str]
) -> None:
    assert refusal(client.request(method, path, json=body)) == expected


def test_a_page_of_another_site_can_say_and_change_nothing(client: httpx.Client) -> None:
    detection = detect(client, 56)["detection_id"]
    headers = {"Sec-Fetch-Site": "cross-site"}
    for path, body in ((f"/detections/{detection}/words", {"word": "unsure"}), (f"/detections/{detection}/accept", {})):
        assert refusal(client.post(path, json=body, headers=headers)) == (403, "other_site")


def test_without_a_history_detections_go_on_and_nothing_is_written(running: Settings, tmp_path: Path) -> None:
    settings = load_settings(
        data_dir=tmp_path / "data", search_workers=0, history=False, grafana_url="https://grafana.example.com/d/1?x=%20"
    )
    with serving(settings) as client:
        answer = told(client.post("/detect", files={"file": png(1)}))
        assert answer["detection_id"] is None
        assert not any("recorded" in warning for warning in answer["warnings"])
        for path in (
            "/detections",
            "/actions",
            "/detections/export",
            "/detections/counts",
            "/detections/events",
            "/detections/x",
            "/overview",
        ):
            assert refusal(client.get(path)) == (409, "history_off")
        assert refusal(client.post("/detections/x/accept", json={})) == (409, "history_off")
        assert told(client.get("/links")) == {"grafana": settings.grafana_url, "dashboard": None}
    assert not (settings.data_dir / FILE).exists()


def test_a_history_that_is_away_costs_no_detection_and_is_told(tmp_path: Path) -> None:
    settings = load_settings(
        data_dir=tmp_path / "data", search_workers=0, history_url="postgresql://me:geheim@127.0.0.1:1/x"
    )
    with serving(settings) as client:
        answer = told(client.post("/detect", files={"file": png(1)}))
        assert answer["detection_id"] is None
        assert any("not recorded" in warning for warning in answer["warnings"])
        listed = client.get("/detections")
        assert refusal(listed) == (503, "history_unavailable")
        assert "geheim" not in listed.text
        assert "patchbank_detections_not_recorded_total 1.0" in client.get("/metrics").text
