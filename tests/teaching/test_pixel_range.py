"""The range of 16-bit grey is learnt from a class's references, and holds for all that the class reads later."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from patchbank.bank.manifest import Manifest
from patchbank.bank.pixel_range import PixelRange
from patchbank.errors import NoReferences, UnknownPixelRange
from patchbank.images import PictureReader
from patchbank.judging.inspector import Inspector
from patchbank.teaching.pixel_range import greatest_values
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.rates import Rates
from patchbank.teaching.recalibrator import Recalibrator
from patchbank.teaching.roi_drawing import RoiDrawing
from patchbank.teaching.teacher import Teacher
from tests.helpers.deep_files import deep_file, deep_files, grey_of
from tests.judging.test_masked_class import half, inspector, mask_file, part, parts, tiny

__all__ = ["inspector", "tiny"]


def grey_parts(count: int, first: int = 1) -> list[NDArray[np.uint8]]:
    return [grey_of(part(seed)) for seed in range(first, first + count)]


class Stages:
    """A progress that notes what began, with how many steps."""

    def __init__(self) -> None:
        self.begun: dict[str, int | None] = {}

    def begin(self, stage: str, total: int | None) -> Stages:
        self.begun[stage] = total
        return self

    def advance(self, steps: int = 1) -> None:
        pass

    def done(self) -> None:
        pass


@pytest.mark.parametrize(("bits", "white"), [(10, 1023), (12, 4095), (14, 16383), (16, 65535)])
def test_a_class_of_deep_files_is_that_of_the_same_pictures_with_8_bits(
    teacher: Teacher, bits: int, white: int, tmp_path: Path
) -> None:
    pictures = grey_parts(6)
    stages = Stages()
    deep = teacher.teach("deep", deep_files(tmp_path / "deep", pictures, bits), progress=stages).manifest
    flat = teacher.teach("flat", deep_files(tmp_path / "flat", pictures, 8)).manifest
    assert deep.pixel_range == PixelRange(white=white, least=white, greatest=white, references=6)  # type: ignore[arg-type]
    assert stages.begun["looking for the range of 16-bit values"] == 6
    assert flat.pixel_range is None
    assert deep.calibration == flat.calibration
    assert deep.retrieval == flat.retrieval


def test_files_of_8_bits_are_not_looked_at_and_those_that_name_their_range_do_not_count(
    teacher: Teacher, tmp_path: Path
) -> None:
    stages = Stages()
    report = teacher.teach("part", parts(tmp_path / "in", 3), progress=stages)
    assert report.manifest.pixel_range is None
    assert not any("range" in stage for stage in stages.begun)
    files = [*parts(tmp_path / "in", 3), deep_file(tmp_path / "12.tif", grey_parts(1)[0], 12)]
    (tmp_path / "broken.tif").write_bytes(files[-1].read_bytes()[:-200])
    values = greatest_values([*files, tmp_path / "broken.tif"], PictureReader(teacher.settings.image_limits), Stages())
    assert values == {files[-1]: 4095}


def test_more_references_are_read_with_the_white_of_the_class_and_those_above_it_are_left_out(
    teacher: Teacher, tmp_path: Path
) -> None:
    teacher.teach("part", deep_files(tmp_path / "in", grey_parts(4), 12))
    dim = deep_file(tmp_path / "dim.pgm", grey_parts(1, 9)[0] // 2, 12, "PGM")
    above = deep_file(tmp_path / "above.tif", grey_parts(1, 10)[0], 14)
    dim_too = TeachOptions(keep_all=True)
    report = teacher.teach("part", [dim, above, *parts(tmp_path / "8", 1, 20)], extend=True, options=dim_too)
    assert [(bad.path, bad.error.code, bad.error.status) for bad in report.skipped] == [
        (above, "unknown_pixel_range", 415)
    ]
    assert report.added == 2
    assert report.manifest.pixel_range == PixelRange(white=4095, least=2039, greatest=4095, references=5)
    with pytest.raises(UnknownPixelRange, match="above 4095"):
        teacher.teach("part", [above], extend=True, options=TeachOptions(strict=True))


def test_a_class_without_such_references_gets_none_of_fewer_bits_but_learns_from_16_bits(
    teacher: Teacher, tmp_path: Path
) -> None:
    teacher.teach("part", deep_files(tmp_path / "8", grey_parts(4), 8))
    low, full = (deep_file(tmp_path / f"{bits}.tif", grey_parts(1, 9)[0], bits) for bits in (12, 16))
    with pytest.raises(NoReferences, match="no reference of 'part' is such a file"):
        teacher.teach("part", [low], extend=True)
    report = teacher.teach("part", [low, full], extend=True)
    assert [bad.path for bad in report.skipped] == [low]
    assert report.manifest.pixel_range == PixelRange(white=65535, least=65535, greatest=65535, references=1)


def test_calibration_images_are_read_with_the_white_of_the_class(
    teacher: Teacher, inspector: Inspector, tmp_path: Path
) -> None:
    held_out = deep_files(tmp_path / "held-out", grey_parts(3, 20), 12)
    above = deep_file(tmp_path / "above.tif", grey_parts(1, 30)[0], 16)
    taught = teacher.teach("part", deep_files(tmp_path / "in", grey_parts(4), 12), calibrate_with=[*held_out, above])
    assert [bad.path for bad in taught.skipped] == [above]
    assert taught.manifest.calibration.count == 3
    again = Recalibrator(inspector.settings, inspector.store).from_images(
        "part", [*held_out, above], inspector.embedder, Rates()
    )
    assert [bad.path for bad in again.skipped] == [above]
    assert again.manifest.calibration.scores == pytest.approx(taught.manifest.calibration.scores)
    assert again.manifest.pixel_range == taught.manifest.pixel_range
    assert list(again.warnings) == ["16-bit values 0 to 4095, as the references of 'part'"]


def test_a_file_that_alone_makes_all_others_dark_is_named(teacher: Teacher, tmp_path: Path) -> None:
    files = deep_files(tmp_path / "in", grey_parts(4), 12)
    odd = deep_file(tmp_path / "odd.tif", grey_parts(1, 9)[0], 16)
    warnings = teacher.teach("part", [*files, odd]).warnings
    assert {text.partition(",")[0]: paths for text, paths in warnings.items()} == {
        "has 16-bit values above 4095": [odd]
    }


def test_a_mask_is_drawn_on_a_deep_file_like_on_any_other(teacher: Teacher, tmp_path: Path) -> None:
    roi: RoiDrawing = mask_file(tmp_path / "mask.png", half())
    files = deep_files(tmp_path / "in", grey_parts(3), 12)
    assert teacher.teach("part", files, options=TeachOptions(roi=roi)).manifest.roi is not None


def test_a_manifest_from_before_there_were_ranges_is_read(teacher: Teacher, tmp_path: Path) -> None:
    manifest = teacher.teach("part", parts(tmp_path / "in", 3)).manifest
    old = manifest.model_dump(mode="json", exclude={"pixel_range"})
    assert Manifest.model_validate(old) == manifest
