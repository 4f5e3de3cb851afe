"""What kind of file bytes are, by their beginning. A suffix only helps where the beginning does not tell."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

HEAD: Final = 512
"""Bytes at the beginning of a file that tell its kind."""

FORMATS: Final = ("PNG", "JPEG", "BMP", "DIB", "TIFF", "WEBP", "GIF", "PPM", "JPEG2000", "AVIF")
"""Pillow's names of the formats that are read."""

_READ_SUFFIXES: Final = (
    "png apng jpg jpeg jpe jfif bmp dib tif tiff webp gif ppm pgm pbm pnm jp2 j2k j2c jpc jpf jpx avif"
)
SUFFIXES: Final = frozenset(f".{suffix}" for suffix in _READ_SUFFIXES.split())
"""Suffixes of the formats that are read."""

_CONVERT: Final = "save it as PNG, JPEG or TIFF"
_DEVELOP: Final = "develop it, and save the result as TIFF or PNG"


@dataclass(frozen=True)
class FileKind:
    """A kind of file. ``read`` says whether it is decoded, ``image`` whether it is a picture at all and no document;
    ``advice`` says what to do where it is not read."""

    name: str
    read: bool = False
    image: bool = True
    advice: str = _CONVERT


_HEIC: Final = FileKind(
    "HEIC (HEIF)", advice="save it as JPEG or PNG; an iPhone does so with Settings, Camera, Formats, Most Compatible"
)
_TIFF: Final = FileKind("TIFF", read=True)
_AVIF: Final = FileKind("AVIF", read=True)
_JP2: Final = FileKind("JPEG 2000", read=True)

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", FileKind("PNG", read=True)),
    (b"\xff\xd8\xff", FileKind("JPEG", read=True)),
    (b"GIF87a", FileKind("GIF", read=True)),
    (b"GIF89a", FileKind("GIF", read=True)),
    (b"\0\0\0\x0cjP  \r\n\x87\n", _JP2),
    (b"\xff\x4f\xff\x51", _JP2),
    (b"II*\0", _TIFF),
    (b"MM\0*", _TIFF),
    (b"II+\0", _TIFF),
    (b"MM\0+", _TIFF),
    (b"\0\0\0\x0cJXL \r\n\x87\n", FileKind("JPEG XL")),
    (b"\xff\x0a", FileKind("JPEG XL")),
    (b"8BPS", FileKind("PSD")),
    (b"\x76\x2f\x31\x01", FileKind("OpenEXR")),
    (b"#?RADIANCE", FileKind("Radiance HDR")),
    (b"DDS ", FileKind("DDS")),
    (b"\0\0\1\0", FileKind("ICO")),
    (b"icns", FileKind("ICNS")),
    (b"SIMPLE  =", FileKind("FITS")),
    (b"FUJIFILMCCD-RAW", FileKind("raw photograph (RAF)", advice=_DEVELOP)),
    (b"IIRO", FileKind("raw photograph (ORF)", advice=_DEVELOP)),
    (b"IIRS", FileKind("raw photograph (ORF)", advice=_DEVELOP)),
    (b"MMOR", FileKind("raw photograph (ORF)", advice=_DEVELOP)),
    (b"IIU\0", FileKind("raw photograph (RW2)", advice=_DEVELOP)),
    (b"FOVb", FileKind("raw photograph (X3F)", advice=_DEVELOP)),
    (b"%PDF", FileKind("PDF", image=False)),
    (b"<svg", FileKind("SVG", image=False)),
)

_BRANDS: Final = {
    **dict.fromkeys((b"avif", b"avis"), _AVIF),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), _HEIC),
    b"crx ": FileKind("raw photograph (CR3)", advice=_DEVELOP),
}

_RAW: Final = "dng cr2 cr3 crw nef nrw arw srf sr2 orf rw2 raf pef srw 3fr iiq x3f raw"

_RAW_SUFFIXES: Final = {
    f".{suffix}": FileKind(f"raw photograph ({suffix.upper()})", advice=_DEVELOP) for suffix in _RAW.split()
}

_UNREAD_SUFFIXES: Final = {
    **_RAW_SUFFIXES,
    **dict.fromkeys((".heic", ".heif", ".hif"), _HEIC),
    **{
        f".{suffix}": FileKind(name)
        for name, suffixes in {
            "JPEG XL": "jxl",
            "JPEG XR": "jxr wdp hdp",
            "PSD": "psd psb",
            "OpenEXR": "exr",
            "Radiance HDR": "hdr",
            "TGA": "tga",
            "PCX": "pcx",
            "SGI": "sgi",
            "ICO": "ico",
            "DDS": "dds",
            "DICOM": "dcm",
            "FITS": "fits fit",
            "PFM": "pfm",
            "PAM": "pam",
        }.items()
        for suffix in suffixes.split()
    },
}

_PPM: Final = re.compile(rb"P[1-6]\s+(#|\d)")
_DIB_HEADERS: Final = (12, 40, 52, 56, 64, 108, 124)
_DIB_BITS: Final = (1, 4, 8, 16, 24, 32)


def kind_of(head: bytes, suffix: str = "") -> FileKind | None:
    """The kind of a file that begins with ``head`` (its first ``HEAD`` bytes); None for what is no picture.

    ``suffix`` (``.png``) tells raw photographs from TIFF, on which they are built, and names what the content does not.
    """
    kind = _by_content(head)
    suffix = suffix.lower()
    if kind is _TIFF:
        return _RAW_SUFFIXES.get(suffix, kind)
    return kind or _UNREAD_SUFFIXES.get(suffix)


def _by_content(head: bytes) -> FileKind | None:
    if head[:4] == b"II*\0" and head[8:10] == b"CR":
        return _RAW_SUFFIXES[".cr2"]
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    kind = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    return kind or next((kind for kind, fits in _WEAK if fits(head)), None)


def _is_bmp(head: bytes) -> bool:
    return head[:2] == b"BM" and _number(head, 14, 4) in _DIB_HEADERS


def _is_dib(head: bytes) -> bool:
    return _number(head, 0, 4) in _DIB_HEADERS[1:] and _number(head, 12, 2) == 1 and _number(head, 14, 2) in _DIB_BITS


def _number(head: bytes, place: int, size: int) -> int:
    return int.from_bytes(head[place : place + size], "little")


_WEAK: Final[tuple[tuple[FileKind, Callable[[bytes], bool]], ...]] = (
    (FileKind("WebP", read=True), lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP"),
    (FileKind("DICOM"), lambda head: head[128:132] == b"DICM"),
    (FileKind("PPM", read=True), lambda head: _PPM.match(head) is not None),
    (FileKind("BMP", read=True), _is_bmp),
    (FileKind("DIB", read=True), _is_dib),
)
"""Kinds that a few bytes alone do not tell from text."""


def _by_brand(head: bytes) -> FileKind:
    """The kind by the brands of an ISO media file: the major one first, then those that it is compatible with."""
    size = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[place : place + 4] for place in range(16, size, 4))]
    kinds = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
    if _AVIF in kinds:
        return _AVIF
    return kinds[0] if kinds else FileKind("video", image=False)
