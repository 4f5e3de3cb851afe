"""The image decoder: which files become which pixels, and which raise which error."""

from __future__ import annotations

import hashlib
import io
import re
import struct
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image, ImageFile

from patchbank.arrays import ByteArray
from patchbank.errors import ImageTooLarge, UndecodableImage, UnknownPixelRange, UnsupportedImage
from patchbank.images import DecodedImage, ImageLimits, White, cell_box, decode_image, read_image

Pixels = ByteArray
ORIENTATION = 0x0112
LOSSLESS = ("PNG", "BMP", "DIB", "TIFF", "PPM", "JPEG2000")
FORMATS = ("PNG", "JPEG", "BMP", "DIB", "TIFF", "WEBP", "GIF", "PPM", "JPEG2000", "AVIF")

# How a camera stores an upright picture, by EXIF orientation.
STORED: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: upright[::-1, ::-1].transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}


def encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def noise(width: int = 20, height: int = 12, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(width: int = 20, height: int = 12) -> Pixels:
    """Gradients that lossy formats preserve to within a few levels."""
    down, across = np.mgrid[0:height, 0:width]
    return np.stack([across * 255 // width, down * 255 // height, 0 * down + 90], axis=2).astype(np.uint8)


def png(width: int, height: int, rows: bytes) -> bytes:
    """An RGB PNG whose header says ``width`` x ``height``, whatever ``rows`` hold."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_give_the_very_pixels(kind: str) -> None:
    decoded = decode_image(encode(Image.fromarray(noise()), kind))
    np.testing.assert_array_equal(decoded.pixels, noise())
    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.flags.c_contiguous
    assert decoded.size == (20, 12)
    assert decoded.format == kind
    assert decoded.warnings == ()


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_give_nearly_the_pixels(kind: str) -> None:
    decoded = decode_image(encode(Image.fromarray(smooth(64, 64)), kind, quality=95))
    assert decoded.format == kind
    assert np.abs(decoded.pixels.astype(int) - smooth(64, 64)).max() <= 12


@pytest.mark.parametrize("orientation", sorted(STORED))
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_exif_orientation_is_undone(orientation: int, kind: str) -> None:
    upright = noise()
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    np.testing.assert_array_equal(decode_image(encode(stored, kind, exif=exif)).pixels, upright)


def test_the_orientation_of_a_jpeg_is_undone() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    stored = Image.fromarray(np.ascontiguousarray(STORED[6](smooth(64, 32))))
    decoded = decode_image(encode(stored, "JPEG", quality=95, exif=exif))
    assert decoded.size == (64, 32)
    assert np.abs(decoded.pixels.astype(int) - smooth(64, 32)).max() <= 12


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_so_that_white_stays_white(kind: str) -> None:
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    pixels = decode_image(encode(Image.fromarray(levels), kind)).pixels
    np.testing.assert_array_equal(pixels[:, :, 0], np.round(levels / 257).astype(np.uint8))
    assert (int(pixels[0, 0, 0]), int(pixels[-1, -1, 0])) == (0, 255)
    np.testing.assert_array_equal(pixels[:, :, 0], pixels[:, :, 1])
    np.testing.assert_array_equal(pixels[:, :, 0], pixels[:, :, 2])


def test_16_bit_big_endian_and_turned_is_read_like_any_other() -> None:
    levels = (np.arange(6, dtype=np.uint16) * 13107).reshape(2, 3)
    exif = Image.Exif()
    exif[ORIENTATION] = 3
    picture = Image.frombytes("I;16B", (3, 2), levels.astype(">u2").tobytes())
    decoded = decode_image(encode(picture, "TIFF", exif=exif))
    np.testing.assert_array_equal(decoded.pixels[:, :, 0], (levels // 257)[::-1, ::-1])


@pytest.mark.parametrize("dtype", ["uint16", "int32"])
@pytest.mark.parametrize("top", [1, 255, 256, 4095, 4096, 16383])
def test_16_bit_grey_that_may_have_fewer_bits_is_refused_with_what_to_do(top: int, dtype: str) -> None:
    levels = np.array([[0, top // 2, top]]).astype(dtype)
    with pytest.raises(UnknownPixelRange, match=f"plate: .* greatest value is {top}, .* save it with 8 bits") as caught:
        decode_image(encode(Image.fromarray(levels), "TIFF"), name="plate")
    assert (caught.value.code, caught.value.status) == ("unknown_pixel_range", 415)
    assert caught.value.detail == {"greatest": top}
    assert "dark picture of a camera with 16 bits" in caught.value.message


@pytest.mark.parametrize("top", [0, 16384])
def test_16_bit_grey_that_is_black_or_needs_16_bits_is_read(top: int) -> None:
    decoded = decode_image(encode(Image.fromarray(np.array([[0, top]], dtype=np.uint16)), "TIFF"))
    np.testing.assert_array_equal(decoded.pixels[0, :, 0], [0, round(top / 257)])
    assert decoded.warnings == ()


@pytest.mark.parametrize("kind", LOSSLESS)
def test_greyscale_becomes_three_equal_bands(kind: str) -> None:
    grey = noise()[:, :, 0]
    pixels = decode_image(encode(Image.fromarray(grey), kind)).pixels
    np.testing.assert_array_equal(pixels, np.repeat(grey[:, :, None], 3, axis=2))


@pytest.mark.parametrize("kind", [kind for kind in LOSSLESS if kind != "JPEG2000"])
def test_1_bit_becomes_black_and_white(kind: str) -> None:
    bits = noise()[:, :, 0] > 127
    pixels = decode_image(encode(Image.fromarray(bits), kind)).pixels
    np.testing.assert_array_equal(pixels, np.repeat(bits[:, :, None], 3, axis=2).astype(np.uint8) * 255)


def palette_picture() -> Image.Image:
    picture = Image.new("P", (2, 2))
    picture.putdata([0, 1, 2, 1])
    picture.putpalette([10, 20, 30, 200, 100, 50, 0, 255, 0])
    return picture


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
def test_a_palette_is_looked_up(kind: str) -> None:
    pixels = decode_image(encode(palette_picture(), kind)).pixels
    np.testing.assert_array_equal(pixels, [[[10, 20, 30], [200, 100, 50]], [[0, 255, 0], [200, 100, 50]]])


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_palette_colour_is_shown_on_white(kind: str) -> None:
    pixels = decode_image(encode(palette_picture(), kind, transparency=1)).pixels
    np.testing.assert_array_equal(pixels, [[[10, 20, 30], [255, 255, 255]], [[0, 255, 0], [255, 255, 255]]])


def test_palette_alphas_are_mixed_with_white() -> None:
    pixels = decode_image(encode(palette_picture(), "PNG", transparency=bytes([255, 0, 128]))).pixels
    expected = [[[10, 20, 30], [255, 255, 255]], [[127, 255, 127], [255, 255, 255]]]
    np.testing.assert_allclose(pixels, expected, atol=1)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_rgba_is_shown_on_white(kind: str) -> None:
    layered = np.zeros((1, 3, 4), dtype=np.uint8)
    layered[0, :, :3] = (200, 0, 100)
    layered[0, :, 3] = (255, 0, 51)
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    pixels = decode_image(encode(Image.fromarray(layered), kind, **options)).pixels
    np.testing.assert_allclose(pixels[0], [[200, 0, 100], [255, 255, 255], [244, 204, 224]], atol=1)


def test_what_lies_hidden_below_transparency_does_not_change_the_image() -> None:
    ids = set()
    for hidden in (0, 99):
        picture = Image.new("RGBA", (4, 4), (hidden, 0, 0, 0))
        picture.putpixel((1, 1), (7, 8, 9, 255))
        ids.add(decode_image(encode(picture, "PNG")).image_id)
    assert len(ids) == 1


def test_grey_with_alpha_is_shown_on_white() -> None:
    picture = Image.new("LA", (2, 2), (40, 0))
    picture.putpixel((1, 0), (40, 255))
    pixels = decode_image(encode(picture, "PNG")).pixels
    np.testing.assert_array_equal(pixels[:, :, 0], [[255, 40], [255, 255]])


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "I;16"])
def test_a_transparent_colour_is_shown_on_white(mode: str) -> None:
    colour: Any = {"1": 0, "L": 7, "RGB": (7, 8, 9), "I;16": 1799}[mode]
    other: Any = {"1": 1, "L": 40, "RGB": (40, 40, 40), "I;16": 10280}[mode]
    picture = Image.new(mode, (2, 2), colour)
    picture.putpixel((1, 0), other)
    pixels = decode_image(encode(picture, "PNG", transparency=colour), rule=White(65535)).pixels
    np.testing.assert_array_equal(pixels[:, :, 0], [[255, 255 if mode == "1" else 40], [255, 255]])


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "I;16"])
def test_a_picture_that_is_transparent_everywhere_is_an_error(mode: str) -> None:
    picture = Image.new(mode, (2, 2))
    options = {} if mode in ("RGBA", "LA") else {"transparency": 0}
    with pytest.raises(UnsupportedImage, match=r"plate\.png: every pixel is transparent"):
        decode_image(encode(picture, "PNG", **options), name="plate.png")


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(kind: str) -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    pixels = decode_image(encode(red, kind)).pixels.astype(int)
    assert np.abs(pixels - (255, 0, 0)).max() <= 4


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_picture_is_undecodable(kind: str, share: float) -> None:
    whole = encode(Image.fromarray(noise(64, 64)), kind)
    with pytest.raises(UndecodableImage, match="plate"):
        decode_image(whole[: int(len(whole) * share)], name="plate")


def test_a_png_with_damaged_pixels_is_undecodable() -> None:
    whole = bytearray(encode(Image.fromarray(noise(64, 64)), "PNG"))
    whole[len(whole) // 2] ^= 0xFF
    with pytest.raises(UndecodableImage):
        decode_image(bytes(whole))


def test_zero_bytes_are_undecodable() -> None:
    with pytest.raises(UndecodableImage, match="empty"):
        decode_image(b"")


@pytest.mark.parametrize("data", [b"hello, world\n", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", bytes(99)])
def test_what_is_no_picture_is_undecodable(data: bytes) -> None:
    with pytest.raises(UndecodableImage, match=r"notes\.txt: not an image"):
        decode_image(data, name="notes.txt")


@hypothesis.settings(deadline=None)
@hypothesis.given(st.binary(min_size=1, max_size=200))
def test_any_bytes_are_a_picture_or_a_told_error(data: bytes) -> None:
    try:
        decoded = decode_image(data)
    except (UndecodableImage, UnsupportedImage, ImageTooLarge):
        return
    assert decoded.pixels.ndim == 3


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"8BPS\0\1", "PSD"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIF"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(40), "raw photograph .CR2"),
        (b"\xff\x0a" + bytes(40), "JPEG XL"),
        (encode(Image.new("RGB", (16, 16)), "ICO"), "ICO"),
        (encode(Image.new("RGB", (16, 16)), "TGA"), "TGA"),
    ],
    ids=["pdf", "svg", "psd", "heic", "cr2", "jxl", "ico", "tga"],
)
def test_another_format_is_unsupported_and_named(data: bytes, kind: str) -> None:
    with pytest.raises(UnsupportedImage, match=f"{kind}.* is not read") as caught:
        decode_image(data)
    assert re.search(kind, caught.value.detail["format"])


def test_floating_point_pixels_are_unsupported() -> None:
    with pytest.raises(UnsupportedImage, match="floating-point"):
        decode_image(encode(Image.fromarray(np.ones((4, 4), dtype=np.float32)), "TIFF"))


@pytest.mark.parametrize("level", [-1, 65536, 2**31 - 1])
def test_32_bit_integers_out_of_range_are_unsupported(level: int) -> None:
    with pytest.raises(UnsupportedImage, match="32-bit"):
        decode_image(encode(Image.fromarray(np.full((4, 4), level, dtype=np.int32)), "TIFF"))


def test_32_bit_integers_in_the_range_of_16_bit_are_read_as_such() -> None:
    pixels = decode_image(encode(Image.fromarray(np.array([[0, 32896, 65535]], dtype=np.int32)), "TIFF")).pixels
    np.testing.assert_array_equal(pixels[0, :, 0], [0, 128, 255])


@pytest.mark.parametrize(("width", "height"), [(30_000, 30_000), (10_000, 10_000), (8_000, 8_000)])
def test_a_bomb_is_too_large_before_a_pixel_is_decoded(
    width: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(picture: ImageFile.ImageFile) -> None:
        raise AssertionError(f"pixels of {picture.size} were decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)
    with pytest.raises(ImageTooLarge):
        decode_image(png(width, height, bytes(1000)))


def test_the_limit_on_megapixels_is_told() -> None:
    data = encode(Image.new("RGB", (200, 100)), "PNG")
    with pytest.raises(ImageTooLarge, match=r"200 x 100 .* limit is 0\.019") as caught:
        decode_image(data, ImageLimits(max_megapixels=0.019))
    assert caught.value.detail == {"width": 200, "height": 100}
    assert decode_image(data, ImageLimits(max_megapixels=0.02)).size == (200, 100)


def test_the_limit_on_megabytes_is_told() -> None:
    data = encode(Image.fromarray(noise()), "BMP")
    exactly = len(data) / 1e6
    assert decode_image(data, ImageLimits(max_megabytes=exactly)).size == (20, 12)
    with pytest.raises(ImageTooLarge, match="MB"):
        decode_image(data, ImageLimits(max_megabytes=exactly - 1e-6))


def test_a_file_over_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.bmp"
    path.write_bytes(encode(Image.fromarray(noise()), "BMP"))
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it was read"))
    with pytest.raises(ImageTooLarge, match=r"large\.bmp"):
        read_image(path, ImageLimits(max_megabytes=0.0001))


def test_a_file_is_read_like_its_bytes(tmp_path: Path) -> None:
    data = encode(Image.fromarray(noise()), "PNG")
    (tmp_path / "plate.png").write_bytes(data)
    read, decoded = read_image(tmp_path / "plate.png"), decode_image(data)
    assert (read.image_id, read.sha256) == (decoded.image_id, decoded.sha256)


def test_what_cannot_be_read_is_undecodable(tmp_path: Path) -> None:
    with pytest.raises(UndecodableImage, match=r"gone\.png"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(UndecodableImage, match=tmp_path.name):
        read_image(tmp_path)


def test_an_undecodable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "blank.png").touch()
    with pytest.raises(UndecodableImage, match=r"blank\.png"):
        read_image(tmp_path / "blank.png")


def test_the_same_pixels_in_another_file_are_the_same_image() -> None:
    files = [encode(Image.fromarray(noise()), kind) for kind in ("PNG", "BMP")]
    first, second = (decode_image(file) for file in files)
    assert first.image_id == second.image_id
    assert first.sha256 != second.sha256
    assert first.sha256 == hashlib.sha256(files[0]).hexdigest()
    assert len(first.image_id) == 24
    assert int(first.image_id, 16) >= 0


@hypothesis.settings(deadline=None, max_examples=30)
@hypothesis.given(
    st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1), st.integers(0, 10**6), st.integers(1, 255)
)
def test_one_changed_pixel_is_another_image(width: int, height: int, seed: int, place: int, change: int) -> None:
    before = noise(width, height, seed)
    after = before.copy()
    place %= after.size
    after.reshape(-1)[place : place + 1] += np.uint8(change)
    ids = [decode_image(encode(Image.fromarray(pixels), "PNG")).image_id for pixels in (before, after)]
    assert ids[0] != ids[1]


def test_the_same_bytes_in_another_shape_are_another_image() -> None:
    ids = {decode_image(encode(Image.new("RGB", size), "PNG")).image_id for size in ((2, 8), (8, 2), (4, 4), (1, 16))}
    assert len(ids) == 4


@pytest.mark.parametrize(
    ("size", "expected"),
    [((2000, 1000), (512, 256)), ((100, 60), (100, 60)), ((512, 512), (512, 512)), ((513, 1), (512, 1))],
)
def test_a_thumbnail_is_a_jpeg_of_at_most_512_pixels(size: tuple[int, int], expected: tuple[int, int]) -> None:
    width, height = size
    image = DecodedImage(np.zeros((height, width, 3), dtype=np.uint8), "0" * 24, "", "PNG")
    with Image.open(io.BytesIO(image.thumbnail())) as small:
        assert small.format == "JPEG"
        assert small.size == expected


def test_a_thumbnail_leaves_the_pixels_alone() -> None:
    image = decode_image(encode(Image.fromarray(noise(600, 20)), "PNG"))
    with Image.open(io.BytesIO(image.thumbnail(side=100))) as small:
        assert max(small.size) == 100
    np.testing.assert_array_equal(image.pixels, noise(600, 20))


sizes = st.tuples(st.integers(1, 3000), st.integers(1, 3000))
grids = st.tuples(st.integers(1, 90), st.integers(1, 90))


@hypothesis.settings(deadline=None)
@hypothesis.given(sizes, grids)
def test_cells_cover_the_image_without_gaps(size: tuple[int, int], grid: tuple[int, int]) -> None:
    width, height = size
    rows, columns = grid
    across = [cell_box(size, grid, 0, column)[::2] for column in range(columns)]
    down = [cell_box(size, grid, row, 0)[1::2] for row in range(rows)]
    for spans, length in ((across, width), (down, height)):
        assert spans[0][0] == 0
        assert spans[-1][1] == length
        assert all(begin < end <= length for begin, end in spans)
        # Neighbours share at most one pixel, the one that their common border crosses.
        for before, after in pairwise(spans):
            assert before[1] >= after[0]
            assert before[1] - after[0] <= 1 or length < len(spans)


@hypothesis.settings(deadline=None)
@hypothesis.given(sizes, grids, st.data())
def test_a_cell_holds_its_own_middle(size: tuple[int, int], grid: tuple[int, int], data: st.DataObject) -> None:
    row, column = (data.draw(st.integers(0, count - 1)) for count in grid)
    left, top, right, bottom = cell_box(size, grid, row, column)
    assert left <= (column + 0.5) * size[0] / grid[1] <= right
    assert top <= (row + 0.5) * size[1] / grid[0] <= bottom


def test_cells_of_an_even_grid_do_not_overlap() -> None:
    assert cell_box((320, 160), (10, 20), 3, 7) == (112, 48, 128, 64)


def test_damaged_exif_does_not_leak_an_error_of_the_decoder() -> None:
    entries = [(0x0100, 2, 4, b"abc\0"), (0x0112, 3, 1, b"\6\0\0\0")]  # the width is text, the orientation is 6
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries))
    exif += b"".join(struct.pack("<HHI4s", *entry) for entry in entries) + bytes(4)
    out = io.BytesIO()
    Image.new("RGB", (20, 10)).save(out, "JPEG", exif=exif)
    assert decode_image(out.getvalue()).size == (10, 20)
