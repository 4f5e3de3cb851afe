"""Examples in the OpenAPI document: what a service was asked and what it answered, shortened."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).parent / "examples.json"
"""By method and path: ``request``, where there is a body, and ``answer``; and one ``error``."""

_JSON: Final = "application/json"


def describe_examples(document: dict[str, Any]) -> None:
    """Show them at each operation that there is one of, and an error at the schema that all errors have."""
    examples = _examples()
    document["components"]["schemas"]["ErrorAnswer"]["examples"] = [examples["error"]]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            example = examples.get(f"{method.upper()} {path}", {})
            if "request" in example:
                for body in operation["requestBody"]["content"].values():
                    body["example"] = example["request"]
            if "answer" in example:
                answered = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
                answered["content"][_JSON]["example"] = example["answer"]


@cache
def _examples() -> dict[str, Any]:
    examples: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return examples
