"""Pictures that come in series: whole series are left out, each counts once, and an update knows them again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.embedder import Embedder
from patchbank.errors import NoReferences
from patchbank.judging.inspector import Inspector
from patchbank.scoring.threshold import promise, promised, sample_of
from patchbank.settings import Settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.rates import Rates
from patchbank.teaching.recalibrator import Recalibrator
from patchbank.teaching.teacher import Teacher
from tests.helpers.pictures import picture

ALL = TeachOptions(keep_all=True)


@pytest.fixture
def inspector(settings: Settings, embedder: Embedder) -> Iterator[Inspector]:
    with closing(EdgeStore(settings.data_dir)) as store:
        yield Inspector(settings, embedder, store)


@pytest.fixture
def teacher(inspector: Inspector) -> Teacher:
    return Teacher(inspector.settings, inspector.embedder, inspector.store)


@pytest.fixture
def series(tmp_path: Path) -> dict[Path, str]:
    """Three places, three pictures of each: those of a place are alike, and not the same."""
    named = {}
    for place, name in enumerate("abc"):
        for number in range(3):
            file = tmp_path / f"{name}-{number}.png"
            Image.blend(picture(place), picture(50 + 3 * place + number), 0.25).save(file)
            named[file] = name
    return named


def score(teacher: Teacher, inspector: Inspector, file: Path, others: list[Path]) -> float:
    """Score of a picture against a bank of the others."""
    teacher.teach("others", others, options=ALL)
    verdict = inspector.inspect(file, "others").verdict
    assert verdict is not None
    return verdict.score


def test_whole_series_are_left_out_and_count_once(
    teacher: Teacher, inspector: Inspector, series: dict[Path, str]
) -> None:
    files = list(series)
    calibration = teacher.teach("part", files, options=TeachOptions(series=series)).manifest.calibration
    assert (calibration.count, sample_of(calibration).independent, calibration.together) == (9, 3, 0)
    assert promised(calibration) == 1 / 4
    assert "(3 series of 9 calibration images)" in promise(calibration)
    for name in "abc":
        others = [file for file in files if series[file] != name]
        expected = sorted(score(teacher, inspector, file, others) for file in files if series[file] == name)
        own = [value for value, of in zip(calibration.scores, calibration.series, strict=True) if of == name]
        assert own == pytest.approx(expected, abs=1e-5)
    single = teacher.teach("single", files, options=ALL).manifest.calibration
    assert (single.series, single.count) == ((), 9)
    assert single.threshold < calibration.threshold, "fellows vouch for each other"
    held = {item.name: item.series for item in inspector.store.bank("part").references()}
    assert held == {file.name: name for file, name in series.items()}


def test_an_update_knows_the_series_again(teacher: Teacher, inspector: Inspector, series: dict[Path, str]) -> None:
    files, new = list(series)[:8], list(series)[8]
    for options in (TeachOptions(series=series), TeachOptions(series=series, keep_all=True)):
        before = teacher.teach("part", files, options=options).manifest.calibration
        after = teacher.teach("part", [new], options=options, extend=True).manifest.calibration
        assert (after.count, after.series.count("c"), sample_of(after).independent) == (9, 3, 3)
        rows = set(zip(after.scores, after.series, strict=True)) - set(zip(before.scores, before.series, strict=True))
        ((added, name),) = rows
        expected = score(teacher, inspector, new, [file for file in files if series[file] != "c"])
        assert name == "c"
        assert added == pytest.approx(expected, abs=1e-5)
    alone = teacher.teach("part", files, options=ALL).manifest.calibration
    grown = teacher.teach("part", [new], options=TeachOptions(series=series, keep_all=True), extend=True).manifest
    assert (alone.series, sorted(grown.calibration.series)) == ((), [*[""] * 8, "c"])


def test_what_shows_the_same_joins_the_series_of_its_fellow_and_is_not_scored(
    teacher: Teacher, inspector: Inspector, series: dict[Path, str], tmp_path: Path
) -> None:
    again = tmp_path / "again.png"
    with Image.open(next(iter(series))) as image:
        image.point(lambda value: min(255, value + 2)).save(again)
    files = {**series, again: "c"}
    calibration = teacher.teach("part", list(files), options=TeachOptions(series=files)).manifest.calibration
    assert (calibration.count, calibration.together) == (9, 1)
    held = {item.name: item.series for item in inspector.store.bank("part").references()}
    assert held["again.png"] in ("a", "c")
    assert held["again.png"] == held["a-0.png"], "whichever came first"


def test_one_series_alone_leaves_nothing_to_compare_with(teacher: Teacher, series: dict[Path, str]) -> None:
    files = [file for file, name in series.items() if name == "a"]
    with pytest.raises(NoReferences, match="all 3 reference images are of one series"):
        teacher.teach("part", files, options=TeachOptions(series=series))
    others = [file for file in series if file not in files]
    options = TeachOptions(series=series)
    calibration = teacher.teach("part", files, calibrate_with=others, options=options).manifest.calibration
    assert (calibration.method, calibration.count, sample_of(calibration).independent) == ("held-out", 6, 2)


def test_a_series_may_have_any_name_that_files_have(
    teacher: Teacher, inspector: Inspector, series: dict[Path, str]
) -> None:
    files, strange = list(series), os.fsdecode(b"pl\xe4tze")
    named = {file: name if name == "a" else strange for file, name in series.items()}
    teacher.teach("part", files[1:4], options=TeachOptions(series=named))
    calibration = teacher.teach(
        "part", files[4:5], options=TeachOptions(series=named), extend=True
    ).manifest.calibration
    assert calibration.series.count("pl\\xe4tze") == 2, "the update knows it again"
    recalibrator = Recalibrator(inspector.settings, inspector.store)
    again = recalibrator.from_images("part", files[6:8], inspector.embedder, Rates(), series=named, keep_all=True)
    assert again.manifest.calibration.series == ("pl\\xe4tze",) * 2


def test_held_out_series_count_once_and_new_rates_keep_them(
    teacher: Teacher, inspector: Inspector, series: dict[Path, str]
) -> None:
    files = list(series)
    teacher.teach("part", files[:3], options=ALL)
    recalibrator = Recalibrator(inspector.settings, inspector.store)
    held_out = recalibrator.from_images("part", files[3:], inspector.embedder, Rates(), series=series, keep_all=True)
    calibration = held_out.manifest.calibration
    assert (calibration.count, sample_of(calibration).independent, promised(calibration)) == (6, 2, 1 / 3)
    again = recalibrator.from_known_scores("part", Rates(images=0.4)).manifest.calibration
    assert (again.series, again.scores, again.peaks) == (calibration.series, calibration.scores, calibration.peaks)
    assert (again.reachable, again.threshold <= calibration.threshold) == (True, True)
    plain = recalibrator.from_images("part", files[3:], inspector.embedder, Rates(), keep_all=True)
    assert (plain.manifest.calibration.series, promised(plain.manifest.calibration)) == ((), 0.4)
