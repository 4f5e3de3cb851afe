"""The series that ``--group-by`` names, as several commands ask for and tell them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from patchbank.teaching.series import series_line
from patchbank_indexer.datasets.series import series_below
from patchbank_indexer.output import Output


def named_series(
    out: Output, rule: str | None, given: Sequence[Path], files: Sequence[Path], what: str
) -> dict[Path, str]:
    """The series of the files below the paths ``given``, told in a line that says ``what`` they are; none without a
    rule. Raises ``InvalidParameters`` where the rule names none."""
    if rule is None:
        return {}
    series = series_below(rule, given, files)
    out.remark(f"{what}: {series_line(series, files)}")
    return series
