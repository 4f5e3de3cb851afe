"""TIFF files of every layout and depth."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from docs.format_truth import ROUNDING, Case, at_depth, grey_truth, saved, spread, tiff_file, truth


def tiff_layouts() -> Iterator[Case]:
    """TIFF files of 8 and 16 bits in every layout."""
    for depth, grey, colours in ((8, grey_truth(), truth()), (16, at_depth(grey_truth(), 16), at_depth(truth(), 16))):
        for name, values, photometric in (("grey", grey, "minisblack"), ("RGB", colours, "rgb")):
            right = truth() if name == "RGB" else spread(grey_truth())

            def case(what: str, data: bytes, kind: str = f"{name}, {depth} bits", right: Any = right) -> Case:
                return Case("TIFF layouts", f"{kind}: {what}", data, right)

            yield case("little-endian", tiff_file(values, photometric, byteorder="<"))
            yield case("big-endian", tiff_file(values, photometric, byteorder=">"))
            yield case("tiles", tiff_file(values, photometric, tile=(16, 16)))
            yield case("several strips", tiff_file(values, photometric, rowsperstrip=5))
            yield case("BigTIFF", tiff_file(values, photometric, bigtiff=True))
            yield case("deflate", tiff_file(values, photometric, compression="zlib"))
            yield case("deflate, predictor", tiff_file(values, photometric, compression="zlib", predictor=True))
            if name == "RGB":
                planes = np.moveaxis(values, 2, 0)
                yield case("planar", tiff_file(planes, photometric, planarconfig="separate"))
                yield case("planar, tiles", tiff_file(planes, photometric, planarconfig="separate", tile=(16, 16)))
                yield case(
                    "planar, deflate", tiff_file(planes, photometric, planarconfig="separate", compression="zlib")
                )
            else:
                yield case("white is zero", tiff_file(np.iinfo(values.dtype).max - values, "miniswhite"))
    picture = Image.fromarray(truth())
    for what, compression, off in (("LZW", "tiff_lzw", 0), ("PackBits", "packbits", 0), ("JPEG", "jpeg", 6)):
        quality = {"quality": 98} if compression == "jpeg" else {}
        data = saved(picture, "TIFF", compression=compression, **quality)
        yield Case("TIFF layouts", f"RGB, 8 bits: {what}", data, truth(), off)
    bits = grey_truth() > 127
    data = saved(Image.fromarray(bits), "TIFF", compression="group4")
    yield Case("TIFF layouts", "1 bit: fax group 4", data, spread(bits * 255))
    yield Case("TIFF layouts", "CMYK, 8 bits", saved(picture.convert("CMYK"), "TIFF"), truth(), 2)
    yield Case("TIFF layouts", "YCbCr, 8 bits", saved(picture.convert("YCbCr"), "TIFF"), truth(), 3)
    yield Case("TIFF layouts", "Lab, 8 bits", saved(_lab(picture), "TIFF"), truth(), 6)
    yield Case("TIFF layouts", "PackBits with a predictor", _packbits_with_predictor(), None)


def _packbits_with_predictor() -> bytes:
    """No library writes such a file without more of them, so the compression is renamed in the directory of one."""
    lzw = saved(Image.fromarray(grey_truth()), "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    entry = (259).to_bytes(2, "little") + (3).to_bytes(2, "little") + (1).to_bytes(4, "little")
    before, after = (entry + number.to_bytes(4, "little") for number in (5, 32773))
    assert before in lzw  # noqa: S101  # LZW, as asked for
    return lzw.replace(before, after)


def _lab(picture: Image.Image) -> Image.Image:
    transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    made = ImageCms.applyTransform(picture, transform)
    assert made is not None  # noqa: S101  # None comes from work in place alone
    return made


def tiff_depths() -> Iterator[Case]:
    """TIFF files of every depth."""
    grey, colours = grey_truth(), truth()
    for bits in (1, 2, 4):
        # Pillow and tifffile write no such files without more libraries, so the bits are packed here.
        few = grey >> (8 - bits)
        yield Case(
            "TIFF depths",
            f"grey, {bits} bit{'s' * (bits > 1)}",
            _packed(few, bits),
            spread(few * 255.0 / ((1 << bits) - 1)),
        )
    for bits in (10, 12, 14):
        pixels = spread(grey) if bits == 12 else None
        data = _packed(at_depth(grey, bits), bits)
        yield Case("TIFF depths", f"grey, {bits} bits packed", data, pixels, ROUNDING)
    inverse = _packed(4095 - at_depth(grey, 12), 12, photometric=0)
    yield Case("TIFF depths", "grey, 12 bits packed, white is zero", inverse, None)
    for bits in (8, 10, 12, 14):
        for name, values, photometric in (("grey", grey, "minisblack"), ("RGB", colours, "rgb")):
            low, full = at_depth(values, bits), colours if name == "RGB" else spread(grey)
            what = f"{bits}-bit values in 16 bits, {name}"
            yield Case("TIFF depths", what, tiff_file(low, photometric), full, unknown=True)
            top = (281, "H", 1 if name == "grey" else 3, (1 << bits) - 1 if name == "grey" else ((1 << bits) - 1,) * 3)
            named = tiff_file(low, photometric, extratags=[(*top, True)])
            yield Case("TIFF depths", what + f", MaxSampleValue {(1 << bits) - 1}", named, full, ROUNDING)
    yield Case(
        "TIFF depths", "8-bit values in 32 bits, grey", tiff_file(grey.astype(np.int32)), spread(grey), unknown=True
    )
    yield Case(
        "TIFF depths", "16-bit values in 32 bits, grey", tiff_file(at_depth(grey, 16).astype(np.int32)), spread(grey)
    )
    yield Case("TIFF depths", "32 bits, grey", tiff_file(grey.astype(np.uint32) * 16843009), None)
    yield Case("TIFF depths", "32 bits, RGB", tiff_file(colours.astype(np.uint32) * 16843009, "rgb"), None)
    yield Case("TIFF depths", "signed 8 bits, grey", tiff_file((grey // 2).astype(np.int8)), None)
    yield Case(
        "TIFF depths", "signed 16 bits, grey", tiff_file(at_depth(grey, 15).astype(np.int16)), spread(grey), dark=True
    )
    for kind in (np.float16, np.float32, np.float64):
        yield Case("TIFF depths", f"{kind.__name__}, grey", tiff_file((grey / 255).astype(kind)), None)
    yield Case("TIFF depths", "float32, RGB", tiff_file((colours / 255).astype(np.float32), "rgb"), None)
    alpha = np.full(grey.shape, 65535, np.uint16)
    both = np.dstack([at_depth(grey, 16), alpha])
    options: dict[str, Any] = {"extrasamples": ["unassalpha"], "planarconfig": "contig"}
    yield Case("TIFF depths", "16 bits, grey and alpha", tiff_file(both, **options), spread(grey))
    yield Case("TIFF depths", "16 bits, grey and alpha, deflate", tiff_file(both, compression="zlib", **options), None)
    half = np.dstack([at_depth(colours, 16), alpha // 2])
    yield Case("TIFF depths", "16 bits, RGB and alpha", tiff_file(half, "rgb", **options), (colours + 255.0) / 2, 1.5)


def _packed(values: NDArray[Any], bits: int, photometric: int = 1) -> bytes:
    """A grey TIFF of values (H, W) with so many bits each and rows that begin at a byte."""
    height, width = values.shape
    ones = (values.astype(np.int64)[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
    body = np.packbits(ones.reshape(height, -1).astype(np.uint8), axis=1).tobytes()
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 0, 277: 1, 278: height, 279: len(body)}
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + body
