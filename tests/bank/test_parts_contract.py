"""A version is a view of parts that are never changed: the same cases run on each store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from patchbank.bank.manifest import LAYOUT, Manifest
from patchbank.bank.names import BankRef, PatchId
from patchbank.bank.part import MOST_PARTS
from patchbank.bank.store import Bank, PatchStore
from patchbank.bank.transfer import put_class
from patchbank.errors import (
    ClassBusy,
    DamagedBank,
    EmptyBank,
    InvalidParameters,
    NewerLayout,
    UnknownClass,
    UnknownReference,
    UnknownVersion,
)
from tests.helpers.banks import FINGERPRINT, SPEC, brute_force, image_id, manifest, reference, teach, vectors
from tests.helpers.stores import KINDS, StoreKind, store_kind


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreKind]:
    """Each kind of store; two versions are kept."""
    with store_kind(request.param, tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def store(kind: StoreKind) -> PatchStore:
    return kind.open()


def patches_of(number: int) -> np.ndarray:
    return vectors(number)


def changed(
    store: PatchStore, base: BankRef, add: Sequence[int] = (), withdraw: Sequence[int] = (), *, serve: bool = True
) -> Manifest:
    """A new version with other images added (6 patches each) and some withdrawn."""
    with store.draft(base.class_name, SPEC, base) as draft:
        for number in withdraw:
            draft.withdraw(image_id(number))
        for number in add:
            draft.add_reference(reference(number, 1, 6), vectors(number, 1, 4)[0])
            cells = np.stack([np.zeros(6, int), np.arange(6)], axis=1)
            draft.add_patches([image_id(number)] * 6, cells, patches_of(number))
        draft.seal()
        references = len(draft.cls_vectors()[0])
        made = manifest(draft, references=references, patches=draft.count_patches(), dims=(8, 4))
        return draft.activate(made, serve=serve)


def numbers(bank: Bank) -> list[int]:
    return sorted(int(item.image_id, 16) for item in bank.references())


def collections_of(kind: StoreKind, class_name: str) -> set[str]:
    return {name for name in kind.collections() if name.startswith(f"patchbank__{class_name}__")}


def test_new_thresholds_and_a_roll_back_copy_no_patch(store: PatchStore) -> None:
    first = teach(store, "part")
    second = changed(store, first)
    assert [part.version for part in second.parts] == [first.version]
    assert second.parts == store.bank("part", first.version).manifest.shares
    assert (store.bank("part").nearest(vectors(1), 1).distances < 1e-6).all()
    store.activate(first)
    assert store.bank("part").manifest.ref == first


def test_an_added_reference_is_a_part_of_its_own(store: PatchStore) -> None:
    first = teach(store, "part")
    second = changed(store, first, add=[9])
    assert [(part.version, part.references, part.patches) for part in second.parts] == [
        (first.version, 3, 18),
        (second.version, 1, 6),
    ]
    assert numbers(store.bank("part")) == [0, 1, 2, 9]
    assert numbers(store.bank("part", first.version)) == [0, 1, 2]


def test_a_withdrawn_reference_matches_nothing_votes_nowhere_and_can_come_back(store: PatchStore) -> None:
    first = teach(store, "part")
    second = changed(store, first, withdraw=[1])
    bank = store.bank("part")
    assert (second.references, second.patches, numbers(bank)) == (2, 12, [0, 2])
    others = np.concatenate([vectors(0), vectors(2)])
    for exact in (False, True):
        neighbours = bank.nearest(vectors(1), 2, exact=exact)
        assert image_id(1) not in {PatchId.from_bytes(ids).image_id for row in neighbours.ids for ids in row}
        assert neighbours.distances[:, 0] == pytest.approx((1.0 - vectors(1) @ others.T).min(axis=1), abs=1e-5)
    hits = store.nearest_references(FINGERPRINT, vectors(7, 3, 4)[1], 10)
    assert {hit.image_id for hit in hits} == {image_id(0), image_id(2)}
    assert bank.image_patches(image_id(1)).size == 0
    assert len(next(iter(bank.patches())).ids) == 12
    assert set(bank.cls_vectors()[0]) == {image_id(0), image_id(2)}
    with pytest.raises(UnknownReference):
        bank.reference(image_id(1))
    with store.draft("part", SPEC, second.ref) as draft, pytest.raises(UnknownReference):
        draft.withdraw(image_id(1))
    assert numbers(store.bank("part", first.version)) == [0, 1, 2], "the version before still has it"
    third = changed(store, second.ref, add=[1])
    assert (third.references, third.patches, numbers(store.bank("part"))) == (3, 18, [0, 1, 2])
    assert (store.bank("part").nearest(vectors(1), 1).distances < 1e-6).all()


def test_a_reference_that_the_base_holds_is_replaced(store: PatchStore) -> None:
    second = changed(store, teach(store, "part"), add=[1])
    assert (second.references, second.patches, numbers(store.bank("part"))) == (3, 18, [0, 1, 2])


def test_a_part_outlives_its_version_while_a_kept_version_needs_it(store: PatchStore, kind: StoreKind) -> None:
    first = teach(store, "part")
    latest = first
    for number in (10, 11, 12):
        latest = changed(store, latest, add=[number]).ref
    assert first.version not in store.versions("part")
    assert len(store.versions("part")) == 2
    with pytest.raises(UnknownVersion):
        store.activate(first)
    assert numbers(store.bank("part")) == [0, 1, 2, 10, 11, 12]
    assert first.collection in collections_of(kind, "part")
    whole = put_class(store.bank("part"), store)
    assert [part.version for part in whole.parts] == [whole.version]
    changed(store, whole.ref)
    assert first.collection not in collections_of(kind, "part"), "no kept version needs it now"
    assert numbers(store.bank("part")) == [0, 1, 2, 10, 11, 12]


def test_a_part_whose_references_are_all_withdrawn_is_none(store: PatchStore) -> None:
    first = teach(store, "part")
    second = changed(store, first, add=[9])
    third = changed(store, second.ref, withdraw=[9])
    assert [part.version for part in third.parts] == [first.version]


def test_many_small_parts_are_merged_by_a_change_and_so_is_one_of_which_much_is_withdrawn(store: PatchStore) -> None:
    latest, counts = teach(store, "part"), []
    for number in range(10, 11 + MOST_PARTS):
        manifest = changed(store, latest, add=[number])
        latest = manifest.ref
        counts.append(len(manifest.parts))
    assert 2 < max(counts) <= MOST_PARTS + 1
    merging = [place for place, count in enumerate(counts[1:], 1) if count < counts[place - 1]]
    assert [counts[place] for place in merging] == [1] * len(merging) != []
    assert numbers(store.bank("part")) == [0, 1, 2, *range(10, 11 + MOST_PARTS)]
    merged = put_class(store.bank("part"), store)
    withdrawn = changed(store, merged.ref, withdraw=[0, 1, 2])
    assert withdrawn.parts[0].left_out == 18
    again = changed(store, withdrawn.ref)
    assert (again.parts[0].withdrawn, again.parts[0].left_out) == ((), 0), "a fifth of the patches was withdrawn"


def test_a_reference_of_merged_parts_can_be_withdrawn_and_added_in_the_same_change(store: PatchStore) -> None:
    latest = teach(store, "part")
    for number in range(10, 10 + MOST_PARTS):
        latest = changed(store, latest, add=[number]).ref
    merged = changed(store, latest, add=[11], withdraw=[0, 10])
    held = [1, 2, *range(11, 10 + MOST_PARTS)]
    assert (numbers(store.bank("part")), merged.references) == (held, len(held))
    everything = np.concatenate([patches_of(number) for number in held])
    queries = np.concatenate([vectors(900, 25), patches_of(0), patches_of(11)])
    nearest = store.bank("part").nearest(queries, 1, exact=True)
    assert nearest.distances[:, 0] == pytest.approx(brute_force(queries, everything, 1), abs=1e-5)


def test_a_version_that_does_not_serve_can_be_tried_and_then_serve(store: PatchStore) -> None:
    first = teach(store, "part")
    tried = changed(store, first, add=[9], serve=False)
    assert store.active() == {"part": first.version}
    assert store.versions("part") == [first.version, tried.version]
    assert numbers(store.bank("part")) == [0, 1, 2]
    assert numbers(store.bank("part", tried.version)) == [0, 1, 2, 9]
    store.activate(tried.ref)
    assert numbers(store.bank("part")) == [0, 1, 2, 9]


def test_pruning_keeps_what_serves_and_the_newest(store: PatchStore, kind: StoreKind) -> None:
    first = teach(store, "part")
    second = changed(store, first, add=[9])
    store.activate(first)
    assert store.prune("part", 1) == []
    assert store.versions("part") == [first.version, second.version]
    store.activate(second.ref)
    assert store.prune("part", 1) == [first.version]
    assert store.versions("part") == [second.version]
    assert first.collection in collections_of(kind, "part"), "the version that is left is made of it"
    with pytest.raises(InvalidParameters):
        store.prune("part", 0)
    with pytest.raises(UnknownClass):
        store.prune("other", 1)


def test_references_are_listed_without_their_pictures(store: PatchStore) -> None:
    second = changed(store, teach(store, "part"), add=[9], withdraw=[1])
    bank = store.bank("part", second.version)
    whole = [item.as_payload() for item in bank.references()]
    assert [item.as_payload() for item in bank.reference_facts()] == [
        {name: value for name, value in item.items() if name != "thumbnail"} for item in whole
    ]


def test_references_of_merged_parts_can_be_replaced_by_smaller_ones(store: PatchStore) -> None:
    first = teach(store, "part", images=4)
    worn = changed(store, first, withdraw=[3])
    with store.draft("part", SPEC, worn.ref) as draft:
        draft.withdraw(image_id(0))
        draft.add_reference(reference(1, 1, 6), vectors(1, 1, 4)[0])
        draft.add_patches([image_id(1)], np.zeros((1, 2), int), patches_of(50)[:1])
        assert (draft.count_patches(), len(draft.cls_vectors()[0])) == (7, 2)
        draft.seal()
        after = draft.activate(manifest(draft, references=2, patches=7, dims=(8, 4)))
    bank = store.bank("part")
    assert [(part.version, part.withdrawn) for part in after.parts] == [(after.version, ())]
    assert (numbers(bank), len(bank.image_patches(image_id(1)))) == ([1, 2], 1)
    assert bank.nearest(patches_of(50)[:1], 1).distances[0, 0] < 1e-6
    gone = np.concatenate([patches_of(0), patches_of(1), patches_of(3)])
    assert (bank.nearest(gone, 1).distances > 1e-3).all(), "neither the withdrawn nor the replaced patches match"


def test_a_version_without_a_reference_is_refused_and_changes_nothing(store: PatchStore) -> None:
    first = teach(store, "part", images=1)
    with store.draft("part", SPEC, first) as draft:
        draft.withdraw(image_id(0))
        draft.seal()
        with pytest.raises(EmptyBank, match="no reference image is left in 'part'"):
            draft.activate(manifest(draft, references=0, patches=0, dims=(8, 4)))
    assert store.versions("part") == [first.version]
    assert changed(store, first, add=[9]).references == 2


def test_any_order_of_changes_finds_what_an_exhaustive_search_over_what_counts_finds(store: PatchStore) -> None:
    rng = np.random.default_rng(0)
    latest, held = teach(store, "part"), {0, 1, 2}
    queries = vectors(900, 25)
    for step in range(8):
        add = [100 + step] if rng.random() < 0.7 else []
        withdraw = rng.choice(sorted(held), 1).tolist() if len(held) > 1 and rng.random() < 0.6 else []
        latest = changed(store, latest, add, withdraw).ref
        held = (held - set(withdraw)) | set(add)
        bank = store.bank("part")
        assert numbers(bank) == sorted(held)
        everything = np.concatenate([patches_of(number) for number in sorted(held)])
        neighbours = bank.nearest(queries, 3, exact=True)
        assert neighbours.exact
        assert neighbours.distances.mean(axis=1) == pytest.approx(brute_force(queries, everything, 3), abs=1e-5)
        left_out = sorted(held)[0]
        rest = np.concatenate([patches_of(number) for number in sorted(held - {left_out})])
        without = bank.nearest(queries, 1, exact=True, exclude_images=[image_id(left_out)])
        assert without.distances[:, 0] == pytest.approx(brute_force(queries, rest, 1), abs=1e-5)


def test_a_bank_that_was_replaced_meanwhile_is_not_replaced_again(store: PatchStore) -> None:
    first = teach(store, "part")
    content = store.bank("part")
    changed(store, first, add=[9])
    with pytest.raises(ClassBusy):
        put_class(content, store, replaces=first)
    assert numbers(store.bank("part")) == [0, 1, 2, 9]


def test_a_serving_version_whose_manifest_is_lost_keeps_its_patches_until_another_serves(
    store: PatchStore, kind: StoreKind
) -> None:
    first = teach(store, "part")
    kind.lose_manifest(first)
    reopened = kind.open()
    with reopened.draft("part", SPEC):
        pass
    assert first.collection in collections_of(kind, "part"), "the manifest may come back from a backup"
    second = teach(reopened, "part", 5)
    with reopened.draft("part", SPEC):
        pass
    assert collections_of(kind, "part") == {second.collection}


def test_a_bank_of_layout_1_is_read_and_shared(store: PatchStore, kind: StoreKind) -> None:
    first = teach(store, "part")
    kind.rewrite_manifest(
        first, lambda stored: {key: value for key, value in stored.items() if key != "parts"} | {"layout": 1}
    )
    reopened = kind.open()
    assert numbers(reopened.bank("part")) == [0, 1, 2]
    assert (reopened.bank("part").nearest(vectors(1), 1).distances < 1e-6).all()
    second = changed(reopened, first, add=[9])
    assert [part.version for part in second.parts] == [first.version, second.version]


def test_a_newer_layout_is_refused_by_that_name_and_the_other_classes_go_on(store: PatchStore, kind: StoreKind) -> None:
    teach(store, "other", 5)
    first = teach(store, "part")
    kind.rewrite_manifest(first, lambda stored: stored | {"layout": LAYOUT + 1, "unheard": 1})
    reopened = kind.open()
    with pytest.raises(NewerLayout, match="written by a newer Patchbank: its layout is") as caught:
        reopened.bank("part")
    assert (caught.value.code, caught.value.status) == ("newer_layout", 409)
    assert isinstance(caught.value, DamagedBank), "whoever can do without a damaged bank can do without this one"
    assert (reopened.bank("other").nearest(vectors(501), 1).distances < 1e-6).all()
    changed(reopened, reopened.bank("other").manifest.ref, add=[9])
    assert first.collection in kind.collections()
