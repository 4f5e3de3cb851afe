"""How far other runtimes and models shift the self-test and the scores of real images.

::

    python -m benchmarks.runtimes teach FOLDER [--mvtec NAME=FOLDER]
    python -m benchmarks.runtimes judge FOLDER NAME [--threads 1] [--optimise none] [--weights bf16] ...
    python -m benchmarks.runtimes table FOLDER

``judge`` runs in any environment: another ONNX Runtime or Pillow, put before the installed one with
``pip install --no-deps --target DIR`` and ``PYTHONPATH=DIR``. It judges although the self-test may fail.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.altered_weights import Change, off_by, to_bf16, to_int8, write_altered
from benchmarks.taught import read_taught, settings_of, teach_all
from benchmarks.verdicts import verdict_on
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.manifest import Manifest
from patchbank.embedding import onnxruntime_engine
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.model_files import find_backbone, model_path
from patchbank.embedding.model_hash import file_sha256
from patchbank.embedding.providers import Runtime, session_options
from patchbank.embedding.self_test import Response
from patchbank.embedding.session import OnnxSession
from patchbank.judging.compatibility import Compatibility, CompatibilityChecks
from patchbank.judging.inspector import Inspector
from patchbank.onnx_runtime import onnx_runtime

REFERENCE = "the same again"
LEVELS = {"none": "ORT_DISABLE_ALL", "basic": "ORT_ENABLE_BASIC", "extended": "ORT_ENABLE_EXTENDED"}


class LetIn(CompatibilityChecks):
    """Admits every bank, so that scores are known of those that would be refused too."""

    def look(self, manifest: Manifest) -> Compatibility:
        """Always passed."""
        return Compatibility("passed")


def judge(folder: Path, name: str, given: argparse.Namespace) -> None:
    """Score every image, and write that down with what the self-test says."""
    backbone, classes = read_taught(folder)
    settings = settings_of(folder, backbone)
    if given.optimise:
        setattr(onnxruntime_engine, "session_options", _optimised(LEVELS[given.optimise]))  # noqa: B010  # not exported
    if given.resize:
        filters = {kind.name: kind for kind in Image.Resampling}
        filters["BICUBIC"] = filters[given.resize.upper()]
        setattr(Image, "Resampling", SimpleNamespace(**filters))  # noqa: B010  # as a changed Pillow
    runtime = Runtime((given.provider,), given.threads, given.precision)
    with tempfile.TemporaryDirectory() as scratch:
        model = model_path(find_backbone(backbone, settings.data_dir), settings.data_dir)
        used = model
        if given.weights:
            used = write_altered(model, _WEIGHTS[given.weights], Path(scratch) / "changed.onnx")
        ran = OnnxSession(used, runtime)
        ran.sha256, ran.precision = file_sha256(model), "fp32"  # so that the fingerprint stays the same
        embedder = Embedder(find_backbone(backbone, settings.data_dir), ran)
        with Inspector(settings, embedder, EdgeStore(settings.data_dir)) as inspector:
            inspector.compatibility = LetIn(embedder)
            scores = {
                data.class_name: [verdict_on(inspector, file, data.class_name).score for file in data.images]
                for data in classes
            }
            manifest = inspector.store.bank(classes[0].class_name).manifest
            assert manifest.self_test is not None
            then = Response.from_facts(manifest.self_test.model_dump(), embedder.dimensions()[0])
            own = embedder.self_test()
    run = {"name": name, "runtime": own.runtime, "shift": then.shift(own), "scores": scores}
    (folder / f"judged-{name.replace(' ', '-').replace('/', '-')}.json").write_text(json.dumps(run))
    print(f"{name}: {run['shift']:.3g}")


def _optimised(level: str) -> Any:
    def options(runtime: Runtime) -> Any:
        made = session_options(runtime)
        made.graph_optimization_level = getattr(onnx_runtime().GraphOptimizationLevel, level)
        return made

    return options


_WEIGHTS: dict[str, Change] = {
    "bf16": to_bf16,
    "fp16": lambda weights: weights.astype(np.float16),
    "int8": to_int8,
    "0.01%": off_by(1e-4),
    "0.1%": off_by(1e-3),
    "1%": off_by(1e-2),
}


def table(folder: Path) -> None:
    """Print one row per runtime: the self-test, and how far scores moved from those of the reference run."""
    _, classes = read_taught(folder)
    judged = [json.loads(path.read_text()) for path in folder.glob("judged-*.json")]
    first = next(run for run in judged if run["name"] == REFERENCE)
    print("| what differs | self-test | largest score shift | median | largest, of the spread | verdicts changed |")
    print("|---|---|---|---|---|---|")
    for run in sorted(judged, key=lambda run: run["shift"]):
        moved, share, flips, count = [], [], 0, 0
        for data in classes:
            before, after = (np.array(side["scores"][data.class_name]) for side in (first, run))
            moved += list(np.abs(after - before))
            share += list(np.abs(after - before) / data.spread)
            flips += int(((after > data.threshold) != (before > data.threshold)).sum())
            count += len(before)
        print(
            f"| {run['name']} | {run['shift']:.1e} | {max(moved):.1e} | {median(moved):.1e} | {max(share):.2%} | "
            f"{flips} of {count} |"
        )


def main() -> None:
    """Teach, judge, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=["teach", "judge", "table"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("name", nargs="?", default=REFERENCE)
    parser.add_argument("--mvtec", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--references", type=int, default=50)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--backbone", default="efficientnet-lite2")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--optimise", choices=list(LEVELS))
    parser.add_argument("--provider", default="onnxruntime")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--resize", choices=["bilinear", "lanczos", "hamming"])
    parser.add_argument("--weights", choices=list(_WEIGHTS))
    given = parser.parse_args()
    if given.work == "teach":
        given.folder.mkdir(parents=True, exist_ok=True)
        for data in teach_all(given.folder, given.mvtec, given.references, given.images, given.backbone):
            print(
                f"{data.class_name}: threshold {data.threshold:.4f}, usual {data.usual:.4f}, {len(data.images)} images"
            )
    elif given.work == "judge":
        judge(given.folder, given.name, given)
    else:
        table(given.folder)


if __name__ == "__main__":
    main()
