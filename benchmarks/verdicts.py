"""Verdicts on images whose class is known."""

from __future__ import annotations

from pathlib import Path

from patchbank.images import DecodedImage
from patchbank.judging.inspector import Inspector
from patchbank.judging.verdict import Verdict


def verdict_on(inspector: Inspector, image: Path | bytes | DecodedImage, class_name: str) -> Verdict:
    """The verdict of the class's bank. With the class given, there always is one."""
    verdict = inspector.inspect(image, class_name).verdict
    assert verdict is not None
    return verdict
