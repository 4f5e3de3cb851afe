"""Which scope each route needs. What is not here needs the largest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from patchbank.api.route_table import Route, RouteTable
from patchbank.history.keys import Scope

Need = Scope | Literal["public"]
"""What a request must show: a key of a scope, or none."""

_TAUGHT: Final = "/classes/{class_name}"
_JOB: Final = "/jobs/{job_id}"
_SEEN: Final = "/detections/{detection_id}"
_DONE: Final = "/actions/{action_id}"

NEEDS: Final[Mapping[Route, Need]] = {
    # Who probes or scrapes a service seldom holds keys, and is told no more than numbers and names of classes.
    ("GET", "/health/live"): "public",
    ("GET", "/health/ready"): "public",
    ("GET", "/metrics"): "public",
    # The same for every installation.
    ("GET", "/docs"): "public",
    ("GET", "/docs/oauth2-redirect"): "public",
    ("GET", "/docs-files/{file}"): "public",
    ("GET", "/openapi.json"): "public",
    ("GET", "/"): "public",
    ("GET", "/console-files/{name}"): "public",
    # What a line needs.
    ("POST", "/detect"): "detect",
    ("POST", "/detect/batch"): "detect",
    ("POST", "/detect/nearest"): "detect",
    ("GET", "/health"): "detect",
    ("GET", "/classes"): "detect",
    ("GET", _TAUGHT): "detect",
    ("GET", f"{_TAUGHT}/sensitivity"): "detect",
    ("GET", f"{_TAUGHT}/references"): "detect",
    ("GET", f"{_TAUGHT}/references/{{image_id}}/thumbnail"): "detect",
    ("GET", f"{_TAUGHT}/defects"): "detect",
    ("GET", f"{_TAUGHT}/defects/{{defect_id}}/thumbnail"): "detect",
    # What was judged, and what people say of it; nothing that is judged later depends on it.
    ("GET", "/detections"): "review",
    ("GET", "/detections/counts"): "review",
    ("GET", "/detections/export"): "review",
    ("GET", "/detections/events"): "review",
    ("GET", _SEEN): "review",
    ("GET", f"{_SEEN}/thumbnail"): "review",
    ("GET", f"{_SEEN}/map"): "review",
    ("GET", f"{_SEEN}/picture"): "review",
    ("GET", f"{_SEEN}/nearest"): "review",
    ("POST", f"{_SEEN}/words"): "review",
    ("POST", f"{_SEEN}/accept/dry-run"): "review",
    ("POST", f"{_SEEN}/defect/dry-run"): "review",
    ("GET", "/overview"): "review",
    ("GET", "/links"): "review",
    ("GET", "/drift"): "review",
    ("GET", f"{_TAUGHT}/drift"): "review",
    ("GET", f"{_TAUGHT}/shadow"): "review",
    ("GET", f"{_TAUGHT}/shadow/disagreements"): "review",
    ("GET", "/actions"): "review",
    ("GET", _DONE): "review",
    # What changes how parts are judged, and can be undone; what is looked at beside it.
    ("POST", f"{_SEEN}/accept"): "teach",
    ("POST", f"{_DONE}/undo"): "teach",
    ("POST", _TAUGHT): "teach",
    ("POST", f"{_TAUGHT}/calibrate"): "teach",
    ("POST", f"{_TAUGHT}/rebuild"): "teach",
    ("POST", f"{_TAUGHT}/compact"): "teach",
    ("POST", f"{_TAUGHT}/audit"): "teach",
    ("POST", f"{_TAUGHT}/evaluate"): "teach",
    ("POST", f"{_TAUGHT}/references"): "teach",
    ("DELETE", f"{_TAUGHT}/references/{{image_id}}"): "teach",
    ("POST", f"{_TAUGHT}/defects"): "teach",
    ("DELETE", f"{_TAUGHT}/defects/{{defect_id}}"): "teach",
    ("POST", f"{_SEEN}/defect"): "teach",
    ("PUT", f"{_TAUGHT}/shadow"): "teach",
    ("DELETE", f"{_TAUGHT}/shadow"): "teach",
    ("GET", f"{_TAUGHT}/versions"): "teach",
    ("GET", f"{_TAUGHT}/diff"): "teach",
    ("POST", f"{_TAUGHT}/activate"): "teach",
    ("GET", "/jobs"): "teach",
    ("GET", _JOB): "teach",
    ("GET", f"{_JOB}/events"): "teach",
    ("GET", f"{_JOB}/set-aside/{{image_id}}"): "teach",
    ("POST", f"{_JOB}/cancel"): "teach",
    # What cannot be undone.
    ("POST", f"{_TAUGHT}/prune"): "admin",
}

_TABLE: Final = RouteTable(NEEDS)


def needed(method: str, path: str) -> Need:
    """What a request needs, by its method and path as the framework will route them. Whatever the table does not know
    needs ``admin``, paths that do not exist too."""
    # HEAD tells less than GET. One slash too many is redirected.
    return _TABLE.get("GET" if method == "HEAD" else method, path.rstrip("/") or "/") or "admin"
