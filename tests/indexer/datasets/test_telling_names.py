"""Folders that say they hold defects are named; others, also those that only sound like it, are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchbank.errors import InvalidParameters
from patchbank.teaching.telling_names import refuse_telling, telling_folders
from patchbank_indexer.datasets.telling_names import folders_of


@pytest.mark.parametrize(
    "name", ["defect", "Defective", "test", "ground_truth", "NG", "not-ok_bad", "masks", "labels", "anomaly", "gt"]
)
def test_a_folder_that_says_defect_is_named_with_its_number_of_files(tmp_path: Path, name: str) -> None:
    root = tmp_path / "data"
    (root / name).mkdir(parents=True)
    files = [root / name / "a.png", root / name / "b.png", root / "c.png"]
    assert telling_folders(folders_of([root], files)) == {name: 2}
    assert telling_folders(folders_of([root / name], files[:2])) == {name: 2}, "the folder that is given itself"
    with pytest.raises(InvalidParameters, match="--yes"):
        refuse_telling(folders_of([root], files))


@pytest.mark.parametrize("name", ["good", "train", "contest", "badge", "labelled_ok", "engine", "crack_free"])
def test_a_folder_that_only_sounds_like_it_is_taken(tmp_path: Path, name: str) -> None:
    root = tmp_path / "data"
    (root / name).mkdir(parents=True)
    assert telling_folders(folders_of([root], [root / name / "a.png"])) == {}


def test_folders_above_the_given_one_do_not_count(tmp_path: Path) -> None:
    good = tmp_path / "test" / "good"
    good.mkdir(parents=True)
    assert telling_folders(folders_of([good], [good / "a.png"])) == {}
