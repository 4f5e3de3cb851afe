"""HTML pages from Jinja2 templates: callers bring the figures, templates decide how they look."""

from __future__ import annotations

import base64
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values: Any) -> str:
    """The page that a file in ``templates`` makes of ``values``; everything that is put in is escaped.

    ``|base64`` turns bytes into the text of a data URI. Raises ``jinja2.UndefinedError`` for a name that the template
    uses and ``values`` lack, and ``jinja2.TemplateNotFound``.
    """
    environment = Environment(
        loader=PackageLoader("patchbank_indexer"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["base64"] = _base64
    return environment.get_template(template).render(values)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
