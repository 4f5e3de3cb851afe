"""The use case of compaction: the parts of a bank become one."""

from __future__ import annotations

from dataclasses import dataclass

from patchbank.bank.manifest import Manifest
from patchbank.bank.part import needs_compaction
from patchbank.bank.store import PatchStore
from patchbank.bank.transfer import put_class
from patchbank.progress import SILENT, Progress


@dataclass(frozen=True)
class CompactReport:
    """Result of compaction; both manifests are the same where the bank was one part already."""

    before: Manifest
    manifest: Manifest

    @property
    def changed(self) -> bool:
        """Whether there is a new version."""
        return self.manifest.version != self.before.version


def compact(store: PatchStore, class_name: str, progress: Progress = SILENT) -> CompactReport:
    """Write all that counts of a class into one part, as a new version with the very same scores. Raises ``ClassBusy``
    where another process is changing the class, or has just changed it."""
    bank = store.bank(class_name)
    before = bank.manifest
    if len(before.shares) == 1 and not before.shares[0].withdrawn:
        return CompactReport(before, before)
    return CompactReport(before, put_class(bank, store, progress=progress, replaces=before.ref, reason="compacted"))


def compacted(store: PatchStore, manifest: Manifest, progress: Progress = SILENT) -> Manifest:
    """The version that serves after a change: ``manifest`` itself, or that of one part where it has too many."""
    if not needs_compaction(manifest.shares):
        return manifest
    return compact(store, manifest.class_name, progress).manifest
