"""The text of the pointer file: which version of each class serves, with a checksum."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from patchbank.bank.names import check_class_name, check_version
from patchbank.bank.pointers import Pointers, Route
from patchbank.bank.sealed_document import is_sealed, sealed, unsealed
from patchbank.errors import InvalidClassName


def written(pointers: Pointers) -> str:
    """The pointers as text."""
    routes = {name: asdict(route) for name, route in pointers.routes.items()}
    content = {"classes": dict(pointers.classes), "routes": routes}
    removed = {"removed": sorted(pointers.removed)} if pointers.removed else {}
    return json.dumps(sealed({**content, **removed}), indent=1, sort_keys=True)


def parsed(text: str) -> tuple[Pointers, bool]:
    """The pointers of a text, and whether it has a checksum; those of older releases have none. Raises ``ValueError``,
    ``KeyError``, ``TypeError`` or ``AttributeError`` for what cannot be read, or was changed."""
    stored = json.loads(text)
    content: dict[str, Any] = unsealed(stored)
    classes = {str(name): check_version(version) for name, version in content["classes"].items()}
    removed = frozenset(content.get("removed", ()))
    for name in (*classes, *removed):
        _check(name)
    return Pointers(classes, _routes(content.get("routes", {})), removed), is_sealed(stored)


def _routes(content: Mapping[str, Any]) -> dict[str, Route]:
    """The routes as they are stored; there are none in files of older versions."""
    routes = {}
    for name, route in content.items():
        parts = tuple((check_version(version), tuple(gone)) for version, gone in route["parts"])
        tables = tuple(None if digest is None else str(digest) for digest in route.get("tables", ()))
        if tables and len(tables) != len(parts):
            raise ValueError(f"{len(parts)} parts with {len(tables)} digests")
        routes[name] = Route(str(route["fingerprint"]), parts, tables)
    return routes


def _check(name: str) -> None:
    try:
        check_class_name(name)
    except InvalidClassName as error:
        raise ValueError(error.message) from error
