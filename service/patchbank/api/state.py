"""What the routers share. The lifespan builds it and puts it on the app."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from fastapi import Request

from patchbank.api.admission import Admission
from patchbank.api.class_watch import ClassWatch
from patchbank.api.feed import Feed
from patchbank.api.job_loop import JobLoop
from patchbank.api.metrics import Metrics
from patchbank.api.shadowing import Shadowing
from patchbank.api.upkeep import Upkeep
from patchbank.errors import ModelUnavailable
from patchbank.history.drift import DriftWatch
from patchbank.history.history import History
from patchbank.history.learning import Learner
from patchbank.jobs.board import JobBoard
from patchbank.judging.inspector import Inspector
from patchbank.settings import Settings


@dataclass(frozen=True)
class ApiState:
    """One running service. ``uploads`` admits forms with files for jobs, ``upkeep`` orders jobs that banks need,
    ``history`` keeps what is judged, ``feed`` tells of it those who listen, ``learner`` learns from it what people
    say, one request of ``learning`` at a time, ``drift`` tells how far classes have drifted, ``shadowing`` judges
    with the candidates of the classes, ``classes`` knows whose banks are damaged, ``stopping`` says whether the
    service is about to stop, so that answers that could go on for long end."""

    settings: Settings
    inspector: Inspector
    admission: Admission
    metrics: Metrics
    jobs: JobBoard
    loop: JobLoop
    uploads: Admission
    upkeep: Upkeep
    history: History
    feed: Feed
    learner: Learner
    learning: Admission
    drift: DriftWatch
    shadowing: Shadowing
    classes: ClassWatch
    stopping: Callable[[], bool]


def state_of(request: Request) -> ApiState:
    """The state of the app that answers; ``ModelUnavailable`` before it has started and after it has stopped."""
    state = getattr(request.app.state, "patchbank", None)
    if state is None:
        raise ModelUnavailable("the service is not ready")
    return cast(ApiState, state)
