"""What people are told of a coreset before it is chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from patchbank.arrays import FloatArray
from patchbank.bank.coreset import expected_seconds

Tell = Callable[[str], None]
"""Called with a line that people should know."""


class Cost(NamedTuple):
    """What a coreset of a ``share`` of all patches changed on three to five data sets: lowest and highest change of the
    image AUROC, and of the share of defects found at the threshold, in points (1 is a hundredth)."""

    share: float
    auroc: tuple[float, float]
    found: tuple[float, float]


COSTS: Final = (
    Cost(0.01, (-1.6, 0.5), (-46.9, 0.7)),
    Cost(0.02, (-2.5, 0.2), (-31.2, 2.7)),
    Cost(0.05, (-0.3, 1.2), (-1.3, 1.4)),
    Cost(0.1, (-0.9, 1.2), (-0.7, 0.7)),
    Cost(0.25, (-0.9, 0.5), (-4.6, 1.4)),
    Cost(0.5, (-1.2, 0.6), (-6.0, 2.7)),
)
"""Measured by ``benchmarks.coreset_cost`` with the built-in backbone (docs/sizing.md), by rising share."""


def say_nothing(line: str) -> None:
    """For callers that tell nobody."""


@dataclass(frozen=True)
class CoresetNotice:
    """A coreset that will be taken: of ``expected`` patches so many are ``kept``. The bank has ``room`` for so many
    more, and the share ``asked`` was asked for."""

    expected: int
    kept: int
    room: int
    asked: float

    def line(self, sample: FloatArray) -> str:
        """Why, how long it takes on this machine, and what it costs; ``sample`` are some patches (M, D)."""
        share = self.kept / self.expected
        seconds = expected_seconds(self.expected, share, sample)
        return (
            f"{self._why} so a coreset of {share:.1%} is kept, {self.kept} of about {self.expected} patches. Choosing "
            f"it takes about {_duration(seconds)} on this machine, besides reading the pictures. {_cost(share)}"
        )

    @property
    def _why(self) -> str:
        if self.kept >= int(self.asked * self.expected):
            return "a coreset is asked for,"
        wanted = "all patches" if self.asked >= 1.0 else f"the {self.asked:.1%} of all patches that were asked for"
        return (
            f"{wanted} are more than the bank takes (room for {self.room}; PATCHBANK_MAX_BANK_PATCHES sets how many it "
            "holds),"
        )


def _cost(share: float) -> str:
    """What a coreset of the next smaller share that was measured costs."""
    known = max((cost for cost in COSTS if cost.share <= share), default=COSTS[0])
    return (
        f"On other data sets a coreset of {known.share:.0%} changed the image AUROC by {_range(*known.auroc)} points, "
        f"the share of defects found by {_range(*known.found)} (docs/sizing.md#what-a-coreset-costs)"
    )


def _range(low: float, high: float) -> str:
    return f"{low:+.1f} to {high:+.1f}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1.0, seconds):.0f} s"
    return f"{seconds / 60:.0f} minutes"
