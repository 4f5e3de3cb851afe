"""The one image decoder: bytes or a file become upright 8-bit RGB pixels, or a clear error.

Index time and request time both use it, so that a reference image sent to ``/detect`` is exactly the picture that was
indexed.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from patchbank.arrays import ByteArray
from patchbank.errors import ImageTooLarge, PatchbankError, UndecodableImage, UnsupportedImage
from patchbank.jpeg_check import jpeg_damage

FORMATS: Final = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF")
"""Pillow formats that are read. Of an animation or a multi-page file only the first picture is read."""

SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif"})

DECODER: Final = 1
"""Version of the rules below; part of the preprocessing fingerprint."""

_MATTE: Final = (255, 255, 255, 255)
"""Transparent pixels are shown on white, as picture viewers do; the colour stored for them is arbitrary."""


@dataclass(frozen=True)
class ImageLimits:
    """Limits checked before pixels are decoded: megapixels of the picture, megabytes of the file."""

    max_megapixels: float = 50.0
    max_megabytes: float = 64.0


@dataclass(frozen=True)
class DecodedImage:
    """An upright picture.

    ``pixels`` is uint8 (H, W, 3) RGB after EXIF orientation; ``image_id`` is 24 hex digits derived from size and
    pixels, so the same picture has the same id in whatever file; ``sha256`` is that of the file's bytes.
    """

    pixels: ByteArray
    image_id: str
    sha256: str
    format: str
    warnings: tuple[str, ...] = ()

    @classmethod
    def of_pixels(cls, pixels: ByteArray) -> DecodedImage:
        """A picture that does not come from a file; ``pixels`` uint8 (H, W, 3) RGB."""
        return cls(pixels, _image_id(pixels), "", "raw")

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def thumbnail(self, side: int = 512, quality: int = 85) -> bytes:
        """A JPEG at most ``side`` pixels on its longer side."""
        picture = Image.fromarray(self.pixels)
        picture.thumbnail((side, side))
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality)
        return out.getvalue()


def read_image(path: Path, limits: ImageLimits = ImageLimits()) -> DecodedImage:
    """Decode a file. Raises the errors of :func:`decode_image`, and ``UndecodableImage`` where the file can't be
    read."""
    try:
        size = path.stat().st_size
        if size > limits.max_megabytes * 1e6:
            raise ImageTooLarge(f"{path.name}: {size / 1e6:.1f} MB, the limit is {limits.max_megabytes:g} MB")
        data = path.read_bytes()
    except OSError as error:
        raise UndecodableImage(f"{path}: cannot be read: {error.strerror or error}") from error
    return decode_image(data, limits, name=path.name)


def decode_image(data: bytes, limits: ImageLimits = ImageLimits(), name: str = "image") -> DecodedImage:
    """Decode an encoded picture.

    Raises ``UndecodableImage`` where ``data`` is not a picture or is damaged, ``UnsupportedImage`` for formats and
    pixel types that are not read, ``ImageTooLarge`` for more bytes or pixels than ``limits`` allow (checked on the
    header, before any pixel is decoded).
    """
    if not data:
        raise UndecodableImage(f"{name}: the file is empty (0 bytes)")
    if len(data) > limits.max_megabytes * 1e6:
        raise ImageTooLarge(f"{name}: {len(data) / 1e6:.1f} MB, the limit is {limits.max_megabytes:g} MB")
    with _open(data, limits, name) as picture:
        try:
            picture.load()
            upright = _upright(picture)
            notes = _notes(upright)
            pixels = _to_rgb(upright, name)
        except PatchbankError:
            raise
        except Exception as error:  # decoders raise struct.error, TypeError and more on damaged files
            raise UndecodableImage(f"{name}: truncated or damaged {picture.format}: {error}") from error
        kind = str(picture.format)
    damage = jpeg_damage(data) if kind in ("JPEG", "MPO") else None
    if damage is not None:
        raise UndecodableImage(f"{name}: truncated or damaged {kind}: {damage}")
    return DecodedImage(pixels, _image_id(pixels), hashlib.sha256(data).hexdigest(), kind, notes)


def cell_box(size: tuple[int, int], grid: tuple[int, int], row: int, column: int) -> tuple[int, int, int, int]:
    """The box (left, top, right, bottom), right and bottom exclusive, of one cell. The ``grid`` (rows, columns) is laid
    evenly over an image of ``size`` (width, height)."""
    (width, height), (rows, columns) = size, grid
    left, top = column * width // columns, row * height // rows
    right, bottom = -(-(column + 1) * width // columns), -(-(row + 1) * height // rows)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _open(data: bytes, limits: ImageLimits, name: str) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise _not_read(data, name) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge(f"{name}: far over the limit of {limits.max_megapixels:g} megapixels") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UndecodableImage(f"{name}: truncated or damaged: {error}") from error
    megapixels = picture.width * picture.height / 1e6
    if megapixels > limits.max_megapixels:
        picture.close()
        raise ImageTooLarge(
            f"{name}: {picture.width} x {picture.height} is {megapixels:.1f} megapixels, "
            f"the limit is {limits.max_megapixels:g}",
            width=picture.width,
            height=picture.height,
        )
    return picture


def _not_read(data: bytes, name: str) -> UndecodableImage | UnsupportedImage:
    """The error for undecodable data: a picture of another format, or no picture at all."""
    known = {b"%PDF": "PDF", b"<svg": "SVG", b"8BPS": "PSD"}
    kind = next((label for magic, label in known.items() if data.startswith(magic)), None)
    if data[4:8] == b"ftyp":
        kind = "HEIF, AVIF or video"
    if kind is None:
        try:
            with Image.open(io.BytesIO(data)) as other:
                kind = other.format
        except Exception:  # other decoders raise anything; the data is then not a picture
            return UndecodableImage(f"{name}: not an image")
    return UnsupportedImage(f"{name}: {kind} is not read; send PNG, JPEG, BMP, TIFF, WebP or GIF", format=kind)


_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _upright(picture: Image.Image) -> Image.Image:
    # ImageOps.exif_transpose would rewrite the EXIF data, and fails where another tag is damaged.
    turn = _TURNS.get(picture.getexif().get(0x0112, 1))
    return picture if turn is None else picture.transpose(turn)


def _notes(picture: Image.Image) -> tuple[str, ...]:
    if picture.mode.startswith("I;16") or picture.mode == "I":
        top = int(np.asarray(picture).max(initial=0))
        if 255 < top < 4096:
            return (
                f"16-bit image whose brightest pixel is {top}: it looks like 10- or 12-bit data and is read as dark",
            )
    return ()


def _to_rgb(picture: Image.Image, name: str) -> ByteArray:
    """uint8 (H, W, 3). 16-bit values are scaled by 1/257, so that white stays white."""
    mode = picture.mode
    if mode.startswith("I;16") or mode == "I":
        deep = np.asarray(picture).astype(np.int64)
        if deep.min(initial=0) < 0 or deep.max(initial=0) > 65535:
            raise UnsupportedImage(f"{name}: 32-bit integer pixels are not read; save it with 8 or 16 bits")
        grey = ((deep + 128) // 257).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if mode == "F":
        raise UnsupportedImage(f"{name}: floating-point pixels are not read; save it with 8 or 16 bits")
    if "A" in mode or "a" in mode or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", layered.size, _MATTE), layered)
    return np.ascontiguousarray(np.asarray(picture.convert("RGB")))


def _image_id(pixels: ByteArray) -> str:
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()[:24]
