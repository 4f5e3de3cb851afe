"""Drift on pictures of a real product, from judging to the state."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from patchbank.history.drift import DriftWatch
from patchbank.history.history import History
from patchbank.history.recorder import Asked
from patchbank.images import read_image
from patchbank.judging.inspector import Inspector
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import load_products


@pytest.mark.parametrize("light", [0.85, 1.15])
def test_unchanged_fabric_stays_ok_and_light_that_changes_by_15_percent_is_drifting_within_50_images(
    inspector: Inspector, teacher: Teacher, light: float
) -> None:
    (textile,) = [product for product in load_products(24, 50) if product.class_name == "textile"]
    teacher.teach("textile", textile.references, options=TeachOptions(keep_all=True))
    with History(inspector.settings) as history:
        watch = DriftWatch(history, inspector.store)
        states = []
        for number, file in enumerate(textile.good):
            pixels = read_image(file).pixels
            if number >= 25:
                pixels = np.clip(np.rint(pixels * light), 0, 255).astype(np.uint8)
            sent = io.BytesIO()
            Image.fromarray(pixels).save(sent, "PNG")
            inspection = inspector.inspect(sent.getvalue(), "textile")
            history.recorder.record(inspection, sent.getvalue(), Asked())
            states.append(watch.of("textile").state)
    assert states[:25] == ["unknown"] * 19 + ["ok"] * 6
    assert states[-1] == "drifting"
