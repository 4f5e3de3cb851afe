"""Which banks a backbone may judge with: those made with the same embeddings, and where the self-test proves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from patchbank.bank.manifest import Manifest, SelfTest
from patchbank.bank.view import View
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.self_test import TOLERANCE, Response
from patchbank.errors import BackboneMismatch, PatchbankError

Outcome = Literal["passed", "not recorded", "failed", "other backbone"]


@dataclass(frozen=True)
class Compatibility:
    """What came of holding a bank against the backbone that runs.

    ``outcome`` ``not recorded`` is of a bank that carries no self-test, and is let in. ``shift`` is how far the
    self-test's embeddings moved, 0..2, where they were compared. ``reason`` says why a bank is refused.
    """

    outcome: Outcome
    shift: float | None = None
    reason: str = ""
    detail: dict[str, Any] | None = None

    @property
    def refused(self) -> bool:
        """Whether nothing may be judged with the bank."""
        return self.outcome in ("failed", "other backbone")


@dataclass(frozen=True)
class Usability:
    """``failed`` are classes of this backbone whose bank fails the self-test, with the reason, ``damaged`` those whose
    manifest cannot be read, with the error, and ``usable`` those that it may judge. Banks of another backbone count as
    none of them: another service may be there for them."""

    failed: Mapping[str, str]
    damaged: Mapping[str, PatchbankError]
    usable: Sequence[str]


class CompatibilityChecks:
    """Looks at each bank version once and remembers what came of it. Thread-safe."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._seen: dict[str, tuple[str, Compatibility]] = {}

    @property
    def fingerprint(self) -> str:
        """The preprocessing fingerprint of the embeddings that this backbone makes."""
        return self._embedder.fingerprint

    def look(self, manifest: Manifest) -> Compatibility:
        """Whether this backbone may judge with the bank, and why not."""
        known = self._known(manifest.class_name, manifest.version)
        if known is not None:
            return known
        compatibility = compare(manifest, self._embedder)
        self._seen[manifest.class_name] = (manifest.version, compatibility)
        return compatibility

    def _known(self, class_name: str, version: str) -> Compatibility | None:
        seen = self._seen.get(class_name)
        return seen[1] if seen is not None and seen[0] == version else None

    def check(self, manifest: Manifest) -> None:
        """Raise ``BackboneMismatch`` for a bank that is refused."""
        compatibility = self.look(manifest)
        if compatibility.refused:
            raise BackboneMismatch(compatibility.reason, **(compatibility.detail or {}))

    def look_at_all(self, view: View) -> Usability:
        """Which classes this backbone may judge. Raises where the store cannot be read at all."""
        failed, damaged, usable = dict[str, str](), dict[str, PatchbankError](), list[str]()
        for name, version in view.active.items():
            try:
                compatibility = self._known(name, version) or self.look(view.bank(name).manifest)
            except PatchbankError as error:
                damaged[name] = error
                continue
            if compatibility.outcome == "failed":
                failed[name] = compatibility.reason
            elif not compatibility.refused:
                usable.append(name)
        return Usability(failed, damaged, usable)


def compare(manifest: Manifest, embedder: Embedder) -> Compatibility:
    """Hold a bank's fingerprint and self-test against the backbone that runs."""
    made = manifest.backbone
    if made.fingerprint != embedder.fingerprint:
        reason = (
            f"the bank of {manifest.class_name!r} was made with {made.name} ({made.fingerprint}), this is "
            f"{embedder.backbone.name} ({embedder.fingerprint}): teach the class again, or run that one"
        )
        return Compatibility(
            "other backbone", None, reason, {"bank": made.fingerprint, "service": embedder.fingerprint}
        )
    record = manifest.self_test
    if record is None:
        return Compatibility("not recorded")
    own = embedder.self_test()
    try:
        then = Response.from_facts(record.model_dump(), embedder.dimensions()[0])
    except ValueError:
        shift = float("inf")
    else:
        if then.picture != own.picture:  # of a release with another picture: nothing to compare
            return Compatibility("not recorded")
        shift = then.shift(own)
    if shift <= TOLERANCE:
        return Compatibility("passed", shift)
    detail = {
        "self_test_shift": min(shift, _UNLIKE),
        "tolerance": TOLERANCE,
        "bank": record.runtime,
        "service": own.runtime,
    }
    return Compatibility("failed", shift, _failure(manifest, record, own, shift), detail)


_UNLIKE: Final = 2.0
"""Largest distance of unit vectors; stands for embeddings that cannot be compared at all."""

_FACTS: Final = ("onnxruntime", "openvino", "providers", "precision", "pillow", "processor")


def _failure(manifest: Manifest, record: SelfTest, own: Response, shift: float) -> str:
    facts = [name for name in dict.fromkeys((*_FACTS, *record.runtime, *own.runtime)) if name in own.runtime]
    other = [
        f"{name} {record.runtime.get(name, 'not known')} then, {own.runtime[name]} now"
        for name in facts
        if record.runtime.get(name) != own.runtime[name]
    ]
    known = (
        "; ".join(other) if other else "all versions are the same, so the model, its libraries or the machine changed"
    )
    return (
        f"the bank of {manifest.class_name!r} is refused: the self-test's embeddings moved by "
        f"{min(shift, _UNLIKE):.2g} since it was taught, {TOLERANCE:g} is allowed ({known}). Run what it was taught "
        "with, or teach the class again"
    )


def record_of(response: Response) -> SelfTest:
    """The self-test as a bank keeps it."""
    return SelfTest(**response.as_facts())
