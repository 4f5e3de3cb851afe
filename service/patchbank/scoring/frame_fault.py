"""What may be wrong with a picture itself."""

from __future__ import annotations

from typing import Literal

FrameFault = Literal["black", "white", "blank", "blurred", "frozen"]
