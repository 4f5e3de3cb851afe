"""How many connections the service keeps open at the same time, which are files to the system."""

from __future__ import annotations

import sys
from typing import Final

if sys.platform != "win32":
    import resource

MOST_CONNECTIONS: Final = 1_000
_WANTED: Final = 4_096
_SHARE: Final = 2
"""Of the files that may be open, one in so many may be a connection."""


def allow_files() -> None:
    """Let this process open as many files as its connections and banks may need, where the system allows that."""
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _WANTED if hard == resource.RLIM_INFINITY else min(_WANTED, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def most_connections() -> int:
    """``MOST_CONNECTIONS``, or half of the files that this process may open where those are fewer."""
    if sys.platform == "win32":
        return MOST_CONNECTIONS
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, soft // _SHARE)
