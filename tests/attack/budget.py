"""How much of an attack is run."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

Form = Literal["short", "middle", "long"]

UNBOUNDED: Final = float("inf")


@dataclass(frozen=True)
class Budget:
    """The form, the seed and the seconds of one part; ``case`` is the only one that is to run, None for all.

    A case's random numbers come from seed, part and number alone, so that it can be run again by itself.
    """

    part: str
    form: Form
    seed: int
    seconds: float = UNBOUNDED
    case: str | None = None
    begun: float = field(default_factory=time.monotonic)

    def pick(self, short: int, middle: int, long: int) -> int:
        """The number for this form."""
        return {"short": short, "middle": middle, "long": long}[self.form]

    def left(self) -> float:
        """Seconds that are left."""
        return self.seconds - (time.monotonic() - self.begun)

    def numbers(self, count: int) -> Iterator[int]:
        """The numbers of cases to run: the one that is named; else the first one, and more while there is time."""
        if self.case is not None:
            if self.case.isdigit():
                yield int(self.case)
            return
        for number in range(count):
            if number and self.left() <= 0:
                return
            yield number

    @property
    def slack(self) -> float:
        """How much longer than promised an answer may take: the short form runs beside other tests."""
        return 4.0 if self.form == "short" else 1.0

    def wants(self, name: str) -> bool:
        """Whether a case of that name is to run."""
        return self.case in (None, name) and self.left() > 0

    def random(self, case: object) -> random.Random:
        """The random numbers of a case."""
        return random.Random(f"{self.seed}/{self.part}/{case}")  # noqa: S311
