"""``keys``: API keys, made, listed and revoked."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from patchbank.history.database import Database
from patchbank.history.keys import KeyRing, Scope
from patchbank.settings import Settings
from patchbank_indexer.commands.options import DataDir, Json
from patchbank_indexer.commands.running import run
from patchbank_indexer.output import Output

app = typer.Typer(
    help="API keys, which the service asks for where others than this machine reach it (docs/keys.md).",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who or what uses it, such as line-3; the history names it.")],
    scope: Annotated[
        Scope,
        typer.Option(
            help="What it is good for: detect (judge, list classes), review (also look detections up and judge them), "
            "teach (also change classes), admin (everything)."
        ),
    ],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Make a key, and print it: this once, because only its hash is stored. A service that runs knows it in 2 s."""

    def work(settings: Settings, out: Output) -> None:
        with closing(Database(settings)) as database:
            made, key = KeyRing(database).create(name, scope)
        out.result({**made.as_dict(), "key": key})
        out.say(key)
        if not as_json:
            out.remark(f"the key {made.name} ({made.id}) with the scope {made.scope}; it is not shown again")

    run(work, as_json, data_dir=data_dir)


@app.command("list")
def list_(data_dir: DataDir = None, as_json: Json = False) -> None:
    """List all keys, the revoked ones too; never the keys themselves."""

    def work(settings: Settings, out: Output) -> None:
        with closing(Database(settings)) as database:
            keys = KeyRing(database).all_keys()
        out.result({"keys": [key.as_dict() for key in keys]})
        columns = ("id", "name", "scope", "made", "used", "revoked")
        moments = [(key.made_at, key.used_at, key.revoked_at) for key in keys]
        times = [[f"{at:%Y-%m-%d %H:%M}" if at else None for at in three] for three in moments]
        rows = [(key.id, key.name, key.scope, *at) for key, at in zip(keys, times, strict=True)]
        out.table(columns, rows, names=("name",), least=("made",))

    run(work, as_json, data_dir=data_dir)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="NAME|ID", help="A key's name, or its id.")],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Revoke a key for good. A service that runs refuses it within seconds."""

    def work(settings: Settings, out: Output) -> None:
        with closing(Database(settings)) as database:
            revoked = KeyRing(database).revoke(key)
        out.result(revoked.as_dict())
        out.say(f"{revoked.name} ({revoked.id}): revoked at {revoked.revoked_at:%Y-%m-%d %H:%M:%S} UTC")

    run(work, as_json, data_dir=data_dir)
