"""What is said of a job that did not come to the end of its work, and of its class."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from patchbank.bank.open_store import open_store
from patchbank.errors import JobCancelled, JobInterrupted, PatchbankError
from patchbank.jobs.job import CHANGING, JobError, JobOrder, JobStatus, State
from patchbank.settings import Settings

Serving = Callable[[str], str | None]
"""The active version of a class; None where it is not taught. Raises the errors of the store."""


def stored_version(settings: Settings) -> Serving:
    """That of the store that the settings name, which is opened for each answer."""

    def serving(class_name: str) -> str | None:
        with closing(open_store(settings)) as store:
            return store.active().get(class_name)

    return serving


def cut_short(order: JobOrder, status: JobStatus, why: str, serving: Serving, *, cancelled: bool) -> JobStatus:
    """The status of a job whose work ended early, because it was ``cancelled`` or because of ``why``, with what became
    of its class. The store is asked, and may take its time."""
    state: State = "cancelled" if cancelled else "interrupted"
    kind: type[PatchbankError] = JobCancelled if cancelled else JobInterrupted
    message = f"{'it was cancelled' if cancelled else why}; {_of_the_class(order, status, serving)}"
    return status.model_copy(update={"state": state, "error": JobError(code=kind.code, message=message)})


def _of_the_class(order: JobOrder, status: JobStatus, serving: Serving) -> str:
    if status.before is None or order.kind not in CHANGING:
        return "nothing was changed"
    try:
        version = serving(order.class_name) or ""
    except PatchbankError as error:
        return f"whether the class was changed is not known: {error.message}"
    if version == status.before:
        return "nothing was changed"
    if not version:
        return f"{order.class_name!r} has been removed since the job began"
    return f"version {version} of {order.class_name!r} has become active since the job began"
