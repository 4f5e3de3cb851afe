"""Folders that hold what is no regular file: told of, never waited for."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from patchbank.errors import NoReferences
from patchbank.regular_file import open_regular, read_regular
from patchbank_indexer.datasets.files import files_below, find_images, pictures
from patchbank_indexer.datasets.layouts import find_classes
from patchbank_indexer.datasets.lookout import is_manifest, manifests_by_class
from tests.helpers.pictures import png

pytestmark = pytest.mark.skipif(os.name != "posix", reason="such files are POSIX's")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One picture among all that is none."""
    inside = tmp_path / "in"
    inside.mkdir()
    (inside / "good.png").write_bytes(png(1))
    os.mkfifo(inside / "pipe.png")
    (inside / "zero.png").symlink_to("/dev/zero")
    (inside / "random.png").symlink_to("/dev/random")
    (inside / "nothing.png").symlink_to("nowhere")
    (inside / "circle.png").symlink_to("circle.png")
    (inside / "up").symlink_to("..")
    (inside / "folder.png").mkdir()
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(inside)  # the name of a socket is short
        bound.bind("socket.png")
        os.chdir(here)
    return inside


def test_each_is_left_out_and_told(folder: Path) -> None:
    found = find_images([folder])
    assert [image.name for image in found.images] == ["good.png"]
    told = {bad.path.name: bad.kind for bad in found.left_out.files}
    assert told == {
        "pipe.png": "no regular file",
        "zero.png": "no regular file",
        "random.png": "no regular file",
        "socket.png": "no regular file",
        "nothing.png": "a link to nothing",
        "circle.png": "cannot be opened (Too many levels of symbolic links)",
    }
    assert [image.name for image in pictures(folder)] == ["good.png"]
    assert len(list(files_below(folder))) == 7


def test_none_of_them_is_a_manifest(folder: Path) -> None:
    for file in folder.iterdir():
        file.replace(file.with_suffix(".manifest"))
    assert not any(is_manifest(file) for file in folder.iterdir())
    assert manifests_by_class(folder) == {}


def test_a_file_larger_than_any_such_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="more than 1 MB"):
        read_regular(tmp_path / "sparse", 1_000_000)
    (tmp_path / "exact").write_bytes(bytes(1_000_000))
    assert len(read_regular(tmp_path / "exact", 1_000_000)) == 1_000_000
    assert read_regular(Path(__file__), 1 << 20) == Path(__file__).read_bytes()


def test_what_is_no_name_of_a_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    for name in ("a\0b", "x" * 5_000):
        with pytest.raises(OSError, match=r"no name|too long"):
            open_regular(tmp_path / name)


def test_a_list_never_leads_out_of_its_data_set(tmp_path: Path) -> None:
    (tmp_path / "split_csv").mkdir()
    for place in ("/etc/hostname", "../other/1.png", "a/../../b.png", "a\0b"):
        rows = f"object,split,label,image,mask\npart,train,normal,{place},\n"
        (tmp_path / "split_csv" / "1cls.csv").write_text(rows)
        with pytest.raises(NoReferences, match=r"row 2: .* leads out of the data set"):
            find_classes(tmp_path)


def test_a_list_with_short_rows_is_no_other_error(tmp_path: Path) -> None:
    (tmp_path / "split_csv").mkdir()
    (tmp_path / "split_csv" / "1cls.csv").write_text("object,split,label,image,mask\npart\n\n")
    with pytest.raises(NoReferences):
        find_classes(tmp_path)
