"""``python -m patchbank.jobs.run ID``: the process of one job. Its settings come as one line on standard input, and
where that ends, the service that began the job is gone, and the job with it."""

from __future__ import annotations

import io
import logging
import math
import os
import sys
import threading
from collections.abc import Sequence
from typing import Any, Final

from patchbank.disk import is_full
from patchbank.errors import DiskFull, PatchbankError, UnusablePath
from patchbank.jobs.board import JobBoard
from patchbank.jobs.endings import cut_short, stored_version
from patchbank.jobs.job import JobError
from patchbank.jobs.passed_settings import received
from patchbank.jobs.running import Running
from patchbank.jobs.stop import Stop, Stopped
from patchbank.reason import reason_of
from patchbank.settings import Settings

_LOG = logging.getLogger("patchbank")

_NICER: Final = 10
"""How much lower than the service's the priority is."""


def main(arguments: Sequence[str]) -> int:
    """Work on the job of that id, if it is not begun yet and there is room; the exit status, 0 in every such case."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: job: %(message)s")
    source = io.FileIO(0, closefd=False)  # unbuffered: a thread that waits for its end holds no lock
    line = source.readline()
    if not line.endswith(b"\n"):  # the service is gone already
        return 0
    settings = received(line)
    board = JobBoard(settings, stored_version(settings))
    running = board.begin(arguments[0])
    if running is None:
        return 0
    if hasattr(os, "nice"):
        os.nice(_NICER)
    os.chdir(settings.data_dir)  # which the paths of uploads are relative to
    with running:
        _run(running, settings, source)
    return 0


def _run(running: Running, settings: Settings, source: io.FileIO) -> None:
    stop = Stop()
    running.on_cancel, running.on_activating = lambda: stop.ask("cancelled"), stop.too_late
    threading.Thread(target=_watch, args=(source, stop), name="service", daemon=True).start()
    result: dict[str, Any] | None = None
    error: JobError | None = None
    try:
        with stop:
            result = _work(running, settings)
    except Stopped:
        result = None
    except PatchbankError as failure:
        error = JobError(**failure.as_dict())
    except OSError as failure:
        error = _of_the_system(failure)
    except Exception as failure:
        _LOG.exception("the job %s failed", running.order.id)
        error = JobError(code=PatchbankError.code, message=f"the job failed: {reason_of(failure)}")
    if result is not None:
        running.end("done", result=result)
    elif error is not None:
        running.end("failed", error=error)
    else:
        _end_stopped(running, settings, stop)


def _work(running: Running, settings: Settings) -> dict[str, Any]:
    # The whole of teaching takes a second to import, and an interruption of that is one like any other.
    from patchbank.jobs.kinds import work  # noqa: PLC0415

    order = running.order
    running.working(stored_version(settings)(order.class_name) or "")
    result: dict[str, Any] = finite(work(order.kind, settings, order.request, running))
    return result


def _end_stopped(running: Running, settings: Settings, stop: Stop) -> None:
    told = cut_short(
        running.order,
        running.status(),
        "the service that ran it stopped",
        stored_version(settings),
        cancelled=stop.reason == "cancelled",
    )
    running.end(told.state, error=told.error)


def _watch(source: io.FileIO, stop: Stop) -> None:
    source.readall()
    stop.ask("interrupted")


def _of_the_system(failure: OSError) -> JobError:
    if is_full(failure):
        return JobError(code=DiskFull.code, message="the disk of the service is full. Make room, then try again")
    if failure.filename is None:
        _LOG.error("a job failed", exc_info=failure)
        return JobError(code=PatchbankError.code, message=f"the job failed: {reason_of(failure)}")
    return JobError(code=UnusablePath.code, message=f"{os.fsdecode(failure.filename)}: {reason_of(failure)}")


def finite(value: Any) -> Any:
    """A JSON document with null in the place of NaN and infinity, which JSON has no words for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
