"""What was said of a probe picture, reduced to what must not change."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_SAME: Final = 1e-4
"""Scores that differ by less are the same: sums in another order differ by 1e-7."""


@dataclass(frozen=True)
class Judged:
    """An answer: an error's code, or what the verdict says. ``said`` are warnings in the answer. ``untyped`` is an
    error that is none of the project's."""

    error: str | None = None
    message: str = ""
    untyped: bool = False
    status: str = ""
    class_name: str | None = None
    decision: str | None = None
    score: float | None = None
    threshold: float | None = None
    said: tuple[str, ...] = ()

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Judged:
        """From a detection as REST and ``Inspection.as_dict`` tell it."""
        return cls(
            status=answer["status"],
            class_name=answer["class_name"],
            decision=answer["decision"],
            score=answer["anomaly_score"],
            threshold=answer["threshold"],
            said=tuple(answer["warnings"]),
        )

    def same_as(self, other: Judged) -> bool:
        """Whether both say the same of the picture; warnings aside."""
        if (self.error, self.status, self.class_name, self.decision) != (
            other.error,
            other.status,
            other.class_name,
            other.decision,
        ):
            return False
        return _near(self.score, other.score) and _near(self.threshold, other.threshold)

    def __str__(self) -> str:
        if self.error is not None:
            return f"{self.error} ({self.message[:160]})"
        score = "" if self.score is None else f" {self.score:.6f} of {self.threshold:.6f}"
        return f"{self.status} {self.class_name} {self.decision}{score}"


def _near(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return math.isclose(first, second, rel_tol=_SAME, abs_tol=1e-6)
