"""``monitoring``: dashboards, rules and configuration for Prometheus and Grafana, as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from patchbank.atomic_file import replacing
from patchbank.disk import write_error
from patchbank.errors import DamagedInstallation, FileExists, StoreUnavailable
from patchbank.settings import Settings
from patchbank_indexer.commands.options import Json
from patchbank_indexer.commands.out_folder import check_out_folder
from patchbank_indexer.commands.running import run
from patchbank_indexer.output import Output

_PARTS: Final = ("prometheus.yml", "rules", "grafana")


def monitoring(
    out_dir: Annotated[Path, typer.Option("--out", help="Folder to write to; it is made where it is missing.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    as_json: Json = False,
) -> None:
    """Write the dashboard, the alert and recording rules, and the configuration of Prometheus and Grafana."""
    run(lambda settings, out: _write_all(settings, out, out_dir, force), as_json)


def _write_all(settings: Settings, out: Output, out_dir: Path, force: bool) -> None:
    """Nothing is written where a file is in the way, unless ``force`` is given."""
    check_out_folder(out_dir)
    source = _source()
    names = _names(source)
    in_the_way = [str(out_dir / name) for name in names if (out_dir / name).exists()]
    if in_the_way and not force:
        raise FileExists(
            f"{in_the_way[0]} is there already ({len(in_the_way)} of {len(names)} files are): choose another folder, "
            "or overwrite with --force",
            files=in_the_way,
        )
    for name in names:
        _write(source / name, out_dir / name)
    out.result({"files": [str(out_dir / name) for name in names]})
    for name in names:
        out.say(f"written: {out_dir / name}")
    out.say("prometheus.yml scrapes the hosts of docker-compose.yml: put yours there")
    out.say(f"Grafana looks for {out_dir / 'grafana'} at /etc/grafana")


def _source() -> Path:
    """The package's own data; an editable install has the checkout's folder instead."""
    package = Path(__file__).parents[1]
    for folder in (package / "monitoring", package.parents[1] / "monitoring"):
        if all((folder / part).exists() for part in _PARTS):
            return folder
    raise DamagedInstallation(f"the files of monitoring are not in {package}: install Patchbank again")


def _names(source: Path) -> Sequence[Path]:
    """Files relative to ``source``, in a stable order."""
    files: list[Path] = []
    for part in _PARTS:
        path = source / part
        files += [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return [file.relative_to(source) for file in files]


def _write(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as file:
            file.write(source.read_bytes())
    except OSError as error:
        raise write_error(error, f"{target} cannot be written", StoreUnavailable, target.parent) from error
