"""Verdicts on images whose class is known."""

from __future__ import annotations

from pathlib import Path

from patchbank.images import DecodedImage
from patchbank.judging.inspector import Inspector
from patchbank.judging.verdict import Verdict


def verdict_on(inspector: Inspector, image: Path | bytes | DecodedImage, class_name: str) -> Verdict:
    """What the class's bank says of an image; with the class given there always is a verdict."""
    verdict = inspector.inspect(image, class_name).verdict
    assert verdict is not None
    return verdict
