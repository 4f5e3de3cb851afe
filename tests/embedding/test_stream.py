"""Many files to embeddings: in order, in bounded memory, read while the network runs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from patchbank.embedding.embedder import Embedder
from patchbank.embedding.session import OnnxSession
from patchbank.embedding.stream import READERS, Seen, Skipped, embed_files
from patchbank.errors import ModelUnavailable, UndecodableImage
from patchbank.images import DecodedImage, PictureReader, RangeRule, read_image
from tests.helpers.graphs import GRID, write_grid
from tests.helpers.pictures import png

PICTURES = PictureReader()


@pytest.fixture
def tiny(tmp_path: Path) -> Embedder:
    return Embedder(GRID, OnnxSession(write_grid(tmp_path / "tiny.onnx")), batch_size=4)


def files_in(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    sizes = [(64, 64), (96, 40), (40, 96)]
    files = [folder / f"{number:03}.png" for number in range(count)]
    for number, path in enumerate(files):
        path.write_bytes(png(number, sizes[number % 3]))
    return files


@pytest.mark.parametrize("count", [0, 1, 4, 5, 23])
def test_files_come_in_order_and_embed_as_they_do_alone(tiny: Embedder, tmp_path: Path, count: int) -> None:
    files = files_in(tmp_path / "in", count)
    found = list(embed_files(tiny, files, PICTURES))
    assert [one.picture.path for one in found if isinstance(one, Seen)] == files
    for one in found:
        assert isinstance(one, Seen)
        image = read_image(one.picture.path)
        alone = tiny.embed(image)
        assert (one.picture.image_id, one.picture.sha256, one.picture.size) == (
            image.image_id,
            image.sha256,
            image.size,
        )
        assert one.picture.thumbnail == image.thumbnail()
        np.testing.assert_allclose(one.embedding.patches, alone.patches, atol=1e-6)
        np.testing.assert_allclose(one.embedding.cls, alone.cls, atol=1e-6)


def test_a_bad_file_is_skipped_in_its_place(tiny: Embedder, tmp_path: Path) -> None:
    files = files_in(tmp_path / "in", 9)
    files[0].write_bytes(b"no picture")
    files[5].unlink()
    found = list(embed_files(tiny, files, PICTURES))
    assert [isinstance(one, Skipped) for one in found] == [place in (0, 5) for place in range(9)]
    bad = found[0]
    assert isinstance(bad, Skipped)
    assert bad.path == files[0]
    assert isinstance(bad.error, UndecodableImage)


def test_what_is_kept_of_a_bad_file_holds_no_pixels(tiny: Embedder, tmp_path: Path) -> None:
    """Of a thousand large files that are cut, the memory of one is taken at a time."""
    cut = tmp_path / "cut.jpg"
    Image.fromarray(np.zeros((300, 400, 3), dtype=np.uint8)).save(cut, quality=100)
    cut.write_bytes(cut.read_bytes()[:-900])
    (bad,) = embed_files(tiny, [cut], PICTURES)
    assert isinstance(bad, Skipped)
    left: list[BaseException | None] = [bad.error]
    while left:
        error = left.pop()
        if error is not None:
            assert error.__traceback__ is None
            left += [error.__cause__, error.__context__]


def test_turned_copies_come_with_their_picture(tiny: Embedder, tmp_path: Path) -> None:
    (seen,) = embed_files(tiny, files_in(tmp_path / "in", 2)[1:], PICTURES, turns=(2, 4))
    assert isinstance(seen, Seen)
    assert [turn for turn, _ in seen.turned] == [2, 4]
    rows, columns = seen.embedding.grid
    quarter, half = (copy for _, copy in seen.turned)
    assert (quarter.grid, half.grid) == ((columns, rows), (rows, columns))
    np.testing.assert_allclose(half.patches, seen.embedding.patches[::-1], atol=0.02)


def test_files_are_read_no_farther_ahead_than_two_batches_and_the_readers(
    tiny: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = files_in(tmp_path / "in", 60)
    read, taken, most = 0, 0, 0
    lock = threading.Lock()

    def counted(pictures: PictureReader, path: Path, rule: RangeRule) -> DecodedImage:
        nonlocal read
        with lock:
            read += 1
        return read_image(path, pictures.limits, rule)

    monkeypatch.setattr(PictureReader, "read", counted)
    for _ in embed_files(tiny, files, PICTURES):
        taken += 1
        most = max(most, read - taken)
    assert taken == 60
    assert most <= 2 * tiny.batch_size + READERS


def test_who_stops_early_leaves_no_thread(tiny: Embedder, tmp_path: Path) -> None:
    stream = embed_files(tiny, files_in(tmp_path / "in", 30), PICTURES)
    next(stream)
    stream.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read")]


def test_an_error_of_the_network_is_raised_and_leaves_no_thread(tmp_path: Path) -> None:
    broken = Embedder(GRID, OnnxSession(write_grid(tmp_path / "tiny.onnx", factor=float("nan"))))
    with pytest.raises(ModelUnavailable, match="not finite"):
        list(embed_files(broken, files_in(tmp_path / "in", 8), PICTURES))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read")]


def test_an_unforeseen_error_of_a_reader_is_raised(
    tiny: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(pictures: PictureReader, path: Path, rule: RangeRule) -> DecodedImage:
        raise MemoryError

    monkeypatch.setattr(PictureReader, "read", fails)
    files: Sequence[Path] = files_in(tmp_path / "in", 3)
    with pytest.raises(MemoryError):
        list(embed_files(tiny, files, PICTURES))
