"""How much was judged, how, and how fast, over time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

from patchbank.errors import InvalidParameters
from patchbank.history.hourly import HOUR, Hourly, Tally

MOST_BUCKETS: Final = 500
"""Stretches of time that an overview may have."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Numbers:
    """What was judged in one stretch of time. ``p50_ms`` and ``p95_ms`` are the times that half and 95 % of the images
    took at most, from the file's bytes to the verdict."""

    begin: datetime
    images: int
    passed: int
    review: int
    rejected: int
    bad_frames: int
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True)
class ClassNumbers:
    """Those of a class, None: unknown products, in all and of each stretch with any image, the earliest first."""

    class_name: str | None
    total: Numbers
    buckets: list[Numbers]


@dataclass(frozen=True)
class Overview:
    """The numbers of all classes by name, unknown products last. ``since`` is where the first stretch begins."""

    since: datetime
    until: datetime
    classes: list[ClassNumbers]


def overview(
    hourly: Hourly, until: datetime, length: timedelta, bucket: timedelta, class_name: str | None = None
) -> Overview:
    """The last ``length`` before ``until`` in stretches that begin at whole multiples of ``bucket``, in UTC, the first
    of them included whole. Raises ``InvalidParameters`` for too many of them."""
    since = until - length
    since -= (since - _EPOCH) % bucket
    if (until - since) / bucket > MOST_BUCKETS:
        raise InvalidParameters(
            f"more than {MOST_BUCKETS} stretches of time: ask for a larger bucket or fewer hours", limit=MOST_BUCKETS
        )
    piece = bucket if bucket % HOUR else HOUR  # hours are kept
    begins = [since + number * piece for number in range(math.ceil((until - since) / piece))]
    told = hourly.tallies([(begin, min(begin + piece, until)) for begin in begins])
    parts: dict[str | None, dict[datetime, list[Tally]]] = {}
    for begin, tallies in zip(begins, told, strict=True):
        for name, tally in tallies.items():
            if class_name is None or name == class_name:
                start = begin - (begin - _EPOCH) % bucket
                parts.setdefault(name, {}).setdefault(start, []).append(tally)
    names = sorted(parts, key=lambda name: (name is None, name))
    return Overview(since, until, [_class_numbers(name, since, parts[name]) for name in names])


def _class_numbers(name: str | None, since: datetime, parts: dict[datetime, list[Tally]]) -> ClassNumbers:
    stretches = {begin: Tally.sum(some) for begin, some in parts.items()}
    total = _numbers(since, Tally.sum(stretches.values()))
    return ClassNumbers(name, total, [_numbers(begin, tally) for begin, tally in stretches.items()])


def _numbers(begin: datetime, tally: Tally) -> Numbers:
    return Numbers(
        begin,
        images=tally.images,
        passed=tally.passed,
        review=tally.review,
        rejected=tally.rejected,
        bad_frames=tally.bad_frames,
        p50_ms=tally.at_most(50),
        p95_ms=tally.at_most(95),
    )
