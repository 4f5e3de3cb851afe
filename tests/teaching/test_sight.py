"""The smallest defect that must be found chooses how finely a class is seen."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from patchbank.bank.manifest import ScoringRule
from patchbank.embedding.embedder import Embedder
from patchbank.errors import InvalidParameters
from patchbank.scales import BASE, DETAILS, FINEST, LEAST, scales_for
from patchbank.scoring.image_score import deciding_count
from patchbank.teaching.sight import sight_of


@hypothesis.given(st.floats(0.01, 40.0))
def test_at_the_chosen_scales_a_defect_is_a_patch_wide_and_at_half_of_them_it_is_not(patches: float) -> None:
    scales = scales_for(patches)
    if scales is None:
        assert patches * FINEST < LEAST
    else:
        assert patches * scales.finest >= 1.0 or scales.finest == FINEST
        assert scales == BASE or patches * scales.finest / 2 < 1.0


@pytest.mark.parametrize(("defect", "detail"), [(21.0, "fast"), (19.0, "fine"), (10.0, "fine")])
def test_a_board_of_640_pixels_is_seen_as_finely_as_its_smallest_defect_needs(
    embedder: Embedder, defect: float, detail: str
) -> None:
    assert sight_of(defect, (640, 640), embedder).scales == DETAILS[detail]  # type: ignore[index]


def test_of_a_large_picture_a_small_defect_decides_the_image_score_alone(embedder: Embedder) -> None:
    sight = sight_of(14.0, (4000, 3000), embedder)
    assert sight.scales.factors == (1.0, 8.0)
    cells = sight.grid[0] * sight.grid[1]
    assert deciding_count(cells, sight.rule(ScoringRule())) == 3
    assert sight_of(400.0, (4000, 3000), embedder).rule(ScoringRule()).share == ScoringRule().share


def test_what_cannot_be_seen_is_refused_with_the_least_that_can(embedder: Embedder) -> None:
    with pytest.raises(InvalidParameters, match=r"nothing below 6\.9 pixels"):
        sight_of(6.0, (4000, 3000), embedder)
