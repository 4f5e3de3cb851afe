"""The jobs ``rebuild`` and ``compact``: a class written anew, from its pictures or from its patches."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from patchbank.bank.open_store import open_store
from patchbank.embedding.embedder import Embedder
from patchbank.jobs.teach import taught_document
from patchbank.judging.backbone_choice import settled
from patchbank.judging.bank_facts import size_facts
from patchbank.progress import Progress
from patchbank.settings import Settings
from patchbank.teaching.compactor import CompactReport
from patchbank.teaching.compactor import compact as compact_class
from patchbank.teaching.rebuilder import Rebuilder, RebuildReport
from patchbank.teaching.roi_drawing import RoiDrawing


class RebuildRequest(BaseModel):
    """Which class, with ``files`` that may hold pictures of its references, and normal images ``calibrate_with`` that
    the bank is not to hold. A ``mask`` takes the place of the class's own. Without ``activate`` the version that is
    made waits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    class_name: str
    files: tuple[Path, ...] = ()
    calibrate_with: tuple[Path, ...] | None = None
    mask: Path | None = None
    activate: bool = True


class CompactRequest(BaseModel):
    """Which class."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    class_name: str


def rebuild(
    settings: Settings, request: RebuildRequest, progress: Progress, tell: Callable[[str], None], decoders: int = 0
) -> RebuildReport:
    """Teach a class anew from its references; ``decoders`` as in ``teach``. Raises the errors of ``Rebuilder``, and
    those of the store and the backbone."""
    with closing(open_store(settings)) as store, Embedder.open(settled(settings, store, tell), decoders) as embedder:
        return Rebuilder(settings, embedder, store).rebuild(
            request.class_name,
            request.files,
            calibrate_with=request.calibrate_with,
            drawing=None if request.mask is None else RoiDrawing(request.mask),
            serve=request.activate,
            progress=progress,
            tell=tell,
        )


def compact(settings: Settings, request: CompactRequest, progress: Progress) -> CompactReport:
    """Make a class's parts one. Raises the errors of ``compact``, and those of the store."""
    with closing(open_store(settings)) as store:
        return compact_class(store, request.class_name, progress)


def rebuilt_document(report: RebuildReport, kept: Collection[str] = ()) -> dict[str, Any]:
    """The report as JSON; ``kept`` as in ``taught_document``."""
    return {**taught_document(report.taught, kept=kept), "before": size_facts(report.before)}


def compacted_document(report: CompactReport) -> dict[str, Any]:
    """The report as JSON."""
    parts = len(report.before.shares)
    return {**size_facts(report.manifest), "parts_before": parts, "changed": report.changed}
