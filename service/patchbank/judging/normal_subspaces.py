"""The subspace of a bank's normal patches: of all of them, and without those of some images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Protocol

from patchbank.arrays import FloatArray
from patchbank.bank.manifest import Manifest
from patchbank.bank.store import PatchBlock
from patchbank.bank.subspace_record import SubspaceRecord
from patchbank.errors import DamagedBank, EmptyBank
from patchbank.scoring.subspace import Moments, Subspace


class Patches(Protocol):
    """What holds the normal patches: a bank, or a draft."""

    def patches(self) -> Iterator[PatchBlock]: ...
    def image_patches(self, image_id: str) -> FloatArray: ...


class NormalSubspaces:
    """Fitted to what ``held`` holds, when it is first asked for; ``known`` is the whole one where it is stored."""

    def __init__(self, held: Patches, known: Subspace | None = None) -> None:
        self._held = held
        self._known = known

    @classmethod
    def stored(cls, held: Patches, manifest: Manifest) -> NormalSubspaces:
        """Those of a finished bank. Raises ``DamagedBank`` where its manifest has none."""
        if manifest.subspace is None:
            raise DamagedBank(f"the manifest of {manifest.ref.collection} has lost the subspace that it scores by")
        return cls(held, Subspace(*manifest.subspace.arrays()))

    @property
    def record(self) -> SubspaceRecord:
        """The whole one, to be stored."""
        return SubspaceRecord.of(self.whole.mean, self.whole.axes)

    @cached_property
    def whole(self) -> Subspace:
        """That of all patches."""
        return self._known or Subspace.fit(self._moments)

    def without(self, image_ids: Sequence[str]) -> Subspace:
        """That of all patches but those of some images."""
        if not image_ids:
            return self.whole
        left = self._moments
        for image_id in image_ids:
            own = self._held.image_patches(image_id)
            if len(own):
                left = left - Moments.of(own)
        return Subspace.fit(left)

    @cached_property
    def _moments(self) -> Moments:
        total: Moments | None = None
        for block in self._held.patches():
            own = Moments.of(block.vectors)
            total = own if total is None else total + own
        if total is None:
            raise EmptyBank("the bank holds no patch to compare with")
        return total
