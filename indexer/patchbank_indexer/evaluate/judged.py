"""A judged test image, and how many of each kind raise an alarm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from patchbank.judging.decision import Decision, Reason
from patchbank.teaching.tuning_choice import interval
from patchbank_indexer.datasets.dataset import LabelledImage
from patchbank_indexer.evaluate.truth import Overlap, ratio


@dataclass(frozen=True)
class Judged:
    """A test image and its class's verdict; ``found_class`` is what retrieval took it for, None for unknown.

    ``overlap`` compares the thresholded map with the truth, where there is one.
    """

    image: LabelledImage
    score: float
    decision: Decision
    reasons: tuple[Reason, ...]
    p_value: float
    found_class: str | None
    timings_ms: dict[str, float]
    overlap: Overlap | None = None

    @property
    def is_anomalous(self) -> bool:
        """Whether it is rejected."""
        return self.decision == "reject"

    def is_above(self, threshold: float) -> bool:
        """Whether it would be anomalous at another threshold: by its score, or for a reason that no threshold
        changes."""
        return self.score > threshold or any(reason != "score" for reason in self.reasons)

    @property
    def latency_ms(self) -> float:
        """Decoding, embedding, retrieval and search."""
        return sum(self.timings_ms.values())


def alarm_figures(judged: Sequence[Judged], alarms: Sequence[Judged]) -> dict[str, Any]:
    """Precision, recall and false alarms where the images ``alarms`` are called anomalous, with exact (Clopper-Pearson)
    intervals of 95 %."""
    defective = sum(test.image.defective for test in judged)
    good, hits = len(judged) - defective, sum(test.image.defective for test in alarms)
    false = len(alarms) - hits
    return {
        "precision": ratio(hits, len(alarms)),
        "recall": ratio(hits, defective),
        "recall_interval": interval(hits, defective),
        "false_alarm_rate": ratio(false, good),
        "false_alarm_interval": interval(false, good),
        "found": hits,
        "missed": defective - hits,
        "false_alarms": false,
    }
