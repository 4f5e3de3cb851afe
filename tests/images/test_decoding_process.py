"""Decoding in processes of their own: the same pictures, the same errors, and what is bounded there."""

from __future__ import annotations

import io
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from patchbank.deadline import Deadline, working_until
from patchbank.errors import DeadlinePassed, ImageTooCostly, PatchbankError, UndecodableImage
from patchbank.images import ByItself, ImageLimits, PictureReader
from patchbank.images import decoding_process as module
from patchbank.images.decoding_process import decoding, most_seconds
from tests.helpers.deep_files import deep_file
from tests.helpers.pictures import png
from tests.images.hostile import empty_webp, progressive

LIMITS = ImageLimits(max_megapixels=30.0)


@pytest.fixture(scope="module")
def reader() -> Iterator[PictureReader]:
    with PictureReader(LIMITS, decoders=1) as opened:
        opened.wait_until_ready()
        yield opened


def pid_of(reader: PictureReader) -> int:
    assert reader._pool is not None
    process = reader._pool._workers[0]._process
    assert process is not None
    assert process.pid is not None
    return process.pid


FILES = {
    "png": png(3),
    "jpeg": progressive(64, 3, "RGB"),
    "empty": b"",
    "text": b"hello",
    "cut": png(3)[:-30],
    "several": b"II*\0\x08\0\0\0",
}


@pytest.mark.parametrize("name", FILES)
def test_a_process_gives_what_this_one_gives(reader: PictureReader, name: str) -> None:
    outcomes: list[tuple[object, ...]] = []
    for by in (PictureReader(LIMITS), reader):
        try:
            picture = by.opened(FILES[name], f"{name}.png").read()
            outcomes.append((picture.image_id, picture.sha256, picture.format, picture.pixels.tobytes()))
        except PatchbankError as error:
            outcomes.append((type(error), error.message, error.detail))
    assert outcomes[0] == outcomes[1]


def test_16_bit_grey_is_read_by_the_rule_of_whoever_asks(reader: PictureReader, tmp_path: Path) -> None:
    grey = np.arange(250, dtype=np.uint8).reshape(10, 25)
    file = deep_file(tmp_path / "a", grey, 12)
    here, there = (by.open(file) for by in (PictureReader(LIMITS), reader))
    assert here.greatest == there.greatest
    assert here.greatest is not None
    assert np.array_equal(here.read(ByItself()).pixels, there.read(ByItself()).pixels)


def test_masks_too(reader: PictureReader, tmp_path: Path) -> None:
    Image.fromarray(np.eye(40, dtype=np.uint8) * 255).save(tmp_path / "a.png")
    here, there = (by.mask(tmp_path / "a.png") for by in (PictureReader(LIMITS), reader))
    assert np.array_equal(here.levels, there.levels)
    assert (here.top, here.exact) == (there.top, there.exact)


def test_what_the_decoder_warns_of_is_among_the_warnings_of_the_picture(reader: PictureReader) -> None:
    out = io.BytesIO()
    Image.new("RGB", (20, 20)).save(out, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\0\0\x03\0\0\0\x01")
    (warning,) = reader.opened(out.getvalue()).read().warnings
    assert warning.startswith("decoder: Corrupt EXIF data")


def test_a_process_that_others_kill_costs_no_picture(reader: PictureReader) -> None:
    for number in (signal.SIGKILL, signal.SIGSTOP):
        os.kill(pid_of(reader), number)
        assert reader.opened(png(5)).size == PictureReader().opened(png(5)).size


def test_decoding_ends_with_the_request_that_wants_the_picture(reader: PictureReader) -> None:
    begin = time.monotonic()
    with working_until(Deadline(0.2)), pytest.raises(DeadlinePassed):
        reader.opened(progressive(5000, 12))
    assert time.monotonic() - begin < 3
    assert reader.opened(png(5)).name == "image"


def test_processor_time_grows_with_the_picture() -> None:
    assert (most_seconds(0.0), most_seconds(50.0)) == (5.0, 20.0)


def test_a_picture_over_its_memory_is_too_costly() -> None:
    with PictureReader(ImageLimits(max_megapixels=0.5, max_megabytes=1.0), decoders=1) as reader:
        wide = reader.within(ImageLimits(max_megapixels=100.0))  # the process was made for smaller pictures
        for data in (progressive(5000, 0, "RGB"), progressive(6000, 0, "RGB"), empty_webp(5000, 5000)):
            # libjpeg asks in vain, which does not tell; Pillow; libwebp, which does not tell
            with pytest.raises(ImageTooCostly, match="memory"):
                wide.opened(data)
        assert reader.opened(png(5)).name == "image"


def test_a_damaged_picture_of_the_largest_size_is_not_too_costly() -> None:
    whole = progressive(2000, 0, "RGB")
    with PictureReader(ImageLimits(max_megapixels=4.0, max_megabytes=1.0), decoders=1) as reader:
        assert reader.opened(whole).size == (2000, 2000)
        with pytest.raises(UndecodableImage, match="damaged JPEG"):
            reader.opened(whole[: len(whole) // 2])


def test_the_process_answers_like_any_other() -> None:
    with decoding() as answer:
        assert callable(answer)
    assert module.decoding_kind(LIMITS).memory_mb == pytest.approx(24 * 30 + 64 + 2 * 64 + 64)
