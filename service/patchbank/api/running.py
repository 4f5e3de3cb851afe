"""One running service: opened when the application starts, closed when it ends."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from anyio import create_task_group, to_thread

from patchbank.api.admission import Admission
from patchbank.api.bank_watch import BankWatch
from patchbank.api.class_watch import ClassWatch
from patchbank.api.drift_loop import DriftLoop
from patchbank.api.feed import Feed
from patchbank.api.job_loop import JobLoop
from patchbank.api.key_watch import KeyWatch
from patchbank.api.metrics import Metrics
from patchbank.api.shadowing import WAITING, Shadowing
from patchbank.api.sole_service import sole_service
from patchbank.api.state import ApiState
from patchbank.api.tending import tending
from patchbank.api.upkeep import Upkeep
from patchbank.history.drift import DriftWatch
from patchbank.history.history import History
from patchbank.history.keys import KeyRing
from patchbank.history.known_keys import KnownKeys
from patchbank.history.learning import Learner
from patchbank.history.records import Records
from patchbank.history.rejudging import Rejudger
from patchbank.history.shadows import Shadows
from patchbank.jobs.board import JobBoard
from patchbank.jobs.starter import Starter
from patchbank.judging.frozen import FrozenWatch
from patchbank.judging.inspector import Inspector
from patchbank.leftovers import sweep_leftovers
from patchbank.settings import Settings

_LOG = logging.getLogger("patchbank")

_UPLOADS: Final = 4
"""Forms with files for jobs that are received at the same time."""

_LEARNING: Final = 8
"""Requests that wait while recorded detections are judged again for another one."""


@asynccontextmanager
async def running(
    settings: Settings, metrics: Metrics, known_keys: KnownKeys | None, stopping: Callable[[], bool]
) -> AsyncIterator[ApiState]:
    """The state that the routers share, and all that goes on beside the requests, for as long as the block lasts.
    ``known_keys`` are kept up to date where keys are asked for; ``stopping`` says whether the service is about to
    stop."""
    frozen = FrozenWatch(settings.frozen_after)
    with (
        sole_service(settings),
        Inspector.open(
            settings, search_workers=settings.search_workers, decoders=settings.max_concurrency, watch=frozen
        ) as inspector,
        History(inspector.settings) as history,
    ):
        _LOG.info("backbone %s", inspector.choice.line)
        _LOG.info("it runs on %s", inspector.embedder.runs_on)
        inspector.embedder.self_test()
        inspector.store.sweep()
        sweep_leftovers(settings.data_dir)
        state = _state(inspector, history, metrics, stopping)
        key_watch = KeyWatch(KeyRing(history.database), known_keys) if known_keys else None
        if key_watch:
            await key_watch.look()
        if history.on:
            state.shadowing.start()
        try:
            async with create_task_group() as tasks:
                tasks.start_soon(state.classes.run)
                watch = BankWatch(inspector.store, inspector.compatibility.look, metrics, state.classes.damaged)
                tasks.start_soon(watch.run)
                tasks.start_soon(state.loop.run)
                tasks.start_soon(tending, history)
                if key_watch:
                    tasks.start_soon(key_watch.run)
                if history.on:
                    tasks.start_soon(state.feed.run)
                    tasks.start_soon(DriftLoop(state.drift, metrics).run)
                try:
                    yield state
                finally:
                    tasks.cancel_scope.cancel()
        finally:
            await to_thread.run_sync(state.shadowing.close)
            await to_thread.run_sync(state.loop.close)


def _state(inspector: Inspector, history: History, metrics: Metrics, stopping: Callable[[], bool]) -> ApiState:
    settings, embedder, store = inspector.settings, inspector.embedder, inspector.store
    admission = Admission(settings.max_concurrency, settings.max_queue)
    metrics.serving(
        version("patchbank"),
        embedder.backbone.name,
        embedder.providers,
        lambda: admission.inside,
        admission.most,
        store.cache,
    )
    board = JobBoard(settings, lambda class_name: store.active().get(class_name))
    upkeep = Upkeep(store, board)
    rejudger = Rejudger(settings, embedder, store, Records(history.database))
    return ApiState(
        settings=settings,
        inspector=inspector,
        admission=admission,
        metrics=metrics,
        jobs=board,
        loop=JobLoop(board, Starter(settings, board), metrics, upkeep, stopping),
        uploads=Admission(_UPLOADS, 0),
        upkeep=upkeep,
        history=history,
        feed=Feed(history.database),
        learner=Learner(settings, embedder, store, history.database),
        learning=Admission(1, _LEARNING),
        drift=DriftWatch(history, store),
        shadowing=Shadowing(Shadows(history.database), store, rejudger.judge_picture, metrics, waiting=WAITING),
        classes=ClassWatch(store),
        stopping=stopping,
    )
