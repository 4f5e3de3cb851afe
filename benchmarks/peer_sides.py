"""The sides of ``benchmarks.peer``: one side, one way of working, in this process; the task comes as JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

Task = dict[str, Any]


def main() -> None:
    """Print one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=["plain", "anomalib", "ours"])
    parser.add_argument("way", choices=["teach", "detect", "http"])
    given = parser.parse_args()
    task: Task = json.load(sys.stdin)
    work: dict[tuple[str, str], Callable[[Task], dict[str, Any]]] = {
        ("plain", "teach"): lambda task: _teach_torch(task, _plain(task)),
        ("plain", "detect"): lambda task: _detect_torch(task, _plain(task)),
        ("anomalib", "teach"): lambda task: _teach_torch(task, _anomalib(task)),
        ("anomalib", "detect"): lambda task: _detect_torch(task, _anomalib(task)),
        ("ours", "teach"): _teach_ours,
        ("ours", "detect"): _detect_ours,
        ("ours", "http"): _detect_over_http,
    }
    print(json.dumps(work[given.side, given.way](task)))


def _plain(task: Task) -> Any:
    from benchmarks.plain_pytorch import BuiltIn, PlainPyTorch, Tokens  # noqa: PLC0415  # ours must not load PyTorch

    network = Tokens(task["checkpoint"]) if "checkpoint" in task else BuiltIn()
    return PlainPyTorch(network, task["side"], network.stride)


def _anomalib(task: Task) -> Any:
    from benchmarks.anomalib_side import AnomalibSide  # noqa: PLC0415

    return AnomalibSide(task["checkpoint"], task["side"])


def _bank(task: Task, pipeline: Any) -> Path:
    return Path(task["folder"]) / f"{type(pipeline).__name__}.pt"


def _teach_torch(task: Task, pipeline: Any) -> dict[str, Any]:
    files = [Path(file) for file in task["references"]]
    pipeline.features(pipeline.read(files[0]))  # the first pass also sets up
    begin = time.perf_counter()
    start = time.time() - task["begin"]
    pipeline.teach(files)
    pipeline.save(_bank(task, pipeline))
    spent = time.perf_counter() - begin
    pipeline.threshold(len(files))
    return {
        "start": start,
        "images_s": len(files) / spent,
        "with_threshold_s": len(files) / (time.perf_counter() - begin),
        "disk_mb": _bank(task, pipeline).stat().st_size / 1e6,
        "about": _about_torch(pipeline),
    }


def _detect_torch(task: Task, pipeline: Any) -> dict[str, Any]:
    files = [Path(file) for file in task["images"]]
    pipeline.load(_bank(task, pipeline))
    return _detected(task, files, lambda file: float(pipeline.detect([file])[0][0]), _at_once(pipeline)) | {
        "about": _about_torch(pipeline)
    }


def _at_once(pipeline: Any) -> Callable[[list[Path]], object]:
    return lambda files: pipeline.detect(files, pipeline.at_once)


def _about_torch(pipeline: Any) -> str:
    import torch  # noqa: PLC0415

    order = "channels last" if pipeline.channels_last else "channels first"
    return f"torch {torch.__version__}, {torch.get_num_threads()} threads, inference_mode, {order}"


def _detected(
    task: Task, files: list[Path], score: Callable[[Path], float], many: Callable[[list[Path]], object]
) -> dict[str, Any]:
    """Figures of one picture after the other, and of many sent at once."""
    score(files[0])
    start, each, scores = time.time() - task["begin"], [], []
    for file in files:
        begin = time.perf_counter()
        scores.append(score(file))
        each.append(time.perf_counter() - begin)
    batch = [files[place % len(files)] for place in range(task["batch"])]
    begin = time.perf_counter()
    many(batch)
    spent = time.perf_counter() - begin
    return {"start": start, "ms": median(each) * 1e3, "many_s": len(batch) / spent, "scores": scores}


def _settings(task: Task) -> Any:
    from patchbank.settings import load_settings  # noqa: PLC0415  # PyTorch's sides must not load ours

    return load_settings(data_dir=Path(task["folder"]) / "banks", backbone=task["backbone"], detail="fast")


def _teach_ours(task: Task) -> dict[str, Any]:
    from patchbank.bank.manifest import ScoringRule  # noqa: PLC0415
    from patchbank.bank.open_store import open_store  # noqa: PLC0415
    from patchbank.embedding.embedder import Embedder  # noqa: PLC0415
    from patchbank.teaching.plan import TeachOptions  # noqa: PLC0415
    from patchbank.teaching.teacher import Teacher  # noqa: PLC0415

    files = [Path(file) for file in task["references"]]
    settings = _settings(task)
    store = open_store(settings)
    with Embedder.open(settings) as embedder:
        start = time.time() - task["begin"]
        begin = time.perf_counter()
        Teacher(settings, embedder, store).teach("part", files, options=TeachOptions(scoring=ScoringRule(share=0.01)))
        spent = time.perf_counter() - begin
    store.close()
    files_made = [file for file in settings.data_dir.rglob("*") if file.is_file() and "models" not in file.parts]
    size = sum(512 * file.stat().st_blocks for file in files_made)
    return {
        "start": start,
        "images_s": None,
        "with_threshold_s": len(files) / spent,
        "disk_mb": size / 1e6,
        "about": _about_ours(settings),
    }


def _detect_ours(task: Task) -> dict[str, Any]:
    from patchbank.judging.inspector import Inspector  # noqa: PLC0415

    files = [Path(file) for file in task["images"]]
    settings = _settings(task)
    with Inspector.open(settings, search_workers=os.cpu_count() or 1) as inspector:

        def score(file: Path) -> float:
            verdict = inspector.inspect(file, "part").verdict
            assert verdict is not None
            return verdict.score

        return _detected(task, files, score, lambda batch: [score(file) for file in batch]) | {
            "about": _about_ours(settings)
        }


def _detect_over_http(task: Task) -> dict[str, Any]:
    from patchbank_indexer.demo.server import running_service  # noqa: PLC0415

    files = [Path(file) for file in task["images"]]
    settings = _settings(task)
    with running_service(settings, Path(task["folder"]) / "log") as client:

        def score(file: Path) -> float:
            answer = client.post("/detect", files={"file": file.read_bytes()}, data={"class_name": "part"})
            return float(answer.raise_for_status().json()["anomaly_score"])

        def many(batch: list[Path]) -> None:
            sent = [("files", (file.name, file.read_bytes())) for file in batch]
            client.post("/detect/batch", files=sent, data={"class_name": "part"}).raise_for_status()

        return _detected(task, files, score, many) | {"about": _about_ours(settings)}


def _about_ours(settings: Any) -> str:
    import onnxruntime  # noqa: PLC0415

    return f"onnxruntime {onnxruntime.__version__}, providers {','.join(settings.providers)}"


if __name__ == "__main__":
    main()
