"""Refuses what a form or an address holds and an endpoint does not know: it would be passed over otherwise."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Final

from patchbank.errors import InvalidParameters

_SHOWN: Final = 60
"""Characters of an unknown name that an error repeats."""


def check_fields(
    sent: Sequence[str], in_address: Iterable[str], singles: Sequence[str], lists: Sequence[str], advice: str = ""
) -> None:
    """Raise ``InvalidParameters`` where a field of the names ``sent`` is neither one of ``singles``, which come once,
    nor of ``lists``, and where the address holds one of them. ``advice`` is added where ``file`` comes twice."""
    known = (*lists, *singles)
    for name in sent:
        if name not in known:
            raise InvalidParameters(f"there is no form field {name[:_SHOWN]!r}{_meant(name, known)}")
    for name in singles:
        if sent.count(name) > 1:
            more = advice if name == "file" else ""
            raise InvalidParameters(f"the form has {sent.count(name)} fields {name!r}, and one is meant{more}")
    for name in in_address:
        if name in known:
            raise InvalidParameters(f"{name!r} belongs into the form, not into the address")


def _meant(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name[:_SHOWN].lower(), known, n=1)
    return f"; is {near[0]!r} meant?" if near else f"; there are {', '.join(known)}"
