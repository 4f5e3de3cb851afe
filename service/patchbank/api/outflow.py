"""How fast a client takes what it asked for."""

from __future__ import annotations


class Outflow:
    """Counts while bytes wait that the client does not take. ``rate`` is the least average of bytes per second, once
    it has made the service wait for ``grace`` seconds."""

    def __init__(self, rate: float, grace: float) -> None:
        self._rate = rate
        self._grace = grace
        self._waited = 0.0
        self._taken = 0
        self._since: float | None = None
        self._left = 0

    def wait(self, now: float, left: int) -> None:
        """``left`` bytes wait, and none is added to them until ``go_on``. Only the first call of several counts."""
        if self._since is None:
            self._since, self._left = now, left

    def go_on(self, now: float, left: int) -> None:
        """``left`` bytes wait still; more may be added from now on."""
        if self._since is not None:
            self._waited += now - self._since
            self._taken += max(0, self._left - left)
            self._since = None

    def is_too_slow(self, now: float, left: int) -> bool:
        """Whether the client has taken less than it must, with ``left`` bytes waiting now."""
        if self._since is None:
            return False
        waited = self._waited + now - self._since
        taken = self._taken + self._left - left
        return waited > self._grace + taken / self._rate

    def forget(self) -> None:
        """Begin anew, with another answer."""
        self._waited, self._taken = 0.0, 0
