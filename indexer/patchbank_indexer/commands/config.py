"""``config``: the settings in force, and where each comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from patchbank.settings import Settings
from patchbank_indexer.commands.options import BackboneName, DataDir, Json
from patchbank_indexer.commands.running import run
from patchbank_indexer.output import Output
from patchbank_indexer.settings_origin import effective_settings, unknown_variables


def config(backbone: BackboneName = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Show every setting in force, and whether it comes from an option, the environment, .env or is the default."""
    options = {"backbone": backbone, "data_dir": data_dir}
    run(lambda settings, out: _config(settings, out, options), as_json, **options)


def _config(settings: Settings, out: Output, options: Mapping[str, object]) -> None:
    effective, unknown = effective_settings(settings, options), unknown_variables()
    out.result({"settings": [asdict(setting) for setting in effective], "unknown": unknown})
    rows = [
        (setting.variable, "" if setting.value is None else str(setting.value), setting.origin) for setting in effective
    ]
    out.table(("variable", "value", "from"), rows, names=("value",))
    for name, nearest in unknown.items():
        out.remark(f"{name} is no setting" + (f"; is {nearest} meant?" if nearest else ""))
