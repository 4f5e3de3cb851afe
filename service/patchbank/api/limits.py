"""How large the bodies of requests may be, by route."""

from __future__ import annotations

from typing import Final

from patchbank.api.body_limit import Limit
from patchbank.api.form_limit import FormSize
from patchbank.api.route_table import Route
from patchbank.errors import UploadTooLarge
from patchbank.settings import Settings

DETECT: Final = ("POST", "/detect")
DETECT_BATCH: Final = ("POST", "/detect/batch")
DETECT_NEAREST: Final = ("POST", "/detect/nearest")

_FORM_BYTES: Final = 1_000_000
"""Room in a body for what is not the file: other fields, and the form's own lines."""

_JOBS: Final = ("", "/calibrate", "/rebuild", "/evaluate")


def one_image(settings: Settings) -> int:
    """Bytes of a form with one image."""
    return int(settings.max_upload_mb * 1e6) + _FORM_BYTES


def body_limits(settings: Settings) -> dict[Route, Limit]:
    """The limits of routes that take files; for all others ``BodyLimit`` has one."""
    image = one_image(settings)
    job = Limit(int(settings.max_job_mb * 1e6) + _FORM_BYTES, UploadTooLarge)
    return {
        DETECT: Limit(image),
        DETECT_NEAREST: Limit(image),
        DETECT_BATCH: Limit(image * settings.max_batch),
        **{("POST", f"/classes/{{class_name}}{path}"): job for path in _JOBS},
        ("POST", "/classes/{class_name}/references"): Limit(image * settings.max_batch),
        ("POST", "/classes/{class_name}/defects"): Limit(2 * image),  # the picture and a mask
    }


def form_sizes(settings: Settings) -> dict[Route, FormSize]:
    """What the forms may hold that the framework reads; those that ``uploads.receive`` reads are bounded there."""
    file_bytes = int(settings.max_upload_mb * 1e6)
    size = FormSize(settings.max_batch, file_bytes)
    return {DETECT: size, DETECT_BATCH: size, DETECT_NEAREST: size}
