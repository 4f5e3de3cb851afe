"""The known defects of a class: found by id, told of, removed, and taken over when the class is taught anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from patchbank.bank.defect_record import DefectRecord
from patchbank.bank.manifest import Manifest
from patchbank.bank.store import PatchStore
from patchbank.errors import UnknownDefect
from patchbank.scales import Scales, detail_of
from patchbank.teaching.republish import republish
from patchbank.text import quoted


def find_defect(manifest: Manifest, defect_id: str) -> DefectRecord:
    """The known defect of that id. Raises ``UnknownDefect``."""
    for record in manifest.defects:
        if record.id == defect_id:
            return record
    raise UnknownDefect(f"{manifest.class_name!r} has no known defect {quoted(defect_id)}")


@dataclass(frozen=True)
class RemovalReport:
    """A known defect that was removed: the version before, the new one, and what it was."""

    before: Manifest
    manifest: Manifest
    defect: DefectRecord


def remove_defect(store: PatchStore, class_name: str, defect_id: str, *, serve: bool = True) -> RemovalReport:
    """Forget a known defect, as a new version. Raises ``UnknownDefect``, and ``ClassBusy`` where another process is
    changing the class."""
    before = store.bank(class_name).manifest
    gone = find_defect(before, defect_id)
    left = tuple(record for record in before.defects if record.id != defect_id)
    made = republish(store, before, {"defects": left, "reason": "known defects"}, serve=serve)
    return RemovalReport(before, made, gone)


def taken_over(
    before: Manifest | None, fingerprint: str, scales: Scales, *, anew: bool
) -> tuple[tuple[DefectRecord, ...], str | None]:
    """The known defects of the version ``before`` that a class keeps when it is taught with the backbone of that
    ``fingerprint`` at these ``scales``, and a remark on those that it does not keep. A class that is taught ``anew``
    from other references keeps none."""
    if before is None or not before.defects:
        return (), None
    if anew:
        why = "the class was taught anew"
    elif before.backbone.fingerprint != fingerprint:
        why = "their patches are of another backbone"
    elif before.scales != scales:
        why = f"their patches are of the detail {detail_of(before.scales)}"
    else:
        return before.defects, None
    return (), (
        f"the new version knows none of the {len(before.defects)} known defects of the one before, because {why}: "
        f"{_named(before.defects)}. Teach them again from their pictures (`indexer defects add`)"
    )


def _named(records: Sequence[DefectRecord]) -> str:
    told = [f"{record.name} ({record.source or record.id})" for record in records]
    more = f" and {len(told) - 5} more" if len(told) > 5 else ""
    return ", ".join(told[:5]) + more


def defect_document(record: DefectRecord) -> dict[str, Any]:
    """A known defect as JSON, without its patches and its picture."""
    told = record.model_dump(mode="json", exclude={"patches", "thumbnail", "count"})
    return {**told, "patches": record.count}
