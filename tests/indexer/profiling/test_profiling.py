"""A profile tells what a data set is made of, and what to be wary of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter
from typer.testing import CliRunner

from patchbank.images import ImageLimits
from patchbank_indexer.cli import app
from patchbank_indexer.profiling.measures import measure, measure_mask
from patchbank_indexer.profiling.splits import read_splits
from tests.helpers.deep_files import deep_files
from tests.helpers.html_page import HtmlPage
from tests.helpers.pictures import picture
from tests.helpers.places import SHARED

REAL = SHARED / "data" / "aws_cookie"


def make(root: Path, *, light: float = 1.0, blur: float = 0.0, references: int = 12, test: int = 8) -> Path:
    """A data set in MVTec layout: test images lit or focused otherwise, one defect of 20 x 10 pixels each."""
    for split, count, first in (("train/good", references, 0), ("test/good", test, 100), ("test/hole", 3, 200)):
        folder = root / split
        folder.mkdir(parents=True)
        for seed in range(first, first + count):
            noise = np.random.default_rng(seed).integers(0, 120, (80, 96, 3), dtype=np.uint8)
            shown = Image.blend(picture(seed), Image.fromarray(noise), 0.5)
            if split != "train/good":
                shown = ImageEnhance.Brightness(shown).enhance(light).filter(ImageFilter.GaussianBlur(blur))
            shown.save(folder / f"{seed}.png")
    truth = root / "ground_truth" / "hole"
    truth.mkdir(parents=True)
    for seed in range(200, 203):
        mask = np.zeros((80, 96), dtype=np.uint8)
        mask[10:20, 30:50] = 255
        mask[60:62, 60:62] = 255
        Image.fromarray(mask).save(truth / f"{seed}_mask.png")
    return root


def profiled(root: Path, *words: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["profile", str(root), "--json", *words])
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_counts_sizes_and_defects_are_those_of_the_files(tmp_path: Path) -> None:
    (found,) = profiled(make(tmp_path / "part"))["data_sets"]
    assert found["name"] == "part"
    assert [(split["split"], split["normal"], split["images"], split["masks"]) for split in found["splits"]] == [
        ("train/good", True, 12, 0),
        ("test/good", True, 8, 0),
        ("test/hole", False, 3, 3),
    ]
    assert found["splits"][0]["sizes"] == {"96x80": 12}
    hole = found["splits"][2]
    assert hole["defects"] == 6
    assert hole["defect_share"]["median"] == pytest.approx((200 + 4) / (96 * 80))
    assert hole["defect_pixels"]["median"] == pytest.approx((200 + 4) / 2)
    assert found["warnings"] == []
    assert found["near_duplicates"] == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"light": 0.6}, "darker"), ({"light": 1.5}, "brighter"), ({"blur": 1.5}, "less sharp")],
)
def test_a_test_split_lit_or_focused_otherwise_is_warned_of(
    tmp_path: Path, changed: dict[str, float], said: str
) -> None:
    (found,) = profiled(make(tmp_path / "part", **changed))["data_sets"]  # type: ignore[arg-type]
    assert any(text.startswith(f"test/good is {said} than the references") for text in found["warnings"])
    assert not any(text.startswith("test/hole is") for text in found["warnings"]), "defects may be dark"


def test_pictures_that_are_in_the_references_and_in_the_test_are_found(tmp_path: Path) -> None:
    root = make(tmp_path / "part")
    (root / "test" / "good" / "copy.png").write_bytes((root / "train" / "good" / "3.png").read_bytes())
    with Image.open(root / "train" / "good" / "5.png") as shown:
        ImageEnhance.Brightness(shown).enhance(1.1).save(root / "test" / "hole" / "again.jpg", quality=85)
    (found,) = profiled(root)["data_sets"]
    pairs = {(Path(twin["one"]).name, Path(twin["other"]).name, twin["identical"]) for twin in found["near_duplicates"]}
    assert pairs == {("3.png", "copy.png", True), ("5.png", "again.jpg", False)}
    assert any("near-duplicates" in text for text in found["warnings"])
    assert any("images without a defect mask: 1" in text for text in found["warnings"])


def test_the_page_holds_everything_and_needs_nothing_beside_it(tmp_path: Path) -> None:
    root = make(tmp_path / "a<b", light=0.5)
    page = tmp_path / "out" / "profile.html"
    profiled(root, "--html", str(page))
    text = page.read_text(encoding="utf-8")
    assert "a&lt;b" in text
    assert "<b" not in text.replace("<body", "")
    assert text.count("data:image/jpeg;base64,") == 3
    assert "darker than the references" in text
    assert "http" not in text
    assert "<svg" in text


def test_names_that_look_like_markup_are_shown_as_they_are(tmp_path: Path) -> None:
    root, hostile = make(tmp_path / 'a<b> & "c"'), '<script>alert("1")&\'.png'
    (root / "test" / "<i>good").mkdir()
    (root / "test" / "<i>good" / hostile).write_bytes((root / "train" / "good" / "3.png").read_bytes())
    profiled(root, "--html", "profile.html")
    page = HtmlPage(Path("profile.html").read_text(encoding="utf-8"))
    assert not {"script", "i", "b"} & set(page.names())
    assert root.name in page.text
    assert str(root / "test" / "<i>good" / hostile) in page.text, "as a near-duplicate"
    assert "test/<i>good, from the darkest" in page.text
    assert "test/<i>good" in [image["alt"] for image in page.all_of("img")]


def test_what_cannot_be_read_is_listed_and_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    root = make(tmp_path / "part")
    (root / "test" / "good" / "bad.png").write_bytes(b"")
    (found,) = profiled(root)["data_sets"]
    assert [bad["code"] for bad in found["splits"][1]["unreadable"]] == ["undecodable_image"]
    assert "test/good: files that cannot be read: 1" in found["warnings"]
    (tmp_path / "empty").mkdir()
    for wrong in (tmp_path / "empty", tmp_path / "missing", root / "train" / "good" / "1.png"):
        result = CliRunner().invoke(app, ["profile", str(wrong), "--json"])
        assert result.exit_code == 1
        assert json.loads(result.stdout)["error"]["code"] == "no_references"


def test_16_bit_files_are_measured_as_a_class_taught_from_the_references_would_read_them(tmp_path: Path) -> None:
    spread = []
    for bits in (8, 12):
        root = tmp_path / str(bits)
        for split, seeds in (("train/good", range(4)), ("test/good", range(4, 7))):
            greys = [np.asarray(picture(seed).convert("L")) for seed in seeds]
            deep_files(root / "part" / split, greys, bits)
        (data,) = profiled(root, "--html", str(root / "page.html"))["data_sets"]
        told = data["splits"]
        assert not any(split["unreadable"] for split in told)
        spread.append([(split["brightness"], split["contrast"], split["sharpness"]) for split in told])
    assert spread[0] == spread[1]


def test_layouts_are_told_apart(tmp_path: Path) -> None:
    make(tmp_path / "many" / "one")
    make(tmp_path / "many" / "two")
    assert [data.name for data in read_splits(tmp_path / "many")] == ["one", "two"]
    for kind in ("bad", "good"):
        (tmp_path / "plain" / kind).mkdir(parents=True)
        picture(1).save(tmp_path / "plain" / kind / "1.png")
    (plain,) = read_splits(tmp_path / "plain")
    assert [(split.name, split.taught) for split in plain.splits] == [("good", True), ("bad", False)]
    (flat,) = read_splits(tmp_path / "plain" / "good")
    assert [(split.name, len(split.files)) for split in flat.splits] == [("images", 1)]


def test_splits_are_named_by_role_and_kind(tmp_path: Path) -> None:
    names = ["train/good/rgb", "validation/good/rgb", "test/good/rgb", "test/hole/rgb"]
    for name in names:
        (tmp_path / "cookie" / name).mkdir(parents=True)
        picture(1).save(tmp_path / "cookie" / name / "1.png")
    (data,) = read_splits(tmp_path)
    assert [split.name for split in data.splits] == ["train/good", "validation/good", "test/good", "test/hole"]
    assert [(split.normal, split.taught) for split in data.splits] == [
        (True, True),
        (True, False),
        (True, False),
        (False, False),
    ]


def test_measures_follow_light_focus_and_clipping(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(20, 200, (200, 300, 3), dtype=np.uint8)
    made = {"plain": Image.fromarray(noise), "blurred": Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2))}
    made["white"] = Image.new("RGB", (300, 200), "white")
    found = {}
    for name, shown in made.items():
        shown.save(tmp_path / f"{name}.png")
        found[name] = measure(tmp_path / f"{name}.png", ImageLimits())
    assert found["plain"].size == (300, 200)
    assert found["plain"].brightness == pytest.approx(noise.mean(), abs=2)
    assert found["blurred"].sharpness < 0.5 * found["plain"].sharpness
    assert (found["white"].clipped, found["white"].contrast, found["white"].sharpness) == (1.0, 0.0, 0.0)
    assert measure_mask(tmp_path / "white.png", ImageLimits()).areas == (60_000,)


@pytest.mark.skipif(not REAL.is_dir(), reason="the data set is not here")
def test_a_real_data_set_is_profiled() -> None:
    (found,) = profiled(REAL)["data_sets"]
    splits = {split["split"]: split for split in found["splits"]}
    assert (splits["train/good"]["images"], splits["test/good"]["images"]) == (21, 10)
    assert splits["test/anomaly"]["masks"] == splits["test/anomaly"]["images"]
    assert 0 < splits["test/anomaly"]["defect_share"]["median"] < 0.5
