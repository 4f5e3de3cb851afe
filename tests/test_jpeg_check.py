"""JPEGs that end in the middle of the picture, with an end marker put behind."""

from __future__ import annotations

import io
from typing import Any

import pytest

from patchbank.errors import UndecodableImage
from patchbank.images import decode_image
from tests.helpers.pictures import picture

KINDS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restart markers": {"restart_marker_blocks": 4},
    "whole colour": {"subsampling": 0},
}


def jpeg(mode: str = "RGB", **options: Any) -> bytes:
    """A picture as JPEG."""
    out = io.BytesIO()
    picture(1, (400, 300)).convert(mode).save(out, "JPEG", quality=92, **options)
    return out.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_cut_in_the_middle_is_refused_though_it_has_an_end_marker(kind: str, mode: str) -> None:
    data = jpeg(mode, **KINDS[kind])
    assert decode_image(data).size == (400, 300)
    for share in (0.45, 0.75, 0.95):
        with pytest.raises(UndecodableImage, match=r"half\.jpg: truncated or damaged JPEG: .*premature end"):
            decode_image(data[: int(share * len(data))] + b"\xff\xd9", name="half.jpg")


def test_stray_bytes_about_the_end_of_a_whole_picture_are_no_damage() -> None:
    data = jpeg()
    for whole in (data + b"camera's own data", data[:-2] + b"\0\0\0" + data[-2:]):
        assert (decode_image(whole).pixels == decode_image(data).pixels).all()
