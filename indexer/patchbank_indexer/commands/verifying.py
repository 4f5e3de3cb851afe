"""``verify``: whether all that is stored of a class is what was written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Final

import typer

from patchbank.bank.finding import Finding
from patchbank.errors import InvalidParameters
from patchbank.settings import Settings
from patchbank_indexer.commands.options import DataDir, Json
from patchbank_indexer.commands.running import opened, run
from patchbank_indexer.output import Output

_WORDS: Final = {"sound": "sound", "healed": "mended", "older": "older", "damaged": "DAMAGED"}


def verify(
    class_name: Annotated[str | None, typer.Argument(metavar="[CLASS]", help="A taught product class.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Verify all classes.")] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Check everything stored of a class, or of all: checksums, vectors, counts. What is derived, and what has a
    second copy, is made anew. Exit status 1 where something is damaged."""
    run(lambda settings, out: _verify(settings, out, class_name, every), as_json, data_dir=data_dir)


def _verify(settings: Settings, out: Output, class_name: str | None, every: bool) -> int:
    if every == (class_name is not None):
        raise InvalidParameters("name a class, or give --all")
    with opened(settings) as store, out.progress() as progress:
        findings = store.verify(class_name, progress)
    out.result({"findings": [asdict(finding) for finding in findings], "counts": _counts(findings)})
    out.table(
        ("class", "version", "what", "state", "message"),
        [_row(finding) for finding in findings],
        least=("message",),
    )
    out.say(", ".join(f"{count} {_WORDS[state]}" for state, count in _counts(findings).items() if count))
    return 1 if any(finding.state == "damaged" for finding in findings) else 0


def _row(finding: Finding) -> tuple[object, ...]:
    state = _WORDS[finding.state]
    return (finding.class_name or None, finding.version or None, finding.what, state, finding.message or None)


def _counts(findings: Sequence[Finding]) -> dict[str, int]:
    counted: Counter[str] = Counter(finding.state for finding in findings)
    return {state: counted[state] for state in _WORDS}
