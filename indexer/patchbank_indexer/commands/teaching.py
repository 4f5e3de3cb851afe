"""``add`` and ``update``: teach a class, or add to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from patchbank.bank.manifest import ScoringRule
from patchbank.bank.names import check_class_name
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.turned import EIGHTHS, QUARTERS, Turn
from patchbank.judging.backbone_choice import settled
from patchbank.scales import DETAILS, Scales
from patchbank.settings import Settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.roi_drawing import Box, RoiDrawing
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.commands.options import (
    BackboneName,
    ClassName,
    Confidence,
    DataDir,
    GroupBy,
    Json,
    ReviewFar,
    Strict,
    TargetFar,
)
from patchbank_indexer.commands.out_folder import check_out_folder
from patchbank_indexer.commands.running import opened, run
from patchbank_indexer.commands.series_naming import named_series
from patchbank_indexer.commands.set_aside_report import write_set_aside
from patchbank_indexer.commands.teaching_report import tell
from patchbank_indexer.datasets.left_out import LeftOut
from patchbank_indexer.datasets.normal_images import find_normal_images
from patchbank_indexer.datasets.series import check_several
from patchbank_indexer.datasets.telling_names import refuse_telling
from patchbank_indexer.output import Output

Paths = Annotated[
    list[Path],
    typer.Argument(help="Image files, folders that are searched for images, or manifests (docs/evaluate.md)."),
]
CalibrateWith = Annotated[
    Path | None,
    typer.Option("--calibrate-with", help="Folder of normal images the bank does not hold, for the threshold."),
]
Ratio = Annotated[
    float | None,
    typer.Option("--coreset", min=0.001, max=1.0, help="Share of patches to keep, chosen by greedy k-center."),
]
Augment = Annotated[
    str,
    typer.Option(
        "--augment",
        help="Teach turned copies of the references too, for parts that arrive turned: rotate (every 90 degrees), "
        "rotate45, or none.",
    ),
]
DetailLevel = Annotated[
    str | None,
    typer.Option(
        "--detail",
        help="How finely pictures are seen: fast, standard or fine (docs/scales.md). [env: PATCHBANK_DETAIL]",
    ),
]
SmallestDefect = Annotated[
    float | None,
    typer.Option(
        "--smallest-defect",
        min=1.0,
        metavar="PIXELS",
        help="Width of the smallest defect that must be found, in pixels of the first reference image: chooses how "
        "finely pictures are seen.",
    ),
]
KeepAll = Annotated[
    bool,
    typer.Option(
        "--keep-all",
        help="Take every picture, also what is unlike the others, and let each count for itself (docs/references.md).",
    ),
]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Take folders whose names say defect, test, mask or ground truth.")
]
SetAsideDir = Annotated[
    Path | None, typer.Option("--out", help="Write the pictures that were set aside to this folder.")
]
MaskFile = Annotated[
    Path | None,
    typer.Option("--mask", help="Picture of what is inspected: white is, black is ignored (docs/masks.md)."),
]
RoiBoxes = Annotated[
    list[str] | None,
    typer.Option(
        "--roi",
        metavar="X,Y,WIDTH,HEIGHT",
        help="Inspect only this box, in pixels of the first reference image; may be given several times.",
    ),
]
IgnoreBoxes = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="X,Y,WIDTH,HEIGHT", help="Ignore this box; may be given several times."),
]


def add(
    class_name: ClassName,
    paths: Paths,
    calibrate_with: CalibrateWith = None,
    coreset: Ratio = None,
    neighbours: Annotated[
        int, typer.Option(min=1, max=50, help="Patch score: mean distance to so many neighbours.")
    ] = 1,
    patch_score: Annotated[
        str,
        typer.Option(
            help="nearest: distance to the nearest normal patches; subspace: to the directions in which they vary "
            "(docs/detection.md)."
        ),
    ] = "nearest",
    image_score: Annotated[
        str, typer.Option(help="top: mean of the highest patch scores; top1: of the highest 1 %; or max.")
    ] = "top",
    share: Annotated[
        float, typer.Option(min=0.0001, max=0.5, help="Share of the patches that make the image score with `top`.")
    ] = ScoringRule().share,
    detail: DetailLevel = None,
    smallest_defect: SmallestDefect = None,
    target_far: TargetFar = None,
    review_far: ReviewFar = None,
    confidence: Confidence = None,
    augment: Augment = "none",
    foreground: Annotated[
        str,
        typer.Option(help="Mask what the part lies on: on, off, or auto where the references show that it is safe."),
    ] = "off",
    mask: MaskFile = None,
    roi: RoiBoxes = None,
    ignore: IgnoreBoxes = None,
    group_by: GroupBy = None,
    keep_all: KeepAll = False,
    yes: Yes = False,
    out_dir: SetAsideDir = None,
    strict: Strict = False,
    backbone: BackboneName = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Teach CLASS from images of good parts; a bank that is already there is replaced in one step at the end."""
    if patch_score not in ("nearest", "subspace"):
        raise typer.BadParameter("use nearest or subspace", param_hint="--patch-score")
    if image_score not in ("top", "top1", "max"):
        raise typer.BadParameter("use top, top1 or max", param_hint="--image-score")
    if detail is not None and smallest_defect is not None:
        raise typer.BadParameter("--detail and it both choose the scales: give one", param_hint="--smallest-defect")
    turns = _turns(augment)
    if foreground not in ("off", "auto", "on"):
        raise typer.BadParameter("use off, auto or on", param_hint="--foreground")
    rule = ScoringRule.model_validate(
        {"patch_score": patch_score, "neighbours": neighbours, "image_score": image_score, "share": share}
    )
    area = _drawing(mask, roi, ignore)
    options = TeachOptions(
        coreset,
        rule,
        target_far,
        strict,
        turns,
        foreground,  # type: ignore[arg-type]
        area,
        keep_all,
        _scales(detail),
        smallest_defect,
        review_far,
        confidence,
    )
    request = _Request(class_name, paths, calibrate_with, options, group_by, out_dir, extend=False, yes=yes)
    run(lambda settings, out: _teach(settings, out, request), as_json, backbone=backbone, data_dir=data_dir)


def update(
    class_name: ClassName,
    paths: Paths,
    calibrate_with: CalibrateWith = None,
    coreset: Ratio = None,
    target_far: TargetFar = None,
    review_far: ReviewFar = None,
    confidence: Confidence = None,
    augment: Augment = "none",
    group_by: GroupBy = None,
    keep_all: KeepAll = False,
    yes: Yes = False,
    out_dir: SetAsideDir = None,
    strict: Strict = False,
    backbone: BackboneName = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Add more reference images to CLASS, as a new version. Its mask stays; for another one use `add`."""
    options = TeachOptions(
        coreset,
        target_far=target_far,
        strict=strict,
        turns=_turns(augment),
        keep_all=keep_all,
        review_far=review_far,
        confidence=confidence,
    )
    request = _Request(class_name, paths, calibrate_with, options, group_by, out_dir, extend=True, yes=yes)
    run(lambda settings, out: _teach(settings, out, request), as_json, backbone=backbone, data_dir=data_dir)


@dataclass(frozen=True)
class _Request:
    """What to teach, and how; ``group_by`` is the rule that names series, ``out_dir`` gets the pictures that are set
    aside, ``extend`` adds to the class instead of replacing it, ``yes`` takes folders whose names say that they hold no
    good parts."""

    class_name: str
    paths: Sequence[Path]
    calibrate_with: Path | None
    options: TeachOptions
    group_by: str | None
    out_dir: Path | None
    extend: bool
    yes: bool


def _teach(settings: Settings, out: Output, request: _Request) -> None:
    check_class_name(request.class_name)
    check_out_folder(request.out_dir)
    references = find_normal_images(request.paths)
    held_out = None if request.calibrate_with is None else find_normal_images([request.calibrate_with])
    if not request.yes:
        refuse_telling(request.paths, references.images)
        if request.calibrate_with is not None and held_out is not None:
            refuse_telling([request.calibrate_with], held_out.images)
    left_out = LeftOut([*references.left_out.files, *(held_out.left_out.files if held_out is not None else ())])
    for line in left_out.lines():
        out.remark(line)
    series = named_series(out, request.group_by, request.paths, references.images, "references")
    if held_out is not None and request.calibrate_with is not None:
        series |= named_series(out, request.group_by, [request.calibrate_with], held_out.images, "calibration images")
    elif not request.extend:
        check_several(series, references.images)
    with (
        opened(settings) as store,
        Embedder.open(settled(settings, store, out.remark)) as embedder,
        out.progress() as progress,
    ):
        report = Teacher(settings, embedder, store).teach(
            request.class_name,
            references.images,
            calibrate_with=None if held_out is None else held_out.images,
            options=replace(request.options, series=series),
            extend=request.extend,
            progress=progress,
        )
    tell(out, report, left_out, write_set_aside(report, request.out_dir), turned=bool(request.options.turns))
    calibration = report.manifest.calibration
    if request.group_by is None and calibration.series and calibration.method == "leave-one-image-out":
        out.remark(
            "references of this class come in series; those just added count as alone: give --group-by for them too"
        )


def _scales(detail: str | None) -> Scales | None:
    if detail is None:
        return None
    for name, scales in DETAILS.items():
        if name == detail:
            return scales
    raise typer.BadParameter(f"use {', '.join(DETAILS)}", param_hint="--detail")


def _turns(augment: str) -> tuple[Turn, ...]:
    known = {"none": (), "rotate": QUARTERS, "rotate45": EIGHTHS}
    if augment not in known:
        raise typer.BadParameter(f"use {', '.join(known)}", param_hint="--augment")
    return known[augment]


def _drawing(mask: Path | None, roi: list[str] | None, ignore: list[str] | None) -> RoiDrawing | None:
    """What is inspected; None where all of the picture is."""
    if mask is None and not roi and not ignore:
        return None
    return RoiDrawing(mask, _boxes(roi, "--roi"), _boxes(ignore, "--ignore"))


def _boxes(given: list[str] | None, option: str) -> tuple[Box, ...]:
    boxes = []
    for text in given or ():
        try:
            left, top, width, height = map(int, text.split(","))
        except ValueError:
            raise typer.BadParameter(
                f"{text!r} is no box: give X,Y,WIDTH,HEIGHT in pixels, such as 40,20,300,200", param_hint=option
            ) from None
        boxes.append((left, top, width, height))
    return tuple(boxes)
