"""The same patches with other facts, as a new version: nothing is copied."""

from __future__ import annotations

from collections.abc import Mapping

from patchbank.bank.manifest import Manifest
from patchbank.bank.names import now
from patchbank.bank.store import BankSpec, PatchStore
from patchbank.progress import SILENT, Progress, activating


def republish(
    store: PatchStore,
    before: Manifest,
    changes: Mapping[str, object],
    *,
    serve: bool = True,
    progress: Progress = SILENT,
) -> Manifest:
    """Make a version of the active one ``before`` with these fields of its manifest changed. Raises ``ClassBusy`` where
    it serves no longer."""
    with store.draft(before.class_name, BankSpec(before.patch_dim, before.cls_dim), before.ref) as draft:
        draft.seal()
        own = {"version": draft.ref.version, "created_at": now()}
        activating(progress)
        return draft.activate(before.model_copy(update={**own, **changes}), serve=serve)
