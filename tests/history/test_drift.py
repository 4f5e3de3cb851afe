"""What a class is shown, told from the history: which detections count, and beside what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.manifest import Calibration
from patchbank.bank.store import PatchStore
from patchbank.errors import HistoryOff, UnknownClass
from patchbank.history.database import Database
from patchbank.history.drift import DriftReport, DriftWatch
from patchbank.history.history import History
from patchbank.history.normal_images import NormalImages
from patchbank.history.records import Records
from patchbank.images import read_image
from patchbank.images.frame_facts import frame_facts
from patchbank.scoring.threshold import calibrate
from patchbank.settings import Settings, load_settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product
from tests.helpers.banks import teach
from tests.helpers.detections import add_detection

IMAGES = 30


def scores(count: int, seed: int, shift: float = 0.0) -> list[float]:
    return [float(value) for value in 0.2 + shift + np.random.default_rng(seed).normal(0, 0.02, count)]


def calibration(**facts: object) -> Calibration:
    return calibrate(scores(IMAGES, 1), "leave-one-image-out", 0.05).model_copy(update=facts)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EdgeStore]:
    opened = EdgeStore(tmp_path / "banks")
    yield opened
    opened.close()


@pytest.fixture
def history(history_settings: Settings) -> Iterator[History]:
    with History(history_settings) as opened:
        yield opened


@pytest.fixture
def watch(history: History, store: EdgeStore) -> DriftWatch:
    teach(store, "tile", images=IMAGES, calibration=calibration())
    return DriftWatch(history, store)


class Line:
    """Records detections one after another, each of another picture where nothing else is said."""

    def __init__(self, database: Database, version: str) -> None:
        self.database = database
        self.version = version
        self.count = 0

    def sends(self, values: Sequence[float], **facts: Any) -> list[str]:
        ids = []
        for value in values:
            self.count += 1
            row: dict[str, Any] = {
                "version": self.version,
                "image_id": f"{10_000 + self.count:024x}",
                "similarity": None,
                **facts,
            }
            ids.append(add_detection(self.database, minutes=self.count, score=value, brightness=None, **row))
        return ids


@pytest.fixture
def line(history: History, watch: DriftWatch, store: EdgeStore) -> Line:
    return Line(history.database, store.active()["tile"])


def test_a_class_is_unknown_then_ok_and_drifting_within_twenty_images_of_a_great_change(
    watch: DriftWatch, line: Line
) -> None:
    def told() -> DriftReport:
        return watch.of("tile")

    assert (told().state, told().shift, told().images, told().since) == ("unknown", None, 0, None)
    line.sends(scores(19, 2))
    assert told().state == "unknown"
    assert "19 images are known since the version began to serve; 20 are needed" in told().drift.reason
    line.sends(scores(31, 3))
    assert (told().state, told().images, told().version) == ("ok", 50, line.version)
    line.sends(scores(20, 4, shift=0.2))
    report = told()
    assert report.state == "drifting"
    assert report.shift == 1.0
    assert report.since is not None
    assert report.until is not None
    assert report.since < report.until
    document = report.as_dict()
    assert document["state"] == "drifting"
    assert document["false_alarm"] <= 0.01
    assert {row["quantity"] for row in document["comparisons"]} == {"score"}


def test_a_new_version_begins_a_new_sample_and_one_that_serves_again_has_its_own(
    watch: DriftWatch, line: Line, store: EdgeStore
) -> None:
    line.sends(scores(50, 3, shift=0.2))
    assert watch.of("tile").state == "drifting"
    before = line.version
    line.version = teach(store, "tile", seed=1, images=IMAGES, calibration=calibration()).version
    assert (watch.of("tile").state, watch.of("tile").images) == ("unknown", 0)
    line.sends(scores(25, 4))
    assert (watch.of("tile").state, watch.of("tile").images) == ("ok", 25)
    store.activate(store.bank("tile", before).manifest.ref)
    assert (watch.of("tile").state, watch.of("tile").images) == ("drifting", 50)


def test_what_says_nothing_of_normal_parts_does_not_count(watch: DriftWatch, line: Line, store: EdgeStore) -> None:
    line.sends(scores(30, 2))
    before = watch.of("tile")
    reference = store.bank("tile").references()[0].image_id
    high = scores(25, 5, shift=0.5)
    line.sends(high, class_name="other")
    line.sends(high, version="another")
    line.sends(high, frame_fault="blurred", decision="reject", reasons=["bad_frame"])
    line.sends(high, word="correct", decision="reject")
    line.sends(high, word="correct", decision="review")
    line.sends(high, word="missed")
    line.sends(high, image_id=reference)
    line.sends([None] * 5)  # type: ignore[list-item]
    assert watch.of("tile") == before
    line.sends(high, image_id=f"{999:024x}")  # one picture, again and again: it counts once
    assert watch.of("tile").images == 31
    line.sends(high, word="false_alarm", decision="reject")
    assert watch.of("tile").state == "drifting"


def test_the_word_of_a_person_counts_as_soon_as_it_is_said(history: History, watch: DriftWatch, line: Line) -> None:
    line.sends(scores(30, 2))
    defects = line.sends(scores(20, 5, shift=0.5), decision="reject")
    assert watch.of("tile").state == "drifting"
    records = Records(history.database)
    for defect in defects:
        records.say(defect, "correct")
    assert (watch.of("tile").state, watch.of("tile").images) == ("ok", 30)


def test_a_look_at_what_is_known_already_tests_nothing(
    watch: DriftWatch, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.sends(scores(60, 2))
    first = watch.of("tile")
    monkeypatch.setattr("patchbank.history.drift.compare", None)
    monkeypatch.setattr(NormalImages, "of", None)
    assert watch.of("tile") is first
    assert watch.all() == [first]


def test_every_class_is_told_and_one_that_is_gone_no_longer(watch: DriftWatch, line: Line, store: EdgeStore) -> None:
    teach(store, "bolt", images=IMAGES, calibration=calibration())
    line.sends(scores(50, 3, shift=0.2))
    assert [(report.class_name, report.state) for report in watch.all()] == [("bolt", "unknown"), ("tile", "drifting")]
    store.remove("tile")
    assert [report.class_name for report in watch.all()] == ["bolt"]
    with pytest.raises(UnknownClass):
        watch.of("tile")


def test_a_class_with_too_few_calibration_images_is_unknown_whatever_comes(history: History, store: EdgeStore) -> None:
    few = calibrate(scores(3, 1), "held-out", 0.05)
    version = teach(store, "tile", images=3, calibration=few).version
    watch = DriftWatch(history, store)
    Line(history.database, version).sends(scores(250, 2, shift=0.5))
    report = watch.of("tile")
    assert (report.state, report.shift) == ("unknown", None)
    assert "they count for 3 independent ones" in report.drift.reason


def normal_images(store: PatchStore) -> NormalImages:
    return NormalImages.of(store.bank("tile"))


def test_stale_scores_are_left_out_and_told_and_a_series_counts_once(store: EdgeStore) -> None:
    ids = tuple(f"{number:024x}" for number in range(IMAGES))
    series = ("morning",) * 10 + ("noon",) * 5 + ("",) * 15
    teach(store, "tile", images=IMAGES, calibration=calibration(images=ids, stale=ids[-3:], series=series))
    normal = normal_images(store)
    assert len(normal.values["score"]) == 1 + 1 + 12
    (note,) = normal.notes
    assert "3 of 30 calibration scores are not compared" in note


def test_similarity_and_brightness_are_those_of_the_references_and_what_shows_the_same_counts_once(
    teacher: Teacher, products: dict[str, Product], tmp_path: Path
) -> None:
    files = list(products["textile"].references)
    teacher.teach("tile", files, options=TeachOptions(keep_all=True))
    normal = normal_images(teacher.store)
    cls = teacher.store.bank("tile").cls_vectors()[1]
    nearest = (cls @ cls.T - 2 * np.eye(len(cls))).max(axis=1)
    assert sorted(normal.values["similarity"]) == pytest.approx(sorted(nearest), abs=1e-5)
    light = [frame_facts(read_image(file).pixels).brightness for file in files]
    assert sorted(normal.values["brightness"]) == pytest.approx(sorted(light), abs=0.5)
    again = tmp_path / "again.png"
    pixels = read_image(files[0]).pixels.copy()
    pixels[0, 0] ^= 1
    Image.fromarray(pixels).save(again)
    teacher.teach("tile", [again], extend=True)
    more = normal_images(teacher.store)
    assert len(more.references) == len(files) + 1
    assert len(more.values["similarity"]) == len(more.values["brightness"]) == len(files)
    assert sorted(more.values["similarity"]) == pytest.approx(sorted(nearest), abs=1e-3)


def test_without_a_history_nothing_is_told(tmp_path: Path, store: EdgeStore) -> None:
    teach(store, "tile", images=IMAGES, calibration=calibration())
    with History(load_settings(data_dir=tmp_path / "data", history=False)) as history:
        watch = DriftWatch(history, store)
        for ask in (watch.all, lambda: watch.of("tile")):
            with pytest.raises(HistoryOff):
                ask()
