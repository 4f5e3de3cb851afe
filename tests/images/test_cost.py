"""What decoding will take is reckoned from the header, and refused before a decoder sees the file."""

from __future__ import annotations

import io
import os
import stat
import time
from pathlib import Path

import pytest
from PIL import Image

from patchbank.errors import ImageTooLarge, UndecodableImage
from patchbank.images import ImageLimits, decode_image
from patchbank.images.files import read_bytes
from patchbank.images.headers import jpeg2000_size, webp_size
from patchbank.images.jpeg_walk import walk_jpeg
from patchbank.peak_memory import peak_memory_mb
from tests.images.hostile import empty_webp, jpeg2000_header, png, progressive, tiled

SMALL = ImageLimits(max_megapixels=1.0)


def refused(data: bytes, limits: ImageLimits, match: str) -> None:
    """It is refused at once, and before anything large is allocated."""
    begin, before = time.monotonic(), peak_memory_mb()
    with pytest.raises(ImageTooLarge, match=match):
        decode_image(data, limits)
    assert time.monotonic() - begin < 2
    after = peak_memory_mb()
    assert before is None or after is None or after - before < 60


@pytest.mark.parametrize(("width", "height"), [(8001, 1), (1, 8001), (100_000, 8)])
def test_a_side_is_bounded_as_the_picture_is(width: int, height: int) -> None:
    refused(png(width, height), SMALL, f"{width} x {height} is too long: the limit of a side is 8000 pixels")


def test_a_long_strip_of_a_line_camera_is_read() -> None:
    assert decode_image(png(125, 8000), SMALL).size == (125, 8000)


def test_a_tile_larger_than_its_picture_is_refused() -> None:
    refused(tiled(16, 16, (32768, 21840)), ImageLimits(), "a tile of 32768 x 21840 is 715.7 megapixels")


def test_a_canvas_is_measured_before_the_decoder_makes_room_for_it() -> None:
    data = empty_webp(16383, 16383)
    assert webp_size(data) == (16383, 16383)
    refused(data, ImageLimits(), "268.4 megapixels")


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 80}, {"quality": 80, "exif": b"Exif\0\0MM"}])
def test_a_canvas_is_what_pillow_says_it_is(options: dict[str, object]) -> None:
    out = io.BytesIO()
    Image.new("RGB", (77, 33), "red").save(out, "WEBP", **options)
    assert webp_size(out.getvalue()) == (77, 33)


def test_a_scan_that_is_repeated_is_counted() -> None:
    refused(progressive(1000, 2000), SMALL, "a JPEG of 20 scans or more would take longer to decode than 20 megapixels")


def test_many_scans_of_a_tiny_picture_are_counted_as_of_a_larger_one() -> None:
    refused(progressive(16, 3000), SMALL, "scans or more")
    assert decode_image(progressive(16, 100), SMALL).size == (16, 16)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_progressive_picture_of_the_largest_size_is_read(mode: str) -> None:
    out = io.BytesIO()
    Image.effect_noise((1000, 1000), 50).convert(mode).save(out, "JPEG", progressive=True)
    walk = walk_jpeg(out.getvalue(), 1_000_000, SMALL.most_visits)
    assert walk.scans == out.getvalue().count(b"\xff\xda") > 1
    assert decode_image(out.getvalue(), SMALL).size == (1000, 1000)


def test_markers_and_chunks_that_mean_nothing_are_counted() -> None:
    out = io.BytesIO()
    Image.new("L", (16, 16)).save(out, "JPEG")
    jpeg = out.getvalue()
    refused(jpeg[:2] + b"\xff\xe5\0\2" * 20_000 + jpeg[2:], SMALL, "a JPEG of 0 scans or more")
    refused(jpeg[:2] + b"\xff" * 100_000 + jpeg[2:], SMALL, "a JPEG of 0 scans or more")
    refused(png(16, 16, chunks=10_000), SMALL, "a PNG of 66")
    assert decode_image(png(16, 16, chunks=1000), SMALL).size == (16, 16)


def test_values_written_out_as_text_are_counted() -> None:
    refused(b"P2 1000 1000 255\n" + b"7 " * 1_000_000, SMALL, "written out as text")
    assert decode_image(b"P2 100 100 255\n" + b"7 " * 10_000, SMALL).size == (100, 100)


def test_channels_and_tiles_of_jpeg_2000_are_counted() -> None:
    size = jpeg2000_size(jpeg2000_header((1000, 1000), (10, 20), 3))
    assert size is not None
    assert (size.width, size.height, size.tiles, size.channels) == (1000, 1000, 5000, 3)
    refused(jpeg2000_header((1000, 1000), (8, 8), 4), SMALL, "a JPEG 2000 of 4 channels and 15625 tiles")
    refused(jpeg2000_header((1000, 1000), (1000, 1000), 200), SMALL, "would take 1")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes in the file system")
def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, file = tmp_path / "a.png", tmp_path / "b.png"
    os.mkfifo(pipe)
    file.write_bytes(b"x")
    with pytest.raises(UndecodableImage, match="a pipe, a device or a socket"):
        read_bytes(pipe, SMALL)
    facts = file.stat()
    assert stat.S_ISREG(facts.st_mode)
    monkeypatch.setattr(Path, "stat", lambda _: facts)  # as it was, a moment ago
    with pytest.raises(UndecodableImage, match="a pipe, a device or a socket"):
        read_bytes(pipe, SMALL)


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(bytes(2000))
    monkeypatch.setattr(os, "fstat", lambda _: os.stat_result((stat.S_IFREG, *[0] * 9)))
    with pytest.raises(ImageTooLarge):
        read_bytes(file, ImageLimits(max_megabytes=0.001))
