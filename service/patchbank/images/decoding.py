"""From a file to its picture: what is it, may it be decoded, how."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from patchbank.errors import ImageTooCostly, ImageTooLarge, PatchbankError, UndecodableImage, UnsupportedImage
from patchbank.images import headers
from patchbank.images.cost import check_cost
from patchbank.images.files import read_bytes
from patchbank.images.formats import FORMATS, HEAD, FileKind, kind_of
from patchbank.images.jpeg_check import jpeg_damage
from patchbank.images.limits import DEFAULT_LIMITS, ImageLimits
from patchbank.images.opened import OpenedImage
from patchbank.images.picture import DecodedImage
from patchbank.images.pixels import Loaded
from patchbank.images.tiff import BrokenTiff
from patchbank.images.tiff_layout import TiffLayout, read_by_tifffile, several, tiff_layout
from patchbank.images.white import CERTAIN, FULL, UNKNOWN, RangeRule
from patchbank.processes.limits import has_room

DECODER: Final = 1
"""Version of the rules that make pixels; part of the preprocessing fingerprint."""

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


Sized = Callable[[int, int], None]
"""Is told width and height of a picture before its pixels are decoded."""


def pass_over(width: int, height: int) -> None:
    """Do nothing with what one is told."""


def read_image(path: Path, limits: ImageLimits = DEFAULT_LIMITS, rule: RangeRule = UNKNOWN) -> DecodedImage:
    """Decode a file. Raises the errors of :func:`decode_image`, and ``UndecodableImage`` where the file can't be
    read."""
    return open_image(path, limits).read(rule)


def open_image(path: Path, limits: ImageLimits = DEFAULT_LIMITS) -> OpenedImage:
    """Decode a file, but for its range; :func:`read_image` in two steps."""
    return opened(read_bytes(path, limits), limits, path.name)


def decode_image(
    data: bytes, limits: ImageLimits = DEFAULT_LIMITS, name: str = "image", rule: RangeRule = UNKNOWN
) -> DecodedImage:
    """Decode an encoded picture. ``rule`` says which value of a 16-bit grey picture is white, where its file does not.

    Raises ``UndecodableImage`` where ``data`` is not a picture or is damaged, ``UnsupportedImage`` for formats and
    pixel types that are not read and for files with several pictures, ``UnknownPixelRange`` as the rule does,
    ``ImageTooLarge`` for more bytes or pixels than ``limits`` allow (checked on the header, before any pixel is
    decoded).
    """
    return opened(data, limits, name).read(rule)


def opened(
    data: bytes, limits: ImageLimits = DEFAULT_LIMITS, name: str = "image", sized: Sized = pass_over
) -> OpenedImage:
    """Decode an encoded picture, but for its range; :func:`decode_image` in two steps. ``sized`` is called with width
    and height before any pixel is decoded."""
    return OpenedImage.of(load(data, limits, name, sized), name, hashlib.sha256(data).hexdigest())


def load(data: bytes, limits: ImageLimits, name: str, sized: Sized = pass_over) -> Loaded:
    """The upright picture with its own kind of values; raises as :func:`decode_image`."""
    if not data:
        raise UndecodableImage(f"{name}: the file is empty (0 bytes)")
    limits.check_bytes(len(data), name)
    kind = kind_of(data[:HEAD])
    if kind is not None and not kind.read:
        raise _not_read(kind, name)
    layout = None
    if kind is not None and kind.name == "TIFF":
        try:
            layout = tiff_layout(data, limits, name)
        except BrokenTiff as error:
            raise UndecodableImage(f"{name}: not an image, or a damaged TIFF: {error}") from error
    _check_header(kind, data, name)
    if kind is not None:
        check_cost(kind.name, data, limits, name)
    if layout is not None and layout.by_tifffile:
        sized(*layout.size)
        return _load_by_tifffile(data, layout, name)
    with _open(data, kind, layout, limits, name) as picture:
        sized(*picture.size)
        return _load_by_pillow(picture, data, layout, name)


def _check_header(kind: FileKind | None, data: bytes, name: str) -> None:
    """Refuse what Pillow does not open, or reads wrong, and what the header alone shows."""
    if kind is None:
        return
    if kind.name == "JPEG":
        header = headers.jpeg_header(data)
        if header is not None and header.jpeg_ls:
            raise _not_read(FileKind("JPEG-LS"), name)
        if header is not None and header.precision != 8:
            raise _not_read(FileKind(f"a JPEG of {header.precision} bits", advice="save it with 8 bits"), name)
        if header is not None and header.components == 4 and not header.adobe:
            raise _not_read(FileKind("a CMYK JPEG that does not say how it stores inks", advice="save it as RGB"), name)
    elif kind.name == "JPEG 2000":
        depths = headers.jpeg2000_components(data)
        deepest = max((bits for bits, _ in depths), default=8)
        if any(sign for _, sign in depths) or deepest > 16 or (len(depths) > 1 and deepest > 8):
            what = f"a JPEG 2000 with {len(depths)} channels of {deepest} bits"
            raise _not_read(FileKind(what, advice="save it with 8 bits, or as PNG"), name)
    elif kind.name == "GIF":
        frames = headers.gif_frames(data)
        if frames > 1:
            raise several("GIF", frames, name, most=headers.MAX_FRAMES)


def _load_by_pillow(picture: Image.Image, data: bytes, layout: TiffLayout | None, name: str) -> Loaded:
    label = str(picture.format)
    try:
        frames = 1 if layout is not None else int(getattr(picture, "n_frames", 1))
        picture.load()
        # ImageOps.exif_transpose would rewrite the EXIF data, and fails where another tag is damaged.
        upright = _turned(picture, picture.getexif().get(0x0112, 1))
    except MemoryError as error:
        raise _too_costly(name) from error
    except Exception as error:  # decoders raise struct.error, TypeError and more on damaged files
        raise _undecodable(name, f"truncated or damaged {label}: {error}", picture.size) from error
    if frames > 1:
        raise several(label, frames, name, most=frames + 1)
    damage = jpeg_damage(data) if label == "JPEG" else None
    if damage is not None:
        raise UndecodableImage(f"{name}: truncated or damaged {label}: {damage}")
    lossy = label in ("JPEG", "AVIF", "WEBP", "JPEG2000")
    if layout is not None:
        white, named, notes = layout.white or FULL, layout.white is not None, _sign_note(layout, upright)
        return Loaded(upright, label, layout.deep, white, named, layout.inverted, lossy, notes)
    if label == "PNG":
        return _png(upright, data)
    return Loaded(upright, label, headers.has_sixteen_bits(label, data), lossy=lossy)


def _png(picture: Image.Image, data: bytes) -> Loaded:
    """PNG names its significant bits (sBIT), and wants values spread over all 16 all the same. Values that are not
    spread, such as 12-bit ones up to 4095, are scaled."""
    depth, significant = headers.png_bits(data)
    loaded = Loaded(picture, "PNG", deep=depth == 16)
    if not (loaded.is_deep_grey and significant and 8 <= significant < 16):
        return loaded
    values, white, spare = np.asarray(picture).astype(np.uint16), (1 << significant) - 1, 16 - significant
    shifted = (values >> spare) << spare
    spread = shifted | (shifted >> significant)
    if (values == shifted).all() or (values == spread).all():
        return replace(loaded, named=True)
    if values.max(initial=0) > white:
        return loaded
    return replace(loaded, white=white, named=True)


def _sign_note(layout: TiffLayout, picture: Image.Image) -> tuple[str, ...]:
    top = int(np.asarray(picture).max(initial=0)) if layout.signed else 0
    if not CERTAIN <= top <= 32767:
        return ()
    return (f"signed image whose brightest value is {top}: its values are taken as 0 to 65535, so it is read as dark",)


def _load_by_tifffile(data: bytes, layout: TiffLayout, name: str) -> Loaded:
    try:
        values = read_by_tifffile(data)
        picture = _turned(_eight_bits(values, layout.white), layout.turn)
    except MemoryError as error:
        raise _too_costly(name) from error
    except Exception as error:  # as above
        raise _undecodable(name, f"truncated or damaged TIFF: {error}", layout.size) from error
    highest = int(values[..., :3].max(initial=0))
    if layout.white is not None and highest > layout.white:
        raise UnsupportedImage(
            f"{name}: the file says that its greatest value is {layout.white}, but has {highest}; save it with 8 bits"
        )
    return Loaded(picture, "TIFF", deep=True, white=layout.white or FULL, named=layout.white is not None)


def _eight_bits(values: NDArray[Any], white: int | None) -> Image.Image:
    """16-bit values (H, W, channels) as an 8-bit picture: the high bytes, as Pillow takes them from interleaved
    files."""
    small = np.empty(values.shape, dtype=np.uint8)
    for row, wide in enumerate(values):
        small[row] = wide >> 8 if white is None else (wide.astype(np.int64) * 510 + white) // (2 * white)
    mode = {2: "LA", 3: "RGB", 4: "RGBA"}[values.shape[-1]]
    return Image.fromarray(small, mode=mode)


def _turned(picture: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def _open(data: bytes, kind: FileKind | None, layout: TiffLayout | None, limits: ImageLimits, name: str) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise _unidentified(data, kind, layout, name) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge(f"{name}: far over the limit of {limits.max_megapixels:g} megapixels") from error
    except MemoryError as error:
        raise _too_costly(name) from error
    except Exception as error:  # decoders raise RuntimeError, struct.error and more on damaged files
        # Pillow makes room for a WebP when it opens it.
        size = headers.webp_size(data) if kind is not None and kind.name == "WebP" else (0, 0)
        raise _undecodable(name, f"truncated or damaged: {error}", size) from error
    try:
        limits.check_pixels(picture.width, picture.height, name)
    except ImageTooLarge:
        picture.close()
        raise
    return picture


def _undecodable(name: str, what: str, size: tuple[int, int] = (0, 0)) -> PatchbankError:
    """The error for a picture of that (width, height) that a decoder gave up. Some decoders tell of memory in words
    alone, libjpeg and libwebp not at all: where there is none left for such a picture, that is why."""
    lacking = "memory" in what.lower() or not has_room(ImageLimits.likely_memory(*size))
    return _too_costly(name) if lacking else UndecodableImage(f"{name}: {what}")


def _too_costly(name: str) -> ImageTooCostly:
    return ImageTooCostly(f"{name}: decoding it takes more memory than a picture may; save it as PNG or JPEG")


def _unidentified(data: bytes, kind: FileKind | None, layout: TiffLayout | None, name: str) -> PatchbankError:
    """The error for what Pillow does not open: a picture of another format, a damaged one, or none at all."""
    if kind is not None and layout is not None:  # its directory is whole
        return _not_read(FileKind("a TIFF of this kind of pixels", advice="save it as 8-bit RGB or grey"), name)
    if kind is not None:
        return UndecodableImage(f"{name}: not an image, or a damaged {kind.name}")
    try:
        with Image.open(io.BytesIO(data)) as other:
            return _not_read(FileKind(str(other.format)), name)
    except Exception:  # other decoders raise anything; the data is then not a picture
        return UndecodableImage(f"{name}: not an image")


def _not_read(kind: FileKind, name: str) -> UnsupportedImage:
    return UnsupportedImage(f"{name}: {kind.name} is not read; {kind.advice}", format=kind.name)
