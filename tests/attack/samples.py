"""Pillow's own test images, out of its source distribution: fetched into the scratch folder, never kept."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path
from typing import Final

_PATIENCE: Final = 300.0


def pillow_images(folder: Path) -> list[Path] | str:
    """The images of the Pillow that is installed, unpacked below ``folder``; a line that says why there are none."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = f"pillow=={version('pillow')}"
    line = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "pillow", wanted]
    try:
        done = subprocess.run(
            [*line, "--dest", str(folder)], capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return f"{wanted} was not downloaded within {_PATIENCE:.0f} s"
    archives = sorted(folder.glob("*.tar.gz"))
    if not archives:
        last = (done.stderr.strip().splitlines() or ["?"])[-1]
        return f"{wanted} cannot be downloaded as source: {last}"
    images: list[Path] = []
    with tarfile.open(archives[0]) as archive:
        for member in archive:
            if "/Tests/images/" in member.name and member.isfile():
                content = archive.extractfile(member)
                if content is not None:
                    path = folder / f"{len(images):04d}-{Path(member.name).name}"
                    path.write_bytes(content.read())
                    images.append(path)
    archives[0].unlink()
    return images
