"""What another false-alarm rate would find on the labelled images of a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from patchbank.bank.manifest import Calibration
from patchbank.scoring.threshold import promised, threshold_at
from patchbank_indexer.evaluate.judged import Judged, alarm_figures

RATES: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)

HEADINGS: Final = ("rate", "threshold", "recall", "false alarms", "promised")


def rate_table(calibration: Calibration, judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """A row per rate: the threshold that the calibration gives it, whether its images suffice (``reachable``, and the
    rate ``promised`` in any case), and how many images of each kind it would call anomalous."""
    rows = []
    for rate in RATES:
        cut = threshold_at(calibration, rate)
        rows.append(
            {
                "rate": rate,
                "threshold": cut.value,
                "reachable": cut.reached,
                "promised": promised(calibration, rate),
                **alarm_figures(judged, [test for test in judged if test.is_above(cut.value)]),
            }
        )
    return rows


def rate_cells(row: dict[str, Any]) -> tuple[str, float, float | None, float | None, str]:
    """A row for people, under ``HEADINGS``."""
    kept = f"{row['promised']:.2%}" if row["reachable"] else f"{row['promised']:.2%}, too few images"
    return f"{row['rate']:.1%}", row["threshold"], row["recall"], row["false_alarm_rate"], kept
