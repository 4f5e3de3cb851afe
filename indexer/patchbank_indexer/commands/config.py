"""``config``: the settings in force, and where each comes from."""

from __future__ import annotations

from dataclasses import asdict

import typer

from patchbank.settings import unknown_variables
from patchbank_indexer.commands.options import BackboneName, DataDir, Json
from patchbank_indexer.output import Output
from patchbank_indexer.settings_origin import effective_settings, usable_settings


def config(backbone: BackboneName = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Show every setting in force, and whether it comes from an option, the environment, .env or is the default. Exit
    status 1 if one is wrong, shown with its default, or a PATCHBANK_ variable is none."""
    out = Output(as_json)
    options = {"backbone": backbone, "data_dir": data_dir}
    settings, faults = usable_settings(**options)
    unknown = {} if ".env" in faults else unknown_variables()
    effective = effective_settings(settings, options, faults)
    out.result({"settings": [asdict(row) for row in effective], "faults": faults, "unknown": unknown})
    rows = [(row.variable, "" if row.value is None else str(row.value), row.origin) for row in effective]
    out.table(("variable", "value", "from"), rows, names=("value",))
    for name, why in faults.items():
        out.remark(f"{name}: {why}")
    for name, nearest in unknown.items():
        out.remark(f"{name} is no setting" + (f"; is {nearest} meant?" if nearest else ""))
    raise typer.Exit(int(bool(faults or unknown)))
