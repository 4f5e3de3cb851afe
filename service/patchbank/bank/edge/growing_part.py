"""What a change adds to a bank: in flat files, over which the engine builds its graph where there is much."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from patchbank.arrays import FloatArray, IntArray
from patchbank.bank.edge.engine import Engine
from patchbank.bank.edge.flat_collection import FlatCollection, MemoryPart
from patchbank.bank.edge.flat_part import FlatPart
from patchbank.bank.edge.spool import Spool
from patchbank.bank.edge.synced import sync_tree
from patchbank.bank.exact.int8_product import Int8Product
from patchbank.bank.forwarding import Forwarding
from patchbank.bank.part import Part
from patchbank.bank.reference import Reference
from patchbank.bank.store import BankSpec
from patchbank.disk import write_error
from patchbank.errors import DamagedBank, DataDirNotWritable, PatchbankError
from patchbank.reason import reason_of

_SPOOL: Final = "spool"


class GrowingPart(Forwarding):
    """A part in work below ``folder``. From ``index_from`` patches on it gets a graph of the engine."""

    def __init__(
        self,
        folder: Path,
        spec: BankSpec,
        engine: Engine,
        index_from: int,
        product: Int8Product,
        *,
        mapped: bool = True,
    ) -> None:
        self._folder = folder
        self._spec = spec
        self._engine = engine
        self._index_from = index_from
        self._product = product
        self._mapped = mapped
        self._read: MemoryPart | None = None
        self._sealed: FlatPart | None = None
        try:
            self._spool: Spool | None = Spool(folder / _SPOOL, spec)
        except OSError as error:
            raise self._not_written(error) from error

    def add_reference(self, reference: Reference, cls: FloatArray) -> None:
        """Add a reference image, or replace it."""
        self._read = None
        try:
            self._open().add_reference(reference, cls)
        except OSError as error:
            raise self._not_written(error) from error

    def add_patches(self, image_ids: Sequence[str], cells: IntArray, vectors: FloatArray) -> None:
        """Add patches; see ``Draft.add_patches``."""
        self._read = None
        try:
            self._open().add_patches(image_ids, cells, vectors)
        except OSError as error:
            raise self._not_written(error) from error

    def seal(self, version: str) -> Part:
        """Put everything on disk as the part that ``version`` adds; nothing can be added afterwards."""
        spool, self._read = self._open(), None
        try:
            digest = spool.write(self._folder)
            sync_tree(self._folder)
        except OSError as error:
            raise self._not_written(error) from error
        except ValueError as error:
            raise DamagedBank(f"what was added cannot be a part of a bank: {reason_of(error)}") from error
        self._spool = None
        part = Part(version=version, references=spool.references, patches=spool.patches, digest=digest)
        if part.patches >= self._index_from:
            indexed = self._engine.build(self._folder, self._folder, self._spec)
            part = part.model_copy(update={"indexed": indexed})
        self._sealed = FlatPart(
            self._folder, part, self._spec, mapped=self._mapped, trusted=True, product=self._product
        )
        return part

    def _open(self) -> Spool:
        if self._spool is None:
            raise DamagedBank("a part that is finished takes nothing more")
        return self._spool

    def _not_written(self, error: OSError) -> PatchbankError:
        return write_error(error, f"{self._folder.name} cannot be written", DataDirNotWritable, self._folder.parent)

    def _content(self) -> FlatCollection:
        if self._sealed is not None:
            return self._sealed
        if self._read is None:
            try:
                self._read = self._open().opened()
            except OSError as error:
                raise self._not_written(error) from error
        return self._read

    def close(self) -> None:
        """Release everything."""
        if self._sealed is not None:
            self._sealed.close()
        if self._spool is not None:
            self._spool.close()
