"""Moves a class from store to store, or to a file and back. Its content is unchanged, and so is every score."""

from __future__ import annotations

from patchbank.bank.manifest import Manifest, Reason
from patchbank.bank.names import BankRef
from patchbank.bank.pour import pour_bank
from patchbank.bank.store import BankContent, BankSpec, PatchStore
from patchbank.errors import DamagedBank
from patchbank.progress import SILENT, Progress, activating


def put_class(
    content: BankContent,
    target: PatchStore,
    name: str | None = None,
    progress: Progress = SILENT,
    *,
    replaces: BankRef | None = None,
    reason: Reason = "copied or restored",
) -> Manifest:
    """Make a bank the serving version of its class (or of the class ``name``) in another store.

    The new version gets its own name; references, patches, thresholds and everything else stay the same. Nothing
    changes in the target unless all content arrived. Raises ``DiskFull``, before it begins, where there is no room,
    and ``ClassBusy`` where the version that it ``replaces`` no longer serves.
    """
    manifest = content.manifest
    spec, name = BankSpec(manifest.patch_dim, manifest.cls_dim), name or manifest.class_name
    target.require_space(name, spec, manifest.references, manifest.patches)
    with target.draft(name, spec, replaces=replaces) as draft:
        pour_bank(content, draft, progress)
        indexing = progress.begin("building the index", None)
        draft.seal()
        indexing.done()
        held = draft.count_patches()
        if held != manifest.patches:  # a damaged file may hold two points with the same id
            raise DamagedBank(f"{held} patches arrived, but the manifest says {manifest.patches}")
        own = {"class_name": draft.ref.class_name, "version": draft.ref.version, "reason": reason}
        activating(progress)
        return draft.activate(manifest.model_copy(update=own))
