"""The input scales of a class: at which sizes its pictures are seen, and on which grid their patches lie."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Scales(BaseModel):
    """``factors`` are multiples of the backbone's own input size, ascending from 1: the picture is embedded at each of
    them. All are brought to the grid of the factor ``grid``, and each patch holds them side by side. ``fusion``
    numbers the rule by which that is done (``patchbank.embedding.fusion``); a bank keeps the rule that it was made
    with, and embeddings of different rules are never compared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    factors: tuple[float, ...] = Field(default=(1.0,), min_length=1, max_length=16)
    grid: float = 1.0
    fusion: Literal[1, 2] = 1

    @model_validator(mode="after")
    def _check(self) -> Scales:
        if self.factors[0] != 1.0 or any(b <= a for a, b in zip(self.factors, self.factors[1:], strict=False)):
            raise ValueError(f"scales ascend from 1, not {self.factors}")
        if not 1.0 <= self.grid <= self.factors[-1]:
            raise ValueError(f"the grid's scale {self.grid} is not within {self.factors}")
        return self

    @property
    def finest(self) -> float:
        """The largest factor."""
        return self.factors[-1]


BASE: Final = Scales()
"""The backbone's own input size alone. Class retrieval sees every picture so."""

Detail = Literal["fast", "standard", "fine"]

DETAILS: Final[dict[Detail, Scales]] = {
    "fast": BASE,
    "standard": Scales(factors=(1.0, 2.0), grid=1.0),
    "fine": Scales(factors=(1.0, 2.0), grid=2.0),
}
"""What people choose from; docs/scales.md has what each finds and costs."""


FINEST: Final = 8.0
"""Largest factor that is chosen by itself: 64 times the time of the backbone's own input size."""


LEAST: Final = 0.5
"""Share of a patch's width below which nothing is seen (docs/thresholds.md)."""


def scales_for(patches: float) -> Scales | None:
    """The coarsest scales at which something that is so many patches wide at the backbone's own input size is a whole
    patch wide, or the finest ones; None where it is less than half a patch even there.

    Beyond twice the backbone's own size the grid is half as fine as the finest scale, or there would be too many
    patches.
    """
    factor = 1.0
    while patches * factor < 1.0 and factor < FINEST:
        factor *= 2
    if patches * factor < LEAST:
        return None
    if factor <= 2.0:
        return DETAILS["fast"] if factor == 1.0 else DETAILS["fine"]
    return Scales(factors=(1.0, factor), grid=factor / 2, fusion=2)


def detail_of(scales: Scales) -> str:
    """The name of these scales, or the factors where they have none."""
    for name, known in DETAILS.items():
        if known == scales:
            return name
    return " + ".join(f"{factor:g}" for factor in scales.factors)
