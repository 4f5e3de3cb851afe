"""A bank with a few more references, or another manifest, in memory: what would be judged then. Nothing is written."""

from __future__ import annotations

from typing import cast

from patchbank.arrays import FloatArray
from patchbank.bank.collection import CollectionBank
from patchbank.bank.edge.flat_draft import FlatDraft
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import BankRef
from patchbank.bank.parted import Collection, Parted, Share
from patchbank.bank.pointers import Pointers
from patchbank.bank.store import Bank, Retrieved, RouterHit, ViewSource


class WidenedBank(CollectionBank):
    """``bank`` and what was ``added``; ``manifest`` is the bank's own but for what would change."""

    def __init__(self, bank: Bank, added: FlatDraft, manifest: Manifest) -> None:
        part = added.opened()
        shares = [Share(cast(Collection, bank)), Share(part)]  # every store's banks count their patches
        super().__init__(manifest, lambda: Parted(shares))


class RedescribedBank(CollectionBank):
    """``bank`` with another ``manifest``."""

    def __init__(self, bank: Bank, manifest: Manifest) -> None:
        super().__init__(manifest, lambda: cast(Collection, bank))


class ChangedSource:
    """``ViewSource`` that has one class's serving bank changed, and all others as they are in ``source``. It goes on
    with the pointers that it began with. ``added`` are the references that the changed bank has besides."""

    def __init__(self, source: ViewSource, pointers: Pointers, bank: Bank, added: FlatDraft | None = None) -> None:
        self._source = source
        self._pointers = pointers
        self._bank = bank
        self._added = {} if added is None else added.cls

    @property
    def place(self) -> str:
        return self._source.place

    def pointers(self) -> Pointers:
        return self._pointers

    def open_bank(self, ref: BankRef, *, serves: bool) -> Bank:
        return self._bank if ref == self._bank.manifest.ref else self._source.open_bank(ref, serves=serves)

    def find_references(self, pointers: Pointers, fingerprint: str, cls: FloatArray, k: int) -> Retrieved:
        found = self._source.find_references(pointers, fingerprint, cls, k)
        hits = list(found.hits)
        if fingerprint == self._bank.manifest.backbone.fingerprint:
            name = self._bank.manifest.class_name
            hits += [RouterHit(name, image_id, float(own @ cls)) for image_id, own in self._added.items()]
        return Retrieved(sorted(hits, key=lambda hit: -hit.similarity)[:k], found.silent)
