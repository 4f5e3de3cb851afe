"""``python -m patchbank``: the API on uvicorn, as ``patchbank serve`` runs it too."""

from __future__ import annotations

import gc
import logging
import logging.config
import sys
from collections.abc import Sequence
from contextlib import closing

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from patchbank.api.app import create_app
from patchbank.api.key_rule import require_a_key
from patchbank.api.log import log_config
from patchbank.api.server import server_of
from patchbank.bank.open_store import open_store
from patchbank.embedding.model_files import find_backbone, model_path
from patchbank.errors import PatchbankError
from patchbank.judging.backbone_choice import is_decided, settled
from patchbank.settings import AUTO, Settings, load_settings


def main(arguments: Sequence[str] = ()) -> int:
    """Serve until stopped; the exit status.

    1 where the settings or the start don't work out, 2 where there are arguments: one line says why.
    """
    if arguments:
        sys.stderr.write(
            "patchbank: `python -m patchbank` serves and takes no arguments: call `patchbank serve` for its options, "
            "`patchbank --help` for all commands\n"
        )
        return 2
    try:
        settings = load_settings()
    except PatchbankError as error:
        sys.stderr.write(f"patchbank: {error.message}\n")
        return 1
    config = log_config(settings)
    logging.config.dictConfig(config)
    logging.captureWarnings(True)
    try:
        require_a_key(settings)
        _check_backbone(settings)  # the likeliest reason not to start
    except KeyboardInterrupt:
        return 130
    except PatchbankError as error:
        if settings.log_format == "json":
            logging.getLogger("patchbank").log(logging.ERROR, "%s [%s]", error.message, error.code)
        else:
            sys.stderr.write(f"patchbank: {error.message}\n")
        return 1
    app = create_app(settings)
    server = server_of(
        _failing_in_a_line(app), settings.host, settings.port, log_config=config, log_level=settings.log_level
    )
    app.state.stopping = lambda: server.should_exit
    try:
        server.run()
    except SystemExit:  # a start that failed, which uvicorn has told of; its statuses are many
        return 1
    return 0 if server.started else 1


def _check_backbone(settings: Settings) -> None:
    """Raise where the backbone is not here. One that is to be decided is decided now, where it can be interrupted."""
    if settings.backbone != AUTO:
        model_path(find_backbone(settings.backbone, settings.data_dir), settings.data_dir)
    elif not is_decided(settings):
        with closing(open_store(settings)) as store:
            settled(settings, store)


def _keep() -> None:
    """Leave what the start made out of garbage collections: looking through it takes 0.1 to 0.2 s, in which nothing
    else is done."""
    gc.collect()
    gc.freeze()


def _failing_in_a_line(app: ASGIApp) -> ASGIApp:
    """The application; an error of ours that keeps it from starting is logged as its message, without a traceback."""

    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        failed: list[Message] = []

        async def hold_failure(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                _keep()
            if message["type"] == "lifespan.startup.failed":
                failed.append(message)
            else:
                await send(message)

        try:
            await app(scope, receive, hold_failure if scope["type"] == "lifespan" else send)
        except PatchbankError as error:
            if not failed:
                raise
            await send({"type": "lifespan.startup.failed", "message": f"{error.message} [{error.code}]"})

    return told


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
