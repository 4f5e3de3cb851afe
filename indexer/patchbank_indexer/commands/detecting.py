"""``indexer detect``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from patchbank.errors import PatchbankError, StoreUnavailable
from patchbank.judging.inspector import Inspector
from patchbank.judging.verdict import Inspection
from patchbank.scoring.heatmap import overlay
from patchbank.settings import Settings
from patchbank_indexer.datasets.files import image_files
from patchbank_indexer.output import Output


@dataclass(frozen=True)
class Request:
    """What to judge, and how."""

    images: Sequence[Path]
    class_name: str | None
    threshold: float | None
    pixel_threshold: float | None
    out_dir: Path | None
    explain: bool


def detect(settings: Settings, out: Output, request: Request) -> int:
    """Judge every image; 1 where one could not be judged."""
    files = image_files(request.images)
    results: list[dict[str, Any]] = []
    with Inspector.open(settings) as inspector, out.progress() as progress:
        if request.class_name is not None:
            inspector.serving_bank(request.class_name)
        stage = progress.begin("detecting", len(files))
        for file in files:
            results.append(_one(inspector, file, request))
            stage.advance()
    out.result({"results": results})
    out.table(
        ("image", "class", "verdict", "score", "threshold", "p-value", "ms"),
        [
            (
                row["image"],
                row.get("class_name"),
                row["verdict"],
                row.get("anomaly_score"),
                row.get("threshold"),
                row.get("p_value"),
                row.get("processing_time_ms"),
            )
            for row in results
        ],
    )
    warned: dict[str, list[str]] = {}
    for row in results:
        for warning in row.get("warnings", ()):
            warned.setdefault(warning, []).append(row["image"])
        if "error" in row:
            out.remark(f"{row['image']}: {row['error']['message']} [{row['error']['code']}]")
    for warning, images in warned.items():
        out.remark(f"{images[0] if len(images) == 1 else f'{len(images)} images'}: {warning}")
    return int(any("error" in row for row in results))


def _one(inspector: Inspector, file: Path, request: Request) -> dict[str, Any]:
    try:
        inspection = inspector.inspect(
            file,
            request.class_name,
            threshold=request.threshold,
            pixel_threshold=request.pixel_threshold,
            explain=request.explain,
        )
    except PatchbankError as error:
        return {"image": str(file), "status": "error", "verdict": "error", "error": error.as_dict()}
    row = _row(file, inspection)
    if request.out_dir is not None and inspection.verdict is not None:
        row["overlay"] = str(write_overlay(inspection, request.out_dir / f"{file.stem}.png"))
    return row


def write_overlay(inspection: Inspection, path: Path) -> Path:
    """Write the overlay of a judged image; a name that is taken gets a number."""
    verdict = inspection.verdict
    assert verdict is not None  # noqa: S101  # callers check
    regions = [found.region for found in verdict.regions]
    picture = overlay(verdict.map, verdict.pixel_threshold, inspection.image.pixels, regions, verdict.inspected)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        free, number = path, 2
        while free.exists():
            free, number = path.with_stem(f"{path.stem}-{number}"), number + 1
        picture.save(free)
    except OSError as error:
        raise StoreUnavailable(f"{path.parent} cannot be written: {error.strerror or error}") from error
    return free


def _row(file: Path, inspection: Inspection) -> dict[str, Any]:
    """The REST answer's fields, less the picture."""
    verdict = inspection.verdict
    row: dict[str, Any] = {
        "image": str(file),
        "status": inspection.status,
        "verdict": "unknown product",
        "class_confidence": inspection.retrieval.confidence,
        "all_class_scores": inspection.retrieval.scores,
        "backbone": inspection.backbone,
        "timings_ms": inspection.timings_ms,
        "processing_time_ms": sum(inspection.timings_ms.values()),
        "warnings": list(inspection.warnings),
    }
    if verdict is None:
        return row
    return {
        **row,
        "verdict": "ANOMALOUS" if verdict.is_anomalous else "normal",
        "class_name": verdict.class_name,
        "is_anomalous": verdict.is_anomalous,
        "anomaly_score": verdict.score,
        "threshold": verdict.threshold,
        "pixel_threshold": verdict.pixel_threshold,
        "p_value": verdict.p_value,
        "anomaly_percentage": 100.0 * verdict.anomalous_share,
        "regions": [found.as_dict() for found in verdict.regions],
        "bank_version": verdict.bank_version,
    }
