"""How finely pictures are seen is learnt from the references, and a picture that is seen much more coarsely is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from patchbank.embedding.preprocess import Geometry
from patchbank.images import DecodedImage
from patchbank.judging.inspector import Inspector
from patchbank.scoring.resolution import resolution_of, usual_resolution
from patchbank.teaching.teacher import Teacher
from tests.helpers.pictures import picture

LARGE = Geometry((4000, 3000), (576, 448), (28, 36))
PLAIN = Geometry((512, 512), (512, 512), (32, 32))


def saved(folder: Path, sizes: list[tuple[int, int]], first: int = 0) -> list[Path]:
    folder.mkdir()
    files = []
    for seed, size in enumerate(sizes, first):
        files.append(folder / f"{seed}.png")
        picture(seed, size).save(files[-1])
    return files


def told(inspector: Inspector, size: tuple[int, int]) -> list[str]:
    inspection = inspector.inspect(DecodedImage.of_pixels(np.asarray(picture(0, size))), "part")
    return [warning for warning in inspection.warnings if "pixels" in warning]


def test_a_large_picture_is_told_with_the_pixels_that_a_patch_covers() -> None:
    large, plain = resolution_of(LARGE), resolution_of(PLAIN)
    assert large.facts == {"shrunk": 6.94, "patch": [111.1, 107.1]}
    assert large.line.startswith("pictures of 4000 x 3000 are shrunk 6.9 times: one patch covers 111 x 107 pixels;")
    assert plain.facts == {"shrunk": 1.0, "patch": [16.0, 16.0]}
    assert plain.line.startswith("pictures of 512 x 512 are not shrunk: one patch covers 16 x 16 pixels;")


def test_the_middle_one_of_the_references_counts_and_a_few_new_ones_change_nothing(
    teacher: Teacher, tmp_path: Path
) -> None:
    assert usual_resolution([]) is None
    assert usual_resolution([LARGE, PLAIN, LARGE]) == resolution_of(LARGE)
    first = teacher.teach("part", saved(tmp_path / "a", [(512, 512), (512, 512), (96, 80)])).manifest
    assert first.resolution == resolution_of(PLAIN)
    few = teacher.teach("part", saved(tmp_path / "b", [(1024, 1024)], 10), extend=True).manifest
    assert few.resolution == first.resolution
    many = teacher.teach("part", saved(tmp_path / "c", [(1024, 1024)] * 5, 20), extend=True).manifest
    assert many.resolution is not None
    assert many.resolution.picture == (1024, 1024)


@pytest.mark.parametrize(
    ("size", "warned"), [((512, 512), False), ((96, 80), False), ((700, 700), False), ((768, 768), True)]
)
def test_a_picture_with_twice_the_pixels_per_patch_is_warned_of(
    inspector: Inspector, teacher: Teacher, tmp_path: Path, size: tuple[int, int], warned: bool
) -> None:
    teacher.teach("part", saved(tmp_path / "in", [(512, 512)] * 3))
    warnings = told(inspector, size)
    assert len(warnings) == warned
    if warned:
        assert "part: the picture has 768 x 768 pixels, the references 512 x 512" in warnings[0]
        assert "one patch covers 24 x 24 of its pixels, 16 x 16 of theirs" in warnings[0]
