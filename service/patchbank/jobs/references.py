"""References by id: how they are told of, found, and withdrawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from patchbank.bank.manifest import Manifest
from patchbank.bank.open_store import open_store
from patchbank.bank.reference import ReferenceFacts
from patchbank.errors import UnknownReference
from patchbank.jobs.calibrate import rescore_in
from patchbank.judging.bank_facts import calibration_facts, size_facts, threshold_facts
from patchbank.progress import Progress
from patchbank.settings import Settings
from patchbank.teaching.compactor import compacted
from patchbank.teaching.rescorer import RescoreReport
from patchbank.teaching.withdrawer import Withdrawer, WithdrawReport
from patchbank.text import quoted


def reference_document(item: ReferenceFacts) -> dict[str, Any]:
    """A reference image as JSON, without its picture."""
    return {
        "image_id": item.image_id,
        "name": item.name,
        "source": item.source,
        "added_at": item.added_at,
        "added_by": item.added_by,
        "note": item.note,
        "sha256": item.sha256,
        "width": item.width,
        "height": item.height,
        "series": item.series,
        "accepted_from": item.accepted_from,
    }


def find_reference(references: Sequence[ReferenceFacts], text: str) -> ReferenceFacts:
    """The reference of that image id, or the only one of that name. Raises ``UnknownReference``."""
    named = [item for item in references if text in (item.image_id, item.name)]
    if len(named) == 1:
        return named[0]
    if not named:
        raise UnknownReference(f"no reference image {quoted(text)} in this bank")
    ids = ", ".join(item.image_id for item in named)
    raise UnknownReference(f"{len(named)} reference images are named {quoted(text)}: give the id, one of {ids}")


def withdraw(
    settings: Settings,
    class_name: str,
    named: Sequence[str],
    progress: Progress,
    tell: Callable[[str], None],
    *,
    serve: bool = True,
) -> tuple[WithdrawReport, RescoreReport | None, Manifest]:
    """Withdraw references, given by id or name, then score again what rested on them. Answers both reports and what
    serves, or waits, at the end. Raises the errors of ``Withdrawer``."""
    with closing(open_store(settings)) as store:
        references = store.bank(class_name).reference_facts()
        image_ids = [find_reference(references, text).image_id for text in named]
        report = Withdrawer(settings, store).withdraw(class_name, image_ids, serve=serve, progress=progress)
        if not serve:
            return report, None, report.manifest
        rescored = rescore_in(settings, store, class_name, progress, tell)
        return report, rescored, compacted(store, rescored.manifest, progress)


def withdrawn_document(report: WithdrawReport, manifest: Manifest) -> dict[str, Any]:
    """A withdrawal as JSON; ``manifest`` is what came of it at the end."""
    calibration = manifest.calibration
    return {
        **size_facts(manifest),
        "before": report.before.version,
        "withdrawn": [reference_document(item) for item in report.withdrawn],
        **threshold_facts(calibration),
        "calibration": calibration_facts(calibration),
        "coreset": None if manifest.coreset is None else manifest.coreset.model_dump(),
    }
