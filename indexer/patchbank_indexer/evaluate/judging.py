"""Judging the labelled images of one class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from patchbank.arrays import BoolArray
from patchbank.errors import PatchbankError
from patchbank.judging.inspector import Inspector
from patchbank.judging.verdict import Inspection, Verdict
from patchbank.progress import Stage
from patchbank_indexer.datasets.dataset import ClassData, LabelledImage
from patchbank_indexer.evaluate.gallery import GROUPS, Shown, show
from patchbank_indexer.evaluate.judged import Judged
from patchbank_indexer.evaluate.pixel_scores import PixelScores
from patchbank_indexer.evaluate.results import ClassResult, PixelFigures, Problem
from patchbank_indexer.evaluate.truth import Overlap, read_truth

_SHOWN: Final = 4
"""Images of each group in the gallery."""


def judge_class(
    inspector: Inspector, data: ClassData, stage: Stage, skipped: Sequence[Problem] = (), *, gallery: bool
) -> ClassResult:
    """Judge every test image with the class's bank; files that can't be used become problems, not errors.

    Each image is first judged without its class: what retrieval makes of it is part of the result.
    """
    judged: list[Judged] = []
    problems: list[Problem] = []
    pixels = PixelScores()
    references = {reference.image_id for reference in inspector.serving_bank(data.name).references()}
    also_references = ignored = 0
    has_masks = any(image.mask is not None for image in data.tests)
    for image in data.tests:
        try:
            inspection, found_class, timings = _inspect(inspector, data.name, image)
        except PatchbankError as error:
            problems.append(Problem(image.file, error))
            stage.advance()
            continue
        verdict = inspection.verdict
        assert verdict is not None  # noqa: S101  # the class was named
        also_references += inspection.image.image_id in references
        overlap = None
        if has_masks:
            try:
                overlap = _compare(inspector, image, verdict, pixels)
                ignored += overlap is not None and image.defective and overlap.found + overlap.missed == 0
            except PatchbankError as error:
                problems.append(Problem(image.mask or image.file, error))
        judged.append(
            Judged(
                image, verdict.score, verdict.decision, verdict.reasons, verdict.p_value, found_class, timings, overlap
            )
        )
        stage.advance()
    manifest = inspector.serving_bank(data.name).manifest
    shown = _gallery(inspector, data.name, judged) if gallery else []
    return ClassResult(manifest, judged, PixelFigures.of(pixels), problems, skipped, shown, also_references, ignored)


def _inspect(
    inspector: Inspector, class_name: str, image: LabelledImage
) -> tuple[Inspection, str | None, dict[str, float]]:
    """The inspection by the right class, what retrieval said, and the milliseconds a client would have waited."""
    blind = inspector.inspect(image.file)
    retrieved = blind.retrieval.class_name
    if retrieved == class_name:
        return blind, retrieved, blind.timings_ms
    named = inspector.inspect(image.file, class_name)
    if blind.verdict is not None:
        return named, retrieved, blind.timings_ms
    return named, retrieved, {**blind.timings_ms, "search": named.timings_ms["search"]}


def _compare(inspector: Inspector, image: LabelledImage, verdict: Verdict, pixels: PixelScores) -> Overlap | None:
    """Count the map's inspected pixels; None for a defective image whose mask is missing or empty: nothing is known of
    its pixels."""
    truth = None
    if image.defective:
        truth = _truth(inspector, image, verdict)
        if truth is None or not truth.any():
            return None
    pixels.add(verdict.map, truth, verdict.inspected)
    marked = (verdict.map > verdict.pixel_threshold) & verdict.inspected
    return Overlap.of(marked, None if truth is None else truth & verdict.inspected)


def _truth(inspector: Inspector, image: LabelledImage, verdict: Verdict) -> BoolArray | None:
    if image.mask is None:
        return None
    height, width = verdict.map.shape
    return read_truth(image.mask, (width, height), inspector.settings.image_limits, image.colours)


def _gallery(inspector: Inspector, class_name: str, judged: Sequence[Judged]) -> list[Shown]:
    """Pictures of the images to show. These are judged again: that costs less than keeping the maps of all images."""
    shown = []
    for group, (defective, highest) in GROUPS.items():
        ranked = sorted((test for test in judged if test.image.defective == defective), key=lambda test: test.score)
        for test in (ranked[::-1] if highest else ranked)[:_SHOWN]:
            try:
                inspection = inspector.inspect(test.image.file, class_name)
                verdict = inspection.verdict
                assert verdict is not None  # noqa: S101
                truth = _truth(inspector, test.image, verdict) if test.overlap is not None else None
            except PatchbankError:  # the file is gone by now; its figures stay
                continue
            said = {"reject": "ANOMALOUS", "review": "normal (for review)", "pass": "normal"}[test.decision]
            caption = f"{test.image.kind}/{test.image.file.name}: {said}, {test.score:.4f}"
            shown.append(show(group, caption, inspection, truth))
    return shown
