"""Graphs over small parts, so that the engine's files and its process are attacked with few pictures, too."""

from __future__ import annotations

from typing import Final

from patchbank.bank.edge import graph

FROM: Final = 3_000
"""Patches of a part; the attack's classes are taught from six pictures of 1,024, or more."""


def build() -> None:
    """Let this process build a graph over parts of ``FROM`` patches and more."""
    setattr(graph, "INDEX_FROM", FROM)  # noqa: B010 - it is final for everyone else
