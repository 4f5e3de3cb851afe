"""Reading banks while versions come and go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from patchbank.bank.store import PatchStore
from patchbank.errors import DamagedBank, UnknownVersion

T = TypeVar("T")
_TRIES: Final = 4


def while_versions_change(store: PatchStore, work: Callable[[], T]) -> T:
    """The result of ``work``, done again where a version it was reading was replaced and removed meanwhile.

    Old versions are kept for a while, so this happens only where several new ones follow within one request.
    """
    for _ in range(_TRIES - 1):
        before = store.active()
        try:
            return work()
        except (DamagedBank, UnknownVersion):
            if store.active() == before:
                raise
    return work()
