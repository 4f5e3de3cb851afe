"""A finished part of a bank in flat files, which are checked when they are opened and whenever they change.

The patches of a part are searched by the flat index's lists first, those of a huge part by the engine's graph, which
only proposes (``graph``). Where it cannot be used, they are searched by lists, too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol, TypeVar

from patchbank.arrays import ByteArray, FloatArray
from patchbank.bank.content_digest import VectorsDigest, require_unit
from patchbank.bank.edge import graph
from patchbank.bank.edge.cls_table import ClsTable
from patchbank.bank.edge.flat_collection import BLOCK, FlatCollection
from patchbank.bank.edge.folders import CLS_COPY, EXACT_COPY, REFERENCES
from patchbank.bank.edge.graph import Graph, GraphUnusable
from patchbank.bank.edge.npy_file import FileRows, NpyFile
from patchbank.bank.edge.reference_shelf import UNREADABLE, Shelf, read_shelf
from patchbank.bank.edge.shard_sums import check_sums, engine_stamp, watched_files
from patchbank.bank.edge.stamp import Stamp
from patchbank.bank.edge.watched import Watched
from patchbank.bank.exact.index import ExactIndex
from patchbank.bank.exact.int8_product import Int8Product
from patchbank.bank.excluding import nearest_without
from patchbank.bank.part import Part
from patchbank.bank.store import BankSpec, Neighbours
from patchbank.errors import DamagedBank
from patchbank.reason import reason_of

_LOG = logging.getLogger("patchbank")

T = TypeVar("T")

_OVERSAMPLING: Final = 2
"""So many more neighbours are asked of the graph, which knows vectors as bytes."""

_REMEDY: Final = "there is no second copy: restore the class from a backup, or teach it again"

PIECES: Final = {"patches": EXACT_COPY, "cls": CLS_COPY, "references": REFERENCES}
"""The pieces of a part, named as their digests, and where they lie."""


class Older(Protocol):
    """Reads what older releases wrote elsewhere."""

    def shelf(self, folder: Path, count: int) -> Shelf:
        """The references of a part of an older layout, which the engine's files hold. Raises ``DamagedBank``."""
        ...


class FlatPart(FlatCollection):
    """The part below ``folder``, which is what ``part`` says of it, for embeddings of the sizes ``spec``.

    Without ``mapped`` nothing is memory-mapped, and no engine is opened: a file that is cut then ends no process.
    What is ``trusted`` was written by this process a moment ago. ``product`` multiplies for the search by upper bounds.
    Methods raise ``DamagedBank`` and ``Closed``.
    """

    def __init__(
        self,
        folder: Path,
        part: Part,
        spec: BankSpec,
        *,
        mapped: bool = True,
        trusted: bool = False,
        older: Older | None = None,
        product: Int8Product | None = None,
    ) -> None:
        self._folder = folder
        self._part = part
        self._spec = spec
        self._mapped = mapped
        self._trusted = trusted
        self._older = older
        self._product = product
        exact, cls = folder / EXACT_COPY, folder / CLS_COPY
        self._index = Watched(
            lambda: (exact / "ids.npy", exact / "vectors.npy"), self._piece("patches", self._read_patches)
        )
        self._cls = Watched(lambda: (cls / "ids.npy", cls / "vectors.npy"), self._piece("cls", self._read_table))
        self._references = Watched(lambda: (folder / REFERENCES,), self._piece("references", self._read_references))
        self._has_graph: Final = part.indexed and part.digest is not None
        self._sums = Watched(lambda: watched_files(folder), lambda: self._engine_trouble(deep=False), engine_stamp)
        self._graph: Watched[Graph | None] | None = None
        if self._has_graph and mapped:
            self._graph = Watched(lambda: watched_files(folder), self._load_graph, engine_stamp)

    def check(self, pieces: Collection[str] = tuple(PIECES)) -> None:
        """Read those pieces that were not checked since they changed. Raises ``DamagedBank``."""
        open_piece = {"patches": self._patches, "cls": self._table, "references": self._shelf}
        for piece in pieces:
            open_piece[piece]()

    def stamps(self) -> tuple[Stamp | None, ...]:
        """The stamps of all files that ``check`` and ``engine_trouble`` look at; it takes microseconds."""
        pieces = (self._index, self._cls, self._references, self._sums)
        return tuple(stamp for piece in pieces for stamp in piece.stamps())

    def engine_trouble(self, *, deep: bool = False) -> str | None:
        """Why the engine's files cannot be used; None where they can, or where there need not be any. They are compared
        once, until they change; ``deep`` compares all of them now."""
        return self._engine_trouble(deep=True) if deep else self._sums.get()

    def _engine_trouble(self, *, deep: bool) -> str | None:
        if not self._has_graph:
            return None
        try:
            check_sums(self._folder, deep=deep)
        except (OSError, ValueError) as error:
            return reason_of(error)
        return None

    def count(self) -> int:
        return self._part.patches

    def _patches(self) -> ExactIndex:
        return self._index.get()

    def _table(self) -> ClsTable:
        return self._cls.get()

    def _shelf(self) -> Shelf:
        return self._references.get()

    def _nearest(self, queries: FloatArray, k: int, exact: bool, exclude_images: Sequence[str]) -> Neighbours:
        if not exact and self._walks_graph and self._graph is not None and (found := self._graph.get()) is not None:
            try:
                return self._proposed(found, queries, k, exclude_images)
            except GraphUnusable as error:
                self._give_up(error)
        return super()._nearest(queries, k, exact, exclude_images)

    @property
    def _walks_graph(self) -> bool:
        """Parts that were written when fewer patches had a graph are searched without it."""
        return self._part.patches >= graph.INDEX_FROM or not self._patches().has_lists

    def _proposed(self, walked: Graph, queries: FloatArray, k: int, exclude_images: Sequence[str]) -> Neighbours:
        with self._reading("patches"):
            index = self._patches()

            def search(asked: FloatArray, most: int, left_out: Sequence[str]) -> tuple[FloatArray, ByteArray]:
                if left_out:  # the few queries all of whose nearest are left out
                    exactly = index.nearest(asked, most, left_out)
                    return exactly.distances, exactly.ids
                return index.among(asked, walked.propose(asked, _OVERSAMPLING * most), most)

            return Neighbours(*nearest_without(search, queries, k, exclude_images), exact=False)

    def _load_graph(self) -> Graph | None:
        try:
            return Graph.load(self._folder, self._part.patches, trusted=self._trusted)
        except GraphUnusable as error:
            self._warn(error)
            return None

    def _give_up(self, error: GraphUnusable) -> None:
        """Search without the graph until its files change."""
        self._warn(error)
        if self._graph is not None:
            self._graph.replace(None)

    def _warn(self, error: GraphUnusable) -> None:
        _LOG.warning("%s: searched exhaustively, because its graph cannot be used: %s", self._folder.name, error)

    def _piece(self, piece: str, read: Callable[[], T]) -> Callable[[], T]:
        """``read``; where it finds damage, that is said."""

        def checked() -> T:
            try:
                return read()
            except UNREADABLE as error:
                what = f"{self._folder.name}/{PIECES[piece]} cannot be used: {reason_of(error)}"
                raise DamagedBank(f"{what}; {_REMEDY}") from error

        return checked

    def _read_patches(self) -> ExactIndex:
        folder, dim = self._folder / EXACT_COPY, self._spec.patch_dim
        ids_file = NpyFile.open(folder / "ids.npy", "|u1", 16)
        file = NpyFile.open(folder / "vectors.npy", "<f4", dim)
        if not ids_file.count == file.count == self._part.patches:
            raise ValueError(f"{ids_file.count} ids, {file.count} vectors, not {self._part.patches}")
        ids = ids_file.read()
        if not self._trusted:
            self._compare(ids, file)
        return ExactIndex(file.mapped() if self._mapped else FileRows(file), ids, self._product)

    def _compare(self, ids: ByteArray, file: NpyFile) -> None:
        """Read all vectors, not through the map, and compare them with what was written."""
        digest = None if self._part.digest is None else VectorsDigest(file.width)
        for number, vectors in enumerate(file.blocks(BLOCK)):
            if digest is None:
                require_unit(vectors)
            else:
                digest.add(ids[number * BLOCK : (number + 1) * BLOCK], vectors)
        if digest is not None and self._part.digest is not None and digest.hexdigest() != self._part.digest.patches:
            raise ValueError("the vectors are not those that were written")

    def _read_table(self) -> ClsTable:
        digest = None if self._part.digest is None else self._part.digest.cls
        table = ClsTable.read(self._folder / CLS_COPY, digest, self._spec.cls_dim)
        if len(table.image_ids) != self._part.references:
            raise ValueError(f"{len(table.image_ids)} CLS embeddings, not {self._part.references}")
        return table

    def _read_references(self) -> Shelf:
        path, digest = self._folder / REFERENCES, self._part.digest
        if digest is None and self._older is not None and not path.exists():
            return self._older.shelf(self._folder, self._part.references)
        return read_shelf(path, None if digest is None else digest.references, self._part.references)

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        trouble = UNREADABLE if what == "references" else (OSError,)
        try:
            yield
        except trouble as error:
            raise DamagedBank(f"{self._folder.name}/{PIECES[what]} cannot be used: {reason_of(error)}") from error

    def close(self) -> None:
        """Release the files; a later use raises ``Closed``."""
        for piece in (self._index, self._cls, self._references, self._sums):
            piece.close()
        opened = None if self._graph is None else self._graph.close()
        if opened is not None:
            opened.close()
