"""Every format, depth and layout is read right, or refused with a reason; the page says which."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import tifffile
from hypothesis import strategies as st
from PIL import Image

from docs.format_truth import Case
from docs.formats import PAGE, cases, judge, page
from patchbank.errors import ImageTooLarge, PatchbankError, UndecodableImage, UnsupportedImage
from patchbank.images import ImageLimits, decode_image
from tests.helpers.pictures import animation
from tests.test_images import encode, noise

ALL = list(cases())


@pytest.mark.parametrize("case", ALL, ids=[f"{case.group}: {case.what}" for case in ALL])
def test_it_is_read_right_or_refused_with_the_status_of_a_kind_that_is_not_read(case: Case) -> None:
    outcome = judge(case)
    if case.unknown:
        assert (outcome.word, outcome.status, outcome.code) == ("refused", 415, "unknown_pixel_range"), outcome
    elif case.pixels is None:
        assert (outcome.word, outcome.status) == ("refused", 415), outcome
        assert "not an image" not in outcome.detail
    elif case.dark:
        assert outcome.word == "warned", outcome
        assert outcome.off > 100, "it is bright after all"
    else:
        assert outcome.word == "read", outcome


def test_the_page_says_what_happens() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run: python -m docs.formats"
    assert len(ALL) > 100
    assert "WRONG" not in text


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "MPO", "AVIF"])
@pytest.mark.parametrize("count", [2, 5])
def test_a_file_of_several_pictures_is_refused_with_their_number(kind: str, count: int) -> None:
    with pytest.raises(UnsupportedImage, match=rf"film: the {kind} file holds {count} pictures") as caught:
        decode_image(animation(kind, count), name="film")
    assert caught.value.detail == {"format": kind, "pages": count}


def test_pages_are_counted_up_to_a_bound_and_in_a_ring_only_once() -> None:
    data = bytearray(encode(Image.fromarray(noise()), "TIFF"))
    (place,) = struct.unpack_from("<I", data, 4)
    (tags,) = struct.unpack_from("<H", data, place)
    following = place + 2 + 12 * tags
    struct.pack_into("<I", data, following, place)
    np.testing.assert_array_equal(decode_image(bytes(data)).pixels, noise())
    many = data[:following]
    for _ in range(5000):
        many += struct.pack("<IH", len(many) + 4, 0)
    with pytest.raises(UnsupportedImage, match="holds 1000 or more pictures"):
        decode_image(bytes(many) + bytes(4))


def test_a_tile_beyond_the_limit_is_refused_before_it_is_decoded() -> None:
    tags = {256: 16, 257: 16, 258: 8, 259: 1, 262: 1, 277: 1, 322: 32768, 323: 21840, 324: 8, 325: 100}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    bomb = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    with pytest.raises(ImageTooLarge, match="a tile of 32768 x 21840"):
        decode_image(bomb)


def test_tags_that_claim_the_same_bytes_again_and_again_are_refused() -> None:
    size = 400_000
    entries = b"".join(struct.pack("<HHII", 40_000 + number, 1, size, 8) for number in range(4000))
    data = b"II*\0" + struct.pack("<I", size + 8) + bytes(size) + struct.pack("<H", 4000) + entries + bytes(4)
    with pytest.raises(UndecodableImage, match="claim the same bytes"):
        decode_image(data)


def test_the_limits_hold_for_what_tifffile_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "planar.tif"
    tifffile.imwrite(path, np.full((3, 100, 200), 40_000, np.uint16), photometric="rgb", planarconfig="separate")
    assert decode_image(path.read_bytes(), ImageLimits(max_megapixels=0.02)).size == (200, 100)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda *_, **__: pytest.fail("it was decoded"))
    with pytest.raises(ImageTooLarge, match="200 x 100"):
        decode_image(path.read_bytes(), ImageLimits(max_megapixels=0.019))


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_planar_file_is_turned_like_any_other(orientation: int, tmp_path: Path) -> None:
    values = noise().astype(np.uint16) * 257
    tag = [(274, "H", 1, orientation, True)]
    decoded = []
    for name, stored, layout in (("planar", np.moveaxis(values, 2, 0), "separate"), ("mixed", values, "contig")):
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, stored, photometric="rgb", planarconfig=layout, extratags=tag)
        decoded.append(decode_image(path.read_bytes()))
    assert decoded[0].image_id == decoded[1].image_id
    assert decoded[0].size == ((12, 20) if orientation == 6 else (20, 12))


def test_a_tag_without_a_value_is_a_damaged_file() -> None:
    data = bytearray(encode(Image.fromarray(noise()), "TIFF"))
    (place,) = struct.unpack_from("<I", data, 4)
    for number in range(struct.unpack_from("<H", data, place)[0]):
        emptied = data[:]
        at = place + 2 + 12 * number
        (tag,) = struct.unpack_from("<H", data, at)
        struct.pack_into("<I", emptied, at + 4, 0)
        if tag in (256, 257, 258, 259, 262, 277):
            with pytest.raises(UndecodableImage, match=f"damaged TIFF: its tag {tag} has no value"):
                decode_image(bytes(emptied))


@pytest.mark.parametrize("word", [b"pitm", b"av01"])
def test_an_avif_without_a_picture_is_a_damaged_file(word: bytes) -> None:
    whole = encode(Image.fromarray(noise()), "AVIF")
    assert word in whole
    with pytest.raises(UndecodableImage, match="truncated or damaged: Failed to decode image"):
        decode_image(whole.replace(word, b"xxxx"))


WHOLE = [case.data for case in ALL]
TIFFS = [data for data in WHOLE if data[:2] in (b"II", b"MM")]


@hypothesis.settings(deadline=None, max_examples=600)
@hypothesis.given(st.one_of(st.sampled_from(TIFFS), st.sampled_from(WHOLE)), st.data())
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_a_damaged_file_is_a_picture_or_a_told_error(whole: bytes, data: st.DataObject) -> None:
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = decode_image(bytes(damaged), ImageLimits(max_megapixels=1.0))
    except PatchbankError as error:
        assert error.status in (400, 413, 415)
        return
    assert decoded.pixels.size <= 3_000_000


@hypothesis.settings(deadline=None, max_examples=50)
@hypothesis.given(st.integers(9, 15), st.integers(0, 2**32 - 1))
def test_a_stated_range_gives_the_pixels_of_the_same_picture_in_full_range(bits: int, seed: int) -> None:
    white = (1 << bits) - 1
    values = np.random.default_rng(seed).integers(0, white + 1, (5, 7)).astype(np.uint16)
    out = io.BytesIO()
    tifffile.imwrite(out, values, photometric="minisblack", extratags=[(281, "H", 1, white, True)])
    decoded = decode_image(out.getvalue())
    assert np.abs(decoded.pixels[:, :, 0] - values * 255.0 / white).max() <= 0.5 + 1e-9
    assert decoded.warnings == ()
