"""The words of a verdict."""

from __future__ import annotations

from typing import Literal

Reason = Literal["score", "unlike_class", "known_defect", "bad_frame"]
"""Why an image is anomalous."""

Decision = Literal["pass", "review", "reject"]
"""What to do with the part."""
