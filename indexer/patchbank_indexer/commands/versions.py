"""``versions``, ``activate``, ``diff`` and ``prune``: what a class was, and can be again."""

from __future__ import annotations

from typing import Annotated

import typer

from patchbank.bank.names import BankRef
from patchbank.bank.store import PatchStore
from patchbank.embedding.embedder import Embedder
from patchbank.history.comparing import MOST, RecentComparer, RecentComparison
from patchbank.history.history import History
from patchbank.judging.backbone_choice import settled
from patchbank.judging.version_diff import VersionDiff
from patchbank.judging.version_diff import diff as compare_versions
from patchbank.judging.version_facts import VersionFacts, kept_versions
from patchbank.scoring.threshold import review_threshold
from patchbank.settings import Settings
from patchbank.teaching.originals import Originals
from patchbank_indexer.commands.options import ClassName, DataDir, Json
from patchbank_indexer.commands.running import opened, run
from patchbank_indexer.commands.trial_lines import rejudged_cells
from patchbank_indexer.output import Output


def versions(class_name: ClassName, data_dir: DataDir = None, as_json: Json = False) -> None:
    """List the versions of a class that are kept: when and why each was made, its size and its thresholds. Times are
    UTC."""
    run(lambda settings, out: _versions(settings, out, class_name), as_json, data_dir=data_dir)


def activate(
    class_name: ClassName,
    version: Annotated[str, typer.Argument(help="A version that `versions` lists.")],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Let an earlier (or later) version of a class serve."""
    run(lambda settings, out: _activate(settings, out, class_name, version), as_json, data_dir=data_dir)


def diff(
    class_name: ClassName,
    before: Annotated[str, typer.Argument(metavar="A", help="A version that `versions` lists.")],
    after: Annotated[str | None, typer.Argument(metavar="[B]", help="Another one; else the one that serves.")] = None,
    recent: Annotated[
        int,
        typer.Option(
            min=0,
            max=MOST,
            help="Let both judge so many recorded detections, too: the newest whose pictures are kept.",
        ),
    ] = 0,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Tell what changed from version A of a class to version B: references, known defects, counts, thresholds; with
    --recent also what both say of recent detections."""
    run(lambda settings, out: _diff(settings, out, class_name, before, after, recent), as_json, data_dir=data_dir)


def prune(
    class_name: ClassName,
    keep: Annotated[int, typer.Option(min=1, help="Keep the newest so many, and the one that serves.")] = 1,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Remove old versions of a class, and what only they were made of."""
    run(lambda settings, out: _prune(settings, out, class_name, keep), as_json, data_dir=data_dir)


def _versions(settings: Settings, out: Output, class_name: str) -> None:
    """The kept versions of a class, the serving one marked."""
    with opened(settings) as store:
        kept = kept_versions(store, class_name)
    serving = next((facts.version for facts in kept if facts.serves), None)
    names = [facts.version for facts in kept]
    details = [facts.as_dict() for facts in kept]
    out.result({"class_name": class_name, "active": serving, "versions": names, "details": details})
    out.table(
        ("version", "", "made", "why", "references", "patches", "threshold", "review threshold", "pixel threshold"),
        [_version_row(facts) for facts in kept],
        least=("made", "patches", "pixel threshold", "review threshold"),
    )
    for facts in kept:
        if facts.damage is not None:
            out.remark(f"{facts.version}: {facts.damage.message} [{facts.damage.code}]")


def _version_row(facts: VersionFacts) -> tuple[object, ...]:
    mark = "serves" if facts.serves else ""
    reason = "damaged" if facts.damage is not None else facts.reason
    manifest = facts.manifest
    if manifest is None:
        return (facts.version, mark, None, reason, *[None] * 5)
    made = manifest.created_at.replace("T", " ").removesuffix("+00:00")
    calibration = manifest.calibration
    thresholds = (calibration.threshold, review_threshold(calibration), calibration.mask_threshold)
    return (facts.version, mark, made, reason, manifest.references, manifest.patches, *thresholds)


def _activate(settings: Settings, out: Output, class_name: str, version: str) -> None:
    with opened(settings) as store:
        store.activate(BankRef(class_name, version))
    out.result({"class_name": class_name, "active": version})
    out.say(f"{class_name}: version {version} serves")


def _diff(settings: Settings, out: Output, class_name: str, before: str, after: str | None, recent: int) -> None:
    with opened(settings) as store:
        told = compare_versions(store.bank(class_name, before), store.bank(class_name, after))
        compared = _compared(settings, out, store, told, recent) if recent else None
    out.result({**told.as_dict(), "recent": None if compared is None else compared.as_dict()})
    rows = [("added", item.image_id, item.name) for item in told.added]
    rows += [("withdrawn", item.image_id, item.name) for item in told.withdrawn]
    if rows:
        out.table(("reference", "image_id", "name"), rows, names=("name",))
    defects = [("added", record.id, record.name) for record in told.defects_added]
    defects += [("removed", record.id, record.name) for record in told.defects_removed]
    if defects:
        out.table(("known defect", "id", "name"), defects, names=("name",))
    if told.facts:
        out.table(("", "before", "after"), [(name, *values) for name, values in told.facts.items()])
    if not rows and not defects and not told.facts:
        out.say(f"{told.before.version} and {told.after.version} of {class_name} differ in nothing that is compared")
    if compared is not None:
        _tell_recent(out, compared)


def _compared(settings: Settings, out: Output, store: PatchStore, told: VersionDiff, recent: int) -> RecentComparison:
    settings = settled(settings, store, out.remark)
    with History(settings) as history:
        history.require()
        with Embedder.open(settings) as embedder, out.progress() as progress:
            comparer = RecentComparer(settings, embedder, store, history.database)
            versions = (told.before.version, told.after.version)
            return comparer.compare(told.after.class_name, *versions, recent, progress)


def _tell_recent(out: Output, compared: RecentComparison) -> None:
    judged, changed = compared.judged, compared.changed
    out.say(f"of {len(judged.rows)} recent detections the two decide {len(changed)} differently")
    if compared.decisions:
        out.table(
            ("before", "after", "detections"),
            [(before, after, count) for (before, after), count in compared.decisions.items()],
        )
    if changed:
        out.table(
            ("detection", "file", "word", "before", "after", "score before", "score after"),
            [rejudged_cells(row) for row in changed],
            names=("file",),
        )
    if judged.without_picture:
        out.remark(f"{judged.without_picture} of the same time could not be judged again: their pictures are not kept")
    for line in judged.failed:
        out.remark(line)


def _prune(settings: Settings, out: Output, class_name: str, keep: int) -> None:
    with opened(settings) as store:
        gone = store.prune(class_name, keep)
        Originals(settings).sweep(store, class_name)
        kept = store.versions(class_name)
    out.result({"class_name": class_name, "removed": gone, "versions": kept})
    out.say(f"{class_name}: {len(gone)} versions removed, {len(kept)} kept")
