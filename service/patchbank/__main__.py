"""``python -m patchbank``: the API on uvicorn."""

from __future__ import annotations

import sys

import uvicorn

from patchbank.api.app import create_app
from patchbank.embedding.model_files import find_backbone, model_path
from patchbank.errors import PatchbankError
from patchbank.settings import load_settings


def main() -> int:
    """Serve until stopped; 1 where the settings or the start don't work out, with one line that says why."""
    try:
        settings = load_settings()
        model_path(
            find_backbone(settings.backbone, settings.data_dir), settings.data_dir
        )  # the likeliest reason not to start
    except PatchbankError as error:
        sys.stderr.write(f"patchbank: {error.message}\n")
        return 1
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings), host=settings.host, port=settings.port, log_level=settings.log_level)
    )
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
