"""How much memory the process has taken at most."""

from __future__ import annotations

import sys

try:
    import resource
except ImportError:  # Windows has no getrusage
    resource = None  # type: ignore[assignment]


def peak_memory_mb() -> float | None:
    """Peak resident memory of this process in megabytes (10^6 bytes); None where the system does not tell."""
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
