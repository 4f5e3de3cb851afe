"""What an evaluation found out about a class, and the figures made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.stats import binomtest

from patchbank.bank.manifest import Manifest
from patchbank.errors import PatchbankError
from patchbank_indexer.datasets.dataset import LabelledImage
from patchbank_indexer.evaluate.curve import Counts, Curve
from patchbank_indexer.evaluate.gallery import Shown
from patchbank_indexer.evaluate.pixel_scores import LIMIT, PixelScores
from patchbank_indexer.evaluate.truth import Overlap, ratio

_PERCENTILES: Final = (50, 90, 95, 99)

_DRAWN: Final = 300
"""Points of a curve that are kept to be drawn."""


@dataclass(frozen=True)
class Judged:
    """A test image and what its class's bank says of it; ``found_class`` is what retrieval took it for, None unknown.

    ``overlap`` compares the thresholded map with the truth, where there is one.
    """

    image: LabelledImage
    score: float
    is_anomalous: bool
    p_value: float
    found_class: str | None
    timings_ms: dict[str, float]
    overlap: Overlap | None = None

    @property
    def latency_ms(self) -> float:
        """Decoding, embedding, retrieval and search."""
        return sum(self.timings_ms.values())


@dataclass(frozen=True)
class Problem:
    """A file that could not be used, and why."""

    file: Path
    error: PatchbankError


@dataclass(frozen=True)
class PixelFigures:
    """Figures of the pixels of a class, and some points of their curves to draw: (x, y), a few hundred each."""

    figures: dict[str, Any]
    roc: tuple[Counts, Counts]
    pro: tuple[Counts, Counts]

    @classmethod
    def of(cls, scores: PixelScores) -> PixelFigures | None:
        """The figures, each with the most that counting scores in bins can have changed it by; None where no pixel, or
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
    """All about a class. ``skipped`` are reference files that were left out, ``problems`` test files and masks;
    ``also_references`` counts test images whose very picture the bank holds, and which it therefore finds normal,
    ``ignored`` defective ones whose defects all lie where the class is not inspected."""

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
        return [one.score for one in self.judged if one.image.defective == defective]

    def curve(self) -> Curve | None:
        """ROC, precision and recall of the images; None where one of the two kinds is missing."""
        normal, anomalous = self.scores(False), self.scores(True)
        return Curve.of_scores(normal, anomalous) if normal and anomalous else None

    def as_dict(self) -> dict[str, Any]:
        """The figures of the class, nested by what they are about; None where the data do not give one."""
        curve, calibration = self.curve(), self.manifest.calibration
        unmasked = sum(one.image.defective and one.overlap is None for one in self.judged)
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
            },
            "image": {
                "auroc": curve.auroc if curve else None,
                "ap": curve.average_precision if curve else None,
                "f1_max": curve.f1_max if curve else None,
                "f1_max_threshold": curve.f1_max_threshold if curve else None,
            },
            "pixel": self.pixels.figures if self.pixels else None,
            "verdict": self._verdicts(),
            "mask": self._mask() if self.pixels else None,
            "latency_ms": self._latency(),
            "retrieval": self._retrieval(),
        }

    def _verdicts(self) -> dict[str, Any]:
        """At the calibrated threshold, with exact (Clopper-Pearson) intervals of 95 %."""
        alarms = [one for one in self.judged if one.is_anomalous]
        found, good, defective = sum(a.image.defective for a in alarms), self.scores(False), self.scores(True)
        false = len(alarms) - found
        return {
            "precision": ratio(found, len(alarms)),
            "recall": ratio(found, len(defective)),
            "recall_interval": _interval(found, len(defective)),
            "false_alarm_rate": ratio(false, len(good)),
            "false_alarm_interval": _interval(false, len(good)),
            "found": found,
            "missed": len(defective) - found,
            "false_alarms": false,
        }

    def _mask(self) -> dict[str, Any]:
        whole = sum((one.overlap for one in self.judged if one.overlap), Overlap())
        return {"iou": whole.iou, "dice": whole.dice, "precision": whole.precision, "recall": whole.recall}

    def _latency(self) -> dict[str, float] | None:
        spent = [one.latency_ms for one in self.judged]
        if not spent:
            return None
        return {
            **{f"p{share}": float(np.percentile(spent, share)) for share in _PERCENTILES},
            "mean": float(np.mean(spent)),
            "max": max(spent),
        }

    def _retrieval(self) -> dict[str, Any]:
        found = [one.found_class for one in self.judged]
        right, unknown = found.count(self.name), found.count(None)
        return {
            "accuracy": ratio(right, len(found)),
            "right": right,
            "unknown": unknown,
            "another": len(found) - right - unknown,
        }


_AVERAGED: Final = {
    "image": ("auroc", "ap", "f1_max"),
    "pixel": ("auroc", "aupro", "f1_max"),
    "verdict": ("precision", "recall", "false_alarm_rate"),
    "mask": ("iou", "dice", "precision", "recall"),
    "latency_ms": tuple(f"p{share}" for share in _PERCENTILES),
    "retrieval": ("accuracy",),
}


def mean_figures(classes: Sequence[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """The plain mean over classes of each figure, over those classes that have it."""
    means: dict[str, dict[str, float | None]] = {}
    for part, names in _AVERAGED.items():
        having = [one[part] for one in classes if one[part]]
        means[part] = {}
        for name in names:
            values = [figures[name] for figures in having if figures[name] is not None]
            means[part][name] = float(np.mean(values)) if values else None
    return means


def _interval(part: int, whole: int) -> tuple[float, float] | None:
    if not whole:
        return None
    interval = binomtest(part, whole).proportion_ci(0.95)
    return float(interval.low), float(interval.high)


def _thinned(x: Counts, y: Counts) -> tuple[Counts, Counts]:
    """Points spread evenly along a rising curve."""
    places = np.unique(np.searchsorted(x + y, np.linspace(0.0, float(x[-1] + y[-1]), _DRAWN)).clip(0, len(x) - 1))
    return x[places], y[places]
