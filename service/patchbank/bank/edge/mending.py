"""Makes a lost or damaged graph of a part anew from the flat files.

It is made beside the old files and then takes their place, under the class's lock. Where nothing may be written,
nothing is mended.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from patchbank.bank.edge.engine import Engine
from patchbank.bank.edge.folders import MENDING, REFERENCES, SHARD, SHARD_SUMS
from patchbank.bank.edge.reference_shelf import UNREADABLE, MemoryShelf, Shelf, read_shelf
from patchbank.bank.names import BankRef
from patchbank.bank.store import BankSpec
from patchbank.errors import ClassBusy, DamagedBank, PatchbankError, StoreUnavailable
from patchbank.reason import reason_of

_LOG = logging.getLogger("patchbank")


class PartMender:
    """Mends parts of one store. ``holding`` holds a class while one of its parts is mended; ``told`` is called with
    each piece that was made anew, by the collection's name. Thread-safe."""

    def __init__(
        self, engine: Engine, holding: Callable[[str], AbstractContextManager[None]], told: Callable[[str, str], None]
    ) -> None:
        self._engine = engine
        self._holding = holding
        self._told = told

    def mend_graph(self, folder: Path, spec: BankSpec, reason: str) -> None:
        """Make the graph anew from the flat files, which were checked. Raises ``DamagedBank`` with the ``reason``."""
        with self._mending(folder, reason) as beside:
            self._engine.build(folder, beside, spec)
            if (folder / SHARD).exists():
                (folder / SHARD).rename(beside / "old")
            (beside / SHARD).rename(folder / SHARD)
            if (folder / SHARD_SUMS).is_dir():
                shutil.rmtree(folder / SHARD_SUMS)
            (beside / SHARD_SUMS).replace(folder / SHARD_SUMS)
        self._note(folder, "its graph was made anew", reason)

    def shelf(self, folder: Path, count: int) -> Shelf:
        """The references of a part of an older layout, which the engine's files hold. Raises ``DamagedBank``."""
        try:
            with tempfile.TemporaryDirectory(prefix="patchbank-") as made:
                self._engine.export(folder, Path(made))
                return MemoryShelf(read_shelf(Path(made) / REFERENCES, None, count).references())
        except StoreUnavailable as error:
            raise DamagedBank(f"{folder.name}: its references cannot be read: {error.message}") from error
        except UNREADABLE as error:
            raise DamagedBank(f"{folder.name}: its references cannot be read: {reason_of(error)}") from error

    @contextmanager
    def _mending(self, folder: Path, reason: str) -> Iterator[Path]:
        """A directory beside the files of a part whose class is held; its errors are those of the damaged part."""
        ref = BankRef.parse(folder.name)
        if ref is None:
            raise DamagedBank(reason)
        try:
            with self._holding(ref.class_name):
                beside = Path(tempfile.mkdtemp(prefix=MENDING, dir=folder))
                try:
                    yield beside
                finally:
                    shutil.rmtree(beside, ignore_errors=True)
        except ClassBusy as error:
            raise DamagedBank(f"{reason}; it cannot be mended while another process changes the class") from error
        except (StoreUnavailable, OSError) as error:
            said = error.message if isinstance(error, PatchbankError) else reason_of(error)
            raise DamagedBank(f"{reason}; it could not be mended: {said}") from error

    def _note(self, folder: Path, what: str, reason: str) -> None:
        _LOG.warning("%s; %s", reason, what)
        self._told(folder.name, what)
