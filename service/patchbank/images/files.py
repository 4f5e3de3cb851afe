"""Reads the files of pictures, which strangers may have put there."""

from __future__ import annotations

import os
from pathlib import Path

from patchbank.errors import UndecodableImage
from patchbank.images.limits import ImageLimits
from patchbank.reason import reason_of
from patchbank.regular_file import open_regular


def read_bytes(path: Path, limits: ImageLimits) -> bytes:
    """A regular file's bytes. Raises ``ImageTooLarge`` before it reads too many, else ``UndecodableImage``."""
    try:
        with open_regular(path) as file:
            limits.check_bytes(os.fstat(file.fileno()).st_size, path.name)
            data = file.read(int(limits.max_megabytes * 1e6) + 1)
            limits.check_bytes(len(data), path.name)  # it may have grown
            return data
    except OSError as error:
        raise UndecodableImage(f"{path}: cannot be read: {reason_of(error)}") from error
