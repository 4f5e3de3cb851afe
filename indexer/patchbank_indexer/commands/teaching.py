"""``add`` and ``update``: teach a class, or add to it."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from patchbank.bank.manifest import ScoringRule
from patchbank.bank.names import check_class_name
from patchbank.jobs.choices import TeachChoices, UpdateChoices
from patchbank.jobs.teach import References, TeachRequest, UpdateRequest, teach
from patchbank.settings import Settings
from patchbank.teaching.series import check_several
from patchbank.teaching.telling_names import refuse_telling
from patchbank_indexer.commands.options import (
    AddedBy,
    BackboneName,
    ClassName,
    Confidence,
    DataDir,
    GroupBy,
    Json,
    NoActivate,
    Note,
    ReviewFar,
    Strict,
    TargetFar,
    chosen,
)
from patchbank_indexer.commands.out_folder import check_out_folder
from patchbank_indexer.commands.running import run
from patchbank_indexer.commands.series_naming import named_series
from patchbank_indexer.commands.set_aside_pictures import write_set_aside
from patchbank_indexer.commands.teaching_report import tell
from patchbank_indexer.datasets.left_out import LeftOut
from patchbank_indexer.datasets.normal_images import find_normal_images
from patchbank_indexer.datasets.telling_names import folders_of
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
    added_by: AddedBy = None,
    note: Note = "",
    no_activate: NoActivate = False,
    strict: Strict = False,
    backbone: BackboneName = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Teach CLASS from images of good parts; a bank that is already there is replaced in one step at the end."""
    choices = chosen(
        TeachChoices,
        coreset=coreset,
        patch_score=patch_score,
        neighbours=neighbours,
        image_score=image_score,
        share=share,
        detail=detail,
        smallest_defect=smallest_defect,
        target_far=target_far,
        review_far=review_far,
        confidence=confidence,
        augment=augment,
        foreground=foreground,
        mask=mask,
        roi=roi or (),
        ignore=ignore or (),
        keep_all=keep_all,
        strict=strict,
        added_by=user_name() if added_by is None else added_by,
        note=note,
        activate=not no_activate,
    )
    request = _Request(class_name, paths, calibrate_with, choices, group_by, out_dir, yes)
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
    added_by: AddedBy = None,
    note: Note = "",
    no_activate: NoActivate = False,
    strict: Strict = False,
    backbone: BackboneName = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Add more reference images to CLASS, as a new version. Its mask stays; for another one use `add`."""
    choices = chosen(
        UpdateChoices,
        coreset=coreset,
        target_far=target_far,
        review_far=review_far,
        confidence=confidence,
        augment=augment,
        keep_all=keep_all,
        strict=strict,
        added_by=user_name() if added_by is None else added_by,
        note=note,
        activate=not no_activate,
    )
    request = _Request(class_name, paths, calibrate_with, choices, group_by, out_dir, yes)
    run(lambda settings, out: _teach(settings, out, request), as_json, backbone=backbone, data_dir=data_dir)


def user_name() -> str:
    """The user of this machine; empty where the system does not say."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # which of them depends on the version of Python
        return ""


@dataclass(frozen=True)
class _Request:
    """What to teach, and how; ``group_by`` is the rule that names series, ``out_dir`` gets the pictures that are set
    aside, ``yes`` takes folders whose names say that they hold no good parts."""

    class_name: str
    paths: Sequence[Path]
    calibrate_with: Path | None
    choices: TeachChoices | UpdateChoices
    group_by: str | None
    out_dir: Path | None
    yes: bool


def _teach(settings: Settings, out: Output, asked: _Request) -> None:
    check_class_name(asked.class_name)
    check_out_folder(asked.out_dir)
    references = find_normal_images(asked.paths)
    held_out = None if asked.calibrate_with is None else find_normal_images([asked.calibrate_with])
    if not asked.yes:
        refuse_telling(folders_of(asked.paths, references.images))
        if asked.calibrate_with is not None and held_out is not None:
            refuse_telling(folders_of([asked.calibrate_with], held_out.images))
    left_out = LeftOut([*references.left_out.files, *(held_out.left_out.files if held_out is not None else ())])
    for line in left_out.lines():
        out.remark(line)
    series = named_series(out, asked.group_by, asked.paths, references.images, "references")
    if held_out is not None and asked.calibrate_with is not None:
        series |= named_series(out, asked.group_by, [asked.calibrate_with], held_out.images, "calibration images")
    elif isinstance(asked.choices, TeachChoices):
        check_several(series, references.images)
    kind: type[References] = TeachRequest if isinstance(asked.choices, TeachChoices) else UpdateRequest
    request = kind(
        class_name=asked.class_name,
        files=tuple(references.images),
        calibrate_with=None if held_out is None else tuple(held_out.images),
        series=series,
        choices=asked.choices,
    )
    with out.progress() as progress:
        report = teach(settings, request, progress, out.remark)
    written, failed = write_set_aside(report, asked.out_dir)
    tell(out, request, report, left_out, written)
    if failed is not None:  # the class is taught all the same, which is told first
        raise failed
