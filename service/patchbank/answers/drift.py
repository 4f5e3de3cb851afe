"""Whether what the classes are shown is still what they were taught from."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, Field

from patchbank.scoring.drift_state import CHANCE, PROMISED, DriftState, Quantity

_FALSE_ALARM: Final = (
    f"the p-value, corrected: at most the chance that an unchanged line shows as much anywhere within {PROMISED:,} "
    f"images; drifting from {CHANCE:g} down"
)


class DriftComparison(BaseModel):
    """One quantity of the newest images beside that of calibration images."""

    quantity: Quantity
    images: int = Field(description="the newest images that are compared")
    calibration: int = Field(description="normal images that they are compared with")
    independent: int = Field(
        description="so many independent ones these count for; a value made by leaving out counts for half"
    )
    higher: float = Field(
        description="chance that a recent value is above a normal one; 0.5: nothing changed. A change of brightness "
        "counts beyond 2 %"
    )
    p_value: float = Field(description="of this comparison alone, two-sided")
    shift: float = Field(description="|2 x higher - 1|: 0, nothing changed; 1, nothing is as it was")
    false_alarm: float = Field(description=_FALSE_ALARM)
    state: DriftState


class ClassDrift(BaseModel):
    """The drift of one class."""

    class_name: str
    version: str = Field(description="the serving version; only what it judged is compared")
    state: DriftState
    shift: float | None = Field(description="that of the least likely comparison; null where the state is unknown")
    false_alarm: float | None = Field(description="the same comparison's")
    reason: str = Field(description="why the state is unknown; else empty")
    images: int = Field(description="recent images that can be compared")
    since: str | None = Field(description="when the oldest of them was judged")
    until: str | None = Field(description="when the newest of them was judged")
    comparisons: list[DriftComparison]
    notes: list[str]


class DriftList(BaseModel):
    """The drift of all classes."""

    classes: list[ClassDrift]
