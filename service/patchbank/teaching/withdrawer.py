"""The use case of withdrawal: a class goes on without some of its references."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from patchbank.bank.manifest import Calibration, Coreset, Manifest
from patchbank.bank.names import now
from patchbank.bank.reference import ReferenceFacts
from patchbank.bank.store import BankSpec, Draft, PatchStore
from patchbank.bank.subspace_record import SubspaceRecord
from patchbank.errors import NoReferences, UnknownReference
from patchbank.judging.judge import Judge
from patchbank.progress import SILENT, Progress, activating
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.settings import Settings
from patchbank.teaching.class_options import settings_of
from patchbank.teaching.normal_scores import NormalScore, NotScored, calibration_of, scores_of
from patchbank.teaching.rates import Rates
from patchbank.text import quoted


@dataclass(frozen=True)
class WithdrawReport:
    """Result of a withdrawal. ``remarks`` say what people should know: which scores are stale, and what is missing."""

    before: Manifest
    manifest: Manifest
    withdrawn: tuple[ReferenceFacts, ...]
    remarks: tuple[str, ...]


class Withdrawer:
    """Withdraws references, as a new version that shares all parts with the one before: no patch is copied.

    Scores that rested on a withdrawn reference become stale: they may be too low now. The thresholds that are computed
    from them may be too low too, never too high: until the ``Rescorer`` has scored them again there may be more false
    alarms than promised, and no more missed defects. The limit of class retrieval stays for as long; without the
    references it can only be too strict.
    """

    def __init__(self, settings: Settings, store: PatchStore) -> None:
        self.settings = settings
        self.store = store

    def withdraw(
        self, class_name: str, image_ids: Collection[str], *, serve: bool = True, progress: Progress = SILENT
    ) -> WithdrawReport:
        """Let the class serve without these references. Raises ``UnknownReference``, ``NoReferences`` where none would
        be left, and ``ClassBusy`` where another process is changing the class. Nothing is changed in these cases."""
        bank = self.store.bank(class_name)
        before = bank.manifest
        gone = set(image_ids)
        held = {item.image_id: item for item in bank.reference_facts()}
        unknown = sorted(gone - held.keys())
        if unknown:
            named = ", ".join(map(quoted, unknown[:5]))
            raise UnknownReference(f"{class_name!r} has no reference {named}", references=unknown)
        if not gone:
            raise NoReferences("no reference to withdraw")
        if len(gone) == len(held):
            raise NoReferences(
                f"that would leave {class_name!r} without any reference; `indexer remove` removes the class"
            )
        with self.store.draft(class_name, BankSpec(before.patch_dim, before.cls_dim), before.ref) as draft:
            for image_id in sorted(gone):
                draft.withdraw(image_id)
            draft.seal()
            changes = {
                "version": draft.ref.version,
                "created_at": now(),
                "reason": "withdrawn",
                "references": len(held) - len(gone),
                "patches": draft.count_patches(),
                "calibration": self._calibration(before, gone),
                "coreset": _worn(before.coreset, len(gone)),
                "subspace": _refitted(draft, before),
            }
            activating(progress)
            manifest = draft.activate(before.model_copy(update=changes), serve=serve)
        withdrawn = tuple(held[image_id] for image_id in sorted(gone))
        return WithdrawReport(before, manifest, withdrawn, tuple(remarks_on(manifest)))

    def _calibration(self, before: Manifest, gone: set[str]) -> Calibration:
        known = before.calibration
        left = _without(scores_of(known), gone if known.method == "leave-one-image-out" else set())
        stale = {score.image_id for score in left if score.support is None or score.support & gone}
        targets = Rates().targets(settings_of(before, self.settings), known)
        rest = NotScored(known.set_aside, known.together)
        return calibration_of(left, known.method, targets, rest, stale | set(known.stale))


def remarks_on(manifest: Manifest) -> list[str]:
    """What people should know of a class from which references were withdrawn."""
    remarks, calibration, coreset = [], manifest.calibration, manifest.coreset
    if calibration.stale_count:
        how = (
            "`indexer calibrate --again` scores them again"
            if calibration.method == "leave-one-image-out"
            else "their images are not kept: give them with `indexer calibrate --with`"
        )
        remarks.append(
            f"{calibration.stale_count} of {calibration.count} scores that the thresholds come from rested on a "
            "withdrawn reference and may be too low: until they are scored again there may be more false alarms than "
            f"promised, and no more missed defects; {how}"
        )
    if coreset is not None and coreset.withdrawn:
        remarks.append(
            f"the bank is a coreset ({coreset.ratio:.1%}), and {coreset.withdrawn} references were withdrawn since it "
            "was chosen: patches of other references that theirs stood for are missing, which can raise false alarms; "
            "`indexer rebuild` restores them from the references' pictures"
        )
    return remarks


def _without(scores: Sequence[NormalScore], gone: set[str]) -> list[NormalScore]:
    """The scores without those of withdrawn references. Where it is not known which those are, the highest are left
    out: so the thresholds can only become too low."""
    named = [score for score in scores if score.image_id and score.image_id not in gone]
    nameless = sorted((score for score in scores if not score.image_id), key=lambda score: score.score)
    unseen = len(gone) - sum(score.image_id in gone for score in scores)
    kept = nameless[: max(0, len(nameless) - unseen)]
    left = [*named, *kept] or nameless[:1]
    if not left:
        raise NoReferences(
            "all references that the thresholds come from would be withdrawn: calibrate with other normal images "
            "first (`indexer calibrate --with`)"
        )
    return left


def _worn(coreset: Coreset | None, withdrawn: int) -> Coreset | None:
    return None if coreset is None else coreset.model_copy(update={"withdrawn": coreset.withdrawn + withdrawn})


def _refitted(draft: Draft, before: Manifest) -> SubspaceRecord | None:
    """The subspace of what is left, where patches are scored by one."""
    if before.scoring.patch_score != "subspace":
        return before.subspace
    return Judge.fitted(draft, before.scoring, before.foreground, InspectedAreas(before.roi)).subspace
