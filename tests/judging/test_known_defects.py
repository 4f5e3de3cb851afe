"""What matches a known defect is decided as by an exhaustive search, and changes no score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbank.arrays import FloatArray
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.manifest import Foreground, ScoringRule
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.embedding import Embedding
from patchbank.embedding.preprocess import Geometry
from patchbank.judging.inspector import Inspector
from patchbank.judging.judge import Judge
from patchbank.judging.normal_subspaces import NormalSubspaces
from patchbank.judging.verdict import Verdict
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.scoring.known_defects import RATIO, KnownDefects
from patchbank.settings import load_settings
from patchbank.teaching.defect_teacher import DefectFacts, DefectTeacher
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product
from tests.helpers.banks import brute_force, defect, unit
from tests.helpers.forgetful_index import ForgetfulIndex

D = 12
EVERYWHERE = InspectedAreas(None)


@st.composite
def cases(draw: st.DrawFn) -> tuple[FloatArray, FloatArray, FloatArray, tuple[int, int], ScoringRule, float]:
    """Patches of an image on a grid, normal patches, those of known defects, a rule, and the limit of a match."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    grid = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    bank = unit(rng.normal(size=(draw(st.integers(2, 40)), D)))
    defects = unit(rng.normal(size=(draw(st.integers(1, 6)), D)))
    near = np.where(rng.random((grid[0] * grid[1], 1)) < 0.5, bank[rng.integers(len(bank))], defects[0])
    patches = unit(near + draw(st.sampled_from([0.02, 0.3, 1.0])) * rng.normal(size=(grid[0] * grid[1], D)))
    rule = ScoringRule(
        patch_score=draw(st.sampled_from(["nearest", "nearest", "subspace"])),
        neighbours=draw(st.sampled_from([1, 2, 5])),
    )
    return patches, bank, defects, grid, rule, draw(st.sampled_from([0.1, 0.5, 2.0]))


def embedding_of(patches: FloatArray, grid: tuple[int, int]) -> Embedding:
    return Embedding(patches, unit(np.ones(4)), Geometry((80, 60), (80, 60), grid))


def judge_of(index: ForgetfulIndex, rule: ScoringRule, known: KnownDefects | None) -> Judge:
    subspaces = NormalSubspaces(index) if rule.patch_score == "subspace" else None
    return Judge(index, rule, None, EVERYWHERE, subspaces, known)


@settings(max_examples=200, deadline=None)
@given(case=cases(), missed=st.sampled_from([0.0, 0.5, 0.9, 1.0]), seed=st.integers(0, 1000), cut=st.booleans())
def test_matches_of_an_approximate_index_are_those_of_an_exhaustive_search_and_no_score_changes(
    case: tuple[FloatArray, FloatArray, FloatArray, tuple[int, int], ScoringRule, float],
    missed: float,
    seed: int,
    cut: bool,
) -> None:
    patches, bank, defects, grid, rule, limit = case
    known = KnownDefects(
        [defect(1, defects[:1], "crack"), *([defect(2, defects[1:])] if len(defects) > 1 else [])], limit
    )
    threshold = 0.3 if cut else None
    shown = embedding_of(patches, grid)
    judged = judge_of(ForgetfulIndex(bank, missed, seed), rule, known).judge(shown, threshold)
    plain = judge_of(ForgetfulIndex(bank, missed, seed), rule, None).judge(shown, threshold)
    assert judged.score == plain.score
    assert (judged.patches.scores == plain.patches.scores).all()
    assert (judged.map() == plain.map()).all()
    assert plain.matches is None
    to_defects, to_normal = brute_force(patches, known._vectors, 1), brute_force(patches, bank, 1)
    wanted = (to_defects <= limit) & (to_defects < RATIO * to_normal)
    close = (np.abs(to_defects - limit) < 1e-5) | (np.abs(to_defects - RATIO * to_normal) < 1e-5)
    matched = np.zeros(grid, np.bool_) if judged.matches is None else judged.matches.cells
    assert (matched.ravel() == wanted)[~close].all()
    if judged.matches is not None:
        named = judged.matches.named([(row, column) for row, column in np.argwhere(matched).tolist()])
        assert named is not None
        assert named.similarity == pytest.approx(1 - to_defects[matched.ravel()].min(), abs=1e-5)


def test_only_patches_that_may_match_are_searched_again() -> None:
    rng = np.random.default_rng(0)
    bank, defects = unit(rng.normal(size=(200, D))), unit(rng.normal(size=(1, D)))
    patches = np.concatenate([bank[:63], unit(defects + 0.01 * rng.normal(size=(1, D)))])
    known = KnownDefects([defect(1, defects)], 0.5)
    asked = []
    for sought in (None, known):
        index = ForgetfulIndex(bank, 0.0, 0)
        judged = judge_of(index, ScoringRule(), sought).judge(embedding_of(patches, (8, 8)), 1.5)
        asked.append(index.asked_exactly)
    assert judged.matches is not None
    assert np.argwhere(judged.matches.cells).tolist() == [[7, 7]]
    assert asked[1] - asked[0] <= 1


def test_patches_that_do_not_count_match_nothing() -> None:
    rng = np.random.default_rng(1)
    bank, defects = unit(rng.normal(size=(20, D))), unit(rng.normal(size=(2, D)))
    axis = np.eye(D, dtype=np.float32)[0]
    foreground = Foreground(axis=tuple(axis.tolist()), threshold=2.0, least=0.0, places=(".",))
    judge = Judge(
        ForgetfulIndex(bank, 0.0, 0),
        ScoringRule(),
        foreground,
        EVERYWHERE,
        None,
        KnownDefects([defect(1, defects)], 2.0),
    )
    shown = embedding_of(np.repeat(defects, 8, axis=0), (4, 4))
    judged = judge.judge(shown)
    assert (judged.matches is None) == (not judged.patches.counts.any())
    assert replace(judge, foreground=None).judge(shown).matches is not None


@pytest.fixture(scope="module")
def taught(
    tmp_path_factory: pytest.TempPathFactory, embedder: Embedder, products: dict[str, Product]
) -> Iterator[Inspector]:
    settings = load_settings(data_dir=tmp_path_factory.mktemp("defects") / "data", keep_versions=20)
    store = EdgeStore(settings.data_dir)
    Teacher(settings, embedder, store).teach("textile", products["textile"].references)
    yield Inspector(settings, embedder, store)
    store.close()


def verdict_on(inspector: Inspector, image: object, **asked: float) -> Verdict:
    verdict = inspector.inspect(image, "textile", **asked).verdict  # type: ignore[arg-type]
    assert verdict is not None
    return verdict


def test_a_known_defect_rejects_is_named_and_leaves_every_other_figure_as_it_was(
    taught: Inspector, products: dict[str, Product]
) -> None:
    textile = products["textile"]
    shown = textile.defective[0]
    before = {file: verdict_on(taught, file) for file in (*textile.good, *textile.defective)}
    calibration = taught.store.bank("textile").manifest.calibration
    report = DefectTeacher(taught.settings, taught.embedder, taught.store).add("textile", shown, DefectFacts("hole"))
    assert report.manifest.calibration == calibration
    for file, old in before.items():
        new = verdict_on(taught, file)
        assert (new.score, new.p_value, new.threshold, new.anomalous_share) == (
            old.score,
            old.p_value,
            old.threshold,
            old.anomalous_share,
        )
        assert (new.map == old.map).all()
        assert [reason for reason in new.reasons if reason != "known_defect"] == list(old.reasons)
        assert ("known_defect" in new.reasons) == bool(new.defects)
        if not new.defects:
            assert (new.regions, new.decision) == (old.regions, old.decision)
    assert all(not verdict_on(taught, file).defects for file in textile.good)
    # Whatever the thresholds are: a known defect is rejected, and shown though no pixel is above.
    for asked in ({}, {"threshold": 2.0}):
        told = verdict_on(taught, shown, **asked)
        assert told.decision == "reject"
        assert "known_defect" in told.reasons
        named = [region for region in told.regions if region.defect is not None]
        assert named
        best = max(named, key=lambda region: region.defect.similarity)  # type: ignore[union-attr]
        assert best.defect is not None
        assert (best.defect.id, best.defect.name) == (report.defect.id, "hole")
        assert best.defect.similarity == pytest.approx(1.0, abs=1e-3)
    assert told.reasons == ("known_defect",)
    assert told.anomalous_share == 0
    left, top, right, bottom = report.defect.box
    boxes = [region.region.box for region in told.regions]
    assert min(box[0] for box in boxes) <= left < right <= max(box[2] for box in boxes)
    assert min(box[1] for box in boxes) <= top < bottom <= max(box[3] for box in boxes)
    answer = taught.inspect(shown, "textile", threshold=2.0).as_dict()
    assert answer["regions"][0]["defect"].keys() == {"id", "name", "similarity"}
    taught.store.activate(report.before.ref)
    assert "known_defect" not in verdict_on(taught, shown).reasons
