"""How a bank version came to be. Manifests of older layouts have no field for it: there it is told from the times that
are stored with every bank, to the second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from patchbank.bank.manifest import Manifest, Reason
from patchbank.bank.names import begun_at
from patchbank.bank.reference import ReferenceFacts
from patchbank.bank.store import PatchStore
from patchbank.errors import PatchbankError
from patchbank.judging.bank_facts import calibration_facts, threshold_facts


@dataclass(frozen=True)
class VersionFacts:
    """One kept version. ``manifest`` and ``reason`` are None where the version is damaged; ``damage`` says how."""

    version: str
    serves: bool
    manifest: Manifest | None
    reason: Reason | None
    damage: PatchbankError | None = None

    def as_dict(self) -> dict[str, Any]:
        """The version for machines; a damaged one has an ``error`` instead of counts and thresholds."""
        told: dict[str, Any] = {"version": self.version, "serves": self.serves, "damaged": self.damage is not None}
        if self.damage is not None:
            told["error"] = self.damage.as_dict()
        if self.manifest is not None:
            told |= {
                "created_at": self.manifest.created_at,
                "reason": self.reason,
                "references": self.manifest.references,
                "patches": self.manifest.patches,
                "backbone": self.manifest.backbone.name,
                **threshold_facts(self.manifest.calibration),
                "calibration": calibration_facts(self.manifest.calibration),
            }
        return told


def kept_versions(store: PatchStore, class_name: str) -> list[VersionFacts]:
    """All kept versions of a class, oldest first, damaged ones among them. Raises ``UnknownClass``."""
    active = store.active().get(class_name)
    if active is None:
        store.bank(class_name)  # raises UnknownClass, or InvalidClassName
    names = sorted({*store.versions(class_name), *([active] if active else [])})
    return [_facts(store, class_name, name, serves=name == active) for name in names]


def _facts(store: PatchStore, class_name: str, version: str, *, serves: bool) -> VersionFacts:
    manifest = None
    try:
        bank = store.bank(class_name, version)
        manifest = bank.manifest
        reason = manifest.reason or reason_of(manifest, bank.reference_facts())
        return VersionFacts(version, serves, manifest, reason)
    except PatchbankError as error:
        return VersionFacts(version, serves, manifest, None, error)


def reason_of(manifest: Manifest, references: Sequence[ReferenceFacts]) -> Reason:
    """Why a version of an older layout was made.

    A version is named after the moment when it was begun, and references are added after that. A moved version keeps
    the time at which its original was made, which lies before its own name's.
    """
    begun = begun_at(manifest.version)
    try:
        made = datetime.fromisoformat(manifest.created_at)
        added = [datetime.fromisoformat(reference.added_at) for reference in references]
        if begun is None or not added:
            return "unknown"
        if made < begun:
            return "copied or restored"
        new = sum(moment >= begun for moment in added)
    except (ValueError, TypeError):  # no time, or one without its zone
        return "unknown"
    if new == len(added):
        return "taught"
    return "extended" if new else "recalibrated"
