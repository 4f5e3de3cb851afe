"""A few files that are sent for a change that is made before the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import Any

from anyio import to_thread
from fastapi import Request

from patchbank.api.job_forms import UploadedFiles
from patchbank.api.redaction import Redaction
from patchbank.api.state import state_of
from patchbank.api.uploads import Form, receive
from patchbank.jobs.uploads import GivenNames


@dataclass(frozen=True)
class FewFiles:
    """The form, its ``files``, and the names that they were sent under."""

    form: Form
    files: UploadedFiles
    names: GivenNames
    redaction: Redaction

    def document(self, told: Any) -> Any:
        """An answer with the files' own names, and without what the service does not tell of its machine."""
        return self.redaction.document(self.names.document(told), 200)


@asynccontextmanager
async def few_files(request: Request, class_name: str, most_files: int, limit_of_files: str) -> AsyncIterator[FewFiles]:
    """Receive them for a class that can serve; they are gone when the block ends. ``limit_of_files`` says where the
    limit is from. Raises ``TooBusy``, ``UploadTooLarge`` and what ``Inspector.serving_bank`` raises."""
    state = state_of(request)
    await to_thread.run_sync(state.inspector.serving_bank, class_name)
    state.uploads.enter()
    try:
        place = await to_thread.run_sync(state.jobs.place)
        with closing(place):
            folder = place.folder.uploads
            most_bytes = int(state.settings.max_upload_mb * 1e6)
            form = await receive(
                request, folder, most_files=most_files, most_bytes=most_bytes, limit_of_files=limit_of_files
            )
            names = GivenNames(folder, form.names)
            yield FewFiles(form, UploadedFiles(form, folder), names, request.app.state.redaction)
    finally:
        state.uploads.leave()
