"""Which figures the tables show, and under what heading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

Column = tuple[str, str, str]
"""Heading, part and name of a figure."""

DETECTION: Final[tuple[Column, ...]] = (
    ("image AUROC", "image", "auroc"),
    ("AP", "image", "ap"),
    ("F1-max", "image", "f1_max"),
    ("pixel AUROC", "pixel", "auroc"),
    ("AUPRO", "pixel", "aupro"),
    ("pixel F1-max", "pixel", "f1_max"),
    ("class found", "retrieval", "accuracy"),
)
"""Figures that need no threshold."""

DECISION: Final[tuple[Column, ...]] = (
    ("precision", "verdict", "precision"),
    ("recall", "verdict", "recall"),
    ("false alarms", "verdict", "false_alarm_rate"),
    ("recall, review too", "review", "recall"),
    ("false alarms, review too", "review", "false_alarm_rate"),
    ("mask IoU", "mask", "iou"),
    ("mask Dice", "mask", "dice"),
    ("mask precision", "mask", "precision"),
    ("mask recall", "mask", "recall"),
    ("p50 ms", "latency_ms", "p50"),
    ("p95 ms", "latency_ms", "p95"),
)
"""Figures at the calibrated thresholds, and latency."""


def cells(row: dict[str, Any], columns: Sequence[Column]) -> list[float | None]:
    """The figures of a row, one per column; None where the data do not give it."""
    return [(row.get(part) or {}).get(name) for _, part, name in columns]
