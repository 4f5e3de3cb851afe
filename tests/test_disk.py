"""Full and read-only disks: the right code, the numbers, and nothing left behind."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from patchbank.disk import existing, free_bytes, is_full, require_space, write_error
from patchbank.errors import DataDirNotWritable, DiskFull, SnapshotNotWritable


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_has_a_code_of_its_own(tmp_path: Path, number: int) -> None:
    error = write_error(OSError(number, os.strerror(number)), "it cannot be written", SnapshotNotWritable, tmp_path)
    assert isinstance(error, DiskFull)
    assert (error.code, error.status) == ("disk_full", 507)
    assert error.message.startswith("it cannot be written: the disk is full, ")
    assert error.detail["free_bytes"] > 0
    assert isinstance(error, DataDirNotWritable)  # whoever goes on without writing does so here too


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EIO])
def test_what_is_not_full_is_told_as_before(tmp_path: Path, number: int) -> None:
    failure = OSError(number, os.strerror(number))
    error = write_error(failure, "it cannot be written", SnapshotNotWritable, tmp_path)
    assert type(error) is SnapshotNotWritable
    assert error.message == f"it cannot be written: {os.strerror(number)}"
    assert not is_full(failure)


def test_space_is_asked_for_with_both_numbers(tmp_path: Path) -> None:
    free = free_bytes(tmp_path)
    assert free is not None
    require_space(tmp_path / "not" / "there", 1, "a byte")
    with pytest.raises(
        DiskFull, match=r"^a lot needs about .* MB on the disk, .* MB are free: nothing was changed"
    ) as info:
        require_space(tmp_path / "not" / "there", 2 * free, "a lot")
    assert info.value.detail["needed_bytes"] > 2 * free
    assert info.value.detail["free_bytes"] <= 2 * free


def test_the_disk_of_a_folder_to_come_is_that_of_the_nearest_one(tmp_path: Path) -> None:
    assert existing(tmp_path / "a" / "b") == tmp_path
    (tmp_path / "file").touch()
    assert existing(tmp_path / "file" / "b") == tmp_path


def test_a_system_that_does_not_say_is_not_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(path: Path) -> None:
        raise OSError(errno.ENOSYS, "no")

    monkeypatch.setattr("patchbank.disk.shutil.disk_usage", silent)
    assert free_bytes(tmp_path) is None
    require_space(tmp_path, 10**18, "a lot")
