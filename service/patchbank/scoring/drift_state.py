"""What drift is told in, and what its words promise."""

from __future__ import annotations

from typing import Final, Literal, get_args

Quantity = Literal["score", "similarity", "brightness"]
DriftState = Literal["ok", "watch", "drifting", "unknown"]

QUANTITIES: Final[tuple[Quantity, ...]] = get_args(Quantity)
DRIFT_STATES: Final[tuple[DriftState, ...]] = get_args(DriftState)

PROMISED: Final = 10_000
CHANCE: Final = 0.01
"""Of so many images of an unchanged line, at most this chance that ``drifting`` is ever told."""
