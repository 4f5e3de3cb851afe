from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbank.bank.edge.cls_table import ClsTable
from patchbank.bank.edge.router import EdgeRouter
from patchbank.bank.edge.stacked_table import StackedTable
from patchbank.bank.names import BankRef
from patchbank.bank.pointers import Pointers, Route
from patchbank.bank.store import RouterHit
from patchbank.errors import DamagedBank
from tests.helpers.banks import FINGERPRINT, image_id, vectors

DIM = 4


def table(seed: int, size: int, first: int = 0) -> ClsTable:
    return ClsTable(tuple(image_id(first + number) for number in range(size)), vectors(seed, size, DIM))


def version(number: int) -> str:
    return f"20250101T0000{number:02d}000000Z"


def brute_force(tables: Mapping[BankRef, ClsTable], cls: np.ndarray, k: int) -> list[RouterHit]:
    hits = [
        RouterHit(ref.class_name, image, float(vector @ cls))
        for ref, held in tables.items()
        for image, vector in zip(held.image_ids, held.vectors, strict=True)
    ]
    return sorted(hits, key=lambda hit: (-hit.similarity, hit.class_name, hit.image_id))[:k]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 6), max_size=6), st.integers(1, 12), st.booleans(), st.integers(0, 3))
def test_one_product_finds_what_each_table_by_itself_would(sizes: list[int], k: int, equal: bool, seed: int) -> None:
    """``equal`` classes hold the same vectors: then names decide."""
    tables = {
        BankRef(f"class{number}", "v"): table(0 if equal else number + seed, size) for number, size in enumerate(sizes)
    }
    cls = vectors(100 + seed, 1, DIM)[0]
    found, expected = StackedTable(tables).nearest(cls, k), brute_force(tables, cls, k)
    np.testing.assert_allclose([hit.similarity for hit in found], [hit.similarity for hit in expected], atol=1e-6)
    assert [(hit.class_name, hit.image_id) for hit in found] == [(hit.class_name, hit.image_id) for hit in expected]


def test_equal_rows_are_equal_wherever_they_lie() -> None:
    """A product of 7 x 4 numbers rounds the last three rows otherwise than the first four."""
    for seed in range(100, 130):
        for sizes in ((4, 3), (8, 5), (3, 3)):
            tables = {BankRef(f"class{number}", "v"): table(0, size) for number, size in enumerate(sizes)}
            first, *_ = StackedTable(tables).nearest(vectors(seed, 1, DIM)[0], 1)
            assert first.class_name == "class0"


class Served:
    """A router over tables in memory, and what it read of them."""

    def __init__(self) -> None:
        self.tables: dict[str, ClsTable] = {}
        self.read: list[str] = []
        self.router = EdgeRouter(self._read, lambda ref: self.route(ref.version))

    def route(self, version: str) -> Route:
        return Route(FINGERPRINT, ((version, ()),))

    def _read(self, ref: BankRef, part: str, digest: str | None) -> ClsTable:
        self.read.append(ref.class_name)
        if ref.class_name not in self.tables:
            raise DamagedBank("lost")
        return self.tables[ref.class_name]

    def pointers(self, **versions: str) -> Pointers:
        return Pointers(versions, {name: self.route(version) for name, version in versions.items()})

    def find(self, pointers: Pointers, k: int = 100) -> set[str]:
        return {hit.class_name for hit in self.router.find(pointers, FINGERPRINT, vectors(9, 1, DIM)[0], k).hits}


def test_what_serves_is_read_once_and_a_switch_reads_the_new_version_alone() -> None:
    served = Served()
    served.tables = {"a": table(1, 3), "b": table(2, 3)}
    pointers = served.pointers(a="v1", b="v1")
    for _ in range(3):
        assert served.find(pointers) == {"a", "b"}
    assert sorted(served.read) == ["a", "b"]
    served.read.clear()
    assert served.find(served.pointers(a="v2", b="v1")) == {"a", "b"}
    assert served.read == ["a"]
    assert served.find(served.pointers(b="v1")) == {"b"}
    served.router.close()


def test_vectors_are_held_once() -> None:
    served = Served()
    served.tables = {"a": table(1, 3), "b": table(2, 3)}
    served.find(served.pointers(a="v1", b="v1"))
    first, second = (served.router.table(BankRef(name, "v1"), served.route("v1")).vectors for name in ("a", "b"))
    assert first.base is not None
    assert first.base is second.base
    assert served.read == ["a", "b"]
    served.router.close()


def test_a_class_that_could_not_be_read_votes_again_once_it_can() -> None:
    served = Served()
    served.tables = {"a": table(1, 3)}
    pointers = served.pointers(a="v1", b="v1")
    assert served.find(pointers) == {"a"}
    assert list(served.router.find(pointers, FINGERPRINT, vectors(9, 1, DIM)[0], 1).silent) == ["b"]
    served.tables["b"] = table(2, 3)
    assert served.find(pointers) == {"a", "b"}
    assert served.read.count("a") == 1
    served.router.close()
