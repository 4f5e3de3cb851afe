"""``tune``: labelled pictures choose how finely a class is seen, and how its images are scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from patchbank.bank.names import check_class_name
from patchbank.embedding.embedder import Embedder
from patchbank.errors import InvalidParameters
from patchbank.history.history import History
from patchbank.history.labelled import LabelledByPeople, write_labelled
from patchbank.judging.backbone_choice import settled
from patchbank.settings import Settings
from patchbank.teaching.tuning import Tuner, TuneReport
from patchbank.teaching.tuning_applied import Applied, TuneApplier
from patchbank.teaching.tuning_candidates import Candidate
from patchbank.teaching.tuning_scores import Labelled
from patchbank_indexer.commands.options import BackboneName, DataDir, Json, TaughtClass
from patchbank_indexer.commands.running import opened, run
from patchbank_indexer.commands.tuning_report import document, tell
from patchbank_indexer.datasets.files import image_files
from patchbank_indexer.datasets.normal_images import find_normal_images
from patchbank_indexer.output import Output


def tune(
    class_name: TaughtClass,
    defects: Annotated[
        Path | None,
        typer.Option("--defects", help="Folder of pictures with defects; five or more. Needed without --from-history."),
    ] = None,
    good: Annotated[
        Path | None, typer.Option("--good", help="Folder of pictures of good parts that the bank does not hold.")
    ] = None,
    from_history: Annotated[
        bool,
        typer.Option(
            "--from-history",
            help="Take recorded detections of the class that people judged, too: missed ones and rejected ones that "
            "are correct as defects, false alarms and passed ones that are correct as good.",
        ),
    ] = False,
    references: Annotated[
        list[Path] | None,
        typer.Option(
            "--references",
            help="Folder that the class was taught from; may be given several times. Without it only what needs no "
            "pictures is tried: patch score, share and rate at the class's own detail.",
        ),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Let what is recommended serve, as a new version; else nothing is changed.")
    ] = False,
    choose: Annotated[
        str | None,
        typer.Option("--choose", metavar="CANDIDATE", help="With --apply: take this one, such as fine,0.003,subspace."),
    ] = None,
    target_far: Annotated[
        float | None,
        typer.Option("--target-far", min=0.0001, max=0.5, help="With --apply: false-alarm rate; else the class's own."),
    ] = None,
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="With --apply: set no reference aside, and let each count for itself.")
    ] = False,
    backbone: BackboneName = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Choose detail, patch score, share and rate of CLASS by labelled pictures, as few as five; docs/tune.md."""
    if not apply and (choose is not None or target_far is not None or keep_all):
        raise typer.BadParameter("--choose, --target-far and --keep-all go with --apply")
    if defects is None and not from_history:
        raise typer.BadParameter(
            "name a folder of pictures with defects, or give --from-history", param_hint="--defects"
        )
    request = _Request(class_name, defects, good, from_history, references or [], apply, choose, target_far, keep_all)
    run(lambda settings, out: _tune(settings, out, request), as_json, backbone=backbone, data_dir=data_dir)


@dataclass(frozen=True)
class _Request:
    """What to tune, by which pictures, and what to take over."""

    class_name: str
    defects: Path | None
    good: Path | None
    from_history: bool
    references: Sequence[Path]
    apply: bool
    choose: str | None
    target_far: float | None
    keep_all: bool


def _tune(settings: Settings, out: Output, request: _Request) -> None:
    check_class_name(request.class_name)
    with TemporaryDirectory(prefix="patchbank-labelled-") as folder:
        judged = _judged(settings, out, request.class_name, Path(folder)) if request.from_history else None
        _tune_by(settings, out, request, judged)


def _judged(settings: Settings, out: Output, class_name: str, folder: Path) -> LabelledByPeople:
    """Pictures of the history that people judged."""
    with History(settings) as history, out.progress() as progress:
        judged = write_labelled(history.records, class_name, folder, progress)
    out.say(f"from the history: {len(judged.defects)} pictures of defects, {len(judged.good)} of good parts")
    if judged.not_kept:
        out.remark(f"{judged.not_kept} more that people judged are no longer kept as pictures")
    if judged.contradictory:
        out.remark(f"{judged.contradictory} were called a defect and good, and are left out")
    return judged


def _tune_by(settings: Settings, out: Output, request: _Request, judged: LabelledByPeople | None) -> None:
    defects = [] if request.defects is None else image_files([request.defects])
    good = [] if request.good is None else find_normal_images([request.good]).images
    if judged is not None:
        defects, good = [*defects, *judged.defects], [*good, *judged.good]
    labelled = Labelled(defects, good)
    files = find_normal_images(request.references).images if request.references else None
    applied: Applied | None = None
    with (
        opened(settings) as store,
        Embedder.open(settled(settings, store, out.remark)) as embedder,
        out.progress() as progress,
    ):
        report = Tuner(settings, embedder, store).tune(request.class_name, labelled, files, progress)
        if request.apply:
            candidate = _chosen(report, request.choose)
            applied = TuneApplier(settings, embedder, store).apply(
                report, candidate, request.target_far, progress, keep_all=request.keep_all
            )
    told = None if judged is None else judged.as_dict()
    out.result({**document(report, applied), "from_history": told})
    tell(out, report, applied, asked=request.apply)


def _chosen(report: TuneReport, name: str | None) -> Candidate:
    """The candidate of that name, or else the recommended one."""
    if name is None:
        return report.recommended.candidate
    for item in report.tried:
        if item.candidate.name == name.replace(" ", ""):
            return item.candidate
    raise InvalidParameters(
        f"--choose {name} was not tried; these were: {', '.join(item.candidate.name for item in report.tried)}"
    )
