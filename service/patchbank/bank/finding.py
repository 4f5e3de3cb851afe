"""What verifying a bank found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["sound", "healed", "damaged", "older"]
"""``older``: without checksums, as older releases wrote it; what can be checked is sound."""


@dataclass(frozen=True)
class Finding:
    """The state of one thing of a class: ``what`` was checked of a ``version``, and a ``message`` for people where it
    is not simply sound. What belongs to no class has an empty ``class_name``; ``version`` is empty likewise."""

    class_name: str
    version: str
    what: str
    state: State
    message: str = ""
