"""``detect``: judge images against the taught classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from patchbank.atomic_file import replacing
from patchbank.bank.view import unknown_class
from patchbank.disk import write_error
from patchbank.errors import PatchbankError, StoreUnavailable
from patchbank.judging.backbone_choice import settled
from patchbank.judging.frozen import FrozenWatch
from patchbank.judging.inspector import Inspector
from patchbank.judging.verdict import Inspection
from patchbank.scoring.heatmap import overlay
from patchbank.settings import Settings
from patchbank.text import file_stem
from patchbank_indexer.commands.detect_table import check_csv_path, counts, summary_line, write_csv
from patchbank_indexer.commands.options import BackboneName, DataDir, Json
from patchbank_indexer.commands.out_folder import check_out_folder
from patchbank_indexer.commands.running import opened, run
from patchbank_indexer.datasets.files import find_images
from patchbank_indexer.output import Output


def detect(
    images: Annotated[list[Path], typer.Argument(help="Image files, or folders of images.")],
    class_name: Annotated[str | None, typer.Option("--class-name", help="Skip class retrieval.")] = None,
    version: Annotated[
        str | None, typer.Option("--version", help="Judge with this version of the class, not with the serving one.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(min=0.0, max=2.0, help="Instead of the calibrated one.")] = None,
    pixel_threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=2.0, help="For the map alone; else --threshold, else the calibrated one."),
    ] = None,
    out_dir: Annotated[Path | None, typer.Option("--out", help="Write overlays of the images here, as PNG.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Name the nearest normal patch of every region.")] = False,
    csv_path: Annotated[
        Path | None, typer.Option("--csv", help="Write a row per image to this file, with the plain values.")
    ] = None,
    backbone: BackboneName = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Judge images against the taught classes. Exit status 1 if any image could not be judged or is of a format that is
    not read."""
    if version is not None and class_name is None:
        raise typer.BadParameter("say of which class, with --class-name", param_hint="--version")
    request = _Request(images, class_name, version, threshold, pixel_threshold, out_dir, explain, csv_path)
    run(lambda settings, out: _detect(settings, out, request), as_json, backbone=backbone, data_dir=data_dir)


@dataclass(frozen=True)
class _Request:
    """What to judge, and how."""

    images: Sequence[Path]
    class_name: str | None
    version: str | None
    threshold: float | None
    pixel_threshold: float | None
    out_dir: Path | None
    explain: bool
    csv_path: Path | None


def _detect(settings: Settings, out: Output, request: _Request) -> int:
    """Judge every image; 1 where one could not be judged, or was left out because its format is not read."""
    check_out_folder(request.out_dir)
    asked = find_images(request.images)
    if request.csv_path is not None:
        check_csv_path(request.csv_path)
    results: list[dict[str, Any]] = []
    watch = FrozenWatch(settings.frozen_after)
    with opened(settings) as store:  # before a backbone is brought for nothing
        active = store.active()
        if not active:
            raise unknown_class(None, active, store.place)
        settings = settled(settings, store, out.remark)
    with Inspector.open(settings, watch=watch) as inspector, out.progress() as progress:
        if request.class_name is not None:
            inspector.serving_bank(request.class_name, version=request.version)
        stage = progress.begin("detecting", len(asked.images))
        for file in asked.images:
            results.append(_judged(inspector, file, request))
            stage.advance()
    if request.csv_path is not None:
        write_csv(request.csv_path, results)
    told = counts(results)
    out.result({"results": results, "summary": told, "left_out": asked.left_out.as_list()})
    _tell(out, results)
    for line in asked.left_out.lines():
        out.remark(line)
    out.say(summary_line(told))
    return int(asked.left_out.hides_images or any("error" in row for row in results))


def _whole(ms: float | None) -> int | None:
    return None if ms is None else round(ms)


def _tell(out: Output, results: Sequence[dict[str, Any]]) -> None:
    """The table, what went wrong, and each warning once."""
    out.table(
        ("image", "class", "verdict", "score", "threshold", "p-value", "ms"),
        [
            (
                row["image"],
                row.get("class_name"),
                _verdict(row),
                row.get("anomaly_score"),
                row.get("threshold"),
                row.get("p_value"),
                _whole(row.get("processing_time_ms")),
            )
            for row in results
        ],
        names=("image", "class"),
        least=("ms", "p-value"),
    )
    warned: dict[str, list[str]] = {}
    for row in results:
        for warning in row.get("warnings", ()):
            warned.setdefault(warning, []).append(row["image"])
        if "error" in row:
            out.remark(f"{row['image']}: {row['error']['message']} [{row['error']['code']}]")
    for warning, images in warned.items():
        out.remark(f"{images[0] if len(images) == 1 else f'{len(images)} images'}: {warning}")


def _verdict(row: dict[str, Any]) -> str:
    """The verdict, whether it is for review, the known defects, and the reasons other than the score."""
    others = ["for review"] if row.get("decision") == "review" else []
    others += dict.fromkeys(region["defect"]["name"] for region in row.get("regions", ()) if region["defect"])
    others += ["unlike the class"] if "unlike_class" in row.get("reasons", ()) else []
    if row.get("frame_fault"):
        others.append(row["frame_fault"])
    return f"{row['verdict']} ({', '.join(others)})" if others else str(row["verdict"])


def _judged(inspector: Inspector, file: Path, request: _Request) -> dict[str, Any]:
    try:
        inspection = inspector.inspect(
            file,
            request.class_name,
            version=request.version,
            threshold=request.threshold,
            pixel_threshold=request.pixel_threshold,
            explain=request.explain,
        )
    except PatchbankError as error:
        return {"image": str(file), "status": "error", "verdict": "error", "error": error.as_dict()}
    row = _row(file, inspection)
    if request.out_dir is not None and inspection.verdict is not None:
        row["overlay"] = str(_write_overlay(inspection, request.out_dir / f"{file_stem(file.name)}.png"))
    return row


def _write_overlay(inspection: Inspection, path: Path) -> Path:
    """Write the overlay of a judged image; a name that is taken gets a number."""
    verdict = inspection.verdict
    assert verdict is not None  # noqa: S101  # callers check
    regions = [explained.region for explained in verdict.regions]
    picture = overlay(verdict.map, verdict.pixel_threshold, inspection.image.pixels, regions, verdict.inspected)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        free, number = path, 2
        while free.exists():
            free, number = path.with_stem(f"{path.stem}-{number}"), number + 1
        with replacing(free, sweep=False) as file:
            picture.save(file, format="PNG")
    except OSError as error:
        raise write_error(error, f"{path.parent} cannot be written", StoreUnavailable, path.parent) from error
    return free


def _row(file: Path, inspection: Inspection) -> dict[str, Any]:
    """The REST answer's fields, less the picture; an unknown product has none of the verdict's."""
    told = inspection.as_dict()
    if inspection.verdict is None:
        known = {name: value for name, value in told.items() if value is not None and name != "regions"}
        return {"image": str(file), "verdict": "unknown product", **known}
    return {"image": str(file), "verdict": "ANOMALOUS" if inspection.verdict.is_anomalous else "normal", **told}
