"""The history as a service or a command opens it."""

from __future__ import annotations

import logging
from types import TracebackType

from patchbank.errors import HistoryOff, HistoryUnavailable
from patchbank.history.database import Database
from patchbank.history.hourly import Hourly
from patchbank.history.keeper import Keeper
from patchbank.history.recorder import Recorder
from patchbank.history.records import Records
from patchbank.settings import Settings

_LOG = logging.getLogger("patchbank")


class History:
    """The ``database`` and what is done with it. Use it as a context manager or call ``close``."""

    def __init__(self, settings: Settings) -> None:
        self.on = settings.history
        self.database = Database(settings)
        self.keeper = Keeper(self.database, settings)
        self.recorder = Recorder(self.database, self.keeper, pictures=settings.history_mb > 0)
        self.hourly = Hourly(self.database)
        self._records = Records(self.database)

    @property
    def records(self) -> Records:
        """What was judged. Raises ``HistoryOff``."""
        self.require()
        return self._records

    def require(self) -> None:
        """Raise ``HistoryOff`` where nothing is kept."""
        if not self.on:
            raise HistoryOff("no history is kept: PATCHBANK_HISTORY turns it off")

    def tend(self) -> None:
        """Keep it within its limits, where that is due, and its numbers at hand; a database that is away is waited
        for."""
        try:
            if self.on and self.keeper.due:
                self.keeper.sweep()
            if self.on:
                self.hourly.catch_up()
        except HistoryUnavailable as error:
            _LOG.debug("the history is not tended: %s", error.message)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def __enter__(self) -> History:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
