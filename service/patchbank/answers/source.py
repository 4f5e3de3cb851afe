"""Where a picture came from, as it may be told."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated

from pydantic import AfterValidator


def told_source(source: str) -> str:
    """Where a picture came from, without the folders of an absolute path: those are the machine's."""
    if PurePosixPath(source).is_absolute() or PureWindowsPath(source).is_absolute():
        return PureWindowsPath(source).name
    return source


Source = Annotated[str, AfterValidator(told_source)]
"""Where a picture came from, as it may be told."""
