"""``copy``, ``snapshot``, ``restore`` and ``compact``: a class written as a whole, elsewhere or in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patchbank.bank.archive import Archive, write_archive
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import check_class_name
from patchbank.bank.transfer import put_class
from patchbank.jobs.rebuild import CompactRequest, compacted_document
from patchbank.jobs.rebuild import compact as compact_class
from patchbank.judging.bank_facts import size_facts
from patchbank.settings import Settings
from patchbank_indexer.commands.options import ClassName, DataDir, Json
from patchbank_indexer.commands.running import opened, run
from patchbank_indexer.output import Output


def copy(
    class_name: ClassName,
    to: Annotated[
        str,
        typer.Option(
            help="A Qdrant server's URL (all nodes of a cluster: with commas between), or the data directory of an "
            "embedded store."
        ),
    ],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Copy CLASS to another store, where it serves as a new version with the very same scores."""
    run(lambda settings, out: _copy(settings, out, class_name, to), as_json, data_dir=data_dir)


def snapshot(
    class_name: ClassName,
    path: Annotated[Path, typer.Argument(help="File to write.")],
    version: Annotated[str | None, typer.Option(help="Another version than the serving one.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Write CLASS to one file, for any store to restore."""
    run(lambda settings, out: _snapshot(settings, out, class_name, path, version), as_json, data_dir=data_dir)


def restore(
    path: Annotated[Path, typer.Argument(help="A file that `snapshot` wrote.")],
    name: Annotated[str | None, typer.Option("--as", help="Another name for the class.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Let the class in a snapshot serve, as a new version."""
    run(lambda settings, out: _restore(settings, out, path, name), as_json, data_dir=data_dir)


def compact(class_name: ClassName, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Write the parts of CLASS into one, as a new version with the very same scores: each part costs a search."""
    run(lambda settings, out: _compact(settings, out, class_name), as_json, data_dir=data_dir)


def _copy(settings: Settings, out: Output, class_name: str, place: str) -> None:
    check_class_name(class_name)
    elsewhere = settings.at(place)
    with opened(settings) as source, opened(elsewhere) as target, out.progress() as progress:
        moved = put_class(source.bank(class_name), target, progress=progress)
    out.result({**size_facts(moved), "to": place})
    out.say(f"{class_name} serves in {place} as version {moved.version}: {_size(moved)}")


def _snapshot(settings: Settings, out: Output, class_name: str, path: Path, version: str | None) -> None:
    with opened(settings) as store, out.progress() as progress:
        bank = store.bank(class_name, version)
        write_archive(path, bank, progress)
        manifest = bank.manifest
    out.result({**size_facts(manifest), "file": str(path), "bytes": path.stat().st_size})
    out.say(f"{path}: {class_name}, version {manifest.version}, {_size(manifest)}")


def _restore(settings: Settings, out: Output, path: Path, name: str | None) -> None:
    if name is not None:
        check_class_name(name)
    with Archive(path) as archive, opened(settings) as store, out.progress() as progress:
        moved = put_class(archive, store, name, progress)
    out.result(size_facts(moved))
    out.say(f"{moved.class_name} serves as version {moved.version}: {_size(moved)}")


def _compact(settings: Settings, out: Output, class_name: str) -> None:
    with out.progress() as progress:
        report = compact_class(settings, CompactRequest(class_name=class_name), progress)
    manifest, parts = report.manifest, len(report.before.shares)
    out.result(compacted_document(report))
    if report.changed:
        out.say(f"{class_name} serves as version {manifest.version}, one part of {parts}: {_size(manifest)}")
    else:
        out.say(f"{class_name}, version {manifest.version}, is one part already: nothing was changed")


def _size(manifest: Manifest) -> str:
    return f"{manifest.references} references, {manifest.patches} patches"
