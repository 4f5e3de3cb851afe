"""``model list``, ``pull`` and ``verify``; and the group of the ``model`` commands."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from patchbank.embedding.backbones import BACKBONES, CHECKPOINTS, Backbone, HubFile, LocalFile
from patchbank.embedding.download import place_model, pull_model, verify_model
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.model_files import find_backbone, local_names, model_path
from patchbank.errors import InvalidSettings, PatchbankError
from patchbank.judging.backbone_choice import choose as choose_backbone
from patchbank.judging.backbone_choice import decide_anew, known_choice
from patchbank.judging.choice_file import Choice
from patchbank.leftovers import sweep_leftovers
from patchbank.settings import AUTO, Settings
from patchbank_indexer.commands import exporting
from patchbank_indexer.commands.options import DataDir, Json
from patchbank_indexer.commands.running import opened, run
from patchbank_indexer.output import Output

_COLUMNS: Final = ("name", "state", "input", "stride", "licence", "origin")


app = typer.Typer(
    help="Backbones: list them, bring their files, check them, make them from checkpoints.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_(data_dir: DataDir = None, as_json: Json = False) -> None:
    """List the backbones, and which of them are here."""
    run(_list, as_json, data_dir=data_dir)


@app.command()
def pull(
    names: Annotated[
        list[str],
        typer.Argument(
            help="Backbones that `model list` shows; auto: the one decided for the banks.", metavar="NAME..."
        ),
    ],
    file: Annotated[
        Path | None, typer.Option("--from", help="Take this file, brought by hand, instead of asking the hub.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", help="A mirror of the hub, http(s)://... [env: HF_ENDPOINT]")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Take the file from the hub client's cache alone. [env: HF_HUB_OFFLINE]")
    ] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Bring the pinned files of backbones; each is verified before it takes its place."""
    run(
        lambda settings, out: _pull(settings, out, names, file, endpoint, offline),
        as_json,
        data_dir=data_dir,
    )


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Backbones; all that are here.", metavar="[NAME]...")
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Check the files of backbones, and run each once at the input size and on the providers of the settings."""
    run(lambda settings, out: _verify(settings, out, names or []), as_json, data_dir=data_dir)


@app.command()
def choose(
    name: Annotated[
        str | None, typer.Argument(help="The backbone to take; else the hub is asked again for DINOv2.")
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Decide anew which backbone `PATCHBANK_BACKBONE=auto` is. Where classes are taught, their backbone stays."""
    run(lambda settings, out: _choose(settings, out, name), as_json, data_dir=data_dir)


app.command()(exporting.export)


def _list(settings: Settings, out: Output) -> None:
    """All known backbones and what is here of them."""
    choice = _known_choice(settings, out)
    rows = [_row(name, settings) for name in [*BACKBONES, *local_names(settings.data_dir)]]
    named = {row["name"] for row in rows}
    rows += [
        dict(zip(_COLUMNS, (name, "to be exported", "", 14, "Apache-2.0", checkpoint), strict=True))
        for name, checkpoint in CHECKPOINTS.items()
        if name not in named
    ]
    for row in rows:
        row["chosen"] = row["name"] == (settings.backbone if choice is None else choice.backbone)
    out.result(rows)
    marked = [("*" if row["chosen"] else "", *(row[column] for column in _COLUMNS)) for row in rows]
    out.table(("", *_COLUMNS), marked, names=("origin",), least=("licence", "stride", "input"))
    out.say("* is the one that is used: PATCHBANK_BACKBONE or --backbone chooses")
    if settings.backbone == AUTO:
        out.say(f"auto: {'not decided yet' if choice is None else choice.line}")


def _pull(
    settings: Settings, out: Output, names: Sequence[str], file: Path | None, endpoint: str | None, offline: bool
) -> None:
    """Bring the files of backbones, from the hub or from ``file``."""
    if file is not None and len(names) != 1:
        raise InvalidSettings("--from brings the file of one backbone: name exactly one")
    if file is not None and AUTO in names:
        raise InvalidSettings("--from brings a backbone's file: name the backbone, then `model choose` decides anew")
    sweep_leftovers(settings.data_dir)
    pulled = []
    for name in [_settled_name(settings, out) if name == AUTO else name for name in names]:
        backbone = find_backbone(name, settings.data_dir)
        if file is not None:
            path = place_model(backbone, file, settings.data_dir)
        elif not isinstance(backbone.source, HubFile):
            path = model_path(backbone, settings.data_dir)  # built in or made here: there is nothing to pull
        else:
            path = pull_model(backbone, settings.data_dir, endpoint=endpoint, offline=offline)
        digest = verify_model(backbone, settings.data_dir)
        pulled.append({"name": name, "path": str(path), "bytes": path.stat().st_size, "sha256": digest})
        out.say(f"{name}: {path}, {path.stat().st_size / 1e6:.1f} MB, SHA-256 {digest}")
    out.result(pulled)


def _settled_name(settings: Settings, out: Output) -> str:
    """The backbone that ``auto`` is, decided now where it was not before."""
    with opened(settings) as store:
        return choose_backbone(settings.model_copy(update={"backbone": AUTO}), store, out.remark).backbone


def _known_choice(settings: Settings, out: Output) -> Choice | None:
    try:
        with opened(settings) as store:
            return known_choice(settings, store, out.remark)
    except PatchbankError as error:  # the list of models needs no store
        out.remark(f"{error.message} [{error.code}]")
        return None


def _choose(settings: Settings, out: Output, name: str | None) -> None:
    settings = settings.model_copy(update={"backbone": AUTO})
    with opened(settings) as store:
        choice = decide_anew(settings, store, name, out.remark)
    out.result(choice.as_dict())
    out.say(f"auto: {choice.line}")


def _verify(settings: Settings, out: Output, names: Sequence[str]) -> int:
    """Check hash and size of model files, then run each once as the service would; 1 where one fails."""
    chosen = list(names) or [row["name"] for row in _here(settings)]
    results = []
    for name in chosen:
        try:
            facts = _try(settings.model_copy(update={"backbone": name}))
        except PatchbankError as error:
            results.append({"name": name, "ok": False, "error": error.as_dict()})
            out.remark(f"{name}: {error.message} [{error.code}]")
        else:
            results.append({"name": name, "ok": True, **facts})
            out.say(
                f"{name}: right. SHA-256 {facts['sha256']}; patch embeddings of {facts['patch_dim']}, CLS of "
                f"{facts['cls_dim']} numbers; {facts['seconds']:.2f} s an image at {facts['input']} on "
                f"{', '.join(facts['providers'])} ({facts['runs_on']})"
            )
    out.result(results)
    return int(not all(result["ok"] for result in results))


def _row(name: str, settings: Settings) -> dict[str, Any]:
    try:
        backbone = find_backbone(name, settings.data_dir)
    except PatchbankError as error:
        return {"name": name, "state": "damaged", "origin": error.message, "input": "", "stride": 0, "licence": ""}
    return {
        "name": name,
        "state": _state(backbone, settings.data_dir),
        "origin": _origin(backbone),
        "input": str(backbone.size),
        "stride": backbone.stride,
        "licence": backbone.licence,
    }


def _here(settings: Settings) -> list[dict[str, Any]]:
    rows = [_row(name, settings) for name in [*BACKBONES, *local_names(settings.data_dir)]]
    return [row for row in rows if row["state"] != "not here"]


def _state(backbone: Backbone, data_dir: Path) -> str:
    if not isinstance(backbone.source, HubFile | LocalFile):
        return "built in"
    try:
        model_path(backbone, data_dir)
    except PatchbankError:
        return "not here" if isinstance(backbone.source, HubFile) else "damaged"
    return "here"


def _origin(backbone: Backbone) -> str:
    source = backbone.source
    if isinstance(source, HubFile):
        return f"{source.repository} @ {source.revision[:7]}"
    return str(source.path) if isinstance(source, LocalFile) else source.file_name


def _try(settings: Settings) -> dict[str, Any]:
    """Hash, size, and one forward pass, timed after the one that loading does."""
    backbone = find_backbone(settings.backbone, settings.data_dir)
    digest = verify_model(backbone, settings.data_dir)
    with Embedder.open(settings) as embedder:
        patch_dim, cls_dim = embedder.dimensions()
        sides = embedder.backbone.size.sides((1, 1), embedder.backbone.multiple)
        begin = time.perf_counter()
        embedder.try_out((1, 1))
        return {
            "sha256": digest,
            "patch_dim": patch_dim,
            "cls_dim": cls_dim,
            "input": f"{sides[0]} x {sides[1]}",
            "seconds": time.perf_counter() - begin,
            "providers": embedder.providers,
            "nodes": embedder.nodes,
            "runs_on": embedder.runs_on,
        }
