"""How long work reports its progress, without knowing who watches."""

from __future__ import annotations

from typing import Final, Protocol


class Stage(Protocol):
    """One part of the work, with a count of steps."""

    def advance(self, steps: int = 1) -> None:
        """Report that ``steps`` more steps are done."""
        ...

    def done(self) -> None:
        """Report that the stage is over, however many steps were expected."""
        ...


class Progress(Protocol):
    """Watches the stages of long work; several may run at once."""

    def begin(self, stage: str, total: int | None) -> Stage:
        """Begin a stage. ``total`` steps are expected; None where that is not known."""
        ...


class _Silent:
    """Reports to nobody."""

    def begin(self, stage: str, total: int | None) -> _Silent:
        return self

    def advance(self, steps: int = 1) -> None:
        pass

    def done(self) -> None:
        pass


SILENT: Final[Progress] = _Silent()
"""For callers that watch nothing."""


ACTIVATING: Final = "activating"
"""The stage from which on a change can no longer be called off."""


def activating(progress: Progress) -> None:
    """Report that a version is about to be finished, and perhaps to serve."""
    progress.begin(ACTIVATING, None)
