"""The input scales of a class: at which sizes its pictures are seen, and on which grid their patches lie."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Scales(BaseModel):
    """``factors`` are multiples of the backbone's own input size, ascending from 1: the picture is embedded at each of
    them. All are brought to one grid, that of the factor ``grid``, and each patch holds them side by side. ``fusion``
    numbers the rule by which that is done; embeddings of different rules are never compared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    factors: tuple[float, ...] = Field(default=(1.0,), min_length=1)
    grid: float = 1.0
    fusion: Literal[1] = 1

    @model_validator(mode="after")
    def _check(self) -> Scales:
        if self.factors[0] != 1.0 or any(b <= a for a, b in zip(self.factors, self.factors[1:], strict=False)):
            raise ValueError(f"scales ascend from 1, not {self.factors}")
        if self.grid not in self.factors:
            raise ValueError(f"the grid's scale {self.grid} is none of {self.factors}")
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


def detail_of(scales: Scales) -> str:
    """The name of these scales, or the factors where they have none."""
    for name, known in DETAILS.items():
        if known == scales:
            return name
    return " + ".join(f"{factor:g}" for factor in scales.factors)
