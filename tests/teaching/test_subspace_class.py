"""A class whose patches are scored by the subspace of its normal patches, from teaching to verdict."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.manifest import Manifest, ScoringRule, stored_manifest
from patchbank.errors import DamagedBank
from patchbank.images import read_image
from patchbank.judging.inspector import Inspector
from patchbank.scoring.image_score import image_score
from patchbank.scoring.subspace import Moments, Subspace
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.rates import Rates
from patchbank.teaching.recalibrator import Recalibrator
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product
from tests.helpers.command_line import indexer_json

RULE = ScoringRule(patch_score="subspace")


def embedded(inspector: Inspector, files: tuple[Path, ...]) -> list[np.ndarray]:
    return [inspector.embedder.embed(read_image(file)).patches for file in files]


@pytest.fixture
def textile(products: dict[str, Product]) -> Product:
    return products["textile"]


@pytest.fixture
def taught(teacher: Teacher, textile: Product) -> Manifest:
    return teacher.teach("textile", textile.references, options=TeachOptions(scoring=RULE, keep_all=True)).manifest


def test_verdict_and_calibration_are_those_of_a_fit_over_all_normal_patches_and_over_those_not_left_out(
    inspector: Inspector, taught: Manifest, textile: Product
) -> None:
    references = embedded(inspector, textile.references)
    whole = Subspace.fit(Moments.of(np.concatenate(references)))
    for file in (*textile.good[:2], *textile.defective[:2]):
        verdict = inspector.inspect(file, "textile").verdict
        assert verdict is not None
        (patches,) = embedded(inspector, (file,))
        assert verdict.score == pytest.approx(image_score(whole.distances(patches), RULE), abs=1e-5)
    left_out = []
    for place, own in enumerate(references):
        others = np.concatenate([patches for other, patches in enumerate(references) if other != place])
        left_out.append(image_score(Subspace.fit(Moments.of(others)).distances(own), RULE))
    assert sorted(taught.calibration.scores) == pytest.approx(sorted(left_out), abs=1e-5)


def test_defects_stand_out_and_name_their_nearest_normal_patch(
    inspector: Inspector, taught: Manifest, textile: Product
) -> None:
    def scores(files: tuple[Path, ...]) -> list[float]:
        return [verdict.score for file in files if (verdict := inspector.inspect(file, "textile").verdict)]

    assert np.median(scores(textile.defective)) > np.median(scores(textile.good))
    verdict = inspector.inspect(textile.defective[0], "textile", threshold=1e-3, explain=True).verdict
    assert verdict is not None
    nearest = verdict.regions[0].nearest
    assert nearest is not None
    bank = inspector.store.bank("textile")
    assert nearest.name == bank.reference(nearest.reference_id).name
    (queries,) = embedded(inspector, (textile.defective[0],))
    to_all = 1.0 - queries @ bank.image_patches(nearest.reference_id).T
    assert np.abs(to_all - nearest.distance).min() < 1e-5, "a cosine distance to a patch of that reference"


def test_other_rates_keep_the_subspace_and_more_references_fit_it_anew(
    inspector: Inspector, teacher: Teacher, taught: Manifest, textile: Product
) -> None:
    recalibrated = Recalibrator(inspector.settings, inspector.store).from_known_scores("textile", Rates(images=0.2))
    assert recalibrated.manifest.subspace == taught.subspace
    assert recalibrated.manifest.scoring == RULE
    report = teacher.teach("textile", textile.good[:2], options=TeachOptions(keep_all=True), extend=True)
    assert report.manifest.scoring == RULE
    assert any("fitted anew" in remark for remark in report.remarks)
    references = embedded(inspector, (*textile.references, *textile.good[:2]))
    refitted = Subspace.fit(Moments.of(np.concatenate(references)))
    verdict = inspector.inspect(textile.good[2], "textile").verdict
    assert verdict is not None
    (patches,) = embedded(inspector, (textile.good[2],))
    assert verdict.score == pytest.approx(image_score(refitted.distances(patches), RULE), abs=1e-5)


def test_a_lost_subspace_is_a_damaged_bank_and_never_another_score(
    inspector: Inspector, taught: Manifest, textile: Product
) -> None:
    folder = inspector.settings.data_dir / "collections" / taught.ref.collection
    lost = taught.model_copy(update={"subspace": None})
    (folder / "manifest.json").write_text(json.dumps(stored_manifest(lost)))
    with (
        closing(EdgeStore(inspector.settings.data_dir)) as reopened,
        pytest.raises(DamagedBank, match="has lost the subspace"),
    ):
        Inspector(inspector.settings, inspector.embedder, reopened).inspect(textile.good[0], "textile")


def test_add_takes_it_by_name(tmp_path: Path, textile: Product) -> None:
    options = ("--patch-score", "subspace", "--keep-all")
    indexer_json("add", "textile", *textile.references, *options, data=tmp_path / "data")
    shown = indexer_json("show", "textile", data=tmp_path / "data")
    assert shown["scoring"]["patch_score"] == "subspace"
    assert 1 < shown["subspace"]["axes"] < shown["patch_dim"]
