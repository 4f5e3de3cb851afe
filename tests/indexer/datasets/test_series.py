"""``--group-by``: how pictures are named to be of a series."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchbank.errors import InvalidParameters
from patchbank.teaching.series import Grouping, check_several, series_line
from patchbank_indexer.datasets.series import series_below


def files(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def named(rule: str, given: list[Path], listed: list[Path]) -> list[str | None]:
    series = series_below(rule, given, listed)
    return [series.get(file) for file in listed]


def test_the_first_group_or_else_the_whole_match_names_the_series(tmp_path: Path) -> None:
    listed = files(tmp_path, "p1-0.png", "p1-1.png", "p2-0.png", "other.png")
    assert named(r"p\d", [tmp_path], listed) == ["p1", "p1", "p2", None]
    assert named(r"p(\d)-(\d)", [tmp_path], listed) == ["1", "1", "2", None]
    assert named(r"(x)?p\d|other", [tmp_path], [*listed, *files(tmp_path, "xp3.png")]) == [None] * 4 + ["x"]


def test_the_path_below_what_was_given_is_searched_and_no_folder_above(tmp_path: Path) -> None:
    folder = tmp_path / "part7"
    listed = files(folder, "part1/a.png", "part1/b.png", "part2/deep/a.png", "c.png")
    assert named(r"part\d", [folder], listed) == ["part1", "part1", "part2", None]
    assert named(r"^part1/", [folder], listed) == ["part1/", "part1/", None, None]
    assert named(r"^c", listed, listed) == [None, None, None, "c"], "of a file its name alone"
    manifest = folder / "train.manifest"
    manifest.touch()
    assert named(r"part\d", [manifest], listed) == ["part1", "part1", "part2", None]


def test_a_folder_names_the_series_alike_whether_it_or_its_parent_was_given(tmp_path: Path) -> None:
    listed = files(tmp_path, "one/a.png", "one/b.png", "two/in/a.png")
    assert named("folder", [tmp_path], listed) == ["one", "one", "two/in"]
    assert named("folder", [tmp_path / "one"], listed[:2]) == ["one", "one"]
    assert named("folder", listed[:2], listed[:2]) == ["one", "one"]


def test_what_matches_nothing_or_is_no_pattern_is_an_error(tmp_path: Path) -> None:
    listed = files(tmp_path, "a.png", "b.png")
    with pytest.raises(InvalidParameters, match=r"matches none of 2 pictures, such as a\.png, b\.png"):
        named("part", [tmp_path], listed)
    with pytest.raises(InvalidParameters, match="no regular expression"):
        Grouping("(")
    with pytest.raises(InvalidParameters, match="matches none"):
        named("x*", [tmp_path], listed)


def test_series_are_counted_and_one_alone_is_an_error(tmp_path: Path) -> None:
    listed = files(tmp_path, "p1-0.png", "p1-1.png", "p2-0.png", "other.png")
    series = series_below(r"p\d", [tmp_path], listed)
    line = "4 pictures in 3 series, 1 of which without a match, so each a series of its own"
    assert series_line(series, listed) == line
    assert series_line(series, listed[:3]) == "3 pictures in 2 series"
    check_several(series, listed)
    check_several(series, listed[:1])
    with pytest.raises(InvalidParameters, match="all 2 pictures are of one series, 'p1'"):
        check_several(series, listed[:2])
