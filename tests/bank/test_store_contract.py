"""What every bank store does: the same cases run on each store."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from patchbank.arrays import FloatArray
from patchbank.bank.archive import Archive, write_archive
from patchbank.bank.names import BankRef, PatchId
from patchbank.bank.region_of_interest import RegionOfInterest
from patchbank.bank.store import BankSpec, PatchStore
from patchbank.bank.view import View, with_view
from patchbank.errors import (
    ClassBusy,
    Closed,
    DamagedBank,
    InvalidClassName,
    UnknownClass,
    UnknownReference,
    UnknownVersion,
)
from tests.helpers.banks import FINGERPRINT, SPEC, fill, image_id, manifest, reference, teach, vectors
from tests.helpers.stores import KINDS, StoreKind, store_kind

OpenStore = Callable[[], PatchStore]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreKind]:
    """Each kind of store, with its test tricks."""
    with store_kind(request.param, tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def open_store(kind: StoreKind) -> OpenStore:
    """Opens one more store on the test's banks; all stores are closed at the end."""
    return kind.open


@pytest.fixture
def store(open_store: OpenStore) -> PatchStore:
    return open_store()


def test_an_empty_store_knows_nothing(store: PatchStore) -> None:
    assert dict(store.active()) == {}
    assert store.versions("part") == []
    assert store.nearest_references(FINGERPRINT, vectors(0, 1, 4)[0], 3) == []
    with pytest.raises(UnknownClass):
        store.bank("part")
    with pytest.raises(UnknownClass):
        store.remove("part")


def test_a_taught_class_is_active_and_finds_its_own_patches(store: PatchStore) -> None:
    ref = teach(store, "part")
    assert dict(store.active()) == {"part": ref.version}
    bank = store.bank("part")
    assert bank.manifest.ref == ref
    assert bank.manifest.patches == 18
    neighbours = bank.nearest(vectors(1), 2)
    assert neighbours.distances.shape == (6, 2)
    assert np.abs(neighbours.distances[:, 0]).max() < 1e-6
    assert (np.diff(neighbours.distances, axis=1) >= 0).all()
    nearest = [PatchId.from_bytes(ids[0]) for ids in neighbours.ids]
    assert nearest == [PatchId(image_id(1), 0, column) for column in range(6)]


def test_distances_are_those_of_numpy_and_missing_neighbours_are_infinite(store: PatchStore) -> None:
    teach(store, "part")
    queries = vectors(55, 40)
    bank = np.concatenate([vectors(number) for number in range(3)])
    neighbours = store.bank("part").nearest(queries, 20)
    expected = np.sort(1.0 - queries @ bank.T, axis=1)
    assert np.abs(neighbours.distances[:, :18] - expected).max() < 1e-5
    assert np.isinf(neighbours.distances[:, 18:]).all()


def test_patches_of_images_can_be_left_out(store: PatchStore) -> None:
    teach(store, "part")
    neighbours = store.bank("part").nearest(vectors(1), 1, exclude_images=[image_id(1)])
    owners = {PatchId.from_bytes(row[0]).image_id for row in neighbours.ids}
    assert image_id(1) not in owners
    others = np.concatenate([vectors(0), vectors(2)])
    assert neighbours.distances[:, 0] == pytest.approx((1.0 - vectors(1) @ others.T).min(axis=1), abs=1e-5)
    alone = store.bank("part").nearest(vectors(1), 1, exclude_images=[image_id(1), image_id(2)])
    assert alone.distances[:, 0] == pytest.approx((1.0 - vectors(1) @ vectors(0).T).min(axis=1), abs=1e-5)


def test_references_come_back_whole(store: PatchStore) -> None:
    teach(store, "part")
    bank = store.bank("part")
    assert bank.references() == [reference(number, 1, 6) for number in range(3)]
    assert bank.reference(image_id(2)) == reference(2, 1, 6)
    ids, cls = bank.cls_vectors()
    order = np.argsort(ids)
    assert sorted(ids) == [image_id(number) for number in range(3)]
    assert cls[order] == pytest.approx(vectors(7, 3, 4), abs=1e-6)
    for wrong in (image_id(9), "", "../../etc", "F" * 24):
        with pytest.raises(UnknownReference):
            bank.reference(wrong)


def test_names_that_are_not_utf_8_are_stored_with_their_bytes_escaped(store: PatchStore, tmp_path: Path) -> None:
    raw = os.fsdecode(b"gr\xfc\xdfe[/]\x1b\n.png")
    item = replace(reference(0, 1, 6), name=raw, source=f"in/{raw}", series=raw)
    with store.draft("part", SPEC) as draft:
        draft.add_reference(item, vectors(7, 3, 4)[0])
        draft.add_patches([item.image_id] * 6, np.array([[0, c] for c in range(6)]), vectors(0))
        draft.seal()
        draft.activate(manifest(draft, references=1, patches=6, dims=(8, 4)))
    name = "gr\\xfc\\xdfe[/]\x1b\n.png"
    stored = replace(item, name=name, source=f"in/{name}", series=name)
    assert store.bank("part").references() == [stored]
    write_archive(tmp_path / "part.bank", store.bank("part"))
    with Archive(tmp_path / "part.bank") as archive:
        assert archive.references() == [stored]


def test_the_patches_of_one_image_come_back(store: PatchStore) -> None:
    teach(store, "part")
    patches = store.bank("part").image_patches(image_id(1))
    assert patches.shape == (6, 8)
    assert (vectors(1) * patches).sum(axis=1) == pytest.approx(np.ones(6), abs=1e-6), "in the order of their cells"
    assert store.bank("part").image_patches(image_id(77)).size == 0


def test_a_bank_of_some_patches_of_each_image_and_its_mask_come_back(store: PatchStore) -> None:
    """A bank as a class with a mask has it: rows and columns have gaps, and a restart changes nothing."""
    inspected = np.zeros((3, 4), dtype=np.bool_)
    inspected[[0, 0, 2], [1, 3, 0]] = True
    roi = RegionOfInterest.of(inspected, (400, 300))
    with store.draft("part", SPEC) as draft:
        for number in range(2):
            draft.add_reference(reference(number, 3, 4), vectors(7 + number, 1, 4)[0])
            draft.add_patches([image_id(number)] * 3, np.argwhere(inspected), vectors(number, 3))
        draft.seal()
        written = draft.activate(manifest(draft, references=2, patches=draft.count_patches(), dims=(8, 4), roi=roi))
    store.activate(written.ref)
    bank = store.bank("part")
    assert (bank.manifest, bank.manifest.patches) == (written, 6)
    assert bank.manifest.inspected_percentage == 25.0
    neighbours = bank.nearest(vectors(1, 3), 1)
    cells = [PatchId.from_bytes(row[0]) for row in neighbours.ids]
    assert cells == [PatchId(image_id(1), row, column) for row, column in ((0, 1), (0, 3), (2, 0))]
    assert bank.image_patches(image_id(1)) == pytest.approx(vectors(1, 3), abs=1e-6)
    with store.draft("part", SPEC, base=written.ref) as draft:
        draft.seal()
        draft.activate(written.model_copy(update={"version": draft.ref.version}))
    assert store.bank("part").manifest.roi == roi


def test_all_patches_come_back_however_many(store: PatchStore) -> None:
    images = [vectors(number, 1_300) for number in range(2)]
    with store.draft("part", SPEC) as draft:
        fill(draft, images, vectors(7, 2, 4))
        draft.seal()
        draft.activate(manifest(draft, references=2, patches=2_600, dims=(8, 4)))
    bank = store.bank("part")
    stored: dict[tuple[str, int, int], bytes] = {}
    for block in bank.patches():
        for owner, (row, column), vector in zip(block.image_ids, block.cells.tolist(), block.vectors, strict=True):
            stored[owner, row, column] = vector.tobytes()
    expected = {(image_id(n), 0, c): images[n][c].tobytes() for n in range(2) for c in range(1_300)}
    assert stored == expected, "bit by bit"
    assert len(bank.image_patches(image_id(1))) == 1_300


def test_the_same_image_twice_is_one_reference(store: PatchStore) -> None:
    with store.draft("part", SPEC) as draft:
        fill(draft, [vectors(0)], vectors(1, 1, 4))
        assert draft.has_reference(image_id(0))
        assert not draft.has_reference(image_id(1))
        fill(draft, [vectors(0)], vectors(1, 1, 4))
        draft.seal()
        assert draft.count_patches() == 6
        assert len(draft.cls_vectors()[0]) == 1


def test_a_draft_is_not_seen_and_leaves_nothing_when_dropped(store: PatchStore, kind: StoreKind) -> None:
    ref = teach(store, "part")
    before = kind.collections()
    with store.draft("part", SPEC) as draft:
        fill(draft, [vectors(40)], vectors(1, 1, 4))
        draft.seal()
        assert store.active()["part"] == ref.version
        assert store.versions("part") == [ref.version]
        assert np.abs(store.bank("part").nearest(vectors(1), 1).distances).max() < 1e-6
    assert store.versions("part") == [ref.version]
    assert kind.collections() == before
    with pytest.raises(Closed):
        draft.seal()


def test_a_new_version_replaces_the_old_one_for_every_open_store(open_store: OpenStore) -> None:
    reader, writer = open_store(), open_store()
    first = teach(writer, "part", 0)
    assert reader.bank("part").manifest.ref == first
    second = teach(writer, "part", 5)
    assert reader.bank("part").manifest.ref == second
    assert np.abs(reader.bank("part").nearest(vectors(501), 1).distances).max() < 1e-6
    hits = reader.nearest_references(FINGERPRINT, vectors(12, 3, 4)[0], 10)
    assert len(hits) == 3, "hits of versions that are not active do not count"
    assert hits[0].similarity == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("version", ["nothing", "..", "a/../b", "a\0b", "a__b", "x" * 300, "\N{SNOWMAN}"])
def test_whatever_is_asked_for_as_a_version_is_a_version_or_unknown(store: PatchStore, version: str) -> None:
    ref = teach(store, "part", 0)
    for ask in (lambda: store.bank("part", version), lambda: store.activate(BankRef("part", version))):
        with pytest.raises(UnknownVersion):
            ask()
    assert store.bank("part", ref.version).manifest.ref == ref


def test_an_earlier_version_can_serve_again_and_old_ones_go(store: PatchStore) -> None:
    first, second = teach(store, "part", 0), teach(store, "part", 5)
    store.activate(first)
    assert store.bank("part").manifest.ref == first
    assert store.nearest_references(FINGERPRINT, vectors(7, 3, 4)[1], 1)[0].image_id == image_id(1)
    with pytest.raises(UnknownVersion):
        store.activate(BankRef("part", "20200101-000000-0000"))
    assert store.bank("part").manifest.ref == first
    third = teach(store, "part", 6)
    assert store.versions("part") == sorted([second.version, third.version]), "two versions are kept"


def test_an_extended_version_holds_the_old_and_the_new(store: PatchStore) -> None:
    first = teach(store, "part", 0)
    with store.draft("part", SPEC, base=first) as draft:
        assert draft.has_reference(image_id(0))
        draft.add_reference(reference(9, 1, 6), vectors(70, 1, 4)[0])
        draft.add_patches([image_id(9)] * 6, np.stack([np.zeros(6, int), np.arange(6)], axis=1), vectors(90))
        draft.seal()
        draft.activate(manifest(draft, references=4, patches=draft.count_patches(), dims=(8, 4)))
    bank = store.bank("part")
    assert bank.manifest.patches == 24
    assert np.abs(bank.nearest(np.concatenate([vectors(1), vectors(90)]), 1).distances).max() < 1e-6
    assert np.abs(store.bank("part", first.version).nearest(vectors(90), 1).distances).max() > 0.01


def test_a_version_cannot_be_extended_from_one_that_was_replaced(store: PatchStore) -> None:
    first = teach(store, "part", 0)
    teach(store, "part", 5)
    with pytest.raises(ClassBusy):
        store.draft("part", SPEC, base=first)
    with store.draft("part", SPEC):
        pass


def test_the_router_finds_references_of_all_classes_and_forgets_removed_ones(store: PatchStore) -> None:
    teach(store, "part", 0)
    teach(store, "other", 5)
    mine, theirs = vectors(7, 3, 4), vectors(12, 3, 4)
    assert store.nearest_references(FINGERPRINT, theirs[2], 1)[0].class_name == "other"
    assert store.nearest_references(FINGERPRINT, mine[2], 1)[0].class_name == "part"
    assert len(store.nearest_references(FINGERPRINT, mine[2], 10)) == 6
    store.remove("other")
    assert {hit.class_name for hit in store.nearest_references(FINGERPRINT, theirs[2], 10)} == {"part"}
    store.remove("part")
    assert store.nearest_references(FINGERPRINT, theirs[2], 10) == []


def test_banks_of_another_fingerprint_are_not_found_by_retrieval(store: PatchStore) -> None:
    teach(store, "part", 0)
    with store.draft("alien", BankSpec(8, 5)) as draft:
        fill(draft, [vectors(1)], vectors(2, 1, 5))
        draft.seal()
        draft.activate(manifest(draft, references=1, patches=6, dims=(8, 5), fingerprint="f" * 16))
    assert {hit.class_name for hit in store.nearest_references(FINGERPRINT, vectors(7, 3, 4)[0], 10)} == {"part"}
    assert {hit.class_name for hit in store.nearest_references("f" * 16, vectors(2, 1, 5)[0], 10)} == {"alien"}
    store.remove("part")
    assert {hit.class_name for hit in store.nearest_references("f" * 16, vectors(2, 1, 5)[0], 10)} == {"alien"}


def test_removing_a_class_removes_its_collections_and_no_others(store: PatchStore, kind: StoreKind) -> None:
    teach(store, "part", 0)
    kept = teach(store, "part-2", 1)
    store.remove("part")
    assert dict(store.active()) == {"part-2": kept.version}
    assert not any("part__" in name for name in kind.collections())
    assert kept.collection in kind.collections()
    with pytest.raises(UnknownClass):
        store.bank("part")


def test_a_removed_class_can_be_taught_again(store: PatchStore) -> None:
    first = teach(store, "part", 0)
    store.remove("part")
    second = teach(store, "part", 3)
    assert first.version != second.version
    assert np.abs(store.bank("part").nearest(vectors(301), 1).distances).max() < 1e-6


@pytest.mark.parametrize("then", ["teach", "remove"])
def test_a_removal_that_was_interrupted_brings_no_version_back(
    store: PatchStore, kind: StoreKind, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    teach(store, "part", 0)
    teach(store, "part", 1)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store, "_drop", interrupt)
        store.remove("part")
    fresh = kind.open()
    assert (dict(fresh.active()), fresh.versions("part")) == ({}, [])
    if then == "teach":
        taught = teach(fresh, "part", 2)
        assert fresh.versions("part") == [taught.version]
        assert {name for name in kind.collections() if "part__" in name} == {taught.collection}
        return
    fresh.remove("part")
    assert not any("part__" in name for name in kind.collections())
    with pytest.raises(UnknownClass):
        fresh.remove("part")


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_version_that_nobody_was_told_of_goes(
    store: PatchStore, kind: StoreKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store, "_serve", interrupt)
        teach(store, "part", 0)
    fresh = kind.open()
    assert fresh.versions("part") == []
    assert not any("part__" in name for name in kind.collections())


def test_one_indexer_a_class(open_store: OpenStore) -> None:
    first, second = open_store(), open_store()
    with first.draft("part", SPEC):
        with pytest.raises(ClassBusy):
            second.draft("part", SPEC)
        with second.draft("other", SPEC):
            pass
    with second.draft("part", SPEC):
        pass


@pytest.mark.parametrize(
    "name", ["", "a/b", "../up", "a.b", "a__b", "größe", "名", "a b", "router", "-a", "a" * 80, "a_"]
)
def test_names_that_cannot_name_a_collection_are_refused(store: PatchStore, name: str, kind: StoreKind) -> None:
    with pytest.raises(InvalidClassName):
        store.draft(name, SPEC)
    with pytest.raises(InvalidClassName):
        store.bank(name)
    with pytest.raises(InvalidClassName):
        store.remove(name)
    assert kind.collections() == set()


def test_use_after_close_raises(open_store: OpenStore) -> None:
    store = open_store()
    teach(store, "part")
    bank = store.bank("part")
    store.close()
    with pytest.raises(Closed):
        bank.nearest(vectors(1), 1)
    with pytest.raises(Closed):
        store.bank("part")


def test_a_damaged_bank_is_an_error_and_can_be_removed(kind: StoreKind) -> None:
    ref = teach(kind.open(), "part", 0)
    whole = teach(kind.open(), "whole", 1)
    kind.damage(ref)
    with pytest.raises(DamagedBank):
        kind.open().bank("part").nearest(vectors(1), 1)
    store = kind.open()
    store.remove("part")
    assert dict(store.active()) == {"whole": whole.version}
    hits = store.nearest_references(FINGERPRINT, vectors(7, 3, 4)[0], 10)
    assert {hit.class_name for hit in hits} == {"whole"}, "a damaged class leaves the router too"


def test_a_damaged_bank_can_be_taught_again(kind: StoreKind) -> None:
    kind.damage(teach(kind.open(), "part", 0))
    store = kind.open()
    newer = teach(store, "part", 3)
    assert store.bank("part").manifest.ref == newer
    assert np.abs(store.bank("part").nearest(vectors(301), 1).distances).max() < 1e-6


def test_a_lost_router_is_made_anew_at_the_next_change(store: PatchStore, kind: StoreKind) -> None:
    teach(store, "part", 0)
    kind.lose_routers()
    teach(store, "other", 5)
    classes = {hit.class_name for hit in store.nearest_references(FINGERPRINT, vectors(7, 3, 4)[0], 10)}
    assert classes == {"part", "other"}


def test_reading_goes_on_while_versions_come_and_go(store: PatchStore) -> None:
    """During thirty switches, every answer comes from one version alone."""
    teach(store, "part", 0)
    stop, errors, answers = threading.Event(), [], []

    def ask(view: View, query: FloatArray) -> tuple[str, float]:
        bank = view.bank("part")
        return bank.manifest.version, float(bank.nearest(query, 1).distances[0, 0])

    def read() -> None:
        query = vectors(0, 1)
        while not stop.is_set():
            try:
                answers.append(with_view(store, lambda view: ask(view, query)))
                store.nearest_references(FINGERPRINT, vectors(7, 1, 4)[0], 3)
            except Exception as error:
                errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    truth = {}
    try:
        for seed in range(1, 16):
            version = teach(store, "part", seed).version
            truth[version] = float(
                (1.0 - vectors(0, 1) @ np.concatenate([vectors(100 * seed + n) for n in range(3)]).T).min()
            )
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert errors == []
    assert len({version for version, _ in answers}) > 3
    for version, distance in answers:
        if version in truth:
            assert distance == pytest.approx(truth[version], abs=1e-5)


def test_a_copy_with_nothing_added_serves_with_another_manifest(store: PatchStore) -> None:
    first = teach(store, "part", seed=1)
    with store.draft("part", SPEC, base=first) as draft:
        draft.seal()
        before = store.bank("part").manifest
        after = before.model_copy(update={"version": draft.ref.version, "created_at": "2026-01-02T00:00:00+00:00"})
        draft.activate(after)
    bank = store.bank("part")
    assert bank.manifest == after
    assert len(bank.references()) == before.references
    assert store.versions("part") == [first.version, after.version]


def test_a_store_names_its_engine_and_can_be_tried_for_writing_without_a_class_to_show(store: PatchStore) -> None:
    assert re.fullmatch(r"(qdrant-edge-py|Qdrant) \d+\.\d+.*", store.engine())
    store.check_writable()
    store.check_writable()
    assert store.active() == {}
