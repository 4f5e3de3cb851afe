"""The layouts of published data sets are read as their authors meant them."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchbank.errors import InvalidClassName, NoReferences
from patchbank_indexer.datasets.dataset import ClassData, some
from patchbank_indexer.datasets.layouts import LAYOUTS, NAMES, SPLIT_FILE, find_classes, survey

VISA = """object,split,label,image,mask
candle,train,normal,candle/Data/Images/Normal/0.JPG,
candle,train,normal,candle/Data/Images/Normal/1.JPG,
candle,test,normal,candle/Data/Images/Normal/2.JPG,
candle,test,anomaly,candle/Data/Images/Anomaly/0.JPG,candle/Data/Masks/Anomaly/0.png
"""

TREES = {
    "mvtec": """train/good/0.png train/good/1.png test/good/0.png test/crack/0.png ground_truth/crack/0_mask.png
        test/good/notes.txt test/crack/.hidden.png""",
    "btad": """train/ok/0.bmp train/ok/1.bmp test/ok/0.bmp test/ko/0.bmp ground_truth/ko/0.png""",
    "mvtec3d": """train/good/rgb/0.png train/good/rgb/1.png train/good/xyz/0.tiff validation/good/rgb/7.png
        test/good/rgb/0.png test/good/gt/0.png test/hole/rgb/0.png test/hole/gt/0.png test/hole/xyz/0.tiff""",
    "mvtec2": """train/good/0_regular.png train/good/1_regular.png validation/good/7_regular.png test_private/0.png
        test_public/good/0_regular.png test_public/bad/0_overexposed.png
        test_public/ground_truth/bad/0_overexposed_mask.png""",
    "folders": """good/0.png good/1.png good/2.png bad/0.png ground_truth/bad/0.png""",
    "lookout": """train/normal/0.png train/normal/1.png train/anomaly/2.png test/normal/0.png test/anomaly/0.png
        ground_truth/anomaly/0.png""",
    "lookout-flat": """normal/0.png normal/1.png normal/2.png anomaly/0.png ground_truth/anomaly/0.png""",
}

WHOLE = ("folders", "lookout-flat")
"""Layouts in which a kind's pictures lie together, whatever they are for."""

VARIANTS = {"lookout": "mvtec-normal", "lookout-flat": "folders-normal"}
"""What a survey calls layouts that it knew as variants of others."""


def plant(folder: Path, names: str) -> None:
    for name in names.split():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def shape(data: ClassData) -> tuple[int, int, list[tuple[bool, bool]]]:
    tests = sorted((image.defective, image.mask is not None) for image in data.tests)
    return len(data.references), len(data.validation), tests


@pytest.mark.parametrize("layout", TREES)
@pytest.mark.parametrize("asked", ["auto", "by name"])
def test_each_layout_is_read_by_name_and_recognised(tmp_path: Path, layout: str, asked: str) -> None:
    for name in ("01", "pipe_fryum"):
        plant(tmp_path / name, TREES[layout])
    found, classes = find_classes(tmp_path, "auto" if asked == "auto" else layout)
    assert found == layout
    assert [data.name for data in classes] == ["01", "pipe_fryum"]
    references, validation, tests = shape(classes[0])
    halved = layout in WHOLE
    good = 2 if halved else 1
    assert (references, validation) == (1 if halved else 2, layout in ("mvtec3d", "mvtec2"))
    assert tests == [(False, False)] * good + [(True, True)]
    masks = [image.mask for image in classes[0].tests if image.mask]
    assert all(mask.is_file() for mask in masks)


def test_visa_s_own_table_is_followed(tmp_path: Path) -> None:
    (tmp_path / "split_csv").mkdir()
    (tmp_path / SPLIT_FILE).write_text(VISA)
    layout, (candle,) = find_classes(tmp_path)
    assert (layout, candle.name, shape(candle)) == ("visa", "candle", (2, 0, [(False, False), (True, True)]))
    assert candle.references[1] == tmp_path / "candle/Data/Images/Normal/1.JPG"
    (tmp_path / SPLIT_FILE).write_text("object,split\ncandle,train\n")
    with pytest.raises(NoReferences, match="no column"):
        find_classes(tmp_path)


def test_visa_turned_into_mvtec_layout_has_masks_of_the_same_name(tmp_path: Path) -> None:
    plant(tmp_path / "pcb1", "train/good/0.JPG test/good/1.JPG test/bad/2.JPG ground_truth/bad/2.png")
    layout, (data,) = find_classes(tmp_path)
    assert (layout, shape(data)[2]) == ("mvtec", [(False, False), (True, True)])


def test_the_root_may_be_a_class_and_classes_can_be_chosen(tmp_path: Path) -> None:
    for name in ("a", "b"):
        plant(tmp_path / name, TREES["mvtec"])
    plant(tmp_path / "broken", "train/good/0.png test/good/readme.txt")
    assert [data.name for data in find_classes(tmp_path / "b")[1]] == ["b"]
    assert [data.name for data in find_classes(tmp_path, "auto", ["b"])[1]] == ["b"]
    with pytest.raises(NoReferences, match="broken: no test images"):
        find_classes(tmp_path)
    with pytest.raises(NoReferences, match="no class c below"):
        find_classes(tmp_path, "auto", ["c"])


def test_a_root_that_is_none_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoReferences, match="is not a folder"):
        find_classes(tmp_path / "missing")
    with pytest.raises(NoReferences, match=r"docs/evaluate\.md"):
        find_classes(tmp_path)
    plant(tmp_path / "a", TREES["mvtec"])
    with pytest.raises(NoReferences, match="in the layout btad"):
        find_classes(tmp_path, "btad")
    plant(tmp_path / "not a class name", TREES["mvtec"])
    with pytest.raises(InvalidClassName):
        find_classes(tmp_path)


def test_a_sample_is_the_same_every_time_and_of_both_kinds(tmp_path: Path) -> None:
    names = " ".join(f"train/good/{n}.png test/good/{n}.png test/crack/{n}.png" for n in range(20))
    plant(tmp_path / "a", names)
    (data,) = find_classes(tmp_path)[1]
    sample = data.sample(5, 3)
    assert sample == data.sample(5, 3)
    assert (len(sample.references), [image.defective for image in sample.tests]) == (5, [False] * 3 + [True] * 3)
    assert sample.references != data.references[:5]
    assert set(data.sample(None, None).tests) == set(data.tests)
    assert some([1, 2, 3], 9, 0) == [1, 2, 3]


def test_every_layout_has_a_name_the_command_knows() -> None:
    assert {*LAYOUTS, "auto", "visa", "lookout-manifest"} == set(NAMES)


@pytest.mark.parametrize("layout", TREES)
def test_a_survey_takes_all_there_is(tmp_path: Path, layout: str) -> None:
    plant(tmp_path / "a<b", TREES[layout])
    found, (data,) = survey(tmp_path)
    assert (found, data.name) == (VARIANTS.get(layout, layout), "a<b")
    references, validation, tests = shape(data)
    whole = layout in WHOLE
    assert (references, validation) == (3 if whole else 2, layout in ("mvtec3d", "mvtec2"))
    assert tests == ([] if whole else [(False, False)]) + [(True, True)]


@pytest.mark.parametrize(
    ("names", "layout", "good", "expected"),
    [
        ("train/good/0.png test/good/note.txt", "mvtec", "good", (1, 0, [])),
        (
            "train/normal/0.png test/normal/1.png test/x/2.png",
            "mvtec-normal",
            "normal",
            (1, 0, [(False, False), (True, False)]),
        ),
        ("train/0.png test/good/1.png", "mvtec-flat", "good", (1, 0, [(False, False)])),
        ("nominal/0.png local/1.png global/2.png", "folders-nominal", "nominal", (1, 0, [(True, False)] * 2)),
        ("OK/0.png scratch/deep/1.png", "kinds", "OK", (1, 0, [(True, False)])),
        ("left/0.png right/1.png", "kinds", "good", (0, 0, [(True, False)] * 2)),
        ("0.png deep/1.png", "images", "good", (2, 0, [])),
    ],
)
def test_a_survey_needs_nothing_complete_and_knows_other_names(
    tmp_path: Path, names: str, layout: str, good: str, expected: tuple[int, int, list[tuple[bool, bool]]]
) -> None:
    plant(tmp_path / "part", names)
    found, (data,) = survey(tmp_path / "part")
    assert (found, data.good) == (layout, good)
    assert shape(data) == expected


def test_a_survey_of_visa_follows_its_table_and_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    (tmp_path / "split_csv").mkdir()
    (tmp_path / SPLIT_FILE).write_text(VISA)
    layout, (candle,) = survey(tmp_path)
    assert (layout, candle.good, shape(candle)) == ("visa", "normal", (2, 0, [(False, False), (True, True)]))
    (tmp_path / SPLIT_FILE).write_text("object,split\ncandle,train\n")
    with pytest.raises(NoReferences, match="no column"):
        survey(tmp_path)
