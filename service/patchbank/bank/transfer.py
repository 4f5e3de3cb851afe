"""A class from store to store, or to a file and back: the content unchanged, so that every score stays what it was."""

from __future__ import annotations

from patchbank.bank.manifest import Manifest
from patchbank.bank.pour import pour
from patchbank.bank.store import BankContent, BankSpec, PatchStore
from patchbank.errors import DamagedBank
from patchbank.progress import SILENT, Progress


def put_class(
    content: BankContent, target: PatchStore, name: str | None = None, progress: Progress = SILENT
) -> Manifest:
    """Make a bank the serving version of its class (or of the class ``name``) in another store.

    The new version has a name of its own; references, patches, threshold and all else stay as they are. Nothing changes
    in the target unless all of it arrived.
    """
    manifest = content.manifest
    with target.draft(name or manifest.class_name, BankSpec(manifest.patch_dim, manifest.cls_dim)) as draft:
        pour(content, draft, progress)
        indexing = progress.begin("building the index", None)
        draft.seal()
        indexing.done()
        held = draft.count_patches()
        if held != manifest.patches:  # points of one id twice in a damaged file
            raise DamagedBank(f"{held} patches arrived of the {manifest.patches} that the manifest tells of")
        moved = manifest.model_copy(update={"class_name": draft.ref.class_name, "version": draft.ref.version})
        draft.activate(moved)
    return moved
