"""Files that are replaced as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchbank.atomic_file import replace_file


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
