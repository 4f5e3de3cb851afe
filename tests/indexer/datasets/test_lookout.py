"""Manifests and folders of Amazon Lookout for Vision: what is taught and tested, and what is named but not here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from patchbank.errors import NoReferences
from patchbank.images import ImageLimits
from patchbank_indexer.datasets.layouts import find_classes, survey
from patchbank_indexer.datasets.lookout import is_manifest, read_manifest
from patchbank_indexer.datasets.masks import defect_pixels
from patchbank_indexer.datasets.normal_images import find_normal_images
from tests.helpers.lookout import BUCKET, COLOURS, anomalous, line, manifest
from tests.helpers.pictures import png

TREE = ("train/normal/1.png", "train/normal/2.png", "test/normal/1.png", "test/anomaly/1.png", "mask-images/1.png")


@pytest.fixture
def cookie(tmp_path: Path) -> Path:
    """A folder ``cookie`` with pictures, and no manifest yet."""
    for seed, name in enumerate(TREE):
        file = tmp_path / "cookie" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(seed, (16, 16)))
    return tmp_path / "cookie"


def test_a_manifest_is_known_by_its_first_line_whatever_it_is_called(tmp_path: Path) -> None:
    file = manifest(tmp_path / "output.txt", line("1.png"))
    assert is_manifest(file)
    file.write_bytes("\ufeff".encode() + file.read_bytes())
    assert is_manifest(file)
    assert read_manifest(file).left_out[0].path == Path(BUCKET) / "1.png"
    for content in (b"", b"source-ref", b'{"classes": []}', png(1), b"{" * 100_000):
        file.write_bytes(content)
        assert not is_manifest(file)
    assert not is_manifest(tmp_path)
    assert not is_manifest(tmp_path / "missing")


def test_a_picture_is_the_file_whose_path_ends_alike_and_never_one_of_another_folder(cookie: Path) -> None:
    names = ("cookie/train/normal/1.png", "test/normal/1.png", "cookie/train/normal/3.png", "train/anomaly/1.png")
    read = read_manifest(manifest(cookie / "all.manifest", *map(line, names)))
    assert [image.file for image in read.images] == [cookie / "train/normal/1.png", cookie / "test/normal/1.png"]
    assert [bad.path.name for bad in read.left_out] == ["3.png", "1.png"]
    assert all(bad.maybe_image for bad in read.left_out)
    assert read.left_out[0].kind == "named in all.manifest, but not found"


@pytest.mark.parametrize("place", ["manifests/all.manifest", "all.manifest"])
def test_a_manifest_may_lie_in_a_folder_beside_the_pictures(cookie: Path, place: str) -> None:
    read = read_manifest(manifest(cookie / place, line("x/train/normal/2.png"), line("../../etc/passwd")))
    assert [image.file.resolve() for image in read.images] == [cookie / "train/normal/2.png"]
    assert len(read.left_out) == 1


def test_two_names_for_one_file_are_both_left_out(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(png(1))
    (tmp_path / "2.png").write_bytes(png(2))
    lines = line("normal/1.png"), line("anomaly/1.png", "anomaly"), line("normal/2.png"), line("normal/2.png")
    read = read_manifest(manifest(tmp_path / "all.manifest", *lines))
    assert [image.file.name for image in read.images] == ["2.png"]
    assert len(read.left_out) == 2


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"anomaly-label": 1, "anomaly-label-metadata": {"class-name": "normal"}}, "normal"),
        ({"anomaly-label": 0, "anomaly-label-metadata": {"class-name": "Anomaly"}}, "anomaly"),
        ({"my-job": 3, "my-job-metadata": {"class-name": "scratch"}}, "scratch"),
        ({"anomaly-label": 0}, "normal"),
        ({"anomaly-label": 1}, "anomaly"),
        ({"anomaly-label": 7}, None),
        ({"anomaly-label": 0, "anomaly-label-metadata": {"class-name": ["normal"]}}, "normal"),
        ({}, None),
    ],
)
def test_the_class_name_decides_and_the_number_only_without_one(
    cookie: Path, fields: dict[str, Any], label: str | None
) -> None:
    file = cookie / "all.manifest"
    file.write_text(json.dumps({"source-ref": f"s3://{BUCKET}/train/normal/1.png", **fields}))
    read = read_manifest(file)
    assert [(image.kind, image.defective) for image in read.images] == (
        [] if label is None else [(label, label != "normal")]
    )
    assert [bad.kind for bad in read.left_out] == (["without a label in all.manifest"] if label is None else [])


def test_a_mask_marks_its_own_colours_on_white_and_a_missing_one_is_named(cookie: Path) -> None:
    drawn = np.full((16, 16, 3), 255, np.uint8)
    drawn[2:5, 3:9] = (44, 160, 44)
    drawn[10:12, 3:9] = (30, 118, 180)  # a level beside that of the manifest
    Image.fromarray(drawn).quantize(4).save(cookie / "mask-images/1.png")
    lines = anomalous("test/anomaly/1.png", "mask-images/1.png"), anomalous("train/normal/1.png", "mask-images/2.png")
    read = read_manifest(manifest(cookie / "all.manifest", *lines))
    (image, other) = read.images
    assert image.mask == cookie / "mask-images/1.png"
    assert image.colours == COLOURS
    marked = defect_pixels(image.mask, ImageLimits(), image.colours)
    np.testing.assert_array_equal(marked, (drawn != 255).any(axis=2))
    assert other.mask is None
    assert [bad.kind for bad in read.left_out] == ["a mask named in all.manifest, but not found"]


def test_a_line_that_is_none_is_named_with_its_number(tmp_path: Path) -> None:
    file = manifest(tmp_path / "all.manifest", line("1.png"))
    for bad, said in (("{", "no JSON"), ("[]", "source-ref"), ('{"a": 1}', "source-ref"), ("[" * 100_000, "no JSON")):
        file.write_text(json.dumps({"source-ref": "1.png"}) + f"\n\n{bad}\n")
        with pytest.raises(NoReferences, match=f"line 3: no .*{said.removeprefix('no ')}"):
            read_manifest(file)


def test_two_manifests_teach_and_test_and_one_does_both(cookie: Path) -> None:
    train, gone = ([line(f"train/normal/{n}.png") for n in (1, 2)], line("train/normal/9.png"))
    test = [line("test/normal/1.png"), anomalous("test/anomaly/1.png", "mask-images/1.png")]
    manifest(cookie / "train.manifest", *train, gone, line("test/anomaly/1.png", "anomaly"))
    manifest(cookie / "test.manifest", *test)
    for root in (cookie, cookie.parent):
        layout, (data,) = find_classes(root)
        assert (layout, data.name, len(data.references), data.good) == ("lookout-manifest", "cookie", 2, "normal")
        assert [(image.kind, image.mask is not None) for image in data.tests] == [("normal", False), ("anomaly", True)]
        assert [bad.path.name for bad in data.left_out] == ["9.png"]
        assert survey(root)[1][0].references == data.references
    manifest(cookie / "more.manifest", *train, *test)
    _, (data,) = find_classes(cookie / "more.manifest")
    assert (data.name, len(data.references), [image.defective for image in data.tests]) == (
        "cookie",
        1,
        [False, False, True],
    )
    assert not set(data.references) & {image.file for image in data.tests}
    assert len(find_classes(cookie / "more.manifest", purpose="judge")[1][0].tests) == 4
    (cookie / "train.manifest").unlink()
    with pytest.raises(NoReferences, match=r"several manifests: more\.manifest, test\.manifest"):
        find_classes(cookie)


def test_only_normal_pictures_are_taught_from_manifests_and_folders(cookie: Path) -> None:
    file = manifest(cookie / "a.manifest", line("train/normal/1.png"), line("test/anomaly/1.png", "anomaly"))
    asked = find_normal_images([file])
    assert asked.images == [cookie / "train/normal/1.png"]
    assert asked.left_out.lines() == ["left out 1 file, labelled as anomalous in a.manifest: 1.png"]
    file.unlink()
    asked = find_normal_images([cookie])
    assert asked.images == [cookie / "train/normal/1.png", cookie / "train/normal/2.png"]
    assert len(asked.left_out.files) == 3
    (cookie / "train").rename(cookie.parent / "elsewhere")
    asked = find_normal_images([cookie / "test"])
    assert asked.images == [cookie / "test/normal/1.png"]
    assert asked.left_out.lines() == ["left out 1 file, in a folder anomaly beside a folder normal: 1.png"]
    assert find_normal_images([cookie / "test/anomaly"]).images == [cookie / "test/anomaly/1.png"]
    only = manifest(cookie / "b.manifest", line("test/anomaly/1.png", "anomaly"))
    with pytest.raises(NoReferences, match="names no normal picture that is here: left out 1 file, labelled as"):
        find_normal_images([only])
