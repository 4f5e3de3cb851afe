"""Writes the generated parts of the documentation: ``python -m docs.reference``.

``docs/openapi.json``, ``docs/cli.md``, the settings table in the README and the scopes in ``docs/keys.md`` come from
the code; tests hold them to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from patchbank.api.app import create_app
from patchbank.api.scopes import NEEDS
from patchbank.history.keys import SCOPES
from patchbank.settings import Settings
from patchbank_indexer.cli import app as cli

ROOT = Path(__file__).parent.parent


def openapi() -> dict[str, Any]:
    """The served OpenAPI document, less the version."""
    document: dict[str, Any] = json.loads(json.dumps(create_app(Settings()).openapi()))
    document["info"].pop("version")
    return document


def settings_table() -> str:
    """One Markdown row a setting."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = ",".join(field.default) if isinstance(field.default, tuple) else str(field.default)
        default = "" if field.default is None else default
        shown = f"`{default}`" if default else ""
        rows.append(f"| `PATCHBANK_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(rows) + "\n"


def readme(text: str) -> str:
    """The README with its settings table made anew."""
    return _between("settings", settings_table(), text)


def scopes_table() -> str:
    """One Markdown row a scope, with the routes that need it."""
    rows = ["| scope | good for, beside what the scopes above it are |", "|---|---|"]
    for scope in ("public", *SCOPES):
        routes = [f"`{method} {path}`" for (method, path), need in NEEDS.items() if need == scope]
        rows.append(f"| {'none needed' if scope == 'public' else f'`{scope}`'} | {', '.join(routes)} |")
    return "\n".join(rows) + "\n"


def keys_page(text: str) -> str:
    """The page about keys with its table made anew."""
    return _between("scopes", scopes_table(), text)


def _between(name: str, table: str, text: str) -> str:
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    return re.sub(f"({begin}).*?({end})", lambda around: around[1] + table + around[2], text, flags=re.DOTALL)


def cli_page() -> str:
    """Every command's help, as Markdown."""
    group: Any = typer.main.get_command(cli)
    lines = ["# The command line", "", "One application under two names, `patchbank` and `indexer`.", str(group.help)]
    lines += ["", *_parameters(group)]
    for name, command in _commands(group):
        lines += [f"## `{name}`", "", " ".join(str(command.help).split()), "", *_parameters(command)]
    return "\n".join(lines)


def _parameters(command: Any) -> list[str]:
    """A list of what a command takes."""
    lines = []
    for parameter in command.params:
        if parameter.name == "help":
            continue
        argument = parameter.param_type_name == "argument"
        label = str(parameter.name).upper() if argument else ", ".join(parameter.opts)
        lines.append(f"- `{label}`: {getattr(parameter, 'help', None) or ''}")
    return [*lines, ""]


def _commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Commands by full name; those of a group after the group itself."""
    for name, command in group.commands.items():
        yield prefix + name, command
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix}{name} ")


def main() -> None:
    """Write them all."""
    (ROOT / "docs" / "openapi.json").write_text(json.dumps(openapi(), indent=1, sort_keys=True) + "\n")
    (ROOT / "docs" / "cli.md").write_text(cli_page())
    for path, made in ((ROOT / "README.md", readme), (ROOT / "docs" / "keys.md", keys_page)):
        path.write_text(made(path.read_text()))


if __name__ == "__main__":
    main()
