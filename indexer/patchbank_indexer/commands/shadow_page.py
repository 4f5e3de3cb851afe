"""The page with the pictures that a candidate and the serving version decide differently."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from patchbank.errors import UnknownDetection
from patchbank.history.rejudging import Rejudged
from patchbank.history.shadow_counts import ENDINGS
from patchbank_indexer.rendering import render


@dataclass(frozen=True)
class Shown:
    """One detection; without its picture where it was removed meanwhile."""

    row: Rejudged
    jpeg: bytes | None


def page(facts: dict[str, Any], rows: Sequence[Rejudged], thumbnail: Callable[[str], bytes]) -> str:
    """The whole document: the candidate's ``facts``, and the disagreements per pair of decisions."""
    groups: dict[str, list[Shown]] = {}
    for row in rows:
        name = f"{row.before.decision} served, {row.after.decision} by the candidate"
        groups.setdefault(name, []).append(Shown(row, _picture(row.detection.id, thumbnail)))
    ended = None if facts["ended"] is None else ENDINGS[facts["ended"]]
    return render("shadow.html", facts=facts, ended=ended, shown=len(rows), groups=dict(sorted(groups.items())))


def _picture(detection_id: str, thumbnail: Callable[[str], bytes]) -> bytes | None:
    try:
        return thumbnail(detection_id)
    except UnknownDetection:
        return None
