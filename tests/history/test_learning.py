"""What is learnt from a detection is tried first, seen in the next verdict, and undone to the digit."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.names import BankRef
from patchbank.embedding.embedder import Embedder
from patchbank.errors import AlreadyKnown, AlreadyUndone, HistoryUnavailable, InvalidParameters, UnknownAction
from patchbank.history.actions import Actions
from patchbank.history.history import History
from patchbank.history.learning import Learner
from patchbank.history.recorder import Asked
from patchbank.judging.inspector import Inspector
from patchbank.judging.verdict import Verdict
from patchbank.settings import Settings, load_settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.rescorer import Rescorer
from patchbank.teaching.teacher import Teacher
from patchbank.teaching.withdrawer import Withdrawer
from patchbank_indexer.demo.products import Product


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory, products: dict[str, Product], embedder: Embedder) -> Path:
    """A data directory with a class, of which each test has a copy."""
    settings = load_settings(data_dir=tmp_path_factory.mktemp("taught") / "data", detail="fast")
    with closing(EdgeStore(settings.data_dir)) as store:
        options = TeachOptions(keep_all=True)
        Teacher(settings, embedder, store).teach("textile", products["textile"].references, options=options)
    return settings.data_dir


@pytest.fixture
def inspector(taught: Path, settings: Settings, embedder: Embedder) -> Iterator[Inspector]:
    shutil.copytree(taught, settings.data_dir)
    with closing(EdgeStore(settings.data_dir)) as store:
        yield Inspector(settings, embedder, store)


@pytest.fixture
def textile(products: dict[str, Product]) -> Product:
    return products["textile"]


@pytest.fixture
def history(settings: Settings, inspector: Inspector) -> Iterator[History]:
    with History(settings) as opened:
        yield opened


@pytest.fixture
def learner(inspector: Inspector, history: History) -> Learner:
    return Learner(inspector.settings, inspector.embedder, inspector.store, history.database)


def judged(inspector: Inspector, file: Path) -> Verdict:
    verdict = inspector.inspect(file, "textile").verdict
    assert verdict is not None
    return verdict


def recorded(history: History, inspector: Inspector, file: Path) -> str:
    data = file.read_bytes()
    return history.recorder.record(inspector.inspect(data, "textile"), data, Asked(file.name))


def test_a_trial_tells_what_an_acceptance_does_and_changes_nothing(
    learner: Learner, history: History, inspector: Inspector, textile: Product
) -> None:
    ids = {recorded(history, inspector, file): file for file in textile.defective}
    rejected = [each for each in ids if history.records.detection(each).decision == "reject"]
    assert len(rejected) >= 2
    store = inspector.store
    versions, before = store.versions("textile"), judged(inspector, textile.defective[0])
    trial = learner.trial(rejected[0])
    assert store.versions("textile") == versions
    assert judged(inspector, textile.defective[0]).score == before.score
    assert trial.itself.decision == "pass"
    learner.accept(rejected[0], by="ann", note="only dust")
    looked_at = {row.detection.id: row for row in trial.recent.rows}
    assert looked_at.keys() == {each for each in ids if history.records.detection(each).decision != "pass"} - {
        rejected[0]
    }
    for each, row in looked_at.items():
        verdict = judged(inspector, ids[each])
        assert verdict.score == pytest.approx(row.after.score, abs=1e-6)
        assert verdict.decision == row.after.decision
        assert row.before.score == history.records.detection(each).score


def test_accept_undo_accept_again_is_equal_to_the_digit(
    learner: Learner, history: History, inspector: Inspector, textile: Product
) -> None:
    rejected = next(file for file in textile.defective if judged(inspector, file).decision == "reject")
    detection = recorded(history, inspector, rejected)
    files = [rejected, *textile.defective[:2], *textile.good[:2]]
    store = inspector.store
    first = store.bank("textile").manifest
    before = [judged(inspector, file).score for file in files]
    accepted = learner.accept(detection, by="ann")
    assert accepted.action.before_version == first.version
    with_it = [judged(inspector, file).score for file in files]
    assert with_it[0] == pytest.approx(0, abs=1e-5)
    assert all(after <= known for after, known in zip(with_it, before, strict=True))
    undone = learner.undo(accepted.action.id, by="bob")
    assert (undone.version, undone.activated) == (first.version, True)
    assert [judged(inspector, file).score for file in files] == before
    learner.accept(detection)
    assert [judged(inspector, file).score for file in files] == with_it
    assert history.records.detection(detection).word == "false_alarm"


def test_an_acceptance_moves_no_threshold_now_or_when_all_is_scored_again(
    learner: Learner, history: History, inspector: Inspector, textile: Product
) -> None:
    store, settings = inspector.store, inspector.settings
    rescorer = Rescorer(settings, store, lambda: inspector.embedder)
    rescorer.rescore("textile", everything=True)
    before = store.bank("textile").manifest.calibration
    learner.accept(recorded(history, inspector, textile.defective[0]))
    manifest = store.bank("textile").manifest
    assert manifest.reason == "accepted"
    assert manifest.calibration == before
    rescorer.rescore("textile", everything=True)
    after = store.bank("textile").manifest.calibration
    assert after.images == before.images or set(after.images) == set(before.images)
    assert after.threshold <= before.threshold  # one more reference can only lower the scores of the others


def test_after_other_changes_an_undo_withdraws_what_was_added(
    learner: Learner, history: History, inspector: Inspector, textile: Product
) -> None:
    first = recorded(history, inspector, textile.defective[0])
    second = recorded(history, inspector, textile.defective[1])
    file = textile.defective[2]
    before = judged(inspector, file).score
    one, other = learner.accept(first), learner.accept(second)
    undone = learner.undo(one.action.id)
    assert not undone.activated
    held = {item.image_id for item in inspector.store.bank("textile").reference_facts()}
    assert one.action.added not in held
    assert other.action.added in held
    learner.undo(other.action.id)
    assert judged(inspector, file).score == pytest.approx(before, abs=1e-6)


def test_an_undo_of_what_is_gone_already_says_so(
    learner: Learner, history: History, inspector: Inspector, textile: Product
) -> None:
    accepted = learner.accept(recorded(history, inspector, textile.defective[0]))
    store = inspector.store
    Withdrawer(inspector.settings, store).withdraw("textile", [accepted.action.added])
    serving = store.active()["textile"]
    undone = learner.undo(accepted.action.id)
    assert undone.version == serving == store.active()["textile"]
    assert "does not hold" in undone.remarks[0]
    with pytest.raises(AlreadyUndone):
        learner.undo(accepted.action.id)
    with pytest.raises(UnknownAction):
        learner.undo("f" * 32)


def test_a_version_that_waits_serves_when_it_is_activated(
    learner: Learner, history: History, inspector: Inspector, textile: Product
) -> None:
    store, serving = inspector.store, inspector.store.active()["textile"]
    accepted = learner.accept(recorded(history, inspector, textile.defective[0]), serve=False)
    assert store.active()["textile"] == serving
    store.activate(BankRef("textile", accepted.action.version))
    assert judged(inspector, textile.defective[0]).decision == "pass"


def test_what_is_a_reference_already_is_not_accepted_again(
    learner: Learner, history: History, inspector: Inspector, textile: Product
) -> None:
    detection = recorded(history, inspector, textile.references[0])
    versions = inspector.store.versions("textile")
    for ask in (learner.accept, learner.trial):
        with pytest.raises(AlreadyKnown):
            ask(detection)
    assert inspector.store.versions("textile") == versions


def test_a_class_must_be_named_for_an_unknown_product_alone(
    learner: Learner, history: History, inspector: Inspector, textile: Product, products: dict[str, Product]
) -> None:
    file = products["solar_mono"].good[0]
    unknown = history.recorder.record(inspector.inspect(file), file.read_bytes(), Asked(file.name))
    assert history.records.detection(unknown).status == "unknown_product"
    with pytest.raises(InvalidParameters, match="name the class"):
        learner.trial(unknown)
    known = recorded(history, inspector, textile.good[0])
    with pytest.raises(InvalidParameters, match="not of 'other'"):
        learner.accept(known, "other")


def test_what_cannot_be_written_down_does_not_serve(
    learner: Learner, history: History, inspector: Inspector, textile: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    detection = recorded(history, inspector, textile.defective[0])
    serving = inspector.store.active()["textile"]

    def away(*_: object, **__: object) -> None:
        raise HistoryUnavailable("away")

    monkeypatch.setattr(Actions, "add", away)
    with pytest.raises(HistoryUnavailable):
        learner.accept(detection)
    assert inspector.store.active()["textile"] == serving


def test_a_defect_is_tried_learnt_and_forgotten_to_the_digit(
    learner: Learner, history: History, inspector: Inspector, textile: Product
) -> None:
    rejected = next(file for file in textile.defective if judged(inspector, file).decision == "reject")
    ids = {recorded(history, inspector, file): file for file in (*textile.defective, *textile.good[:2])}
    detection = next(each for each, file in ids.items() if file == rejected)
    before = {file: judged(inspector, file) for file in ids.values()}
    versions = inspector.store.versions("textile")
    trial = learner.defect_trial(detection, "snag")
    assert inspector.store.versions("textile") == versions
    assert "known_defect" in trial.itself.reasons
    learnt = learner.learn_defect(detection, "snag", by="ann", note="loom 4")
    assert (learnt.action.kind, learnt.action.before_version) == ("defect", versions[-1])
    for file, known in before.items():
        assert judged(inspector, file).score == known.score
    shown = judged(inspector, rejected)
    assert "known_defect" in shown.reasons
    assert {each.defect.name for each in shown.regions if each.defect is not None} == {"snag"}
    for row in trial.recent.rows:
        assert judged(inspector, ids[row.detection.id]).decision == row.after.decision
    (said,) = history.records.words(detection)
    assert (said.word, said.comment, said.said_by) == ("correct", "snag: loom 4", "ann")
    undone = learner.undo(learnt.action.id)
    assert (undone.version, undone.activated) == (versions[-1], True)
    assert judged(inspector, rejected).reasons == before[rejected].reasons


def test_a_defect_is_forgotten_and_other_changes_stay(
    learner: Learner, history: History, inspector: Inspector, textile: Product
) -> None:
    rejected = [file for file in textile.defective if judged(inspector, file).decision == "reject"][:2]
    detections = [recorded(history, inspector, file) for file in rejected]
    learnt = learner.learn_defect(detections[0], "snag")
    accepted = learner.accept(detections[1])
    manifest = inspector.store.bank("textile").manifest
    assert [record.name for record in manifest.defects] == ["snag"], "an acceptance keeps the known defects"
    assert not learner.undo(learnt.action.id).activated
    manifest = inspector.store.bank("textile").manifest
    assert manifest.defects == ()
    assert accepted.action.added in inspector.store.bank("textile").cls_vectors()[0]
