"""What differs between two versions of a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from patchbank.bank.defect_record import DefectRecord
from patchbank.bank.manifest import Manifest
from patchbank.bank.reference import ReferenceFacts
from patchbank.bank.store import Bank
from patchbank.judging.bank_facts import calibration_facts, threshold_facts
from patchbank.scales import detail_of

_COMPARED: Final = ("method", "count", "target_far", "review_far", "stale", "promised")


@dataclass(frozen=True)
class VersionDiff:
    """References that ``after`` has and ``before`` has not (``added``), the other way round (``withdrawn``), known
    defects likewise, and the facts that differ, each with both values."""

    before: Manifest
    after: Manifest
    added: tuple[ReferenceFacts, ...]
    withdrawn: tuple[ReferenceFacts, ...]

    @property
    def defects_added(self) -> tuple[DefectRecord, ...]:
        """Known defects that only ``after`` has."""
        return _only_in(self.after, self.before)

    @property
    def defects_removed(self) -> tuple[DefectRecord, ...]:
        """Known defects that only ``before`` has."""
        return _only_in(self.before, self.after)

    @property
    def facts(self) -> dict[str, tuple[Any, Any]]:
        """Facts that differ, by name: the values before and after."""
        old, new = _facts(self.before), _facts(self.after)
        return {name: (old[name], new[name]) for name in old if old[name] != new[name]}

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "class_name": self.after.class_name,
            "before": self.before.version,
            "after": self.after.version,
            "added": [_named(item) for item in self.added],
            "withdrawn": [_named(item) for item in self.withdrawn],
            "defects_added": [_named_defect(record) for record in self.defects_added],
            "defects_removed": [_named_defect(record) for record in self.defects_removed],
            "changes": {name: {"before": old, "after": new} for name, (old, new) in self.facts.items()},
        }


def diff(before: Bank, after: Bank) -> VersionDiff:
    """Compare two versions."""
    old = {item.image_id: item for item in before.reference_facts()}
    new = {item.image_id: item for item in after.reference_facts()}
    return VersionDiff(
        before.manifest,
        after.manifest,
        tuple(item for image_id, item in new.items() if image_id not in old),
        tuple(item for image_id, item in old.items() if image_id not in new),
    )


def _facts(manifest: Manifest) -> dict[str, Any]:
    calibration = calibration_facts(manifest.calibration)
    return {
        "references": manifest.references,
        "patches": manifest.patches,
        **threshold_facts(manifest.calibration),
        **{name: calibration[name] for name in _COMPARED},
        "detail": detail_of(manifest.scales),
        "patch_score": manifest.scoring.patch_score,
        "image_score": manifest.scoring.image_score,
        "share": manifest.scoring.share,
        "coreset": None if manifest.coreset is None else manifest.coreset.ratio,
        "inspected_percentage": manifest.inspected_percentage,
        "backbone": manifest.backbone.name,
        "known_defects": len(manifest.defects),
    }


def _named(item: ReferenceFacts) -> dict[str, Any]:
    return {"image_id": item.image_id, "name": item.name, "added_at": item.added_at}


def _only_in(manifest: Manifest, other: Manifest) -> tuple[DefectRecord, ...]:
    known = {record.id for record in other.defects}
    return tuple(record for record in manifest.defects if record.id not in known)


def _named_defect(record: DefectRecord) -> dict[str, Any]:
    return {"id": record.id, "name": record.name, "added_at": record.added_at}
