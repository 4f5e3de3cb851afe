"""References that show the same, known from what is stored or compared anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from patchbank.bank.reference import Reference
from patchbank.teaching.sightings import Sightings
from tests.helpers.banks import image_id, reference
from tests.helpers.pictures import png


def known(number: int, seed: int, same_as: int | None) -> Reference:
    """A reference that shows the picture of that seed; ``same_as`` is what is stored of what shows the same."""
    first = "" if same_as is None else image_id(same_as)
    return replace(reference(number, 1, 1), thumbnail=png(seed), same_as=first)


@pytest.mark.parametrize("stored", [False, True])
def test_groups_of_known_references_are_the_same_whether_they_are_stored_or_compared_again(stored: bool) -> None:
    seeds = [(1, 7, 1), (2, 8, 2), (3, 7, 1), (4, 9, 4)]
    sightings = Sightings([known(number, seed, first if stored else None) for number, seed, first in seeds])
    new = sightings.group_of(png(8))
    assert sightings.first_of(new) == image_id(2)
    sightings.put(image_id(5), new, Path("new.png"))
    groups = sightings.groups()
    assert sorted(groups.of(image_id(1))) == [image_id(1), image_id(3)]
    assert sorted(groups.of(image_id(5))) == [image_id(2), image_id(5)]
    assert groups.of(image_id(4)) == [image_id(4)]
    assert sightings.put(image_id(6), sightings.group_of(png(10)), Path("odd.png")) == ""
    assert groups.of(image_id(6)) == [image_id(6)]


def test_a_group_whose_first_picture_was_withdrawn_stays_a_group() -> None:
    sightings = Sightings([known(3, 7, 1), known(5, 7, 1), known(4, 9, 4)])
    assert sorted(sightings.groups().of(image_id(5))) == [image_id(3), image_id(5)]
    assert sightings.first_of(sightings.group_of(png(7))) == image_id(3)
