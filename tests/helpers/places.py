"""Folders that the tests use."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
"""The checkout."""

SHARED: Final = ROOT.parent / "shared"
"""Real data and weights that are not part of the project; tests that need them are skipped where they are missing."""
