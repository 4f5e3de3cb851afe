"""Files that are replaced as a whole."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from patchbank.atomic_file import replace_file, replacing, sweep_folders

fcntl = pytest.importorskip("fcntl")


def test_a_replaced_file_is_whole_and_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    replace_file(path, "first")
    replace_file(path, "ünï")
    assert path.read_text(encoding="utf-8") == "ünï"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_replacement_that_fails_leaves_the_old_text_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.json"
    replace_file(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("patchbank.atomic_file.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def leave_one(path: Path, *, held: bool = False) -> int:
    """What a replacement of ``path`` leaves where it is killed; a process that still writes it has it ``held``."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    os.write(handle, b"half")
    if held:
        fcntl.flock(handle, fcntl.LOCK_EX)
        return handle
    os.close(handle)
    assert Path(name).exists()
    return -1


def hidden(folder: Path) -> int:
    return sum(file.name.startswith(".") for file in folder.iterdir())


def test_the_next_replacement_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    path = tmp_path / "a[1].json"
    leave_one(path)
    leave_one(tmp_path / "a[1].json-more")  # of another file
    (tmp_path / ".a[1].json-mine").touch()  # of nobody
    replace_file(path, "new")
    assert hidden(tmp_path) == 2
    assert path.read_text() == "new"


def test_what_another_process_writes_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    handle = leave_one(path, held=True)
    replace_file(path, "new")
    sweep_folders([tmp_path])
    assert hidden(tmp_path) == 1
    os.close(handle)
    sweep_folders([tmp_path, tmp_path / "not there"])
    assert hidden(tmp_path) == 0
    assert path.read_text() == "new"


def test_a_file_that_is_swept_before_it_is_locked_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock, calls = fcntl.flock, 0

    def swept_first(handle: int, how: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            next(file for file in tmp_path.iterdir() if file.name.startswith(".")).unlink()
        flock(handle, how)

    monkeypatch.setattr("patchbank.atomic_file.fcntl.flock", swept_first)
    replace_file(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_sweeping_leaves_alone_what_no_replacement_made(tmp_path: Path) -> None:
    for name in (".hidden", ".git-ignored", "plain-abcdefgh", ".-abcdefgh", ".UPPER-ABCDEFGH"):
        (tmp_path / name).touch()
    (tmp_path / ".folder-abcdefgh").mkdir()
    (tmp_path / "elsewhere").touch()
    (tmp_path / ".link-abcdefgh").symlink_to(tmp_path / "elsewhere")
    sweep_folders([tmp_path])
    assert len(list(tmp_path.iterdir())) == 8


def test_a_device_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path(os.devnull)):
        with pytest.raises(OSError, match="no file"), replacing(path):
            pass
    assert [file.name for file in tmp_path.iterdir()] == ["pipe"]


def test_the_longest_name_can_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 127)
    replace_file(path, "text")
    leave_one(tmp_path / ("ü" * 100))
    replace_file(path, "new")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
