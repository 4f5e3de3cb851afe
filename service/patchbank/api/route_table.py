"""Something for each route, found by a request's method and path before the framework routes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Generic, TypeVar

T = TypeVar("T")

Route = tuple[str, str]
"""Method, and path with parameters in braces."""


def as_routed(path: str) -> str:
    """The path as the framework routes it: its patterns end in ``$``, which lets the end of a line follow."""
    return path.removesuffix("\n")


_PARAMETER: Final = re.compile(r"\\\{\w+\\\}")


class RouteTable(Generic[T]):
    """A value for each of some routes."""

    def __init__(self, values: Mapping[Route, T]) -> None:
        self._values = [
            (method, re.compile(_PARAMETER.sub("[^/]+", re.escape(path))), value)
            for (method, path), value in values.items()
        ]

    def get(self, method: str, path: str) -> T | None:
        """The value of the route that such a request goes to; None where there is none."""
        for known, pattern, value in self._values:
            if known == method and pattern.fullmatch(path):
                return value
        return None
