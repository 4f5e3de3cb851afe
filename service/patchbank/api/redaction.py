"""What an error answer does not tell: where on the server files lie, API keys, and more text than a line or
two."""

from __future__ import annotations

import re
from typing import Any, Final

from patchbank.history.keys import without_keys
from patchbank.settings import Settings
from patchbank.text import bounded, storable

_FOLDERS: Final = re.compile(r"""(?<![\w.:/\\])(?:[A-Za-z]:)?[\\/](?:[^\s'"`:;,()\[\]<>/\\]+[\\/])+(?=[^\s/\\])""")
"""The folders of an absolute path; not what follows a URL's host."""


class Redaction:
    """Takes the bank store's place out of texts, and from the service's own failures every absolute path's folders."""

    def __init__(self, settings: Settings) -> None:
        store = settings.data_dir
        self._places = [
            (f"the Qdrant server {settings.qdrant_url}", "the Qdrant server"),
            *((f"the data directory {path}", "the data directory") for path in (store.absolute(), store.resolve())),
            *((f"{path}/", "") for path in (store.absolute(), store.resolve())),
            *((str(path), "the data directory") for path in (store.absolute(), store.resolve())),
        ]
        if not settings.qdrant_url:
            del self._places[0]

    def text(self, text: str, status: int) -> str:
        """A text of an answer with this HTTP ``status``."""
        for place, word in self._places:
            text = text.replace(place, word)
        if status >= 500:
            text = _FOLDERS.sub("", text)
        return bounded(without_keys(storable(text)))

    def document(self, value: Any, status: int) -> Any:
        """The same for every text in a JSON document."""
        if isinstance(value, str):
            return self.text(value, status)
        if isinstance(value, dict):
            return {bounded(storable(str(name)), 100): self.document(part, status) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [self.document(part, status) for part in value]
        return value
