"""What killed processes left in a data directory beside the banks, which see to theirs: unfinished files."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from patchbank.atomic_file import clear_interrupted, sweep_folders

_FOLDERS: Final = ("models", "originals/*", "jobs/*")
"""Folders that are Patchbank's own."""

_FILES: Final = ("backbone.json",)
"""Files in the data directory itself, where anything else may lie too."""

_TRANSFERS: Final = ("models/.pull-*", "models/.export-*")
"""Folders of models on their way."""

_QUIET_S: Final = 3600.0
"""Seconds in which whoever brings a model writes something."""


def sweep_leftovers(data_dir: Path) -> None:
    """Remove them, as far as nobody is writing them and they can be removed. Raises nothing."""
    with suppress(OSError):
        sweep_folders(folder for pattern in _FOLDERS for folder in data_dir.glob(pattern))
        for name in _FILES:
            clear_interrupted(data_dir / name)
        for pattern in _TRANSFERS:
            for folder in data_dir.glob(pattern):
                if folder.is_dir() and not folder.is_symlink() and time.time() - _last_written(folder) > _QUIET_S:
                    shutil.rmtree(folder, ignore_errors=True)


def _last_written(folder: Path) -> float:
    return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
