"""Tests of embedding run the graph, however often they show it the same picture."""

from __future__ import annotations

import pytest

from patchbank.embedding.session import OnnxSession

_RUN = OnnxSession.run


@pytest.fixture(autouse=True)
def _no_remembered_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OnnxSession, "run", _RUN)
