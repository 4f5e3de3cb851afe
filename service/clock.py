"""Moments as manifests and references write them."""

from __future__ import annotations

from datetime import datetime, timezone


def now() -> str:
    """The present moment, UTC, to the second, e.g. ``2026-01-31T23:59:59+00:00``."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
