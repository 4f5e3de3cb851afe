"""The small steps of one ``/detect`` alone, each beside the least that a library takes for it."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
import numpy as np
from isal import isal_zlib
from PIL import Image
from python_multipart.multipart import MultipartParser, parse_options_header

from benchmarks.part_class import PART
from patchbank.answers.detection import Detection
from patchbank.api.json_answer import json_with
from patchbank.embedding.preprocess import Geometry, plan_levels, to_input
from patchbank.embedding.unit import unit
from patchbank.images.decoding import decode_image
from patchbank.images.frame_facts import frame_facts
from patchbank.judging.inspector import Inspector
from patchbank.scoring.anomaly_map import enlarge
from patchbank.scoring.heatmap import render
from patchbank.scoring.regions import find_regions

_REPEATS: Final = 31

Step = tuple[str, Callable[[], object], str, Callable[[], object]]
"""What it is, what Patchbank does, and a library's name with what it does."""


def print_steps(file: Path, inspector: Inspector) -> None:
    """Print a row per step, medians in milliseconds, both sides in turn."""
    print("| step | ms | least | ms |")
    print("|---|---|---|---|")
    for name, ours, library, theirs in (*_before(file, inspector), *_after(file, inspector)):
        spent: list[tuple[float, float]] = []
        for _ in range(_REPEATS + 1):
            begin = time.perf_counter()
            ours()
            between = time.perf_counter()
            theirs()
            spent.append((between - begin, time.perf_counter() - between))
        own, least = np.median(np.array(spent[1:]), axis=0) * 1e3
        print(f"| {name} | {own:.2f} | {library} | {least:.2f} |")


def _before(file: Path, inspector: Inspector) -> list[Step]:
    """What comes before the search, but for the forward passes."""
    data, embedder = file.read_bytes(), inspector.embedder
    image, backbone = decode_image(data), embedder.backbone
    picture = Image.fromarray(image.pixels)
    scales = inspector.serving_bank(PART).manifest.scales
    base = embedder.embed(image)

    def made(level: Geometry) -> Step:
        resized = (level.inputs, Image.Resampling.BICUBIC)
        name = f"input of {level.inputs[0]} x {level.inputs[1]}"
        return (
            name,
            lambda: to_input(image.pixels, level, backbone),
            "Pillow's resize",
            lambda: picture.resize(*resized),
        )

    return [
        ("decode", lambda: decode_image(data), "Pillow", lambda: Image.open(io.BytesIO(data)).convert("RGB").tobytes()),
        ("light, focus", lambda: frame_facts(image.pixels), "Pillow's luminance", lambda: picture.convert("L")),
        *(made(level) for level in plan_levels(image.size, backbone, scales)),
        ("lengths", lambda: unit(base.patches), "NumPy's norm", lambda: np.linalg.norm(base.patches, axis=1)),
    ]


def _after(file: Path, inspector: Inspector) -> list[Step]:
    """What comes behind the search, and the form."""
    data = file.read_bytes()
    request = httpx.Request("POST", "http://service/", files={"file": data}, data={"class_name": PART})
    form, kind = request.read(), request.headers["content-type"]
    boundary = parse_options_header(kind)[1][b"boundary"]
    told = inspector.inspect(data, PART)
    verdict, size = told.verdict, told.image.size
    assert verdict is not None
    values, cut, inspected = verdict.map, verdict.pixel_threshold, verdict.inspected
    regions = [each.region for each in verdict.regions]
    cells = inspector.embedder.embed(told.image).grid
    grid = np.random.default_rng(0).random(cells, dtype=np.float32)
    missing = {"anomaly_map_base64": None, "grey_values": None, "detection_id": None, "processing_time_ms": 0.0}
    facts = {**told.as_dict(), **missing}
    png = render("heatmap", values, cut, told.image.pixels, regions, inspected)
    raw = isal_zlib.decompress(png[png.index(b"IDAT") + 4 :])

    def answer() -> bytes:
        return b"".join(json_with(Detection(**facts), {"anomaly_map_base64": png}))

    plain = json.loads(answer())
    return [
        ("map", lambda: enlarge(grid, size), "Pillow", lambda: Image.fromarray(grid).resize(size)),
        ("regions", lambda: find_regions(values, cut, inspected), "comparison", lambda: values > cut),
        (
            "heatmap and PNG",
            lambda: render("heatmap", values, cut, told.image.pixels, regions, inspected),
            "ISA-L",
            lambda: isal_zlib.compress(raw, 1),
        ),
        ("JSON", answer, "json and base64", lambda: (json.dumps(plain), base64.b64encode(png))),
        ("form", lambda: _parsed(boundary, form), "one copy", lambda: bytearray(form)),
    ]


def _parsed(boundary: bytes, form: bytes) -> None:
    """As often as a request's form is looked at: for its bounds, and to read it."""
    for _ in range(2):
        parser = MultipartParser(boundary, {})
        parser.write(form)
        parser.finalize()
