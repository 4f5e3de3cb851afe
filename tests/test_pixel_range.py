"""16-bit files that do not say which value is white: what is seen of their range, and how a rule reads them."""

from __future__ import annotations

import io
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import tifffile
from hypothesis import strategies as st
from PIL import Image

from docs.format_truth import Case
from docs.formats import cases
from docs.ranges import GREY, KINDS
from patchbank.errors import PatchbankError, UnknownPixelRange
from patchbank.images import (
    WHITES,
    ByItself,
    ImageLimits,
    RangeRule,
    TaughtRange,
    UnknownRange,
    White,
    may_be_deep,
    opened,
    white_for,
)
from tests.test_images import encode

LIMITS = ImageLimits()
ALL = list(cases())


def grey(*values: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    return np.array([values], dtype=np.uint16)


@pytest.mark.parametrize("kind", GREY)
@pytest.mark.parametrize("white", WHITES)
def test_a_rule_reads_grey_of_every_format_so_that_white_becomes_255(kind: str, white: int) -> None:
    values = np.arange(white + 1, dtype=np.uint16)[None, :: max(1, white // 1000)]
    picture = opened(KINDS[kind](values))
    assert picture.greatest == values.max()
    assert picture.size == (values.shape[1], 1)
    decoded = picture.read(White(white))
    assert np.abs(decoded.pixels[0, :, 0] - values[0] * 255.0 / white).max() <= 0.5 + 1e-9
    assert decoded.greatest == picture.greatest


@hypothesis.given(st.integers(1, 65535), st.sampled_from(WHITES))
def test_the_white_of_a_value_is_the_smallest_that_holds_it(greatest: int, white: int) -> None:
    chosen = white_for(greatest)
    assert chosen in WHITES
    assert greatest <= chosen
    assert not (greatest <= white < chosen)
    assert ByItself().white_of(greatest, "") == chosen


@pytest.mark.parametrize("rule", [TaughtRange(4095, 100, "cookie"), White(4095)])
def test_values_above_white_are_refused_and_never_clipped(rule: RangeRule) -> None:
    assert opened(KINDS["PGM"](grey(0, 4095))).read(rule).pixels.max() == 255
    with pytest.raises(UnknownPixelRange, match=r"cam: .* greatest value is 4096, above 4095") as caught:
        opened(KINDS["PGM"](grey(0, 4096)), name="cam").read(rule)
    assert caught.value.detail == {"greatest": 4096, "white": 4095}


def test_white_is_zero_is_turned_within_the_range() -> None:
    data = io.BytesIO()
    tifffile.imwrite(data, grey(0, 1023, 4095), photometric="miniswhite")
    picture = opened(data.getvalue())
    assert picture.greatest == 4095
    np.testing.assert_array_equal(picture.read(White(4095)).pixels[0, :, 0], [255, 191, 0])
    with pytest.raises(UnknownPixelRange):
        picture.read()


def test_a_value_that_means_transparent_does_not_count() -> None:
    picture = opened(encode(Image.fromarray(grey(0, 4000, 65535)), "PNG", transparency=65535))
    assert picture.greatest == 4000
    np.testing.assert_array_equal(picture.read(White(4095)).pixels[0, :, 0], [0, 249, 255])


@pytest.mark.parametrize("case", ALL, ids=[f"{case.group}: {case.what}" for case in ALL])
def test_a_header_tells_every_file_whose_range_is_open(case: Case, tmp_path: Path) -> None:
    data = case.data
    file = tmp_path / "file"
    file.write_bytes(data)
    try:
        greatest = opened(data).greatest
    except PatchbankError:
        greatest = None
    if greatest is not None:
        assert may_be_deep(file, LIMITS)
    elif case.group in ("8 bits", "1 bit and palettes", "several pictures"):
        assert not may_be_deep(file, LIMITS), "it would be read twice for nothing"


def test_what_names_its_range_or_has_none_needs_no_rule() -> None:
    named = [case for case in ALL if any(word in case.what for word in ("MaxSampleValue", "sBIT", "PGM, 12 bits"))]
    assert len(named) >= 10
    for case in named:
        assert opened(case.data).greatest is None, case.what
    assert opened(KINDS["PNG, grey"](grey(0, 0))).greatest is None, "0 is black in any range"


def test_a_file_that_cannot_be_looked_at_is_not_deep(tmp_path: Path) -> None:
    (tmp_path / "broken.tif").write_bytes(b"II*\0" + b"\xff" * 20)
    (tmp_path / "short.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for name in ("broken.tif", "short.png", "gone.tif", "."):
        assert not may_be_deep(tmp_path / name, LIMITS)


@pytest.mark.parametrize("kind", ["TIFF, RGB", "PNG, RGB", "PPM"])
def test_16_bit_channels_without_a_bright_value_are_refused(kind: str) -> None:
    for top in (255, 4095, 16383):
        with pytest.raises(UnknownPixelRange, match="lie below 16384"):
            opened(KINDS[kind](grey(0, top))).read(ByItself())
    for top in (16640, 65535):
        assert opened(KINDS[kind](grey(0, top))).read().pixels.max() in (top >> 8, round(top / 257))


def test_notes_tell_a_range_that_made_a_difference_and_a_picture_that_looks_like_fewer_bits() -> None:
    rule = TaughtRange(16383, 12000, "cookie")
    assert rule.notes(None) == ()
    assert rule.notes(12000) == ("16-bit values 0 to 16383, as the references of 'cookie'",)
    assert "read too dark" in rule.notes(4000)[1]
    assert len(rule.notes(7000)) == 1, "14 bits, and merely darker"
    assert TaughtRange(65535, 40000, "cookie").notes(50000) == (), "it would have been read so by itself"
    assert len(TaughtRange(65535, 40000, "cookie").notes(3000)) == 2
    for other in (UnknownRange(), White(4095), ByItself()):
        assert other.notes(3000) == ()
