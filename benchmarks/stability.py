"""Does a score depend on how a picture is stored and sent? ``python -m benchmarks.stability FOLDER``.

Classes are taught once into FOLDER (or found there). Every image is then judged as PNG, BMP, lossless WebP and JPEG,
and some of them in every way that the project offers: Python, command, API and several settings of each.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from fastapi.testclient import TestClient
from PIL import Image

from benchmarks.taught import Taught, read_taught, settings_of, teach_all
from benchmarks.verdicts import verdict_on
from patchbank.api.app import create_app
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.server.link import ServerLink
from patchbank.bank.server.store import ServerStore
from patchbank.bank.transfer import put_class
from patchbank.embedding.embedder import Embedder
from patchbank.images import read_image
from patchbank.judging.inspector import Inspector
from patchbank.settings import Settings
from patchbank.teaching.teacher import Teacher
from tests.helpers.grpc_qdrant import serving_qdrant
from tests.helpers.stores import settings_of as settings_of_server

FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "PNG": ("PNG", {}),
    "BMP": ("BMP", {}),
    "WebP, lossless": ("WEBP", {"lossless": True}),
    "JPEG 95, 4:4:4": ("JPEG", {"quality": 95, "subsampling": 0}),
    "JPEG 95, 4:2:0": ("JPEG", {"quality": 95, "subsampling": 2}),
    "JPEG 90, 4:4:4": ("JPEG", {"quality": 90, "subsampling": 0}),
    "JPEG 90, 4:2:0": ("JPEG", {"quality": 90, "subsampling": 2}),
}
FEW = 6
"""Images per class that are judged in every way. Banks that are taught for it take small inputs, because the
server that the tests use searches slowly."""


def stored(file: Path, name: str) -> bytes:
    """The picture of a file, saved in another format."""
    kind, options = FORMATS[name]
    out = io.BytesIO()
    Image.fromarray(read_image(file).pixels).save(out, kind, **options)
    return out.getvalue()


def formats(inspector: Inspector, classes: list[Taught]) -> None:
    """Print one row per class and format: shifts from the score as PNG."""
    heads = ("class", "as", "median", "largest", "median, of the spread", "largest, of the spread", "verdicts changed")
    print(f"| {' | '.join(heads)} |")
    print("|---|---|---|---|---|---|---|")
    for data in classes:
        scores = {
            name: np.array([verdict_on(inspector, stored(file, name), data.class_name).score for file in data.images])
            for name in FORMATS
        }
        for name, changed in list(scores.items())[1:]:
            moved = np.abs(changed - scores["PNG"])
            flips = int(((changed > data.threshold) != (scores["PNG"] > data.threshold)).sum())
            print(
                f"| {data.class_name} | {name} | {median(moved):.2g} | {moved.max():.2g} | "
                f"{median(moved) / data.spread:.1%} | {moved.max() / data.spread:.1%} | {flips} of {len(moved)} |",
                flush=True,
            )


Answers = dict[str, list[float]]


def ways(folder: Path, backbone: str, classes: list[Taught]) -> None:
    """Print one row per way to ask: the largest shift of a score from the one in Python."""
    few = {data.class_name: (*data.good[: FEW // 2], *data.defective[: FEW // 2]) for data in classes}
    settings = settings_of(folder, backbone)
    first = in_python(settings, few)
    asked: dict[str, Callable[[], Answers]] = {
        "`indexer detect --json`": lambda: by_command(settings, few),
        "`/detect`": lambda: by_api(settings, few, together=0),
        "`/detect/batch`, alone": lambda: by_api(settings, few, together=1),
        f"`/detect/batch`, among {FEW}": lambda: by_api(settings, few, together=FEW),
        "1 thread": lambda: in_python(settings_of(folder, backbone, threads=1), few),
        "2 threads": lambda: in_python(settings_of(folder, backbone, threads=2), few),
        "2 search processes": lambda: in_python(settings, few, workers=2),
    }
    print("\n| asked | largest shift of a score | verdicts changed |")
    print("|---|---|---|")
    for name, ask in asked.items():
        _row(name, first, ask(), classes)
    small, taught = _small(backbone, classes, few)
    for name, answers in taught.items():
        _row(name, small, answers, classes)


def in_python(settings: Settings, few: dict[str, tuple[Path, ...]], workers: int = 0) -> Answers:
    """Scores by ``Inspector``."""
    with Inspector.open(settings, search_workers=workers) as inspector:
        return _judged(inspector, few)


def _judged(inspector: Inspector, few: dict[str, tuple[Path, ...]]) -> Answers:
    return {name: [verdict_on(inspector, file, name).score for file in files] for name, files in few.items()}


def by_command(settings: Settings, few: dict[str, tuple[Path, ...]]) -> Answers:
    """Scores by the command line, in a process of its own."""
    scores = {}
    for name, files in few.items():
        words = [
            sys.executable,
            "-c",
            "from patchbank_indexer.cli import main; main()",
            "detect",
            *map(str, files),
            "--class-name",
            name,
            "--json",
            "--data-dir",
            str(settings.data_dir),
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        scores[name] = [row["anomaly_score"] for row in json.loads(done.stdout)["results"]]
    return scores


def by_api(settings: Settings, few: dict[str, tuple[Path, ...]], together: int) -> Answers:
    """Scores by the API: one image per request where ``together`` is 0, else batches of that many."""
    scores = {}
    with TestClient(create_app(settings.model_copy(update={"search_workers": 0}))) as client:
        for name, files in few.items():
            form = {"class_name": name, "return_map": "false"}
            if together == 0:
                replies = [client.post("/detect", files={"file": file.read_bytes()}, data=form) for file in files]
                scores[name] = [reply.json()["anomaly_score"] for reply in replies]
                continue
            scores[name] = []
            for begin in range(0, len(files), together):
                parts = [("files", file.read_bytes()) for file in files[begin : begin + together]]
                results = client.post("/detect/batch", files=parts, data={"class_name": name}).json()["results"]
                scores[name] += [row["anomaly_score"] for row in results]
    return scores


def _small(
    backbone: str, classes: list[Taught], few: dict[str, tuple[Path, ...]]
) -> tuple[Answers, dict[str, Answers]]:
    """Scores by banks of a few references, which are good images that are not judged.

    First those of a bank taught one image after the other; then, by name, of one taught in batches and of a copy.
    """
    with tempfile.TemporaryDirectory() as scratch:
        scores: dict[str, Answers] = {}
        alone = "one by one"
        for name, batch in ((alone, 1), ("taught in batches of 4", 4)):
            settings = settings_of(Path(scratch) / name, backbone, batch_size=batch, input_size="112")
            store = EdgeStore(settings.data_dir)
            with Inspector(settings, Embedder.open(settings), store) as inspector:
                teacher = Teacher(settings, inspector.embedder, store)
                for data in classes:
                    teacher.teach(data.class_name, data.good[FEW // 2 :])
                scores[name] = _judged(inspector, few)
                if batch == 1:
                    scores["copied to a server's store"] = _on_server(settings, inspector, few)
    return scores.pop(alone), scores


def _on_server(settings: Settings, inspector: Inspector, few: dict[str, tuple[Path, ...]]) -> Answers:
    """The same banks in the server's store, on the server that the tests use."""
    with serving_qdrant() as served, closing(ServerStore(ServerLink.open(settings_of_server(served)))) as store:
        for name in few:
            put_class(inspector.store.bank(name), store)
        return _judged(Inspector(settings, inspector.embedder, store), few)


def _row(name: str, first: Answers, other: Answers, classes: list[Taught]) -> None:
    moved, flips, count = 0.0, 0, 0
    for data in classes:
        before, after = np.array(first[data.class_name]), np.array(other[data.class_name])
        moved = max(moved, float(np.abs(after - before).max()))
        flips += int(((after > data.threshold) != (before > data.threshold)).sum())
        count += len(before)
    print(f"| {name} | {moved:.1e} | {flips} of {count} |", flush=True)


def main() -> None:
    """Teach where nothing is taught yet, then print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mvtec", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--references", type=int, default=50)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--backbone", default="efficientnet-lite2")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if not (given.folder / "plan.json").exists():
        teach_all(given.folder, given.mvtec, given.references, given.images, given.backbone)
    backbone, classes = read_taught(given.folder)
    for data in classes:
        print(f"{data.class_name}: threshold {data.threshold:.4f}, usual {data.usual:.4f}, {len(data.images)} images")
    print()
    with Inspector.open(settings_of(given.folder, backbone)) as inspector:
        formats(inspector, classes)
    ways(given.folder, backbone, classes)


if __name__ == "__main__":
    main()
