"""``doctor``: does everything that teaching and judging need work here?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import typer

from patchbank_indexer.commands.options import BackboneName, DataDir, Json
from patchbank_indexer.diagnosis.check import Check, looked_at
from patchbank_indexer.diagnosis.judging import look_at_backbone, look_at_providers, look_at_store
from patchbank_indexer.diagnosis.surroundings import (
    look_at_disk,
    look_at_libraries,
    look_at_permissions,
    look_at_settings,
)
from patchbank_indexer.output import Output
from patchbank_indexer.settings_origin import usable_settings


def doctor(backbone: BackboneName = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Check settings, libraries, disk, permissions, execution providers, backbone, store and banks, and say what to do
    about what is wrong. Exit status 1 if there is a fault."""
    out = Output(as_json)
    checks: list[Check] = []
    for check in _checks({"backbone": backbone, "data_dir": data_dir}):
        checks.append(check)
        out.say(f"{check.status:<7}  {check.name}: {check.told}" + (f" -> {check.advice}" if check.advice else ""))
    faults = sum(check.status == "fault" for check in checks)
    warnings = sum(check.status == "warning" for check in checks)
    status = "fault" if faults else "warning" if warnings else "ok"
    out.result({"status": status, "checks": [asdict(check) for check in checks]})
    out.say(f"{faults} faults, {warnings} warnings")
    raise typer.Exit(int(faults > 0))


def _checks(options: dict[str, object]) -> Iterator[Check]:
    """The checks in turn, the cheap ones first; each runs whatever came of those before."""
    settings, faults = usable_settings(**options)
    store = (
        "is PATCHBANK_QDRANT_URL right and the server up?" if settings.qdrant_url else "is PATCHBANK_DATA_DIR right?"
    )
    yield from looked_at("settings", lambda: look_at_settings(settings, faults, options), "see the README's table")
    yield from looked_at("libraries", look_at_libraries, "install patchbank again")
    yield from looked_at("permissions", lambda: look_at_permissions(settings), "set PATCHBANK_DATA_DIR to a folder")
    yield from looked_at("disk", lambda: look_at_disk(settings), "set PATCHBANK_DATA_DIR to a folder")
    yield from looked_at("execution providers", lambda: look_at_providers(settings), "set PATCHBANK_PROVIDERS=cpu")
    yield from looked_at(
        "backbone",
        lambda: look_at_backbone(settings),
        "`model list` says which backbones are here, `model pull` brings one",
    )
    yield from looked_at("store", lambda: look_at_store(settings), store)
