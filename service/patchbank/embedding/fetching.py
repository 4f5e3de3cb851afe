"""Fetches one file from the hub. Run as a program, it ends after a stated time, or with the program that started it.

The hub's client cannot be interrupted: a look-up of its name, or a trickling transfer, would hold up whoever waits for
it. A process of its own can be ended at any moment.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Final

_SILENT: Final = 3
_SLOW: Final = 4
_START: Final = 30.0
"""Seconds that the program may take to start, beside the time that it is given."""


class HubFailure(Exception):
    """Why there is no file."""


def ask(repository: str, revision: str, path: str, patience: float, endpoint: str | None = None) -> None:
    """Ask for the file's facts alone; raises what the hub's client raises.

    To bring a file, the client asks a silent hub six times, for a minute each. Asking once before keeps within
    ``patience`` seconds.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url  # noqa: PLC0415  # slow to load, and few need it

    get_hf_file_metadata(hf_hub_url(repository, path, revision=revision, endpoint=endpoint), timeout=patience)


def bring(
    repository: str, revision: str, path: str, folder: Path, patience: float, endpoint: str | None = None
) -> Path:
    """Bring the file into ``folder``; raises what the hub's client raises."""
    from huggingface_hub import hf_hub_download  # noqa: PLC0415  # slow to load, and few need it

    return Path(
        hf_hub_download(repository, path, revision=revision, endpoint=endpoint, local_dir=folder, etag_timeout=patience)
    )


def bring_within(
    repository: str, revision: str, path: str, folder: Path, patience: float, limit: float, endpoint: str | None = None
) -> Path:
    """Bring the file into ``folder``: the hub has ``patience`` seconds to answer and ``limit`` to send everything.

    Raises ``HubFailure``, which says why there is no file.
    """
    command = [sys.executable, "-m", __name__, repository, revision, path, str(folder), str(patience), str(limit)]
    environment = {**os.environ, "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    if endpoint is not None:
        environment["HF_ENDPOINT"] = endpoint
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, env=environment
        ) as process,
    ):
        try:
            status = process.wait(patience + limit + _START)
        except subprocess.TimeoutExpired:
            status = _SLOW
        finally:
            process.kill()
        said.seek(0)
        lines = said.read().decode(errors="replace").split("\n")
    if status == 0:
        return folder / path
    why = {_SILENT: f"no answer within {patience:g} s", _SLOW: f"the file was not here within {limit:g} s"}
    raise HubFailure(why.get(status) or next((line for line in reversed(lines) if line), f"status {status}"))


def main(arguments: list[str]) -> int:
    """The program: 0 where the file is there, 1 with the error's name on standard error."""
    repository, revision, path, folder, patience, limit = arguments
    threading.Thread(target=_end_with_parent, daemon=True).start()
    answer = _ending(float(patience), _SILENT)
    try:
        ask(repository, revision, path, float(patience))
        answer.cancel()
        _ending(float(limit), _SLOW)
        bring(repository, revision, path, Path(folder), float(patience))
    except Exception as error:
        sys.stderr.write(f"\n{type(error).__name__}\n")
        return 1
    return 0


def _ending(seconds: float, status: int) -> threading.Timer:
    """End this process then, whatever it is doing."""
    timer = threading.Timer(seconds, os._exit, (status,))
    timer.daemon = True
    timer.start()
    return timer


def _end_with_parent() -> None:
    while os.read(0, 1024):  # nothing comes; it ends when the parent's end of the pipe is closed
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
