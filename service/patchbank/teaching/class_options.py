"""How a class was taught, told from what is stored: so it can be taught anew in the same way."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from patchbank.bank.manifest import Manifest
from patchbank.bank.names import TURN_ROWS
from patchbank.bank.store import Bank
from patchbank.embedding.turned import EIGHTHS, QUARTERS, Turn
from patchbank.settings import Settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.roi_drawing import RoiDrawing


def options_of(before: Manifest) -> TeachOptions:
    """Its options, known defects among them, without its mask, its series and its turned copies."""
    calibration = before.calibration
    return TeachOptions(
        coreset=None if before.coreset is None else before.coreset.ratio,
        scoring=before.scoring,
        target_far=calibration.target_far,
        review_far=None if calibration.review_far is None else calibration.review_rate,
        confidence=calibration.confidence or 0.0,
        foreground="off" if before.foreground is None else "on",
        scales=before.scales,
        follows=before,
    )


def settings_of(before: Manifest, settings: Settings) -> Settings:
    """The settings with the class's own rate of pixels."""
    rate = before.calibration.pixel_target_far
    return settings if rate is None else settings.model_copy(update={"pixel_target_far": rate})


def turns_of(bank: Bank) -> tuple[Turn, ...]:
    """The turns of the copies that the class was taught with."""
    odd = any_turned = False
    for block in bank.patches():
        turns = np.unique(block.cells[:, 0] // TURN_ROWS)
        any_turned |= bool(turns.any())
        odd |= bool((turns % 2).any())
    return EIGHTHS if odd else QUARTERS if any_turned else ()


@contextmanager
def drawing_of(before: Manifest) -> Iterator[RoiDrawing | None]:
    """The class's region of interest as it was drawn: a mask in a file that is there for the time being."""
    if before.roi is None:
        yield None
        return
    with TemporaryDirectory(prefix="patchbank-mask-") as folder:
        file = Path(folder) / "mask.png"
        file.write_bytes(base64.b64decode(before.roi.png))
        yield RoiDrawing(mask=file)
