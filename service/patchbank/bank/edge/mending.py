"""Makes lost or damaged files of a part anew: flat files from the engine's collection, the collection from flat files.

What is made is accepted only where it is what the part was when it was written. It is made beside the old files and
then takes their place, under the class's lock. Where nothing may be written, nothing is mended.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from patchbank.bank.edge.engine import Engine
from patchbank.bank.edge.flat_part import PIECES, FlatPart
from patchbank.bank.edge.folders import MENDING, SHARD, SHARD_SUMS
from patchbank.bank.edge.reference_shelf import UNREADABLE, MemoryShelf, Shelf, read_shelf
from patchbank.bank.edge.synced import sync_tree
from patchbank.bank.names import BankRef
from patchbank.bank.part import Part
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

    def mend(self, folder: Path, part: Part, spec: BankSpec, piece: str, reason: str) -> None:
        """Make a piece of the flat files anew. Raises ``DamagedBank``, with the ``reason``, where that cannot be
        done."""
        if not (folder / SHARD).is_dir():
            raise DamagedBank(f"{reason}; there is no second copy: restore the class from a backup, or teach it again")
        with self._mending(folder, reason) as beside:
            if _is_sound(folder, part, spec, piece):  # another process has mended it meanwhile
                return
            self._engine.export(folder, beside, [piece])
            if not _is_sound(beside, part, spec, piece):
                raise DamagedBank(
                    f"{reason}; its second copy is damaged too: restore the class from a backup, or teach it again"
                )
            sync_tree(beside)
            _put(beside / PIECES[piece], folder / PIECES[piece])
        self._note(folder, f"{PIECES[piece]} was made anew from the engine's files", reason)

    def mend_graph(self, folder: Path, spec: BankSpec, reason: str) -> None:
        """Make the engine's collection anew from the flat files, which were checked. Raises ``DamagedBank`` with the
        ``reason``."""
        with self._mending(folder, reason) as beside:
            self._engine.build(folder, beside, spec)
            if (folder / SHARD).exists():
                (folder / SHARD).rename(beside / "old")
            (beside / SHARD).rename(folder / SHARD)
            _put(beside / SHARD_SUMS, folder / SHARD_SUMS)
        self._note(folder, "the engine's files were made anew from the flat files", reason)

    def shelf(self, folder: Path, count: int) -> Shelf:
        """The references of a part of an older layout, which the engine's files hold. Raises ``DamagedBank``."""
        try:
            with tempfile.TemporaryDirectory(prefix="patchbank-") as made:
                self._engine.export(folder, Path(made), ["references"])
                return MemoryShelf(read_shelf(Path(made) / PIECES["references"], None, count).references())
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


def _is_sound(folder: Path, part: Part, spec: BankSpec, piece: str) -> bool:
    checked = FlatPart(folder, part, spec, mapped=False)
    try:
        checked.check([piece])
    except DamagedBank:
        return False
    finally:
        checked.close()
    return True


def _put(made: Path, place: Path) -> None:
    """Put a file, or a directory of files, where it belongs. Each file is replaced in one step, so that readers go
    on."""
    if made.is_file():
        if place.is_dir():
            shutil.rmtree(place)
        made.replace(place)
        return
    if place.exists() and not place.is_dir():
        place.unlink()
    place.mkdir(exist_ok=True)
    for file in made.iterdir():
        _put(file, place / file.name)
