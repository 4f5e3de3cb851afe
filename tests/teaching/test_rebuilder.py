"""A class taught anew from the pictures of its references: what a coreset lost comes back."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.store import Bank
from patchbank.embedding.embedder import Embedder
from patchbank.errors import ClassBusy, MissingOriginals
from patchbank.images import read_image
from patchbank.judging.inspector import Inspector
from patchbank.settings import Settings
from patchbank.teaching.originals import Originals
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.provenance import Provenance
from patchbank.teaching.rebuilder import Rebuilder
from patchbank.teaching.rescorer import Rescorer
from patchbank.teaching.roi_drawing import RoiDrawing
from patchbank.teaching.teacher import Teacher, TeachReport
from patchbank.teaching.withdrawer import Withdrawer
from patchbank_indexer.demo.products import Product

CORESET = TeachOptions(
    coreset=0.1, target_far=0.2, keep_all=True, provenance=Provenance(added_by="ada", note="first lot")
)


@pytest.fixture
def lot(products: dict[str, Product], tmp_path: Path) -> list[Path]:
    """Eight good textiles in a folder of their own."""
    folder = tmp_path / "lot"
    folder.mkdir()
    return [Path(shutil.copy(file, folder / file.name)) for file in products["textile"].references[:8]]


@pytest.fixture
def rebuilder(inspector: Inspector) -> Rebuilder:
    return Rebuilder(inspector.settings, inspector.embedder, inspector.store)


def kept(inspector: Inspector) -> Settings:
    """The settings, with originals kept."""
    return inspector.settings.model_copy(update={"keep_originals": True})


def withdrawn(inspector: Inspector, files: Sequence[Path]) -> None:
    Withdrawer(inspector.settings, inspector.store).withdraw("part", [read_image(file).image_id for file in files])


def content(bank: Bank) -> dict[bytes, bytes]:
    return {
        point.tobytes(): vector.tobytes()
        for block in bank.patches()
        for point, vector in zip(block.ids, block.vectors, strict=True)
    }


def test_a_rebuilt_coreset_is_that_of_the_references_that_are_left(
    inspector: Inspector, teacher: Teacher, rebuilder: Rebuilder, lot: list[Path]
) -> None:
    teacher.teach("other", lot[:6], options=CORESET)
    teacher.teach("part", lot, options=CORESET)
    withdrawn(inspector, lot[6:])
    worn = inspector.store.bank("part").manifest
    assert worn.coreset is not None
    assert worn.coreset.withdrawn == 2
    report = rebuilder.rebuild("part")
    rebuilt, wanted = inspector.store.bank("part"), inspector.store.bank("other")
    manifest = rebuilt.manifest
    assert (report.before.version, report.taught.manifest.version) == (worn.version, manifest.version)
    assert (manifest.reason, manifest.scales, manifest.scoring) == ("rebuilt", worn.scales, worn.scoring)
    assert manifest.coreset is not None
    assert manifest.coreset == wanted.manifest.coreset
    assert manifest.patches == wanted.manifest.patches
    assert manifest.calibration.stale == ()
    assert manifest.calibration.target_far == 0.2
    assert {item.image_id for item in rebuilt.reference_facts()} == {item.image_id for item in wanted.reference_facts()}


def test_what_is_known_of_the_references_stays(
    inspector: Inspector, teacher: Teacher, rebuilder: Rebuilder, lot: list[Path]
) -> None:
    series = {file: f"roll {place // 2}" for place, file in enumerate(lot)}
    options = TeachOptions(keep_all=False, series=series, provenance=Provenance("ada", "first lot"))
    teacher.teach("part", lot, options=options)
    before = inspector.store.bank("part")
    facts, patches = before.reference_facts(), content(before)
    rebuilder.rebuild("part")
    after = inspector.store.bank("part")
    assert after.reference_facts() == facts
    assert {item.note for item in facts} == {"first lot"}
    assert len({item.series for item in facts}) == 4
    assert content(after).keys() == patches.keys()
    assert after.manifest.calibration.scores == pytest.approx(before.manifest.calibration.scores, abs=1e-5)


def test_another_part_of_the_same_pictures_is_inspected_where_a_mask_is_drawn(
    inspector: Inspector, teacher: Teacher, rebuilder: Rebuilder, lot: list[Path], tmp_path: Path
) -> None:
    teacher.teach("part", lot)
    facts = inspector.store.bank("part").reference_facts()
    left = np.zeros((64, 64), np.uint8)
    left[:, :32] = 255
    Image.fromarray(left).save(tmp_path / "left.png")
    rebuilder.rebuild("part", drawing=RoiDrawing(tmp_path / "left.png"))
    masked = inspector.store.bank("part")
    assert masked.manifest.inspected_percentage == pytest.approx(50, abs=1)
    assert masked.reference_facts() == facts
    assert rebuilder.rebuild("part").taught.manifest.roi == masked.manifest.roi, "without another one it stays"


def test_pictures_that_are_gone_are_asked_for_by_name_and_nothing_changes(
    inspector: Inspector, teacher: Teacher, rebuilder: Rebuilder, lot: list[Path], tmp_path: Path
) -> None:
    before = teacher.teach("part", lot, options=CORESET).manifest
    (tmp_path / "elsewhere").mkdir()
    moved = [Path(shutil.move(file, tmp_path / "elsewhere" / f"moved-{file.name}")) for file in lot[:2]]
    shutil.copy(lot[3], lot[2])  # another picture under its name
    with pytest.raises(MissingOriginals, match="3 of the 8 references") as caught:
        rebuilder.rebuild("part")
    assert (caught.value.code, caught.value.status) == ("missing_originals", 409)
    assert {told["name"] for told in (caught.value.detail or {})["missing"]} == {file.name for file in lot[:3]}
    with pytest.raises(MissingOriginals, match="1 of the 8 references"):
        rebuilder.rebuild("part", [*moved, lot[3]])
    assert inspector.store.active() == {"part": before.version}
    Withdrawer(inspector.settings, inspector.store).withdraw(
        "part", [each.image_id for each in inspector.store.bank("part").reference_facts() if each.name == lot[2].name]
    )
    report = rebuilder.rebuild("part", moved)
    assert report.taught.manifest.references == 7
    names = {item.name for item in inspector.store.bank("part").reference_facts()}
    assert names == {file.name for file in lot} - {lot[2].name}, "the names are those of before"


def test_originals_are_kept_where_the_setting_says_so_and_go_with_the_last_version_that_has_them(
    inspector: Inspector, embedder: Embedder, lot: list[Path]
) -> None:
    settings = kept(inspector).model_copy(update={"keep_versions": 2})
    folder = settings.data_dir / "originals" / "part"
    teacher = Teacher(inspector.settings, embedder, inspector.store)
    teacher.teach("part", lot[:2], options=CORESET)
    assert not folder.exists()
    store = EdgeStore(settings.data_dir, keep_versions=2)
    keeping = Teacher(settings, embedder, store)
    keeping.teach("part", lot[2:8], options=CORESET)
    assert {file.read_bytes() for file in folder.iterdir()} == {file.read_bytes() for file in lot[2:8]}
    shutil.rmtree(lot[0].parent)
    Rebuilder(settings, embedder, store).rebuild("part")
    gone = store.bank("part").reference_facts()[0].image_id
    Withdrawer(settings, store).withdraw("part", [gone])
    Originals(settings).sweep(store, "part")
    assert Originals(settings).path("part", gone) is not None, "the version before still has it"
    Rebuilder(settings, embedder, store).rebuild("part")
    Rebuilder(settings, embedder, store).rebuild("part")
    assert Originals(settings).path("part", gone) is None
    assert len(list(folder.iterdir())) == 5
    store.close()


def test_a_coreset_is_scored_again_from_pictures_or_says_which_are_missing(
    inspector: Inspector, teacher: Teacher, lot: list[Path], embedder: Embedder
) -> None:
    teacher.teach("part", lot, options=CORESET)
    withdrawn(inspector, lot[:1])
    stale = inspector.store.bank("part").manifest.calibration
    assert stale.stale_count > 0
    rescorer = Rescorer(inspector.settings, inspector.store, lambda: Embedder.open(inspector.settings))
    hidden = lot[0].parent.rename(lot[0].parent.with_name("hidden"))
    report = rescorer.rescore("part")
    assert (report.scored, len(report.without_picture)) == (0, stale.stale_count)
    assert report.manifest.calibration.stale == stale.stale
    hidden.rename(lot[0].parent)
    report = rescorer.rescore("part")
    assert (report.scored, report.without_picture) == (stale.stale_count, ())
    calibration = report.manifest.calibration
    assert calibration.stale == ()
    assert calibration.count == stale.count
    assert np.all(np.array(calibration.scores) >= np.array(stale.scores) - 1e-6)


def test_a_rebuild_and_a_change_at_once_lose_nothing(
    inspector: Inspector, teacher: Teacher, rebuilder: Rebuilder, lot: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher.teach("part", lot[:4], options=CORESET)
    teach = Teacher.teach

    def late(*args: Any, **options: Any) -> TeachReport:
        monkeypatch.setattr(Teacher, "teach", teach)
        withdrawn(inspector, lot[:1])
        return teach(*args, **options)

    monkeypatch.setattr(Teacher, "teach", late)
    with pytest.raises(ClassBusy):
        rebuilder.rebuild("part")
    assert inspector.store.bank("part").manifest.references == 3
