"""Withdrawn references, and the calibration that follows: as if they had never been there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.manifest import Calibration, Manifest, ScoringRule
from patchbank.bank.names import BankRef
from patchbank.bank.store import BankSpec, PatchStore
from patchbank.errors import ClassBusy, NoReferences, UnknownReference
from patchbank.images import read_image
from patchbank.judging.inspector import Inspector
from patchbank.scoring.threshold import review_threshold
from patchbank.settings import load_settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.rates import Rates
from patchbank.teaching.recalibrator import Recalibrator
from patchbank.teaching.republish import republish
from patchbank.teaching.rescorer import Rescorer
from patchbank.teaching.teacher import Teacher
from patchbank.teaching.withdrawer import Withdrawer
from patchbank_indexer.demo.products import Product
from tests.helpers.banks import SPEC, image_id, manifest, reference, vectors

KEEP_ALL = TeachOptions(keep_all=True, target_far=0.2)


@pytest.fixture
def textile(products: dict[str, Product]) -> Product:
    return products["textile"]


@pytest.fixture
def withdrawer(inspector: Inspector) -> Withdrawer:
    return Withdrawer(inspector.settings, inspector.store)


def rescorer_of(inspector: Inspector) -> Rescorer:
    def unwanted() -> NoReturn:
        pytest.fail("a bank that holds all patches needs no backbone")

    return Rescorer(inspector.settings, inspector.store, unwanted)


def ids(files: Sequence[Path]) -> list[str]:
    return [read_image(file).image_id for file in files]


def score(inspector: Inspector, file: Path) -> float:
    verdict = inspector.inspect(file, "textile").verdict
    assert verdict is not None
    return verdict.score


def test_a_class_whose_references_were_withdrawn_is_as_if_taught_without_them(
    inspector: Inspector, teacher: Teacher, withdrawer: Withdrawer, textile: Product
) -> None:
    teacher.teach("other", textile.references[:8], options=KEEP_ALL)
    wanted = inspector.store.bank("other").manifest
    teacher.teach("textile", textile.references[:10], options=KEEP_ALL)
    picture = textile.references[8]
    assert score(inspector, picture) == pytest.approx(0, abs=1e-5)
    report = withdrawer.withdraw("textile", ids(textile.references[8:10]))
    assert (report.manifest.references, report.manifest.patches) == (wanted.references, wanted.patches)
    assert (report.manifest.reason, [item.name for item in report.withdrawn]) == (
        "withdrawn",
        sorted((file.name for file in textile.references[8:10]), key=lambda name: ids([picture.parent / name])),
    )
    other = inspector.inspect(picture, "other").verdict
    assert other is not None
    assert score(inspector, picture) == pytest.approx(other.score, abs=1e-6)
    stale = report.manifest.calibration
    assert 0 < stale.stale_count <= 8
    assert set(stale.images) == set(ids(textile.references[:8]))
    assert stale.threshold <= wanted.calibration.threshold
    assert any("may be too low" in remark for remark in report.remarks)
    again = rescorer_of(inspector).rescore("textile")
    assert again.scored == stale.stale_count
    calibration = again.manifest.calibration
    assert (calibration.stale, calibration.together) == ((), 0)
    assert calibration.images == wanted.calibration.images
    assert calibration.scores == pytest.approx(wanted.calibration.scores, abs=1e-6)
    assert calibration.peaks == pytest.approx(wanted.calibration.peaks, abs=1e-6)
    assert calibration.threshold == pytest.approx(wanted.calibration.threshold, abs=1e-6)
    assert again.manifest.retrieval.similarity == pytest.approx(wanted.retrieval.similarity, abs=1e-6)
    assert rescorer_of(inspector).rescore("textile").manifest.version == again.manifest.version, "nothing is left to do"


def test_scoring_all_again_after_additions_gives_the_thresholds_of_teaching_all_at_once(
    inspector: Inspector, teacher: Teacher, textile: Product
) -> None:
    teacher.teach("other", textile.references[:9], options=KEEP_ALL)
    wanted = inspector.store.bank("other").manifest.calibration
    teacher.teach("textile", textile.references[:7], options=KEEP_ALL)
    for file in textile.references[7:9]:
        added = teacher.teach("textile", [file], options=KEEP_ALL, extend=True).manifest.calibration
        assert ids([file])[0] in added.images, "a new reference brings its own score"
    assert added.threshold >= wanted.threshold
    again = rescorer_of(inspector).rescore("textile", everything=True)
    assert again.manifest.reason == "scored again"
    assert again.manifest.calibration.images == wanted.images
    assert again.manifest.calibration.scores == pytest.approx(wanted.scores, abs=1e-6)
    assert again.manifest.calibration.threshold == pytest.approx(wanted.threshold, abs=1e-6)


def test_a_withdrawal_that_makes_no_sense_changes_nothing(
    inspector: Inspector, teacher: Teacher, withdrawer: Withdrawer, textile: Product
) -> None:
    before = teacher.teach("textile", textile.references[:3], options=KEEP_ALL).manifest
    known = ids(textile.references[:3])
    with pytest.raises(UnknownReference, match="has no reference") as caught:
        withdrawer.withdraw("textile", [known[0], "0" * 24])
    assert caught.value.detail == {"references": ["0" * 24]}
    with pytest.raises(NoReferences, match="without any reference"):
        withdrawer.withdraw("textile", known)
    with pytest.raises(NoReferences, match="no reference to withdraw"):
        withdrawer.withdraw("textile", [])
    with (
        inspector.store.draft("textile", BankSpec(before.patch_dim, before.cls_dim), before.ref),
        pytest.raises(ClassBusy),
    ):
        withdrawer.withdraw("textile", known[:1])
    assert inspector.store.versions("textile") == [before.version]
    withdrawer.withdraw("textile", known[:2])
    assert inspector.store.bank("textile").manifest.references == 1


def test_a_subspace_forgets_what_is_withdrawn(
    inspector: Inspector, teacher: Teacher, withdrawer: Withdrawer, textile: Product
) -> None:
    options = TeachOptions(keep_all=True, scoring=ScoringRule(patch_score="subspace"))
    teacher.teach("other", textile.references[:6], options=options)
    teacher.teach("textile", textile.references[:8], options=options)
    report = withdrawer.withdraw("textile", ids(textile.references[6:8]))
    assert report.manifest.calibration.stale_count == 6, "each score is by a subspace of all others"
    again = rescorer_of(inspector).rescore("textile").manifest
    wanted = inspector.store.bank("other").manifest
    assert again.calibration.scores == pytest.approx(wanted.calibration.scores, abs=1e-5)
    other = inspector.inspect(textile.defective[0], "other").verdict
    assert other is not None
    assert score(inspector, textile.defective[0]) == pytest.approx(other.score, abs=1e-5)


def test_scores_of_held_out_images_become_stale_and_stay_so_until_they_are_given_again(
    inspector: Inspector, teacher: Teacher, withdrawer: Withdrawer, textile: Product
) -> None:
    teacher.teach("textile", textile.references[:6], calibrate_with=textile.good, options=KEEP_ALL)
    known = inspector.store.bank("textile").manifest.calibration
    assert set(known.images) == set(ids(textile.good))
    report = withdrawer.withdraw("textile", ids(textile.references[:1]))
    calibration = report.manifest.calibration
    assert (calibration.scores, calibration.method) == (known.scores, "held-out")
    assert calibration.stale_count > 0
    assert any("calibrate --with" in remark for remark in report.remarks)
    again = rescorer_of(inspector).rescore("textile")
    assert (again.scored, again.manifest.calibration.stale) == (0, calibration.stale)
    recalibrator = Recalibrator(inspector.settings, inspector.store)
    fresh = recalibrator.from_images("textile", textile.good, inspector.embedder, Rates(0.2), keep_all=True).manifest
    assert fresh.calibration.stale == ()
    assert fresh.calibration.threshold >= calibration.threshold


def test_in_a_bank_that_does_not_know_whose_its_scores_are_the_highest_is_left_out_and_all_are_stale(
    inspector: Inspector, teacher: Teacher, withdrawer: Withdrawer, textile: Product
) -> None:
    before = teacher.teach("textile", textile.references[:6], options=KEEP_ALL).manifest
    wanted = before.calibration
    older = wanted.model_copy(update={"images": (), "support": None})
    republish(inspector.store, before, {"calibration": older})
    calibration = withdrawer.withdraw("textile", ids(textile.references[:1])).manifest.calibration
    assert calibration.scores == wanted.scores[:-1]
    assert (calibration.stale, calibration.stale_count) == (("",), 5)
    again = rescorer_of(inspector).rescore("textile").manifest.calibration
    assert (again.stale, again.count, set(again.images)) == ((), 5, set(ids(textile.references[1:6])))


def made_up(store: PatchStore, numbers: Sequence[int]) -> Manifest:
    """A bank of references with six patches each, and scores of them left out."""
    with store.draft("part", SPEC) as draft:
        for number in numbers:
            draft.add_reference(reference(number, 1, 6), vectors(number, 1, 4)[0])
            cells = np.stack([np.zeros(6, int), np.arange(6)], axis=1)
            draft.add_patches([image_id(number)] * 6, cells, vectors(number))
        draft.seal()
        calibration = Calibration(
            method="leave-one-image-out", target_far=0.2, threshold=0.1, reachable=True, scores=(0.1,), stale=("",)
        )
        facts: dict[str, Any] = {
            "references": len(numbers),
            "patches": 6 * len(numbers),
            "dims": (8, 4),
            "calibration": calibration,
        }
        return draft.activate(manifest(draft, **facts))


@settings(max_examples=12, deadline=None)
@given(st.integers(4, 9), st.integers(0, 2**32 - 1), st.data())
def test_what_is_not_stale_stays_and_stale_thresholds_are_never_too_high(
    tmp_path_factory: pytest.TempPathFactory, count: int, seed: int, data: st.DataObject
) -> None:
    numbers = np.random.default_rng(seed).choice(10_000, count, replace=False).tolist()
    place = tmp_path_factory.mktemp("bank")
    options = load_settings(data_dir=place)
    with closing(EdgeStore(place)) as store:
        made_up(store, numbers)
        rescorer = Rescorer(options, store, lambda: pytest.fail("no backbone"))
        rescorer.rescore("part")
        gone = data.draw(st.lists(st.sampled_from(numbers), min_size=1, max_size=count - 2, unique=True))
        withdrawn = Withdrawer(options, store).withdraw("part", [image_id(number) for number in gone])
        known, scores = withdrawn.manifest.calibration, by_image(withdrawn.manifest.calibration)
        assert len(scores) == count - len(gone)
        assert withdrawn.manifest.shares[0].version != withdrawn.manifest.version or len(gone) > count / 5
        fresh = rescorer.rescore("part", everything=True).manifest.calibration
        for image, value in by_image(fresh).items():
            if image in known.stale:
                assert value >= scores[image] - 1e-6
            else:
                assert value == pytest.approx(scores[image], abs=1e-6)
        assert known.threshold <= fresh.threshold + 1e-6
        assert review_threshold(known) <= review_threshold(fresh) + 1e-6
        assert known.mask_threshold <= fresh.mask_threshold + 1e-6


def by_image(calibration: Calibration) -> dict[str, float]:
    return dict(zip(calibration.images, calibration.scores, strict=True))


def test_a_withdrawal_can_wait_and_be_undone(
    inspector: Inspector, teacher: Teacher, withdrawer: Withdrawer, textile: Product
) -> None:
    before = teacher.teach("textile", textile.references[:5], options=KEEP_ALL).manifest
    waiting = withdrawer.withdraw("textile", ids(textile.references[:1]), serve=False).manifest
    picture = textile.references[0]
    assert score(inspector, picture) == pytest.approx(0, abs=1e-5)
    tried = inspector.inspect(picture, "textile", version=waiting.version).verdict
    assert tried is not None
    assert tried.bank_version == waiting.version
    assert tried.score > 0.01
    inspector.store.activate(waiting.ref)
    assert score(inspector, picture) == pytest.approx(tried.score, abs=1e-6)
    inspector.store.activate(BankRef("textile", before.version))
    assert score(inspector, picture) == pytest.approx(0, abs=1e-5)
