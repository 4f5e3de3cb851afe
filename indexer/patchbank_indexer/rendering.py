"""HTML pages from Jinja2 templates: callers bring the figures, templates decide how they look."""

from __future__ import annotations

import base64
from typing import Any

from patchbank.text import shown


def render(template: str, **values: Any) -> str:
    """The page that a file in ``templates`` makes of ``values``; everything that is put in is escaped, and what is
    not a visible character, as in some file names, is shown as ``patchbank.text.shown`` does.

    ``|base64`` turns bytes into the text of a data URI. Raises ``jinja2.UndefinedError`` for a name that the template
    uses and ``values`` lack, and ``jinja2.TemplateNotFound``.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415  # slow to load, and few need it

    environment = Environment(
        loader=PackageLoader("patchbank_indexer"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finished,
    )
    environment.filters["base64"] = _base64
    return environment.get_template(template).render(values)


def _finished(value: Any) -> Any:
    made_here = hasattr(value, "__html__")  # by another part of the template, so it is escaped already
    return shown(value) if isinstance(value, str) and not made_here else value


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
