"""Folders that the tests use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
"""The checkout."""

SHARED: Final = ROOT.parent / "shared"
"""Real data and weights that are not part of the project; tests that need them are skipped where they are missing."""


def fast_folder() -> Path | None:
    """A folder in memory, where the system has one: a thousand small banks wait for no disk there."""
    memory = Path("/dev/shm")  # noqa: S108
    return memory if memory.is_dir() and os.access(memory, os.W_OK) else None
