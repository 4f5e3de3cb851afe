"""The job ``audit``: are the references what they should be, and are there enough? It changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from patchbank.bank.manifest import Manifest
from patchbank.bank.open_store import open_store
from patchbank.jobs.audit_pictures import Located, write_twins
from patchbank.progress import Progress
from patchbank.settings import Settings
from patchbank.teaching.audit import Audit, audit_bank
from patchbank.text import file_stem

_TWINS_SHOWN: Final = 20


class AuditRequest(BaseModel):
    """Which class, and how many references are told of, those most unlike the others; suspects always are. ``out_dir``
    gets pictures of them, and of near-duplicates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    class_name: str
    top: int = Field(default=10, ge=1, le=1000)
    out_dir: Path | None = None


@dataclass(frozen=True)
class AuditReport:
    """Result of an audit of the version that the ``manifest`` describes. ``images`` and ``twins`` are rows of what is
    told, each with the file of its picture where any were written."""

    manifest: Manifest
    audited: Audit
    images: tuple[dict[str, Any], ...]
    twins: tuple[dict[str, Any], ...]

    @property
    def suspects(self) -> int:
        """The number of references that look contaminated."""
        return sum(image.suspect for image in self.audited.images)


def audit(settings: Settings, request: AuditRequest, progress: Progress, tell: Callable[[str], None]) -> AuditReport:
    """Compare the references of the class's active version. ``tell`` is called with what people should know. Raises
    the errors of ``audit_bank``, and those of the store."""
    with closing(open_store(settings)) as store:
        bank = store.bank(request.class_name)
        audited = audit_bank(bank, progress)
        suspects = sum(image.suspect for image in audited.images)
        shown = audited.images[: max(request.top, suspects)]
        images = [
            _row(rank, Located(bank, image, bank.manifest.scoring), request.out_dir)
            for rank, image in enumerate(shown, 1)
        ]
    coreset = bank.manifest.coreset
    if coreset is not None:
        tell(
            f"the bank keeps {coreset.ratio:.1%} of the patches, the least alike ones: outliers stand "
            "out less, and coverage is not that of all patches; for a sure audit teach the class without a coreset"
        )
    return AuditReport(bank.manifest, audited, tuple(images), tuple(_twins(audited, request.out_dir)))


def audited_document(report: AuditReport) -> dict[str, Any]:
    """The report as JSON."""
    coverage = report.audited.coverage
    return {
        "class_name": report.manifest.class_name,
        "version": report.manifest.version,
        "references": len(report.audited.images),
        "witnesses": report.audited.witnesses,
        "suspects": report.suspects,
        "images": report.images,
        "near_duplicates": report.twins,
        "coverage": {
            "references": coverage.references,
            "median_score": coverage.scores,
            "last_doubling": coverage.last_doubling,
            "enough": coverage.enough,
        },
    }


def _row(rank: int, place: Located, out_dir: Path | None) -> dict[str, Any]:
    image, reference = place.image, place.image.patches.reference
    row = {
        "rank": rank,
        "image_id": reference.image_id,
        "name": reference.name,
        "source": reference.source,
        "width": reference.width,
        "height": reference.height,
        "score": image.score,
        "outlyingness": image.outlyingness,
        "suspect": image.suspect,
        "box": place.box,
    }
    if out_dir is not None:
        row["picture"] = str(place.write(out_dir / f"{rank:02d}-{file_stem(reference.name)}.png"))
    return row


def _twins(audited: Audit, out_dir: Path | None) -> list[dict[str, Any]]:
    rows = []
    for number, twins in enumerate(audited.twins[:_TWINS_SHOWN], 1):
        row: dict[str, Any] = {
            "one": twins.first.name,
            "other": twins.second.name,
            "distance": twins.distance,
            "ratio": twins.ratio,
            "image_ids": [twins.first.image_id, twins.second.image_id],
        }
        if out_dir is not None:
            row["picture"] = str(write_twins(twins, out_dir / f"twins-{number:02d}.png"))
        rows.append(row)
    return rows
