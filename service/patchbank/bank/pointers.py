"""Which version of each class serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Route:
    """What class retrieval needs to know of a serving version, so that it need not read its manifest: the fingerprint
    of its preprocessing, and its ``parts``, each by the version that added it, with the image ids that are withdrawn
    from it. ``tables`` are the digests of the parts' CLS embeddings, as far as they have any (empty: of none)."""

    fingerprint: str
    parts: tuple[tuple[str, tuple[str, ...]], ...]
    tables: tuple[str | None, ...] = ()

    def with_tables(self) -> list[tuple[str, tuple[str, ...], str | None]]:
        """Each part with its digest."""
        tables = self.tables or (None,) * len(self.parts)
        return [(version, gone, table) for (version, gone), table in zip(self.parts, tables, strict=True)]


@dataclass(frozen=True)
class Pointers:
    """The active version of each class; and, where the store keeps them, the routes of those versions, and the classes
    that are being ``removed``."""

    classes: Mapping[str, str] = field(default_factory=dict)
    routes: Mapping[str, Route] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()

    def with_class(self, class_name: str, version: str | None, route: Route | None = None) -> Pointers:
        """A copy with one class switched, or removed where ``version`` is None."""
        classes = {name: value for name, value in self.classes.items() if name != class_name}
        routes = {name: value for name, value in self.routes.items() if name != class_name}
        if version is not None:
            classes[class_name] = version
        if version is not None and route is not None:
            routes[class_name] = route
        return replace(self, classes=classes, routes=routes)
