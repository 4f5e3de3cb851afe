"""The results of one class, and the figures computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from patchbank.bank.manifest import Manifest
from patchbank.errors import PatchbankError
from patchbank.kept_error import without_frames
from patchbank.scoring.curve import Counts, Curve
from patchbank.scoring.threshold import review_threshold
from patchbank_indexer.evaluate.gallery import Shown
from patchbank_indexer.evaluate.judged import Judged, alarm_figures
from patchbank_indexer.evaluate.pixel_scores import LIMIT, PixelScores
from patchbank_indexer.evaluate.rates import rate_table
from patchbank_indexer.evaluate.truth import Overlap, ratio

_PERCENTILES: Final = (50, 90, 95, 99)

_DRAWN: Final = 300
"""Points per curve that are kept for drawing."""


@dataclass(frozen=True)
class Problem:
    """A file that could not be used, and why. The error is kept without its frames."""

    file: Path
    error: PatchbankError

    def __post_init__(self) -> None:
        without_frames(self.error)


@dataclass(frozen=True)
class PixelFigures:
    """Figures of the pixels of a class, and some points of their curves to draw: (x, y), a few hundred each."""

    figures: dict[str, Any]
    roc: tuple[Counts, Counts]
    pro: tuple[Counts, Counts]

    @classmethod
    def of(cls, scores: PixelScores) -> PixelFigures | None:
        """The figures, each with a bound on the error that comes of counting scores in bins; None where no pixel, or
        every pixel, is defective."""
        if not scores.complete:
            return None
        curve, pro = scores.curve(), scores.pro_curve()
        figures = {
            "auroc": curve.auroc,
            "auroc_error": curve.auroc_error,
            "aupro": pro.aupro(),
            "aupro_error": pro.aupro_error(),
            "aupro_limit": LIMIT,
            "f1_max": curve.f1_max,
            "f1_max_error": curve.f1_max_error,
            "f1_max_threshold": curve.f1_max_threshold,
            "regions": scores.regions,
        }
        return cls(figures, _thinned(*curve.roc()), _thinned(pro.far, pro.overlap))


@dataclass(frozen=True)
class ClassResult:
    """All results of a class.

    ``skipped`` are reference files that were left out, ``problems`` test files and masks. ``also_references`` counts
    test images that the bank holds as references and therefore finds normal, ``ignored`` defective images whose defects
    all lie where the class is not inspected.
    """

    manifest: Manifest
    judged: Sequence[Judged]
    pixels: PixelFigures | None = None
    problems: Sequence[Problem] = ()
    skipped: Sequence[Problem] = ()
    shown: Sequence[Shown] = field(default=(), repr=False)
    also_references: int = 0
    ignored: int = 0

    @property
    def name(self) -> str:
        """The product class."""
        return self.manifest.class_name

    def scores(self, defective: bool) -> list[float]:
        """Image scores of the good or the defective images."""
        return [test.score for test in self.judged if test.image.defective == defective]

    def curve(self) -> Curve | None:
        """ROC, precision and recall of the images; None where one of the two kinds is missing."""
        normal, anomalous = self.scores(False), self.scores(True)
        return Curve.of_scores(normal, anomalous) if normal and anomalous else None

    def as_dict(self) -> dict[str, Any]:
        """The figures of the class, nested by what they are about; None where the data do not give one."""
        curve, calibration = self.curve(), self.manifest.calibration
        unmasked = sum(test.image.defective and test.overlap is None for test in self.judged)
        return {
            "class": self.name,
            "images": {
                "good": len(self.scores(False)),
                "defective": len(self.scores(True)),
                "defective_without_mask": unmasked,
                "also_references": self.also_references,
                "defects_ignored": self.ignored,
            },
            "bank": {
                "version": self.manifest.version,
                "references": self.manifest.references,
                "patches": self.manifest.patches,
                "inspected_percentage": self.manifest.inspected_percentage,
            },
            "calibration": {
                "threshold": calibration.threshold,
                "target_far": calibration.target_far,
                "method": calibration.method,
                "count": calibration.count,
                "reachable": calibration.reachable,
                "review_threshold": review_threshold(calibration),
                "review_far": calibration.review_rate,
            },
            "image": {
                "auroc": curve.auroc if curve else None,
                "ap": curve.average_precision if curve else None,
                "f1_max": curve.f1_max if curve else None,
                "f1_max_threshold": curve.f1_max_threshold if curve else None,
            },
            "pixel": self.pixels.figures if self.pixels else None,
            "verdict": alarm_figures(self.judged, [test for test in self.judged if test.is_anomalous]),
            "review": alarm_figures(self.judged, [test for test in self.judged if test.decision != "pass"]),
            "rates": rate_table(calibration, self.judged),
            "mask": self._mask() if self.pixels else None,
            "latency_ms": self._latency(),
            "retrieval": self._retrieval(),
        }

    def _mask(self) -> dict[str, Any]:
        whole = sum((test.overlap for test in self.judged if test.overlap), Overlap())
        return {"iou": whole.iou, "dice": whole.dice, "precision": whole.precision, "recall": whole.recall}

    def _latency(self) -> dict[str, float] | None:
        spent = [test.latency_ms for test in self.judged]
        if not spent:
            return None
        return {
            **{f"p{share}": float(np.percentile(spent, share)) for share in _PERCENTILES},
            "mean": float(np.mean(spent)),
            "max": max(spent),
        }

    def _retrieval(self) -> dict[str, Any]:
        retrieved = [test.found_class for test in self.judged]
        right, unknown = retrieved.count(self.name), retrieved.count(None)
        return {
            "accuracy": ratio(right, len(retrieved)),
            "right": right,
            "unknown": unknown,
            "another": len(retrieved) - right - unknown,
        }


_AVERAGED: Final = {
    "image": ("auroc", "ap", "f1_max"),
    "pixel": ("auroc", "aupro", "f1_max"),
    "verdict": ("precision", "recall", "false_alarm_rate"),
    "review": ("precision", "recall", "false_alarm_rate"),
    "mask": ("iou", "dice", "precision", "recall"),
    "latency_ms": tuple(f"p{share}" for share in _PERCENTILES),
    "retrieval": ("accuracy",),
}


def mean_figures(classes: Sequence[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """The plain mean over classes of each figure, over those classes that have it."""
    means: dict[str, dict[str, float | None]] = {}
    for part, names in _AVERAGED.items():
        having = [figures[part] for figures in classes if figures[part]]
        means[part] = {}
        for name in names:
            values = [figures[name] for figures in having if figures[name] is not None]
            means[part][name] = float(np.mean(values)) if values else None
    return means


def _thinned(x: Counts, y: Counts) -> tuple[Counts, Counts]:
    """Points spread evenly along a rising curve."""
    places = np.unique(np.searchsorted(x + y, np.linspace(0.0, float(x[-1] + y[-1]), _DRAWN)).clip(0, len(x) - 1))
    return x[places], y[places]
