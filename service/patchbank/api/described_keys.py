"""API keys in the OpenAPI document: how one is shown, and the scope that each operation needs."""

from __future__ import annotations

from typing import Any, Final

from patchbank.api.scopes import NEEDS

_SCHEMES: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, where the service asks for one: `pb_...`, made with `patchbank keys create`.",
    },
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key, in another way."},
}


def describe_keys(document: dict[str, Any]) -> None:
    """Let ``/docs`` have its button to enter a key. Operations list their scope; public ones ask for nothing."""
    document.setdefault("components", {})["securitySchemes"] = _SCHEMES
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            need = NEEDS.get((method.upper(), path), "admin")
            operation["security"] = [] if need == "public" else [{scheme: [need]} for scheme in _SCHEMES]
