"""Known defects as they are taught: which patches are taken, what is refused, and what keeps them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from patchbank.bank.defect_record import MOST_PATCHES, THUMBNAIL
from patchbank.bank.manifest import ScoringRule
from patchbank.bank.store import Bank
from patchbank.errors import (
    DefectAlreadyKnown,
    DefectNotDistinct,
    InvalidMask,
    InvalidParameters,
    MixedReferences,
    TooManyDefects,
    UndecodableImage,
    UnknownClass,
)
from patchbank.images import read_image
from patchbank.judging.inspector import Inspector
from patchbank.judging.version_diff import diff
from patchbank.scales import DETAILS
from patchbank.scoring.known_defects import KnownDefects, farthest_match
from patchbank.teaching.defect_list import remove_defect
from patchbank.teaching.defect_patches import distinctive
from patchbank.teaching.defect_teacher import MOST_NAME, DefectFacts, DefectReport, DefectTeacher
from patchbank.teaching.groups import Groups
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.rates import Rates
from patchbank.teaching.rebuilder import Rebuilder
from patchbank.teaching.recalibrator import Recalibrator
from patchbank.teaching.republish import republish
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product
from tests.helpers.banks import defect, unit

KEEP_ALL = TeachOptions(keep_all=True, target_far=0.2)
HOLE = DefectFacts("hole", "ada", "seen on Tuesday")


@pytest.fixture
def textile(products: dict[str, Product]) -> Product:
    return products["textile"]


@pytest.fixture
def learns(inspector: Inspector, teacher: Teacher, textile: Product) -> DefectTeacher:
    """Teaches the defects of the class ``textile``, which has eight references."""
    teacher.teach("textile", textile.references[:8], options=KEEP_ALL)
    return DefectTeacher(inspector.settings, inspector.embedder, inspector.store)


def names_on(learns: DefectTeacher, file: Path) -> list[str]:
    verdict = Inspector(learns.settings, learns.embedder, learns.store).inspect(file, "textile").verdict
    assert verdict is not None
    assert ("known_defect" in verdict.reasons) == bool(verdict.defects)
    return [found.name for found in verdict.defects]


def known(learns: DefectTeacher) -> list[str]:
    return [record.name for record in learns.store.bank("textile").manifest.defects]


def test_a_defect_is_told_of_with_who_confirmed_it_and_a_small_picture_of_its_place(
    learns: DefectTeacher, textile: Product
) -> None:
    file = textile.defective[0]
    before = learns.store.bank("textile").manifest
    report = learns.add("textile", file, HOLE)
    record, after = report.defect, report.manifest
    assert (record.name, record.added_by, record.note) == ("hole", "ada", "seen on Tuesday")
    assert (record.source, record.image_id) == (str(file), read_image(file).image_id)
    assert record.count == report.kept >= 1
    assert (after.defects, after.reason, report.before) == ((record,), "known defects", before)
    assert after.parts == before.parts
    with Image.open(io.BytesIO(record.picture)) as picture:
        assert (picture.format, max(picture.size) <= THUMBNAIL) == ("JPEG", True)
    width, height = read_image(file).size
    assert 0 <= record.box[0] < record.box[2] <= width
    assert 0 <= record.box[1] < record.box[3] <= height
    assert set(names_on(learns, file)) == {"hole"}
    from_bytes = learns.add("textile", textile.defective[1].read_bytes(), DefectFacts("cut", source="detection 7"))
    assert from_bytes.defect.source == "detection 7"
    told = diff(learns.store.bank("textile", before.version), learns.store.bank("textile")).as_dict()
    assert [row["name"] for row in told["defects_added"]] == ["hole", "cut"]
    assert told["changes"]["known_defects"] == {"before": 0, "after": 2}
    assert (told["defects_removed"], told["added"]) == ([], [])
    remove_defect(learns.store, "textile", record.id)
    assert names_on(learns, file) == []


def test_only_patches_within_what_is_marked_are_taken(learns: DefectTeacher, textile: Product, tmp_path: Path) -> None:
    file = textile.defective[0]
    width, height = read_image(file).size
    whole = learns.add("textile", file, HOLE, serve=False).defect
    left, top, right, bottom = whole.box
    half = (left, top, max(1, (right - left) // 2), bottom - top)
    boxed = learns.add("textile", file, HOLE, box=half, serve=False).defect
    assert boxed.count <= whole.count
    grid = learns.embedder.geometry((width, height), learns.store.bank("textile").manifest.scales).grid
    assert boxed.box[2] <= half[0] + half[2] + -(-width // grid[1])
    drawn = np.zeros((height, width), dtype=np.uint8)
    drawn[top:bottom, left : left + half[2]] = 255
    mask = tmp_path / "mask.png"
    Image.fromarray(drawn).save(mask)
    masked = learns.add("textile", file, HOLE, mask=mask, serve=False).defect
    assert (masked.patches, masked.box, masked.id) == (boxed.patches, boxed.box, boxed.id)
    assert known(learns) == [], "versions that wait"


def test_what_makes_no_sense_is_refused_and_changes_nothing(
    learns: DefectTeacher, textile: Product, tmp_path: Path
) -> None:
    file = textile.defective[0]
    width, height = read_image(file).size
    before = learns.store.bank("textile").manifest
    black, wide, text = tmp_path / "black.png", tmp_path / "wide.png", tmp_path / "text.png"
    Image.new("L", (width, height)).save(black)
    Image.new("L", (4 * width, height), 255).save(wide)
    text.write_text("no picture")
    for name in ("", " ", "x" * (MOST_NAME + 1), "two\nlines"):
        with pytest.raises(InvalidParameters, match="name"):
            learns.add("textile", file, DefectFacts(name))
    for box in ((0, 0, 0, 5), (-1, 0, 5, 5), (width - 4, 0, 5, 5)):
        with pytest.raises(InvalidMask, match="inside the picture"):
            learns.add("textile", file, HOLE, box=box)
    with pytest.raises(InvalidMask, match="marks nothing"):
        learns.add("textile", file, HOLE, mask=black)
    with pytest.raises(InvalidMask, match="aspect"):
        learns.add("textile", file, HOLE, mask=wide)
    with pytest.raises(InvalidParameters, match="not both"):
        learns.add("textile", file, HOLE, mask=black, box=(0, 0, 5, 5))
    with pytest.raises(UndecodableImage):
        learns.add("textile", text, HOLE)
    with pytest.raises(UnknownClass):
        learns.add("nothing", file, HOLE)
    with pytest.raises(DefectNotDistinct, match="is a reference"):
        learns.add("textile", textile.references[0], HOLE)
    assert learns.store.bank("textile").manifest == before
    first = learns.add("textile", file, HOLE)
    with pytest.raises(DefectAlreadyKnown) as caught:
        learns.add("textile", file, HOLE)
    assert (caught.value.detail, known(learns)) == ({"id": first.defect.id}, ["hole"])


def test_a_class_has_room_for_a_bounded_number_of_patches(learns: DefectTeacher, textile: Product) -> None:
    manifest = learns.store.bank("textile").manifest
    rng = np.random.default_rng(0)
    many = [defect(number, unit(rng.normal(size=(100, manifest.patch_dim)))) for number in range(MOST_PATCHES // 100)]
    republish(learns.store, manifest, {"defects": tuple(many)})
    with pytest.raises(TooManyDefects) as caught:
        learns.add("textile", textile.defective[0], HOLE)
    assert caught.value.detail == {"held": MOST_PATCHES, "limit": MOST_PATCHES}
    remove_defect(learns.store, "textile", many[0].id)
    assert learns.add("textile", textile.defective[0], HOLE).kept >= 1


def matching(bank: Bank, image_id: str, record: DefectReport) -> bool:
    """Whether a patch of a reference, left out of the bank, matches a defect: by an exhaustive search."""
    own = bank.image_patches(image_id)
    known = KnownDefects([record.defect], farthest_match(bank.manifest))
    distances = bank.nearest(own, 1, exact=True, exclude_images=[image_id]).distances[:, 0]
    near = known.near(own).distances
    return bool(((near <= known.limit) & (near < 0.8 * distances)).any())


def test_no_reference_matches_a_defect_and_what_good_parts_show_is_left_out(
    learns: DefectTeacher, textile: Product
) -> None:
    bank = learns.store.bank("textile")
    report = learns.add("textile", textile.defective[0], HOLE)
    assert not any(matching(bank, item.image_id, report) for item in bank.reference_facts())
    # A spot that one reference alone shows is no defect: its own patches, moved a little.
    rng = np.random.default_rng(0)
    odd = bank.image_patches(bank.reference_facts()[0].image_id)
    lonely = bank.nearest(odd, 1, exact=True, exclude_images=[bank.reference_facts()[0].image_id]).distances[:, 0]
    patches = unit(odd[[int(lonely.argmax())]] + 0.002 * rng.normal(size=(1, odd.shape[1])))
    strange = unit(rng.normal(size=(1, odd.shape[1])))
    told = distinctive(bank, Groups.ALONE, np.concatenate([patches, strange]), farthest_match(bank.manifest))
    assert told.tolist() == [False, True]


def test_a_picture_that_shows_nothing_but_what_a_reference_shows_is_refused(
    learns: DefectTeacher, textile: Product, tmp_path: Path
) -> None:
    with Image.open(textile.references[1]) as picture:
        pixels = np.array(picture.convert("RGB"))
    pixels[0, 0] ^= 1  # another picture, by its pixels
    copy = tmp_path / "copy.png"
    Image.fromarray(pixels).save(copy)
    with pytest.raises(DefectNotDistinct, match="not told from good parts") as caught:
        learns.add("textile", copy, HOLE)
    assert caught.value.status == 422
    assert known(learns) == []


def test_changes_of_the_class_keep_known_defects_where_their_patches_mean_something(
    learns: DefectTeacher, teacher: Teacher, textile: Product
) -> None:
    learns.add("textile", textile.defective[0], HOLE)
    wanted = learns.store.bank("textile").manifest.defects
    added = teacher.teach("textile", textile.references[8:10], options=KEEP_ALL, extend=True)
    assert (added.manifest.defects, added.remarks) == (wanted, ())
    assert (
        Recalibrator(learns.settings, learns.store).from_known_scores("textile", Rates(0.1)).manifest.defects == wanted
    )
    rebuilt = Rebuilder(learns.settings, learns.embedder, learns.store).rebuild("textile", textile.references).taught
    assert rebuilt.manifest.defects == wanted
    assert not [line for line in rebuilt.remarks if "known defects" in line]
    assert "hole" in names_on(learns, textile.defective[0])


def test_a_reference_that_shows_a_known_defect_is_set_aside_unless_all_are_kept(
    learns: DefectTeacher, teacher: Teacher, textile: Product
) -> None:
    file = textile.defective[0]
    report = learns.add("textile", file, HOLE)
    with pytest.raises(MixedReferences) as caught:
        teacher.teach("textile", [file], extend=True)
    (told,) = caught.value.detail["set_aside"]
    assert (told["reason"], "hole, similarity 1.00" in told["message"]) == ("known_defect", True)
    assert learns.store.bank("textile").manifest == report.manifest
    assert teacher.teach("textile", [file], options=KEEP_ALL, extend=True).added == 1
    assert names_on(learns, file) == [], "what is a reference is normal"


def test_where_their_patches_would_mean_nothing_they_are_named_and_not_kept(
    learns: DefectTeacher, teacher: Teacher, textile: Product
) -> None:
    learns.add("textile", textile.defective[0], HOLE)
    before = learns.store.bank("textile").manifest
    finer = TeachOptions(keep_all=True, target_far=0.2, scales=DETAILS["standard"], follows=before)
    for options, why in ((finer, "of the detail fast"), (KEEP_ALL, "taught anew")):
        report = teacher.teach("textile", textile.references[:4], options=options)
        (remark,) = [line for line in report.remarks if "known defects" in line]
        assert report.manifest.defects == ()
        assert why in remark
        assert "hole" in remark
        assert textile.defective[0].name in remark
        learns.store.activate(before.ref)
    same = TeachOptions(keep_all=True, target_far=0.2, follows=before)
    assert teacher.teach("textile", textile.references[:4], options=same).manifest.defects == before.defects


@pytest.mark.parametrize("rule", [ScoringRule(patch_score="subspace"), ScoringRule(neighbours=3)])
def test_known_defects_are_named_whatever_patches_are_scored_by(
    inspector: Inspector, teacher: Teacher, textile: Product, rule: ScoringRule
) -> None:
    options = TeachOptions(keep_all=True, target_far=0.2, scoring=rule)
    teacher.teach("textile", textile.references[:8], options=options)
    learns = DefectTeacher(inspector.settings, inspector.embedder, inspector.store)
    learns.add("textile", textile.defective[0], HOLE)
    assert "hole" in names_on(learns, textile.defective[0])
    assert [names_on(learns, file) for file in textile.good] == [[]] * len(textile.good)
