"""The REST contract over real HTTP."""

from __future__ import annotations

import base64
import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from patchbank.api.app import create_app
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.sealed_document import sealed, unsealed
from patchbank.embedding.embedder import Embedder
from patchbank.errors import UnsupportedImage
from patchbank.judging.inspector import Inspector
from patchbank.settings import Settings, load_settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.roi_drawing import RoiDrawing
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product
from tests.helpers.http_service import serving
from tests.helpers.pictures import animation, bomb, png
from tests.helpers.places import ROOT

DETECTION_FIELDS = {
    "status",
    "class_name",
    "class_confidence",
    "class_similarity",
    "is_anomalous",
    "decision",
    "reasons",
    "frame_fault",
    "brightness",
    "anomaly_score",
    "threshold",
    "review_threshold",
    "pixel_threshold",
    "p_value",
    "anomaly_percentage",
    "anomaly_map_base64",
    "grey_values",
    "regions",
    "all_class_scores",
    "bank_version",
    "backbone",
    "timings_ms",
    "detection_id",
    "processing_time_ms",
    "warnings",
}


@pytest.fixture(scope="module")
def service_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(
        data_dir=tmp_path_factory.mktemp("bank"),
        max_megapixels=2.0,
        max_upload_mb=0.5,
        max_batch=4,
        max_queue=3,
        frozen_after=0,  # the tests send some pictures many times
    )


@pytest.fixture(scope="module")
def client(service_settings: Settings, embedder: Embedder, products: dict[str, Product]) -> Iterator[httpx.Client]:
    """A service with the classes solar_mono and textile."""
    store = EdgeStore(service_settings.data_dir)
    teacher = Teacher(service_settings, embedder, store)
    for name in ("solar_mono", "textile"):
        teacher.teach(name, products[name].references)
    store.close()
    with serving(service_settings) as opened:
        yield opened


def post(client: httpx.Client, data: bytes, **form: Any) -> httpx.Response:
    return client.post("/detect", files={"file": ("image.png", data)}, data=form)


def nearest(client: httpx.Client, data: bytes, x: float, y: float, **form: str) -> httpx.Response:
    fields = {"class_name": "solar_mono", "x": str(x), "y": str(y), **form}
    return client.post("/detect/nearest", files={"file": ("image.png", data)}, data=fields)


def assert_error(response: httpx.Response, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error"}
    assert body["error"]["code"] == code
    assert body["error"]["message"]


def test_detect_answers_every_field_of_the_contract(client: httpx.Client, products: dict[str, Product]) -> None:
    answer = post(client, products["solar_mono"].good[0].read_bytes()).json()
    assert set(answer) == DETECTION_FIELDS
    assert (answer["status"], answer["class_name"]) == ("ok", "solar_mono")
    assert answer["is_anomalous"] == (answer["anomaly_score"] > answer["threshold"])
    assert set(answer["timings_ms"]) == {"decode", "embed", "retrieve", "search", "render", "record"}
    assert sum(answer["timings_ms"].values()) == pytest.approx(answer["processing_time_ms"], abs=0.1)
    assert sum(answer["all_class_scores"].values()) == pytest.approx(1.0)
    with Image.open(io.BytesIO(base64.b64decode(answer["anomaly_map_base64"]))) as heatmap:
        assert (heatmap.format, heatmap.size, heatmap.mode) == ("PNG", (300, 300), "RGB")


def test_a_reference_scores_nothing_over_http_and_in_python_alike(
    client: httpx.Client, service_settings: Settings, products: dict[str, Product]
) -> None:
    with Inspector.open(service_settings) as inspector:
        for file in (*products["textile"].references[:2], products["textile"].good[0]):
            over_http = post(client, file.read_bytes(), return_map="false").json()
            verdict = inspector.inspect(file).verdict
            assert verdict is not None
            assert over_http["anomaly_score"] == pytest.approx(verdict.score, abs=1e-5)
            assert over_http["anomaly_percentage"] == pytest.approx(100 * verdict.anomalous_share, abs=1e-3)
            if file in products["textile"].references:
                assert over_http["anomaly_score"] < 0.02
            assert over_http["anomaly_map_base64"] is None


def test_a_threshold_for_pixels_changes_the_map_and_not_the_verdict(
    client: httpx.Client, products: dict[str, Product]
) -> None:
    data = products["solar_mono"].good[0].read_bytes()
    own, low = post(client, data).json(), post(client, data, pixel_threshold="0.01").json()
    assert low["pixel_threshold"] == 0.01
    assert low["anomaly_percentage"] > own["anomaly_percentage"]
    assert (low["threshold"], low["is_anomalous"]) == (own["threshold"], own["is_anomalous"])
    assert post(client, data, threshold="0.3").json()["pixel_threshold"] == 0.3
    assert post(client, data, pixel_threshold="3").status_code == 422


def test_a_class_with_a_mask_tells_how_much_is_inspected_and_nothing_of_the_rest(
    client: httpx.Client, service_settings: Settings, embedder: Embedder, products: dict[str, Product]
) -> None:
    product = products["solar_mono"]
    store = EdgeStore(service_settings.data_dir)
    options = TeachOptions(roi=RoiDrawing(None, ((30, 30, 240, 120),)))
    Teacher(service_settings, embedder, store).teach("solar-masked", product.references, options=options)
    try:
        whole, masked = (client.get(f"/classes/{name}").json() for name in ("solar_mono", "solar-masked"))
        assert whole["inspected_percentage"] == 100.0
        assert masked["inspected_percentage"] == pytest.approx(32.0)
        assert 0.2 < masked["patches"] / whole["patches"] < 0.4
        with Image.open(product.good[0]) as picture:
            pixels = np.array(picture.convert("RGB"))
        pixels[50:90, 60:120] = pixels[200:260, 200:290] = (255, 255, 255)
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "PNG")
        form = {"class_name": "solar-masked", "pixel_threshold": "0.05"}
        answer = post(client, out.getvalue(), map_format="gray16", **form).json()
        assert answer["is_anomalous"]
        with Image.open(io.BytesIO(base64.b64decode(answer["anomaly_map_base64"]))) as picture:
            values = np.asarray(picture).astype(np.float64) / 65535 * 2
        inside = np.zeros((300, 300), dtype=np.bool_)
        inside[30:150, 30:270] = True
        assert not values[~inside].any()
        assert answer["anomaly_percentage"] == pytest.approx(100 * (values[inside] > 0.05).mean(), abs=0.5)
        seen = [nearest(client, out.getvalue(), 100, y, class_name="solar-masked").json() for y in (80, 200)]
        assert [place["counts"] for place in seen] == [True, False]
        assert answer["regions"]
        for region in answer["regions"]:
            left, top, right, bottom = region["box"]
            assert 30 <= left < right <= 270
            assert 30 <= top < bottom <= 150
        drawn = []
        for name in ("solar-masked", "solar_mono"):
            overlay = post(client, out.getvalue(), class_name=name, map_format="overlay", threshold="2").json()
            with Image.open(io.BytesIO(base64.b64decode(overlay["anomaly_map_base64"]))) as picture:
                drawn.append(np.asarray(picture))
        np.testing.assert_array_equal(drawn[0][inside], drawn[1][inside])
        np.testing.assert_array_equal(drawn[0][~inside], drawn[1][~inside] // 3)
    finally:
        store.remove("solar-masked")
        store.close()


def test_an_untaught_product_is_unknown_and_gets_no_verdict(client: httpx.Client) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "PNG")
    answer = post(client, out.getvalue()).json()
    assert set(answer) == DETECTION_FIELDS
    assert answer["status"] == "unknown_product"
    for field in ("class_name", "is_anomalous", "anomaly_score", "threshold", "p_value", "anomaly_map_base64"):
        assert answer[field] is None


def test_the_16_bit_map_holds_the_scores_that_the_regions_report(
    client: httpx.Client, products: dict[str, Product]
) -> None:
    data = products["solar_mono"].defective[0].read_bytes()
    answer = post(client, data, class_name="solar_mono", map_format="gray16", threshold="0.1", explain="true").json()
    with Image.open(io.BytesIO(base64.b64decode(answer["anomaly_map_base64"]))) as picture:
        grey = answer["grey_values"]
        values = np.asarray(picture).astype(np.float64) * grey["scale"] + grey["offset"]
    assert post(client, data, class_name="solar_mono", map_format="overlay").json()["grey_values"] is None
    assert values.shape == (300, 300)
    assert 100 * (values > 0.1).mean() == pytest.approx(answer["anomaly_percentage"], abs=0.2)
    assert answer["threshold"] == 0.1
    assert answer["regions"]
    for region in answer["regions"]:
        left, top, right, bottom = region["box"]
        assert values[top:bottom, left:right].max() >= region["score"] - 1e-4
        assert set(region["nearest"]) == {"reference_id", "name", "box", "distance", "width", "height"}
        x, y = region["peak"]
        assert values[y, x] == pytest.approx(region["score"], abs=1e-4)
    reference = answer["regions"][0]["nearest"]["reference_id"]
    thumbnail = client.get(f"/classes/solar_mono/references/{reference}/thumbnail")
    assert thumbnail.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(thumbnail.content)) as picture:
        assert max(picture.size) <= 512


def test_a_place_of_an_image_is_compared_with_what_its_region_names(
    client: httpx.Client, products: dict[str, Product]
) -> None:
    data = products["solar_mono"].defective[0].read_bytes()
    regions = post(client, data, class_name="solar_mono", threshold="0.1", explain="true").json()["regions"]
    before = client.get("/detections/counts").json()
    for region in regions[:2]:
        x, y = region["peak"]
        answer = nearest(client, data, x, y).json()
        left, top, right, bottom = answer["box"]
        assert left <= x < right
        assert top <= y < bottom
        assert answer["counts"] is True
        assert answer["nearest"].pop("source").endswith(answer["nearest"]["name"])
        assert answer["nearest"].pop("distance") == pytest.approx(region["nearest"].pop("distance"), abs=1e-5)
        assert answer["nearest"] == region["nearest"]
    assert client.get("/detections/counts").json() == before


def test_a_place_of_a_reference_is_its_own_nearest_normal_patch(
    client: httpx.Client, products: dict[str, Product]
) -> None:
    reference = products["textile"].references[3]
    answer = nearest(client, reference.read_bytes(), 150.5, 20, class_name="textile").json()
    found = answer["nearest"]
    assert (found["name"], found["box"]) == (reference.name, answer["box"])
    assert found["distance"] == pytest.approx(0.0, abs=1e-5)
    with Image.open(reference) as picture:
        assert (found["width"], found["height"]) == picture.size
    versions = client.get("/classes/textile").json()["versions"]
    named = nearest(client, reference.read_bytes(), 150, 20, class_name="textile", version=versions[0]).json()
    assert named["bank_version"] == versions[0]


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"x": "300"}, 422, "invalid_parameters"),
        ({"y": "-1"}, 422, "invalid_parameters"),
        ({"x": "inf"}, 422, "invalid_parameters"),
        ({"y": "1e999"}, 422, "invalid_parameters"),
        ({"explain": "true"}, 422, "invalid_parameters"),
        ({"class_name": ""}, 422, "invalid_parameters"),
        ({"class_name": "never-taught"}, 404, "unknown_class"),
        ({"version": "never-made"}, 404, "unknown_version"),
    ],
)
def test_a_place_that_cannot_be_compared_is_a_coded_error(
    client: httpx.Client, products: dict[str, Product], form: dict[str, str], status: int, code: str
) -> None:
    data = products["solar_mono"].good[0].read_bytes()
    assert_error(nearest(client, data, **{"x": 1, "y": 1, **form}), status, code)  # type: ignore[arg-type]


def test_the_mask_at_each_sensitivity_follows_from_the_16_bit_map(
    client: httpx.Client, products: dict[str, Product]
) -> None:
    told = client.get("/classes/solar_mono/sensitivity").json()
    shown = client.get("/classes/solar_mono").json()
    assert (told["version"], told["present"]["threshold"]) == (shown["version"], shown["threshold"])
    assert told["present"]["false_alarms_per_1000"] == pytest.approx(10)
    assert [told["settings"][end]["false_alarms_per_1000"] for end in (0, -1)] == pytest.approx([0.1, 100])
    assert told["images"] == told["independent"] == 12
    assert told["least_false_alarms_per_1000"] == pytest.approx(1000 / 13)
    assert [row["within_sample"] for row in told["settings"]] == [
        row["false_alarms_per_1000"] >= 1000 / 13 for row in told["settings"]
    ]
    assert "too few" in told["warnings"][0]
    data = products["solar_mono"].defective[0].read_bytes()
    sent = {"class_name": "solar_mono", "map_format": "gray16"}
    answer = post(client, data, **sent).json()
    with Image.open(io.BytesIO(base64.b64decode(answer["anomaly_map_base64"]))) as picture:
        scores = np.asarray(picture) * answer["grey_values"]["scale"] + answer["grey_values"]["offset"]
    row = told["settings"][-1]
    cut = post(client, data, **sent, pixel_threshold=str(row["pixel_threshold"])).json()
    assert cut["anomaly_percentage"] == pytest.approx(100 * (scores > row["pixel_threshold"]).mean(), abs=0.02)
    assert_error(client.get("/classes/never-taught/sensitivity"), 404, "unknown_class")
    assert_error(client.get("/classes/solar_mono/sensitivity?version=none"), 404, "unknown_version")


@pytest.mark.parametrize(
    ("path", "parts", "words"),
    [
        ("/detect", ["file", "file"], "2 fields 'file', and one is meant; several images go to /detect/batch"),
        ("/detect", ["file", "class_name", "class_name"], "2 fields 'class_name'"),
        ("/detect", ["file", "clas_name"], "no form field 'clas_name'; is 'class_name' meant"),
        ("/detect", ["file", "Threshold"], "is 'threshold' meant"),
        ("/detect", ["file", "return_maps"], "is 'return_map' meant"),
        ("/detect", ["file", "zzz"], "there are file, return_map, class_name"),
        ("/detect", ["files"], "is 'file' meant"),
        ("/detect", ["image"], "no form field 'image'"),
        ("/detect/batch", ["files", "return_map"], "is 'return_maps' meant"),
        ("/detect/batch", ["file"], "is 'files' meant"),
        ("/detect/batch", ["files", "files", "explain", "explain"], "2 fields 'explain'"),
        ("/detect?class_name=textile", ["file"], "'class_name' belongs into the form"),
    ],
)
def test_an_unknown_or_repeated_field_is_an_error_with_the_nearest_name(
    client: httpx.Client, path: str, parts: list[str], words: str
) -> None:
    values: dict[str, Any] = {"file": ("a.png", png(1)), "files": ("a.png", png(1)), "image": ("a.png", png(1))}
    form = [(name, values.get(name, (None, "1"))) for name in parts]
    answer = client.post(path, files=form)
    assert_error(answer, 422, "invalid_parameters")
    assert words in answer.json()["error"]["message"]


def test_a_batch_answers_in_order_and_one_bad_image_fails_alone(
    client: httpx.Client, products: dict[str, Product]
) -> None:
    good = [products["textile"].good[0].read_bytes(), products["solar_mono"].good[0].read_bytes()]
    files = [("files", ("a.png", good[0])), ("files", ("b.png", b"no picture")), ("files", ("c.png", good[1]))]
    answer = client.post("/detect/batch", files=files).json()
    assert answer["total_images"] == 3
    assert [row["file_name"] for row in answer["results"]] == ["a.png", "b.png", "c.png"]
    assert answer["avg_time_ms"] == pytest.approx(answer["total_time_ms"] / 3)
    first, second, third = answer["results"]
    assert (first["class_name"], third["class_name"]) == ("textile", "solar_mono")
    assert (second["status"], second["error"]["code"]) == ("error", "undecodable_image")
    assert first["anomaly_map_base64"] is None
    alone = post(client, good[0], return_map="false").json()
    assert first["anomaly_score"] == pytest.approx(alone["anomaly_score"], abs=1e-6)
    with_maps = client.post("/detect/batch", files=files[:1], data={"return_maps": "true"}).json()
    assert with_maps["results"][0]["anomaly_map_base64"]


def test_as_many_images_of_a_batch_are_judged_at_once_as_may_be(
    client: httpx.Client, service_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(service_settings.max_concurrency, timeout=20)

    def inspect(_: Inspector, image: bytes, *given: object, **named: object) -> None:
        together.wait()
        raise UnsupportedImage(f"{len(image)}")

    monkeypatch.setattr(Inspector, "inspect", inspect)
    sent = [png(number, (8 + number, 8)) for number in range(2 * service_settings.max_concurrency)]
    answer = client.post("/detect/batch", files=[("files", data) for data in sent]).json()
    assert [result["error"]["message"] for result in answer["results"]] == [str(len(data)) for data in sent]


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 400, "undecodable_image"),
        (b"hello", 400, "undecodable_image"),
        (png(1)[:300], 400, "undecodable_image"),
        (animation(), 415, "unsupported_image_type"),
        (b"%PDF-1.7 ...", 415, "unsupported_image_type"),
        (bomb(), 413, "image_too_large"),
        (png(1, (2000, 1100)), 413, "image_too_large"),
        (bytes(600_000), 413, "image_too_large"),
    ],
    ids=["empty", "text", "truncated", "animation", "pdf", "bomb", "megapixels", "megabytes"],
)
def test_bad_images_get_their_status_and_code(client: httpx.Client, data: bytes, status: int, code: str) -> None:
    assert_error(post(client, data), status, code)
    assert client.get("/health/ready").status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"class_name": "never-taught"}, 404, "unknown_class"),
        ({"class_name": "../etc/passwd"}, 422, "invalid_class_name"),
        ({"class_name": "a.b"}, 422, "invalid_class_name"),
        ({"class_name": "größe"}, 422, "invalid_class_name"),
        ({"threshold": "-1"}, 422, "invalid_parameters"),
        ({"threshold": "nan"}, 422, "invalid_parameters"),
        ({"threshold": "low"}, 422, "invalid_parameters"),
        ({"map_format": "jpeg"}, 422, "invalid_parameters"),
        ({"return_map": "perhaps"}, 422, "invalid_parameters"),
    ],
)
def test_bad_parameters_get_their_status_and_code(
    client: httpx.Client, products: dict[str, Product], form: dict[str, str], status: int, code: str
) -> None:
    assert_error(post(client, products["textile"].good[0].read_bytes(), **form), status, code)


def test_errors_of_the_framework_have_the_same_shape(client: httpx.Client) -> None:
    assert_error(client.post("/detect"), 422, "invalid_parameters")
    assert_error(client.get("/nowhere"), 404, "not_found")
    assert_error(client.get("/detect"), 405, "method_not_allowed")
    assert_error(client.post("/detect/batch", files=[("files", ("a.png", png(0)))] * 5), 422, "invalid_parameters")


def test_a_body_over_the_limit_is_refused_announced_or_not(client: httpx.Client) -> None:
    large = bytes(3_000_000)
    assert_error(post(client, large), 413, "image_too_large")

    def pieces() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        for _ in range(30):
            yield bytes(100_000)
        yield b"\r\n--x--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert_error(client.post("/detect", content=pieces(), headers=headers), 413, "image_too_large")


def test_classes_and_references_are_listed(client: httpx.Client, products: dict[str, Product]) -> None:
    listed = client.get("/classes").json()["classes"]
    assert [entry["class_name"] for entry in listed] == ["solar_mono", "textile"]
    assert all(entry["usable"] and entry["references"] == 12 for entry in listed)
    detail = client.get("/classes/textile").json()
    width, height = detail["smallest_visible"]["patch"]
    assert min(width, height) > 0
    assert detail["calibration"]["method"] == "leave-one-image-out"
    assert detail["calibration"]["count"] == 12
    assert detail["versions"] == [detail["version"]]
    page = client.get("/classes/textile/references", params={"offset": 10, "limit": 5}).json()
    assert (page["total"], len(page["references"])) == (12, 2)
    names = {path.name for path in products["textile"].references}
    assert {reference["name"] for reference in page["references"]} < names
    assert_error(client.get("/classes/nothing"), 404, "unknown_class")
    assert_error(client.get("/classes/a.b/references"), 422, "invalid_class_name")
    assert_error(client.get("/classes/textile/references/zz/thumbnail"), 404, "unknown_reference")


def test_health_and_metrics_tell_of_the_service(client: httpx.Client, products: dict[str, Product]) -> None:
    health = client.get("/health").json()
    assert (health["status"], health["backbone"], health["classes"]) == ("ok", "efficientnet-lite2", 2)
    assert client.get("/health/live").json() == {"status": "ok"}
    post(client, products["textile"].good[0].read_bytes())
    text = client.get("/metrics").text
    for name in (
        'http_requests_total{handler="/detect"',
        "http_request_duration_seconds_bucket",
        "http_requests_in_progress",
        'patchbank_verdicts_total{class_name="textile"',
        'patchbank_stage_seconds_count{stage="search"}',
        'patchbank_score_ratio_bucket{class_name="textile",le="1.0"}',
        'patchbank_build_info{backbone="efficientnet-lite2",providers=',
        "process_resident_memory_bytes",
    ):
        assert name in text


def test_more_requests_than_the_queue_holds_are_told_to_come_back(
    client: httpx.Client, service_settings: Settings, products: dict[str, Product]
) -> None:
    data = products["textile"].good[0].read_bytes()
    answers: list[httpx.Response] = []

    def send() -> None:
        answers.append(post(client, data, return_map="false"))

    threads = [threading.Thread(target=send) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 429}
    room = service_settings.max_concurrency + service_settings.max_queue
    assert statuses.count(200) >= room
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["retry-after"] == "1"
    assert_error(refused, 429, "too_busy")
    assert len({answer.json()["anomaly_score"] for answer in answers if answer.status_code == 200}) == 1
    assert post(client, data).status_code == 200


def test_classes_come_and_go_without_a_restart_while_requests_go_on(
    client: httpx.Client, service_settings: Settings, embedder: Embedder, products: dict[str, Product]
) -> None:
    data = products["textile"].good[1].read_bytes()
    stop, statuses = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            answer = post(client, data, return_map="false")
            statuses.append((answer.status_code, answer.json().get("class_name")))

    asking = threading.Thread(target=ask)
    asking.start()
    store = EdgeStore(service_settings.data_dir)
    poly = products["solar_poly"]
    try:
        before = post(client, poly.references[0].read_bytes()).json()
        assert before["class_name"] != "solar_poly"
        Teacher(service_settings, embedder, store).teach("solar_poly", poly.references)
        taught = post(client, poly.references[0].read_bytes()).json()
        assert (taught["class_name"], taught["is_anomalous"]) == ("solar_poly", False)
        assert taught["anomaly_score"] < 1e-5
        store.remove("solar_poly")
        assert "solar_poly" not in [entry["class_name"] for entry in client.get("/classes").json()["classes"]]
        assert post(client, poly.references[0].read_bytes()).json()["class_name"] != "solar_poly"
        assert_error(post(client, data, class_name="solar_poly"), 404, "unknown_class")
    finally:
        stop.set()
        asking.join()
        store.close()
    assert set(statuses) == {(200, "textile")}


def test_a_search_process_that_dies_is_replaced_and_its_caller_told(
    client: httpx.Client, products: dict[str, Product]
) -> None:
    data = products["textile"].good[0].read_bytes()
    assert post(client, data).status_code == 200
    workers = [child for child in multiprocessing.active_children() if child.name == "patchbank-search"]
    assert len(workers) == 2
    for worker in workers:
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
    statuses = [post(client, data).status_code for _ in range(6)]
    assert set(statuses) <= {200, 503}
    assert statuses[-1] == 200


def test_a_service_without_classes_answers_unknown_never_normal(tmp_path: Path, products: dict[str, Product]) -> None:
    with serving(load_settings(data_dir=tmp_path / "nothing", search_workers=0)) as client:
        assert client.get("/classes").json() == {"classes": [], "damaged": []}
        answer = post(client, products["textile"].good[0].read_bytes()).json()
        assert (answer["status"], answer["is_anomalous"]) == ("unknown_product", None)
        assert any("no product class" in warning for warning in answer["warnings"])


def test_a_bank_of_another_backbone_is_refused_with_409(
    tmp_path: Path, products: dict[str, Product], embedder: Embedder
) -> None:
    settings = load_settings(data_dir=tmp_path / "data", search_workers=0)
    store = EdgeStore(settings.data_dir)
    manifest = Teacher(settings, embedder, store).teach("textile", products["textile"].references[:2]).manifest
    store.close()
    path = settings.data_dir / "collections" / manifest.ref.collection / "manifest.json"
    facts = unsealed(json.loads(path.read_text()))
    facts["backbone"]["fingerprint"] = "f" * 16
    path.write_text(json.dumps(sealed(facts)))
    with serving(settings) as client:
        assert_error(
            post(client, products["textile"].good[0].read_bytes(), class_name="textile"), 409, "backbone_mismatch"
        )
        assert client.get("/classes").json()["classes"][0]["usable"] is False


def test_a_damaged_class_is_an_error_for_its_images_alone(
    tmp_path: Path, products: dict[str, Product], embedder: Embedder
) -> None:
    settings = load_settings(data_dir=tmp_path / "data", search_workers=0)
    store = EdgeStore(settings.data_dir)
    teacher = Teacher(settings, embedder, store)
    bad = teacher.teach("textile", products["textile"].references[:3]).manifest
    teacher.teach("solar", products["solar_mono"].references[:3])
    store.close()
    (settings.data_dir / "collections" / bad.ref.collection / "manifest.json").write_text("{")
    with serving(settings) as client:
        assert_error(post(client, products["textile"].references[0].read_bytes()), 503, "damaged_bank")
        whole = post(client, products["solar_mono"].references[0].read_bytes()).json()
        assert (whole["class_name"], whole["is_anomalous"]) == ("solar", False)
        listed = client.get("/classes").json()
        assert [entry["class_name"] for entry in listed["classes"]] == ["solar"]
        assert listed["damaged"] == ["textile"]


def test_the_served_openapi_is_the_committed_one(settings: Settings) -> None:
    committed = ROOT / "docs" / "openapi.json"
    served = create_app(settings).openapi()
    served["info"].pop("version")
    assert json.loads(committed.read_text()) == json.loads(json.dumps(served)), "run: make docs"


def test_requests_end_soon_after_the_service_is_told_to_stop(settings: Settings) -> None:
    begin = time.monotonic()
    with serving(settings) as client:
        assert client.get("/health/live").status_code == 200
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize(("name", "value"), [("BACKBONE", "dinov2-vits14"), ("BACKBONE", "nothing"), ("PORT", "-5")])
def test_a_service_that_cannot_start_says_why_in_one_line(tmp_path: Path, name: str, value: str) -> None:
    environment = os.environ | {f"PATCHBANK_{name}": value, "PATCHBANK_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "patchbank"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert value in done.stderr or name in done.stderr
