"""A bank with a few more references, in memory: what would be judged if they were added. Nothing is written."""

from __future__ import annotations

from typing import cast

from patchbank.arrays import FloatArray
from patchbank.bank.collection import CollectionBank
from patchbank.bank.edge.flat_part import FlatDraft
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import BankRef
from patchbank.bank.parted import Collection, Parted, Share
from patchbank.bank.pointers import Pointers
from patchbank.bank.store import Bank, RouterHit, ViewSource


class WidenedBank(CollectionBank):
    """``bank`` and what was ``added``; ``manifest`` is the bank's own but for what would change."""

    def __init__(self, bank: Bank, added: FlatDraft, manifest: Manifest) -> None:
        part = added.opened()
        shares = [Share(cast(Collection, bank)), Share(part)]  # every store's banks count their patches
        super().__init__(manifest, lambda: Parted(shares))


class WidenedSource:
    """``ViewSource`` that has one class's serving bank widened, and all others as they are in ``source``. It goes on
    with the pointers that it began with."""

    def __init__(self, source: ViewSource, pointers: Pointers, bank: WidenedBank, added: FlatDraft) -> None:
        self._source = source
        self._pointers = pointers
        self._bank = bank
        self._added = added

    @property
    def place(self) -> str:
        return self._source.place

    def pointers(self) -> Pointers:
        return self._pointers

    def open_bank(self, ref: BankRef, *, serves: bool) -> Bank:
        return self._bank if ref == self._bank.manifest.ref else self._source.open_bank(ref, serves=serves)

    def find_references(self, pointers: Pointers, fingerprint: str, cls: FloatArray, k: int) -> list[RouterHit]:
        hits = self._source.find_references(pointers, fingerprint, cls, k)
        if fingerprint == self._bank.manifest.backbone.fingerprint:
            name = self._bank.manifest.class_name
            hits += [RouterHit(name, image_id, float(own @ cls)) for image_id, own in self._added.cls.items()]
        return sorted(hits, key=lambda hit: -hit.similarity)[:k]
