"""A folder's files are told apart by their content: pictures, pictures that are not read, and the rest."""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from patchbank.errors import NoReferences, UndecodableImage
from patchbank.images import read_image
from patchbank_indexer.datasets.dataset import ClassData, with_masks
from patchbank_indexer.datasets.files import find_images, holds_pictures, left_out_below, pictures
from tests.helpers.pictures import picture, png

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def saved(path: Path, kind: str) -> Path:
    out = io.BytesIO()
    picture(1, (16, 16)).save(out, kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(out.getvalue())
    return path


def names(files: object) -> list[str]:
    assert isinstance(files, (list, tuple))
    return [file.name for file in files]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("part.jfif", "JPEG"),
        ("part.jpe", "JPEG"),
        ("part.dib", "DIB"),
        ("part.ppm", "PPM"),
        ("part.jp2", "JPEG2000"),
        ("part.avif", "AVIF"),
        ("part", "PNG"),
        ("part.txt", "TIFF"),
        ("part.0001", "BMP"),
        ("PART.PNG", "WEBP"),
        ("part.jpg", "GIF"),
    ],
)
def test_a_picture_is_found_and_read_whatever_it_is_called(tmp_path: Path, name: str, kind: str) -> None:
    file = saved(tmp_path / "in" / name, kind)
    asked = find_images([tmp_path / "in"])
    assert asked.images == [file]
    assert asked.left_out.files == ()
    assert pictures(tmp_path / "in") == [file]
    assert read_image(file).size == (16, 16)


def test_the_rest_is_named_once_per_kind_with_numbers(tmp_path: Path) -> None:
    saved(tmp_path / "part.png", "PNG")
    for name in ("a.txt", "b.csv", "Thumbs.db", "manual.pdf", "BMW parts.txt"):
        (tmp_path / name).write_bytes({"manual.pdf": b"%PDF-1.7", "BMW parts.txt": b"BMW"}.get(name, b"text"))
    for number in range(2):
        (tmp_path / f"{number}.heic").write_bytes(HEIC)
    (tmp_path / "iphone.jpg").write_bytes(HEIC)
    saved(tmp_path / "camera.nef", "TIFF")
    (tmp_path / ".hidden.png").write_bytes(png(1))
    (tmp_path / "wrong.png").write_text("no picture, though it says so")
    asked = find_images([tmp_path])
    assert names(asked.images) == ["part.png", "wrong.png"]
    lines = sorted(asked.left_out.lines())
    assert lines[0] == (
        "left out 1 file of a format that is not read, raw photograph (NEF): camera.nef; develop it, and save the "
        "result as TIFF or PNG"
    )
    assert lines[1].startswith(
        "left out 3 files of a format that is not read, HEIC (HEIF): 0.heic, 1.heic, iphone.jpg; save it as JPEG or PNG"
    )
    assert lines[2] == "left out 5 files that are no images: BMW parts.txt, Thumbs.db, a.txt, ..."
    assert asked.left_out.hides_images
    assert len(asked.left_out.as_list()) == 9


def test_a_text_beside_the_pictures_hides_none(tmp_path: Path) -> None:
    saved(tmp_path / "part.png", "PNG")
    (tmp_path / "README.txt").write_text("hello")
    left_out = find_images([tmp_path]).left_out
    assert left_out.lines() == ["left out 1 file that is no image: README.txt"]
    assert not left_out.hides_images


def test_linked_folders_are_searched_each_once_and_rings_end(tmp_path: Path) -> None:
    own = saved(tmp_path / "in" / "z" / "a.png", "PNG")
    saved(tmp_path / "elsewhere" / "deep" / "b.png", "PNG")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "in" / "again").symlink_to(tmp_path / "in" / "z", target_is_directory=True)
    (tmp_path / "in" / "ring").symlink_to(tmp_path / "in", target_is_directory=True)
    (tmp_path / "in" / "z" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "elsewhere" / "deep" / "back").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    asked = find_images([tmp_path / "in"])
    assert asked.images == [tmp_path / "in" / "link" / "deep" / "b.png", own]
    assert holds_pictures(tmp_path / "in")


@pytest.fixture
def special(tmp_path: Path) -> Iterator[Path]:
    """A folder with a picture, a pipe, a socket, a device and a link to nothing."""
    folder = tmp_path / "in"
    saved(folder / "part.png", "PNG")
    os.mkfifo(folder / "pipe.png")
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "gone.png").symlink_to(tmp_path / "nowhere")
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as opened:
        os.chdir(folder)  # a socket's path may have 108 bytes only
        try:
            opened.bind("socket.png")
        finally:
            os.chdir(here)
        yield folder


def test_pipes_devices_and_sockets_are_named_and_never_opened(special: Path) -> None:
    asked = find_images([special])
    assert names(asked.images) == ["part.png"]
    assert asked.left_out.lines() == [
        "left out 3 files, no regular file: device.png, pipe.png, socket.png",
        "left out 1 file, a link to nothing: gone.png",
    ]
    assert names(pictures(special)) == ["part.png"]
    for name in ("pipe.png", "device.png", "socket.png"):
        with pytest.raises(UndecodableImage, match="a pipe, a device or a socket"):
            read_image(special / name)


def test_what_cannot_be_opened_may_be_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path / "part.png", "PNG")
    locked, opened = saved(tmp_path / "locked.png", "PNG"), os.open

    def refuse(path: Path, flags: int) -> int:
        if path == locked:
            raise PermissionError(13, "Permission denied")
        return opened(path, flags)

    monkeypatch.setattr("patchbank.regular_file.os.open", refuse)
    left_out = find_images([tmp_path]).left_out
    assert left_out.lines() == ["left out 1 file, cannot be opened (Permission denied): locked.png"]
    assert left_out.hides_images


def test_a_folder_without_pictures_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "one.heic").write_bytes(HEIC)
    with pytest.raises(NoReferences, match=r"holds no images that can be read: left out 1 file .* HEIC .*one\.heic"):
        find_images([tmp_path])
    with pytest.raises(NoReferences, match="does not exist"):
        find_images([tmp_path / "missing"])
    assert not holds_pictures(tmp_path)
    assert pictures(tmp_path / "missing") == []
    assert left_out_below([tmp_path]).hides_images


def test_a_file_that_is_named_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".hidden.txt").write_text("hello")
    assert find_images([tmp_path / ".hidden.txt"]).images == [tmp_path / ".hidden.txt"]


def test_masks_of_classes_are_found_by_content_too(tmp_path: Path) -> None:
    Image.new("L", (4, 4), 255).save(tmp_path / "bolt", "PNG")
    (data,) = with_masks([ClassData("bolt", (), ())], tmp_path)
    assert data.roi == tmp_path / "bolt"
