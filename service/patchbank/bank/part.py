"""A part of a bank: what one version added. Parts are never changed, so any number of versions may share them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from patchbank.bank.names import check_version

MOST_PARTS: Final = 8
"""From so many parts on, the next change merges small ones: each costs a search of its own (docs/search.md)."""

MOST_WITHDRAWN: Final = 0.2
"""A part is copied without what is withdrawn where that is a larger share of its patches."""

MERGED_AT_ONCE: Final = 20_000
"""Most patches that a change copies beside its own: it must stay a matter of a second. The rest is for compaction."""

_HEX: Final = r"^[0-9a-f]{64}$"


class PartDigest(BaseModel):
    """SHA-256 over a part's patches, over its CLS embeddings and over its references (``content_digest``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    patches: str = Field(pattern=_HEX)
    cls: str = Field(pattern=_HEX)
    references: str = Field(pattern=_HEX)


class Part(BaseModel):
    """What a version takes from the collection of the version ``version``, which may be an older one.

    All its ``references`` and ``patches`` count, but for those of the images ``withdrawn``, which have ``left_out``
    patches. ``indexed`` says whether there is a graph over it; in the embedded store older parts do not tell.
    ``digest`` is that of all that was added; parts of older layouts and of servers have none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    references: int = Field(ge=0)
    patches: int = Field(ge=0)
    withdrawn: tuple[str, ...] = ()
    left_out: int = Field(default=0, ge=0)
    indexed: bool = False
    digest: PartDigest | None = None

    @field_validator("version")
    @classmethod
    def _names_a_folder(cls, version: str) -> str:
        return check_version(version)

    def without(self, image_id: str, patches: int) -> Part:
        """The part without an image that has so many patches in it."""
        return self.model_copy(update={"withdrawn": (*self.withdrawn, image_id), "left_out": self.left_out + patches})

    @property
    def counting(self) -> tuple[int, int]:
        """Number of references and of patches that count."""
        return self.references - len(self.withdrawn), self.patches - self.left_out


def to_merge(parts: Sequence[Part], most_parts: int = MOST_PARTS) -> list[Part]:
    """The parts that the next change copies into its own, so that a version has few parts and little withdrawn.

    Of many parts the smallest are merged, and each next larger one while it is at most twice as large as those before
    it together: so a patch is copied a few times at most, however many parts come.
    """
    chosen = [part for part in parts if _is_worn(part)]
    if len(parts) > most_parts:
        total = 0
        for count, part in enumerate(sorted(parts, key=_size)):
            if count > 1 and _size(part) > 2 * total:
                break
            total += _size(part)
            if part not in chosen:
                chosen.append(part)
    merged, room = [], MERGED_AT_ONCE
    for part in sorted(chosen, key=_size):
        room -= _size(part)
        if room < 0:
            break
        merged.append(part)
    return merged if len(merged) > 1 or any(map(_is_worn, merged)) else []


def needs_compaction(parts: Sequence[Part]) -> bool:
    """Whether one whole copy would be searched faster, and the next change does not see to it by itself."""
    merged = to_merge(parts)
    left = [part for part in parts if part not in merged]
    beside = sum(map(_size, parts)) - max(map(_size, parts), default=0)
    return len(left) > MOST_PARTS or beside > MERGED_AT_ONCE or any(map(_is_worn, left))


def _is_worn(part: Part) -> bool:
    return part.left_out > MOST_WITHDRAWN * part.patches


def _size(part: Part) -> int:
    return part.counting[1]
