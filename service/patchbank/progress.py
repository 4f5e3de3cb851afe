"""How long work tells of itself, without knowing who watches."""

from __future__ import annotations

from typing import Final, Protocol


class Stage(Protocol):
    """One stretch of work with a count of steps."""

    def advance(self, steps: int = 1) -> None:
        """So many more steps are done."""
        ...

    def done(self) -> None:
        """The stage is over, whatever was expected."""
        ...


class Progress(Protocol):
    """Is told when stages begin; several may be under way at once."""

    def begin(self, stage: str, total: int | None) -> Stage:
        """A stage begins; ``total`` steps are expected, None where that is not known."""
        ...


class _Silent:
    """Nobody watches."""

    def begin(self, stage: str, total: int | None) -> _Silent:
        return self

    def advance(self, steps: int = 1) -> None:
        pass

    def done(self) -> None:
        pass


SILENT: Final[Progress] = _Silent()
"""For callers that watch nothing."""
