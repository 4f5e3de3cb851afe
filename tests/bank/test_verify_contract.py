"""Every store verifies what it holds, and checks a version that serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from patchbank.bank.names import BankRef
from patchbank.bank.sealed_document import sealed
from patchbank.bank.store import PatchStore
from patchbank.errors import DamagedBank, UnknownClass
from tests.helpers.banks import SPEC, fill, image_id, manifest, reference, teach, vectors
from tests.helpers.stores import KINDS, StoreKind, store_kind


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreKind]:
    with store_kind(request.param, tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def store(kind: StoreKind) -> PatchStore:
    return kind.open()


def extended(store: PatchStore, ref: BankRef) -> BankRef:
    with store.draft("part", SPEC, ref) as draft:
        draft.add_reference(reference(9, 1, 6), vectors(70, 1, 4)[0])
        draft.add_patches([image_id(9)] * 6, np.stack([np.zeros(6, int), np.arange(6)], axis=1), vectors(90))
        draft.seal()
        return draft.activate(manifest(draft, references=4, patches=24, dims=(8, 4))).ref


def test_a_sound_store_is_found_sound(store: PatchStore) -> None:
    first = teach(store, "part", 0)
    second = extended(store, first)
    teach(store, "other", 1)
    findings = store.verify("part")
    assert {finding.state for finding in findings} == {"sound"}
    told = [(finding.version, finding.what) for finding in findings if finding.class_name == "part"]
    assert sorted(told) == sorted((ref.version, what) for ref in (first, second) for what in ("manifest", "part"))
    assert {finding.class_name for finding in store.verify()} - {""} == {"part", "other"}
    store.check(second)
    with pytest.raises(UnknownClass):
        store.verify("nothing")


def test_a_damaged_class_is_found_and_the_other_is_sound(kind: StoreKind) -> None:
    ref = teach(kind.open(), "part", 0)
    teach(kind.open(), "other", 1)
    kind.damage(ref)
    store = kind.open()
    with pytest.raises(DamagedBank):
        store.check(ref)
    damaged = [finding for finding in store.verify() if finding.state == "damaged"]
    assert {finding.class_name for finding in damaged} == {"part"}
    assert all(finding.message for finding in damaged)
    store.check(BankRef("other", store.active()["other"]))


def without_checksum(stored: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in stored.items() if name != "checksum"}


def test_a_manifest_that_was_changed_is_damaged_and_one_without_a_checksum_is_older(kind: StoreKind) -> None:
    ref = teach(kind.open(), "part", 0)
    kind.rewrite_manifest(ref, lambda stored: stored)
    assert {finding.state for finding in kind.open().verify()} == {"sound"}
    kind.store_manifest(ref, lambda stored: {**without_checksum(stored), "layout": 4})
    (older,) = (finding for finding in kind.open().verify() if finding.state != "sound")
    assert (older.what, older.state) == ("manifest", "older")
    kind.store_manifest(
        ref, lambda stored: sealed(without_checksum(stored)) | {"created_at": "2020-01-01T00:00:00+00:00"}
    )
    with pytest.raises(DamagedBank, match="checksum"):
        kind.open().bank("part")
    (damaged,) = (finding for finding in kind.open().verify() if finding.state == "damaged")
    assert damaged.what == "manifest"


@pytest.mark.parametrize("factor", [1.5, float("nan")])
def test_vectors_that_no_bank_may_hold_are_refused(store: PatchStore, factor: float) -> None:
    teach(store, "part", 0)
    wrong = vectors(5) * np.float32(factor)
    with pytest.raises(DamagedBank, match="unit length"), store.draft("part", SPEC) as draft:
        fill(draft, [wrong], vectors(9, 1, 4))
        draft.seal()
    assert np.abs(store.bank("part").nearest(vectors(1), 1).distances).max() < 1e-6
