"""Known defects are a part of a version: both stores keep them, go back with them, and carry them along."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from patchbank.bank.archive import Archive, write_archive
from patchbank.bank.defect_record import MOST_OF_ONE, DefectRecord
from patchbank.bank.manifest import LAYOUT, Manifest
from patchbank.bank.store import BankSpec, PatchStore
from patchbank.bank.transfer import put_class
from patchbank.errors import ClassBusy, DamagedBank, UnknownDefect
from patchbank.settings import load_settings
from patchbank.teaching.compactor import compact
from patchbank.teaching.defect_list import remove_defect
from patchbank.teaching.republish import republish
from patchbank.teaching.withdrawer import Withdrawer
from tests.helpers.banks import SPEC, defect, fill, image_id, manifest, reference, teach, unit, vectors
from tests.helpers.stores import KINDS, StoreKind, store_kind

FIRST, SECOND = defect(1, vectors(1), "crack"), defect(2, vectors(2, 3), "blowhole")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreKind]:
    with store_kind(request.param, tmp_path / "banks") as opened:
        yield opened


@pytest.fixture
def store(kind: StoreKind) -> PatchStore:
    return kind.open()


def with_defects(store: PatchStore, *records: DefectRecord) -> Manifest:
    """The class ``part``, taught, and then these known defects."""
    teach(store, "part")
    return republish(store, store.bank("part").manifest, {"defects": records, "reason": "known defects"})


def test_known_defects_are_of_a_version_and_come_and_go_with_it(store: PatchStore, kind: StoreKind) -> None:
    first = teach(store, "part")
    made = republish(store, store.bank("part").manifest, {"defects": (FIRST, SECOND)})
    other = kind.open()
    assert store.bank("part", first.version).manifest.defects == ()
    assert other.bank("part").manifest == made
    assert other.bank("part").manifest.defects == (FIRST, SECOND)
    assert (made.layout, made.parts[0].version) == (LAYOUT, first.version), "nothing is copied"
    report = remove_defect(store, "part", FIRST.id)
    assert (report.defect, report.before.version) == (FIRST, made.version)
    assert other.bank("part").manifest.defects == (SECOND,)
    assert other.bank("part").manifest.reason == "known defects"
    with pytest.raises(UnknownDefect, match="has no known defect"):
        remove_defect(store, "part", FIRST.id)
    store.activate(made.ref)
    assert other.bank("part").manifest.defects == (FIRST, SECOND)


def test_a_version_with_known_defects_can_wait_and_a_class_that_changed_meanwhile_is_busy(store: PatchStore) -> None:
    made = with_defects(store, FIRST, SECOND)
    waiting = remove_defect(store, "part", SECOND.id, serve=False).manifest
    assert store.bank("part").manifest.defects == (FIRST, SECOND)
    assert store.bank("part", waiting.version).manifest.defects == (FIRST,)
    with store.draft("part", SPEC, made.ref), pytest.raises(ClassBusy):
        remove_defect(store, "part", FIRST.id)
    store.activate(waiting.ref)
    with pytest.raises(ClassBusy):
        republish(store, made, {"defects": ()})
    assert store.bank("part").manifest.defects == (FIRST,)


def test_withdrawal_and_compaction_and_a_snapshot_keep_known_defects(store: PatchStore, tmp_path: Path) -> None:
    made = with_defects(store, FIRST, SECOND)
    settings = load_settings(data_dir=tmp_path / "data")
    withdrawn = Withdrawer(settings, store).withdraw("part", [image_id(1)]).manifest
    assert withdrawn.defects == made.defects
    with store.draft("part", SPEC, withdrawn.ref) as draft:
        draft.add_reference(reference(9, 1, 6), vectors(9, 1, 4)[0])
        draft.add_patches([image_id(9)] * 6, np.stack([np.zeros(6, np.int64), np.arange(6)], axis=1), vectors(9))
        draft.seal()
        draft.activate(withdrawn.model_copy(update={"version": draft.ref.version, "references": 3, "patches": 18}))
    assert compact(store, "part").manifest.defects == made.defects
    write_archive(tmp_path / "part.zip", store.bank("part"))
    with Archive(tmp_path / "part.zip") as archive:
        assert archive.manifest.defects == made.defects
        restored = put_class(archive, store, "other")
    assert (restored.class_name, restored.defects) == ("other", made.defects)


@pytest.mark.parametrize("layout", [1, 2, 3])
def test_a_bank_of_an_older_layout_has_no_known_defects_and_can_get_some(
    store: PatchStore, kind: StoreKind, layout: int
) -> None:
    first = teach(store, "part")
    gone = {"defects"} | ({"parts"} if layout == 1 else set())
    kind.rewrite_manifest(first, lambda stored: {k: v for k, v in stored.items() if k not in gone} | {"layout": layout})
    reopened = kind.open()
    before = reopened.bank("part").manifest
    assert (before.layout, before.defects) == (layout, ())
    after = republish(reopened, before, {"defects": (FIRST,)})
    assert (after.layout, kind.open().bank("part").manifest.defects) == (LAYOUT, (FIRST,))


def test_a_manifest_with_a_defect_that_cannot_be_read_is_damaged(store: PatchStore, kind: StoreKind) -> None:
    made = with_defects(store, FIRST)
    broken: dict[str, Any] = FIRST.model_dump(mode="json") | {"count": 5}
    kind.rewrite_manifest(made.ref, lambda stored: stored | {"defects": [broken]})
    with pytest.raises(DamagedBank, match="5 patches"):
        kind.open().bank("part")


def test_a_large_manifest_is_read_back_whole(store: PatchStore) -> None:
    rng = np.random.default_rng(0)
    with store.draft("part", BankSpec(1_536, 4)) as draft:
        fill(draft, [vectors(0, 6, 1_536)], vectors(1, 1, 4))
        draft.seal()
        many = tuple(defect(number, unit(rng.normal(size=(MOST_OF_ONE, 1_536)))) for number in range(10))
        draft.activate(manifest(draft, references=1, patches=6, dims=(1_536, 4), defects=many))
    assert store.bank("part").manifest.defects == many


def test_patches_are_kept_to_half_precision_and_of_unit_length() -> None:
    patches = unit(np.random.default_rng(3).normal(size=(20, 480)))
    record = defect(1, patches)
    again = DefectRecord.model_validate_json(record.model_dump_json())
    assert again == record
    held = again.vectors()
    assert np.abs(np.linalg.norm(held, axis=1) - 1).max() < 1e-6
    assert (1 - (held * patches).sum(axis=1)).max() < 1e-6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"count": 0}, "count"),
        ({"count": MOST_OF_ONE + 1}, "count"),
        ({"count": 7}, "7 patches"),
        ({"patches": "%"}, "base64"),
        ({"patches": ""}, "0 numbers"),
        ({"patches": base64.b64encode(np.full(48, np.nan, "<f2").tobytes()).decode()}, "not finite"),
        ({"patches": base64.b64encode(np.zeros(48, "<f2").tobytes()).decode()}, "length 0"),
        ({"thumbnail": "%"}, "base64"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        DefectRecord.model_validate(FIRST.model_dump() | change)
