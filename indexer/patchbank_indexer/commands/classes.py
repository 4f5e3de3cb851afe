"""``list``, ``show`` and ``remove``: the banks that are there. No backbone is needed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from patchbank.bank.manifest import Manifest
from patchbank.bank.view import View
from patchbank.embedding.embedder import Embedder
from patchbank.errors import DamagedBank, PatchbankError
from patchbank.jobs.references import reference_document
from patchbank.judging.backbone_choice import known_choice, with_backbone
from patchbank.judging.bank_facts import detail, detail_line, summary, usable_facts
from patchbank.judging.choice_file import Choice
from patchbank.judging.compatibility import Compatibility, compare
from patchbank.scoring.threshold import promise, promise_takes
from patchbank.settings import Settings
from patchbank.teaching.originals import Originals
from patchbank_indexer.commands.manifest_lines import (
    frames_line,
    inspected_line,
    pixel_line,
    review_line,
    threshold_line,
)
from patchbank_indexer.commands.options import ClassName, DataDir, Json
from patchbank_indexer.commands.running import opened, run
from patchbank_indexer.output import Output

Judging = Annotated[
    str | None, typer.Option("--backbone", help="Backbone the banks are held against. [env: PATCHBANK_BACKBONE]")
]


def list_(backbone: Judging = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """List the taught product classes, and whether the backbone may judge with each bank."""
    run(_list, as_json, backbone=backbone, data_dir=data_dir)


def show(class_name: ClassName, backbone: Judging = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Show one class: its bank, its threshold, its references, and what came of the self-test."""
    run(lambda settings, out: _show(settings, out, class_name), as_json, backbone=backbone, data_dir=data_dir)


def remove(
    class_name: ClassName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Remove a class with all its versions. Without --yes it asks; exit status 2 where there is no terminal to ask."""
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("there is no terminal to ask: give --yes to remove the class", param_hint="--yes")
        # On standard error: standard output may hold the JSON document.
        typer.confirm(f"Remove {class_name!r} with all its versions?", abort=True, err=True)
    run(lambda settings, out: _remove(settings, out, class_name), as_json, data_dir=data_dir)


def _list(settings: Settings, out: Output) -> None:
    """All classes; a damaged bank is listed as such, and one that the backbone of the settings refuses."""
    banks, damaged = [], []
    with opened(settings) as store:
        view = View(store)
        for name in sorted(view.active):
            try:
                manifest = view.bank(name).manifest
                store.check(manifest.ref)
                banks.append(manifest)
            except DamagedBank as error:
                damaged.append({"class_name": name, "version": view.active[name], **error.as_dict()})
                out.remark(f"{name}: {error.message} [{error.code}]")
        choice = known_choice(settings, store, out.remark)
    rows = [summary(*pair) for pair in zip(banks, _admitted(settings, choice, out, banks), strict=True)]
    out.result({"classes": rows, "damaged": damaged})
    if not rows and damaged:
        return
    if not rows:
        out.say(f"no product class is taught yet; begin with: {out.program} add CLASS FOLDER")
        return
    shown = [name for name in rows[0] if name != "refusal"]
    least = ("created_at", "backbone", "self_test", "patches", "references", "review_threshold")
    out.table(shown, [[row[name] for name in shown] for row in rows], names=("class_name",), least=least)


def _show(settings: Settings, out: Output, class_name: str) -> None:
    """One class's manifest and references, and whether the backbone of the settings may judge with it."""
    with opened(settings) as store:
        bank = store.bank(class_name)
        manifest, references, kept = bank.manifest, bank.reference_facts(), store.versions(class_name)
        choice = known_choice(settings, store, out.remark)
    (compatibility,) = _admitted(settings, choice, out, [manifest])
    listed = [reference_document(item) for item in references]
    out.result({**detail(manifest, compatibility), "versions": kept, "reference_images": listed})
    out.table(("", ""), _facts(manifest, compatibility, len(kept)))
    facts = ("image_id", "name", "added_at")
    out.table(facts, [[row[fact] for fact in facts] for row in listed], names=("name",), least=("added_at",))


def _admitted(
    settings: Settings, choice: Choice | None, out: Output, banks: Sequence[Manifest]
) -> list[Compatibility | None]:
    """Whether the backbone of the settings may judge with each bank; None, and a remark, where it is not here."""
    if not banks or choice is None:
        return [None] * len(banks)
    try:
        with Embedder.open(with_backbone(settings, choice)) as embedder:
            compared = [compare(manifest, embedder) for manifest in banks]
    except PatchbankError as error:
        out.remark(f"whether the banks can be used was not checked: {error.message} [{error.code}]")
        return [None] * len(banks)
    for compatibility in compared:
        if compatibility.refused:
            out.remark(compatibility.reason)
    return [*compared]


def _facts(manifest: Manifest, compatibility: Compatibility | None, kept: int) -> list[tuple[str, object]]:
    """Rows of the table of one class; ``kept`` versions are there."""
    calibration, retrieval = manifest.calibration, manifest.retrieval
    facts: list[tuple[str, object]] = [
        ("class", manifest.class_name),
        ("version", f"{manifest.version} ({kept} kept)"),
        ("backbone", f"{manifest.backbone.name} ({manifest.backbone.fingerprint})"),
        ("patches", manifest.patches),
        ("threshold", threshold_line(calibration)),
        ("review threshold", review_line(calibration)),
        ("pixel threshold", pixel_line(calibration)),
        ("calibration", f"{calibration.method}, {calibration.count} images"),
        ("promised", promise(calibration)),
        ("a promise takes", promise_takes(calibration).removeprefix("a promise of ")),
        ("class retrieval", f"similarity {retrieval.similarity:.4f} or coherence {retrieval.coherence:.3f}"),
        ("references", manifest.references),
        ("bad frames", frames_line(manifest)),
        ("self-test", _self_test_line(manifest, compatibility)),
    ]
    if manifest.scoring.patch_score == "subspace":
        facts.append(("patch score", "distance to the subspace in which normal patches vary"))
    if calibration.stale_count:
        facts.append(("stale", f"{calibration.stale_count} calibration scores may be too low (`calibrate --again`)"))
    if manifest.coreset is not None and manifest.coreset.withdrawn:
        facts.append(("withdrawn", f"{manifest.coreset.withdrawn} references since the coreset (`rebuild`)"))
    if manifest.coreset is not None:
        facts.append(("coreset", f"{manifest.coreset.ratio:.1%}, radius {manifest.coreset.radius:.3f}"))
    if manifest.defects:
        facts.append(("known defects", f"{len(manifest.defects)} (`defects list`)"))
    if manifest.foreground is not None:
        facts.append(("background", "masked"))
    if manifest.roi is not None:
        facts.append(("inspected", inspected_line(manifest)))
    if manifest.pixel_range is not None:
        facts.append(("16-bit values", manifest.pixel_range.line))
    seen = detail_line(manifest)
    if seen is not None:
        facts.append(("smallest visible", seen))
    return facts


def _self_test_line(manifest: Manifest, compatibility: Compatibility | None) -> str:
    """What came of it, and what the bank was taught with."""
    record = manifest.self_test
    if record is None:
        return "not recorded: taught before there was one, so that a changed runtime does not show"
    told = usable_facts(compatibility)["self_test"]
    moved = (
        ""
        if compatibility is None or compatibility.shift is None
        else f", embeddings moved by {compatibility.shift:.1g}"
    )
    return f"{told}{moved}; taught with " + ", ".join(f"{name} {value}" for name, value in record.runtime.items())


def _remove(settings: Settings, out: Output, class_name: str) -> None:
    with opened(settings) as store:
        store.remove(class_name)
        Originals(settings).sweep(store, class_name)
    out.result({"removed": class_name})
    out.say(f"removed {class_name}")
