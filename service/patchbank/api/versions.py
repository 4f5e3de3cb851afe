"""``/classes/{class}/versions``: what a class was, and can be again."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict

from patchbank.answers.versions import Activated, Pruned, VersionDiffOut, VersionList
from patchbank.api.learning import learning
from patchbank.api.patience import patiently
from patchbank.api.state import state_of
from patchbank.bank.names import BankRef
from patchbank.history.comparing import MOST, RecentComparer, RecentComparison
from patchbank.judging.version_diff import diff
from patchbank.judging.version_facts import kept_versions
from patchbank.teaching.originals import Originals

router = APIRouter(prefix="/classes/{class_name}", tags=["versions"])


class Activation(BaseModel):
    """Which version is to serve."""

    model_config = ConfigDict(extra="forbid")

    version: str


@router.get("/versions")
def list_versions(request: Request, class_name: str) -> VersionList:
    """The versions that are kept, oldest first: when and why each was made, its size and thresholds."""
    kept = kept_versions(state_of(request).inspector.store, class_name)
    serving = next((facts.version for facts in kept if facts.serves), None)
    return VersionList(class_name=class_name, active=serving, versions=[facts.as_dict() for facts in kept])


@router.post("/activate")
def activate_version(request: Request, class_name: str, asked: Activation) -> Activated:
    """Let a kept version serve, an earlier or a later one; the next request is judged with it."""
    store = state_of(request).inspector.store
    # One that cannot be read is left like any other: going back is the way out.
    before = store.active().get(class_name) or store.bank(class_name).manifest.version
    patiently(lambda: store.activate(BankRef(class_name, asked.version)))
    return Activated(class_name=class_name, active=asked.version, before=before)


@router.get("/diff")
async def diff_versions(
    request: Request,
    class_name: str,
    before: Annotated[str, Query(description="a kept version")],
    after: Annotated[str | None, Query(description="another one; else the one that serves")] = None,
    recent: Annotated[
        int,
        Query(
            ge=0,
            le=MOST,
            description="so many recorded detections, the newest whose pictures are kept, are judged by both versions, "
            "which takes as long as so many detections, or twice as many",
        ),
    ] = 0,
) -> VersionDiffOut:
    """What changed from one version to another: references, counts, thresholds; and, where that is asked for, what both
    say of recent detections."""
    state = state_of(request)
    store = state.inspector.store
    told = await to_thread.run_sync(lambda: diff(store.bank(class_name, before), store.bank(class_name, after)))
    compared: RecentComparison | None = None
    if recent:
        comparer = RecentComparer(state.settings, state.inspector.embedder, store, state.history.database)
        versions = (told.before.version, told.after.version)
        compared = await learning(state, lambda: comparer.compare(class_name, *versions, recent))
    return VersionDiffOut.model_validate({**told.as_dict(), "recent": None if compared is None else compared.as_dict()})


@router.post("/prune")
def prune_versions(
    request: Request,
    class_name: str,
    keep: Annotated[int, Query(ge=1, description="the newest so many are kept, and the one that serves")] = 1,
) -> Pruned:
    """Remove old versions, and what only they were made of."""
    state = state_of(request)
    store = state.inspector.store
    removed = patiently(lambda: store.prune(class_name, keep))
    Originals(state.settings).sweep(store, class_name)
    return Pruned(class_name=class_name, removed=removed, versions=store.versions(class_name))
