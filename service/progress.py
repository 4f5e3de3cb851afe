"""How long work tells of itself, without knowing who watches."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of stages of work one after the other."""

    def begin(self, stage: str, total: int | None) -> None:
        """A stage begins; ``total`` steps are expected, None where that is not known."""
        ...

    def advance(self, steps: int = 1) -> None:
        """Steps of the current stage are done."""
        ...


class Silent:
    """Nobody watches."""

    def begin(self, stage: str, total: int | None) -> None:
        """Nothing."""

    def advance(self, steps: int = 1) -> None:
        """Nothing."""
