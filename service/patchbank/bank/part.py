"""A part of a bank: what one version added. Parts are never changed, so any number of versions may share them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

MOST_PARTS: Final = 8
"""What extends a version of more parts is one whole copy: each part costs a search of its own (docs/search.md)."""

MOST_WITHDRAWN: Final = 0.2
"""The same where a larger share of the patches in the parts is withdrawn."""


class Part(BaseModel):
    """What a version takes from the collection of the version ``version``, which may be an older one.

    All its ``references`` and ``patches`` count, but for those of the images ``withdrawn``, which have ``left_out``
    patches. ``indexed`` says whether a server has built a graph over it; an embedded engine tells by itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    references: int = Field(ge=0)
    patches: int = Field(ge=0)
    withdrawn: tuple[str, ...] = ()
    left_out: int = Field(default=0, ge=0)
    indexed: bool = False

    def without(self, image_id: str, patches: int) -> Part:
        """The part without an image that has so many patches in it."""
        return self.model_copy(update={"withdrawn": (*self.withdrawn, image_id), "left_out": self.left_out + patches})

    @property
    def counting(self) -> tuple[int, int]:
        """Number of references and of patches that count."""
        return self.references - len(self.withdrawn), self.patches - self.left_out


def is_scattered(parts: Sequence[Part]) -> bool:
    """Whether one whole copy would be searched faster."""
    stored = sum(part.patches for part in parts)
    return len(parts) > MOST_PARTS or sum(part.left_out for part in parts) > MOST_WITHDRAWN * stored
