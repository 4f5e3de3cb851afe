"""The folder that a command writes to, looked at before the work."""

from __future__ import annotations

from pathlib import Path

from patchbank.errors import StoreUnavailable


def check_out_folder(folder: Path | None) -> None:
    """Raise ``StoreUnavailable`` where ``folder``, or what it lies in, is a file; it need not be there yet."""
    for place in () if folder is None else (folder, *folder.parents):
        if place.is_dir():
            return
        if place.exists():
            raise StoreUnavailable(f"--out {folder}: {place} is a file; name a folder, it is made where it is missing")
