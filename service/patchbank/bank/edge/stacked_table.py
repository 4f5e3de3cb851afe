"""The CLS embeddings of many versions in one matrix, so that class retrieval is one product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.edge.cls_table import ClsTable
from patchbank.bank.names import BankRef
from patchbank.bank.store import RouterHit

_ROUNDING: Final = np.float32(1e-6)
"""What the similarity of a row may differ by from that of the same row in another place of the product."""


@dataclass(frozen=True)
class _Piece:
    """A version's rows in the matrix."""

    class_name: str
    begin: int
    table: ClsTable


class StackedTable:
    """``tables`` of some versions, all of one width. Each one's vectors become a view of the matrix, so that they are
    held once: ``table`` gives it back."""

    def __init__(self, tables: Mapping[BankRef, ClsTable]) -> None:
        filled = {ref: table for ref, table in tables.items() if len(table.image_ids)}
        self._vectors: FloatArray = (
            np.concatenate([table.vectors for table in filled.values()])
            if filled
            else np.empty((0, 0), dtype=np.float32)
        )
        self._pieces: list[_Piece] = []
        self._tables = {ref.collection: table for ref, table in tables.items() if ref not in filled}
        begin = 0
        for ref, table in filled.items():
            end = begin + len(table.image_ids)
            mine = ClsTable(table.image_ids, self._vectors[begin:end])
            self._pieces.append(_Piece(ref.class_name, begin, mine))
            self._tables[ref.collection] = mine
            begin = end
        self._begins: Final = np.array([piece.begin for piece in self._pieces], dtype=np.int64)

    def table(self, ref: BankRef) -> ClsTable | None:
        """The table of a version, where it is one of these."""
        return self._tables.get(ref.collection)

    def __contains__(self, collection: str) -> bool:
        return collection in self._tables

    def nearest(self, cls: FloatArray, k: int) -> list[RouterHit]:
        """The k rows most similar to ``cls`` (D',); equal ones in the order of class and image."""
        if not len(self._vectors):
            return []
        similarity = self._vectors @ cls
        places = np.arange(len(similarity))
        if k < len(similarity):
            least = np.partition(similarity, -k)[-k] - _ROUNDING
            places = np.flatnonzero(similarity >= least)  # all that may be equal to the last one: their names decide
        similarity = _row_by_row(self._vectors[places], cls)
        pieces = np.searchsorted(self._begins, places, side="right") - 1
        hits = [
            self._hit(int(piece), int(place), float(value))
            for piece, place, value in zip(pieces, places, similarity, strict=True)
        ]
        return sorted(hits, key=lambda hit: (-hit.similarity, hit.class_name, hit.image_id))[:k]

    def _hit(self, piece: int, place: int, similarity: float) -> RouterHit:
        found = self._pieces[piece]
        image_id = found.table.image_ids[place - found.begin]
        return RouterHit(found.class_name, image_id, similarity)


def _row_by_row(rows: FloatArray, cls: FloatArray) -> FloatArray:
    """The similarity of each row, equal for equal rows wherever they are, which those of a product are not."""
    return np.asarray((rows.astype(np.float64) * cls).sum(axis=1), dtype=np.float32)
