"""A Dockerfile as data: stages, and their instructions in order."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

DOCKERFILE: Final = Path(__file__).parent / "Dockerfile"


@dataclass(frozen=True)
class Instruction:
    """One instruction with the rest of its line, continued lines joined."""

    name: str
    value: str

    def pairs(self) -> dict[str, str]:
        """The assignments of an ENV, LABEL or ARG."""
        return dict(part.split("=", 1) for part in shlex.split(self.value) if "=" in part)


@dataclass
class Stage:
    """What stands between two FROMs. ``base`` is an image or an earlier stage's name."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def all_of(self, name: str) -> list[Instruction]:
        """The instructions of one kind."""
        return [instruction for instruction in self.instructions if instruction.name == name]


def read_dockerfile(path: Path = DOCKERFILE) -> dict[str, Stage]:
    """Stages by name, in order; ARGs before the first FROM are filled in."""
    arguments: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    for instruction in _instructions(path.read_text(encoding="utf-8")):
        if instruction.name == "FROM":
            value = instruction.value
            for argument, default in arguments.items():
                value = value.replace(f"${{{argument}}}", default)
            base, _, name = value.partition(" AS ")
            stages[name] = Stage(name, base)
        elif stages:
            stages[next(reversed(stages))].instructions.append(instruction)
        else:
            arguments |= instruction.pairs()
    return stages


def lineage(stages: dict[str, Stage], name: str) -> list[Stage]:
    """A stage and those it builds on, first the one that begins with an image."""
    stage = stages[name]
    return [*(lineage(stages, stage.base) if stage.base in stages else []), stage]


def _instructions(text: str) -> list[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
    return [Instruction(name.upper(), value) for name, value in found]
