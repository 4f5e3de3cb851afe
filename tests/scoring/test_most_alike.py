"""The most similar patches of another image are those that comparing with all of them finds."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from patchbank.scoring import most_alike
from patchbank.scoring.most_alike import MostAlike, rows_graph
from tests.helpers.banks import unit


def test_many_patches_are_compared_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    patches, other = unit(rng.normal(size=(50, 12))), unit(rng.normal(size=(30, 12)))
    alike = patches @ other.T
    for at_once in (1, 70, 1 << 20):
        monkeypatch.setattr(most_alike, "_AT_ONCE", at_once)
        assert MostAlike().similarity(patches, other.T) == pytest.approx(alike.max(axis=1), abs=1e-6)
        assert MostAlike().places(patches, other.T).tolist() == alike.argmax(axis=1).tolist()


def test_of_equal_ones_the_first_is_told() -> None:
    patches = unit(np.ones((3, 4)))
    assert MostAlike().places(patches, np.tile(patches[:1], (6, 1)).T).tolist() == [0, 0, 0]


@pytest.mark.parametrize("output", ["largest", "place"])
def test_the_graph_is_sound(output: str) -> None:
    onnx.checker.check_model(onnx.load_from_string(rows_graph(output)), full_check=True)
