"""Tuning a class by labelled pictures, end to end on enlarged real pictures with small planted dots."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.manifest import Manifest, ScoringRule
from patchbank.embedding.embedder import Embedder
from patchbank.errors import CannotTune, ClassBusy
from patchbank.judging.inspector import Inspector
from patchbank.scales import BASE, DETAILS
from patchbank.settings import Settings, load_settings
from patchbank.teaching import tuning_scores
from patchbank.teaching.class_options import turns_of
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.rates import Rates
from patchbank.teaching.recalibrator import Recalibrator
from patchbank.teaching.roi_drawing import RoiDrawing
from patchbank.teaching.teacher import Teacher
from patchbank.teaching.tuning import Tuner, TuneReport
from patchbank.teaching.tuning_applied import TuneApplier
from patchbank.teaching.tuning_candidates import Candidate, present_candidate, rules_for, scales_for
from patchbank.teaching.tuning_scores import Labelled
from patchbank_indexer.demo.products import load_products

SIDE = 400
USUAL = TeachOptions(scales=BASE, target_far=0.1, keep_all=True)


@dataclass(frozen=True)
class Fabric:
    """Files of one product."""

    references: list[Path]
    good: list[Path]
    defects: list[Path]


@pytest.fixture(scope="module")
def fabric(tmp_path_factory: pytest.TempPathFactory) -> Fabric:
    """Textile, enlarged; the defects are good pictures with small dots."""
    folder = tmp_path_factory.mktemp("fabric")
    product = next(product for product in load_products(12, 10) if product.class_name == "textile")

    def enlarged(file: Path, name: str, seed: int | None = None) -> Path:
        with Image.open(file) as opened:
            picture = opened.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        if seed is not None:
            rng, draw = np.random.default_rng(seed), ImageDraw.Draw(picture)
            for left, top in rng.integers(40, SIDE - 40, (3, 2)).tolist():
                draw.ellipse((left, top, left + 8, top + 8), fill=(10, 10, 10))
        picture.save(folder / name)
        return folder / name

    return Fabric(
        [enlarged(file, f"reference-{place}.png") for place, file in enumerate(product.references)],
        [enlarged(file, f"good-{place}.png") for place, file in enumerate(product.good[:3])],
        [enlarged(file, f"dots-{place}.png", place) for place, file in enumerate(product.good[2:])],
    )


@pytest.fixture(scope="module")
def small_embedder() -> Iterator[Embedder]:
    """The built-in backbone at a small input size: its fast detail shrinks the pictures twice."""
    with Embedder.open(load_settings(backbone="efficientnet-lite2", input_size="200")) as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EdgeStore]:
    opened = EdgeStore(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
def small_settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path / "data", input_size="200")


@pytest.fixture
def tuner(small_settings: Settings, small_embedder: Embedder, store: EdgeStore) -> Tuner:
    return Tuner(small_settings, small_embedder, store)


def teach(tuner: Tuner, files: list[Path], options: TeachOptions | None = None) -> Manifest:
    teacher = Teacher(tuner.settings, tuner.embedder, tuner.store)
    return teacher.teach("fabric", files, options=options or USUAL).manifest


def apply(tuner: Tuner, report: TuneReport, candidate: Candidate, far: float | None = None) -> Manifest:
    applied = TuneApplier(tuner.settings, tuner.embedder, tuner.store).apply(report, candidate, far, keep_all=True)
    assert applied is not None
    return applied.manifest


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder, but for locks, which hold nothing."""
    files = (file for file in folder.rglob("*") if file.is_file() and "locks" not in file.parts)
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_a_finer_detail_is_chosen_where_it_finds_dots_that_the_coarse_one_does_not(
    tuner: Tuner, fabric: Fabric, tmp_path: Path
) -> None:
    before = teach(tuner, fabric.references)
    tuner.store.bank("fabric").references()  # the engine writes its settings anew when it opens a collection
    served = contents(tmp_path / "data")
    report = tuner.tune("fabric", Labelled(fabric.defects, fabric.good), fabric.references)
    assert contents(tmp_path / "data") == served, "the class that serves is untouched"
    assert report.present.candidate == present_candidate(before)
    assert {item.candidate.detail for item in report.tried} == {"fast", "standard", "fine"}
    assert len(report.tried) == 18
    assert report.matched is not None
    assert (len(report.matched.files), report.matched.total) == (12, 12)
    coarse, winner = report.present, report.winner
    assert winner.candidate.detail != "fast"
    assert winner.trial.ranking > coarse.trial.ranking
    assert report.comparison.better
    assert report.recommended is winner
    assert winner.trial.found(0.1).sum() > coarse.trial.found(0.1).sum()
    assert coarse.bank_patches == before.patches
    assert winner.ms > coarse.ms

    after = apply(tuner, report, winner.candidate)
    assert tuner.store.active()["fabric"] == after.version != before.version
    assert (after.scales, after.scoring) == (winner.candidate.scales, winner.candidate.rule)
    assert (after.references, after.calibration.target_far) == (12, 0.1)
    assert after.patches == winner.bank_patches
    assert before.version in tuner.store.versions("fabric"), "the old one can be had back"
    inspector = Inspector(tuner.settings, tuner.embedder, tuner.store)
    verdicts = [inspector.inspect(file, "fabric").verdict for file in fabric.defects]
    hits = sum(verdict is not None and "score" in verdict.reasons for verdict in verdicts)
    assert hits > coarse.trial.found(0.1).sum()
    with pytest.raises(ClassBusy):
        TuneApplier(tuner.settings, tuner.embedder, tuner.store).apply(report, winner.candidate)


def test_without_the_references_files_shares_are_tried_on_the_class_s_own_bank(tuner: Tuner, fabric: Fabric) -> None:
    before = teach(tuner, fabric.references)
    report = tuner.tune("fabric", Labelled(fabric.defects[:5], fabric.good[:2]))
    names = ["fast,0.003", "fast,0.01", "fast,0.001"]
    assert [item.candidate.name for item in report.tried] == [*names, *(f"{name},subspace" for name in names)]
    assert sorted(report.present.trial.normal.tolist()) == pytest.approx(before.calibration.scores, abs=1e-6)
    inspector = Inspector(tuner.settings, tuner.embedder, tuner.store)
    verdicts = [inspector.inspect(file, "fabric").verdict for file in fabric.defects[:5]]
    served = sorted(verdict.score for verdict in verdicts if verdict is not None)
    assert sorted(report.present.trial.defects.tolist()) == pytest.approx(served, abs=1e-6)
    candidate = report.tried[1].candidate
    after = apply(tuner, report, candidate, 0.2)
    changed = {"version", "created_at", "calibration", "scoring", "reason"}
    assert after.model_dump(exclude=changed) == before.model_dump(exclude=changed)
    assert (after.scoring.share, after.calibration.target_far) == (0.01, 0.2)
    fresh = teach(tuner, fabric.references, replace(USUAL, scoring=candidate.rule, target_far=0.2))
    assert after.calibration.scores == pytest.approx(fresh.calibration.scores, abs=1e-6), "as if it were taught so"
    assert after.calibration.peaks == pytest.approx(fresh.calibration.peaks, abs=1e-6)
    assert after.calibration.threshold == pytest.approx(fresh.calibration.threshold, abs=1e-6)


def test_a_subspace_is_tried_on_the_class_s_own_bank_and_taken_over_as_if_it_were_taught_so(
    tuner: Tuner, fabric: Fabric
) -> None:
    before = teach(tuner, fabric.references)
    report = tuner.tune("fabric", Labelled(fabric.defects[:5], fabric.good[:2]))
    tried = next(item for item in report.tried if item.candidate.name == "fast,0.003,subspace")
    after = apply(tuner, report, tried.candidate)
    assert after.parts == before.parts, "its patches are shared"
    assert sorted(tried.trial.normal.tolist()) == pytest.approx(sorted(after.calibration.scores), abs=1e-5)
    inspector = Inspector(tuner.settings, tuner.embedder, tuner.store)
    verdicts = [inspector.inspect(file, "fabric").verdict for file in fabric.defects[:5]]
    served = sorted(verdict.score for verdict in verdicts if verdict is not None)
    assert sorted(tried.trial.defects.tolist()) == pytest.approx(served, abs=1e-5)
    fresh = teach(tuner, fabric.references, replace(USUAL, scoring=tried.candidate.rule))
    assert after.calibration.scores == pytest.approx(fresh.calibration.scores, abs=1e-5)
    assert after.calibration.threshold == pytest.approx(fresh.calibration.threshold, abs=1e-5)
    back = tuner.tune("fabric", Labelled(fabric.defects[:5]))
    assert back.present.candidate.name == "fast,0.003,subspace"
    assert "fast,0.003" in [item.candidate.name for item in back.tried]


def test_the_trial_of_the_present_candidate_is_what_the_class_s_own_bank_says(
    tuner: Tuner, fabric: Fabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a mask and masked background, and no patch left out of the trial's bank."""
    roi = RoiDrawing(boxes=((40, 40, 320, 260),))
    before = teach(tuner, fabric.references, replace(USUAL, foreground="on", roi=roi))
    monkeypatch.setattr(tuning_scores, "MOST_PATCHES", 10**6)
    monkeypatch.setattr("patchbank.teaching.tuning.scales_for", lambda manifest: [manifest.scales])
    labelled = Labelled(fabric.defects[:5])
    own, trial = tuner.tune("fabric", labelled), tuner.tune("fabric", labelled, fabric.references)
    assert trial.trial_patches == own.trial_patches == {"fast": before.patches}
    for first, second in zip(own.tried, trial.tried, strict=True):
        assert sorted(second.trial.normal.tolist()) == pytest.approx(sorted(first.trial.normal.tolist()), abs=1e-6)
        assert sorted(second.trial.defects.tolist()) == pytest.approx(sorted(first.trial.defects.tolist()), abs=1e-6)


def test_what_the_candidate_does_not_say_stays(tuner: Tuner, fabric: Fabric, monkeypatch: pytest.MonkeyPatch) -> None:
    roi = RoiDrawing(boxes=((40, 40, 320, 260),))
    options = replace(USUAL, coreset=0.5, target_far=0.15, foreground="on", roi=roi, turns=(2, 4, 6))
    options = replace(options, review_far=0.3, confidence=0.8)
    options = replace(options, series={fabric.references[0]: "a place", fabric.references[1]: "a place"})
    before = teach(tuner, fabric.references[:9], options)
    with pytest.raises(CannotTune, match="--references"):
        tuner.tune("fabric", Labelled(fabric.defects))
    monkeypatch.setattr("patchbank.teaching.tuning.scales_for", lambda manifest: [manifest.scales])
    report = tuner.tune("fabric", Labelled(fabric.defects), fabric.references[:9])
    assert report.present.bank_patches == before.patches
    assert turns_of(tuner.store.bank("fabric")) == (2, 4, 6)
    after = apply(tuner, report, Candidate(DETAILS["fine"], ScoringRule(share=0.001)))
    assert (after.scales, after.scoring.share) == (DETAILS["fine"], 0.001)
    assert after.roi is not None
    assert before.roi is not None
    assert (after.roi.inspected == before.roi.inspected).all()
    assert after.foreground is not None
    assert after.coreset is not None
    assert after.coreset.ratio == 0.5
    assert (after.references, after.calibration.target_far) == (9, 0.15)
    assert (after.calibration.review_far, after.calibration.confidence) == (0.3, 0.8)
    series = [reference.name for reference in tuner.store.bank("fabric").references() if reference.series == "a place"]
    assert series == ["reference-0.png", "reference-1.png"]
    assert turns_of(tuner.store.bank("fabric")) == (2, 4, 6)


def test_what_cannot_be_tuned_is_an_error_and_changes_nothing(tuner: Tuner, fabric: Fabric, tmp_path: Path) -> None:
    before = teach(tuner, fabric.references[:9])
    five = Labelled(fabric.defects[:5])
    with pytest.raises(CannotTune, match=r"^4 different pictures of defects can be used, and tuning takes 5$"):
        tuner.tune("fabric", Labelled(fabric.defects[:4]))
    with pytest.raises(CannotTune, match=r"4 different pictures of defects.*1 labelled pictures are references"):
        tuner.tune("fabric", Labelled([*fabric.defects[:4], fabric.references[0]]))
    with pytest.raises(CannotTune, match="among the defects and among the good"):
        tuner.tune("fabric", Labelled(fabric.defects, fabric.defects[:1]))
    with pytest.raises(CannotTune, match="7 of the class's 9 references") as caught:
        tuner.tune("fabric", five, [*fabric.references[:7], *fabric.good])
    assert caught.value.detail == {"found": 7, "references": 9}
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"nothing")
    report = tuner.tune("fabric", Labelled([*five.defects, bad], [fabric.references[0]]))
    assert [problem.path for problem in report.skipped] == [bad]
    assert (report.also_references, len(report.present.trial.good)) == (1, 0)
    applier = TuneApplier(tuner.settings, tuner.embedder, tuner.store)
    with pytest.raises(CannotTune, match="--references"):
        applier.apply(report, Candidate(DETAILS["fine"], ScoringRule()))
    assert applier.apply(report, report.present.candidate) is None, "nothing to change"
    assert tuner.store.versions("fabric") == [before.version]
    rated = applier.apply(report, report.present.candidate, 0.3)
    expected = Recalibrator(tuner.settings, tuner.store).from_known_scores("fabric", Rates(0.3)).manifest
    assert rated is not None
    assert rated.manifest.calibration == expected.calibration
    teach(tuner, fabric.references[:7])
    with pytest.raises(CannotTune, match="the references show 7 different parts, and tuning takes 8"):
        tuner.tune("fabric", five)


def test_references_are_recognised_under_another_name_and_in_another_format(
    tuner: Tuner, fabric: Fabric, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teach(tuner, fabric.references[:9])
    shutil.copy(fabric.references[0], tmp_path / "other-name.png")
    with Image.open(fabric.references[1]) as picture:
        picture.save(tmp_path / "other-format.bmp")
    monkeypatch.setattr("patchbank.teaching.tuning.scales_for", lambda manifest: [manifest.scales])
    files = [tmp_path / "other-name.png", tmp_path / "other-format.bmp", *fabric.references[2:8]]
    report = tuner.tune("fabric", Labelled(fabric.defects[:5]), files)
    assert report.matched is not None
    assert set(report.matched.files.values()) == set(files)
    assert (len(report.matched.files), report.matched.total, report.used) == (8, 9, 8)


def test_the_candidates_are_the_class_s_own_and_all_details_by_cost(tuner: Tuner, fabric: Fabric) -> None:
    options = TeachOptions(scales=DETAILS["standard"], scoring=ScoringRule(image_score="max", neighbours=2))
    manifest = teach(tuner, fabric.references[:3], options)
    assert [Candidate(scales, manifest.scoring).name for scales in scales_for(manifest)] == [
        "fast,max",
        "standard,max",
        "fine,max",
    ]
    rules = rules_for(manifest)
    shares = ["0.003", "0.01", "0.001"]
    by_subspace = [f"fast,{share},subspace" for share in shares]
    assert [Candidate(BASE, rule).name for rule in rules] == [
        f"fast,{share}" for share in ("max", *shares)
    ] + by_subspace
    assert {rule.neighbours for rule in rules} == {2}
    old = manifest.model_copy(update={"scoring": ScoringRule(image_score="top1")})
    assert [Candidate(BASE, rule).share for rule in rules_for(old)][:3] == ["0.01", "0.003", "0.001"]
    assert [Candidate(BASE, rule).name for rule in rules_for(old)][3:] == by_subspace
