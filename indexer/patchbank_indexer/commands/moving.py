"""``indexer copy``, ``snapshot`` and ``restore``: classes between stores and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from patchbank.bank.archive import Archive, write_archive
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import check_class_name
from patchbank.bank.transfer import put_class
from patchbank.settings import Settings
from patchbank_indexer.commands.classes import opened
from patchbank_indexer.output import Output


def copy_class(settings: Settings, out: Output, class_name: str, place: str) -> None:
    """From this store to another one."""
    check_class_name(class_name)
    elsewhere = settings.at(place)
    with opened(settings) as source, opened(elsewhere) as target, out.progress() as progress:
        moved = put_class(source.bank(class_name), target, progress=progress)
    out.result({**_told(moved), "to": place})
    out.say(f"{class_name} serves in {place} as version {moved.version}: {_size(moved)}")


def snapshot(settings: Settings, out: Output, class_name: str, path: Path, version: str | None) -> None:
    """From this store to a file."""
    with opened(settings) as store, out.progress() as progress:
        bank = store.bank(class_name, version)
        write_archive(path, bank, progress)
        manifest = bank.manifest
    out.result({**_told(manifest), "file": str(path), "bytes": path.stat().st_size})
    out.say(f"{path}: {class_name}, version {manifest.version}, {_size(manifest)}")


def restore(settings: Settings, out: Output, path: Path, name: str | None) -> None:
    """From a file to this store."""
    if name is not None:
        check_class_name(name)
    with Archive(path) as archive, opened(settings) as store, out.progress() as progress:
        moved = put_class(archive, store, name, progress)
    out.result(_told(moved))
    out.say(f"{moved.class_name} serves as version {moved.version}: {_size(moved)}")


def _told(manifest: Manifest) -> dict[str, Any]:
    return {
        "class_name": manifest.class_name,
        "version": manifest.version,
        "references": manifest.references,
        "patches": manifest.patches,
    }


def _size(manifest: Manifest) -> str:
    return f"{manifest.references} references, {manifest.patches} patches"
