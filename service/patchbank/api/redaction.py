"""What an error answer does not tell: where on the server files lie, API keys, and more text than a line or
two."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from patchbank.answers.source import told_source
from patchbank.history.keys import without_keys
from patchbank.settings import Settings
from patchbank.text import bounded, shown, storable

_FOLDERS: Final = re.compile(
    r"""(?<![\w./\\])(?<!:(?=//))(?:[A-Za-z]:)?[\\/](?:[^\s'"`:;,()\[\]<>/\\]+[\\/])+(?=[^\s/\\])"""
)
"""The folders of an absolute path; not what follows a URL's host."""


_LONG: Final = re.compile(r"""'[^']{201,}'|"[^"]{201,}"|\S{201,}""")
_MOST: Final = 200
"""Characters of a word, or of something in quotation marks, that an error tells: what is longer was sent."""


_PEER: Final = re.compile(r"(https?://|ipv[46]:)(\[[0-9A-Fa-f:.]+\]|[\w.-]+):\d+(/(?!\w))?(?![\w/])")
"""An address that a node of the cluster tells of another one."""


class Redaction:
    """Takes the bank store's place out of texts, and from the service's own failures every absolute path's folders.
    Errors tell of other folders of the service no more than files' names, either."""

    def __init__(self, settings: Settings) -> None:
        store = settings.data_dir
        self._places = [
            *_server(settings),
            *((f"the data directory {path}", "the data directory") for path in (store.absolute(), store.resolve())),
            *((f"{path}/", "") for path in (store.absolute(), store.resolve())),
            *((str(path), "the data directory") for path in (store.absolute(), store.resolve())),
        ]
        self._peers = _PEER if settings.qdrant_url else None
        folders = "|".join(re.escape(str(path)) for path in _folders(settings))
        self._others = re.compile(rf"(?<![\w./\\-])(?:{folders})[/\\]")

    def text(self, text: str, status: int) -> str:
        """A text of an answer with this HTTP ``status``."""
        for place, word in self._places:
            text = text.replace(place, word)
        if status >= 500:
            if self._peers is not None:
                text = self._peers.sub("a Qdrant node", text)
            text = _FOLDERS.sub("", text)
        if status >= 400:
            text = self._others.sub("", text)
            text = shown(_LONG.sub(lambda match: bounded(match[0], _MOST), text))
        return bounded(without_keys(storable(text)))

    def document(self, value: Any, status: int) -> Any:
        """The same for every text in a JSON document."""
        if isinstance(value, str):
            return self.text(value, status)
        if isinstance(value, dict):
            safe = shown if status >= 400 else storable
            return {bounded(safe(str(name)), 100): self.document(part, status) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [self.document(part, status) for part in value]
        return value


def told_sources(value: Any) -> Any:
    """A JSON document with every text in it that is an absolute path told like that."""
    if isinstance(value, str):
        return told_source(value)
    if isinstance(value, dict):
        return {name: told_sources(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [told_sources(part) for part in value]
    return value


def _folders(settings: Settings) -> Iterator[Path]:
    """Folders that errors of the service may name; never the root, which begins every path, a URL's too."""
    files = (settings.qdrant_ca_file, settings.engine_cache, Path(settings.backbone))
    named = [path.parent for path in files if path is not None and path.is_absolute()]
    for folder in (*named, Path(__file__).parents[1], Path(sys.prefix), Path.cwd(), Path(tempfile.gettempdir())):
        if folder != Path(folder.anchor):
            yield folder


def _server(settings: Settings) -> Iterator[tuple[str, str]]:
    """The Qdrant server as messages name it, and each of its nodes."""
    nodes = settings.qdrant_nodes
    if nodes:
        several = "s" if len(nodes) > 1 else ""
        yield f"the Qdrant server{several} {', '.join(node.url for node in nodes)}", f"the Qdrant server{several}"
    for node in nodes:
        yield node.url, "a Qdrant node"
        for form in (f"ipv4:{node.target}", f"ipv6:{node.target}", node.target):  # the first two as gRPC tells them
            yield form, "a Qdrant node"
