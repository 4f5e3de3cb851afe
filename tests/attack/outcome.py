"""How a check of one fault went."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.attack.judges import Judge
from tests.attack.scene import Scene
from tests.attack.service import Service, running


@dataclass(frozen=True)
class Outcome:
    """Whether a fault is mended, and figures."""

    ok: bool
    text: str


@dataclass
class Stage:
    """Where checks run: the scene, a judge, and a service of their own for those that need one."""

    scene: Scene
    judge: Judge

    @contextmanager
    def service(self, name: str, key: str = "", **settings: object) -> Iterator[tuple[Service, Path]]:
        """A service on a fresh copy, and that copy."""
        data = self.scene.copy(name)
        with running(data, self.scene.root / f"{name}.log", key=key, **settings) as service:
            yield service, data
        shutil.rmtree(data, ignore_errors=True)

    def post(self, service: Service, probe: str, *, named: bool = True) -> tuple[int, dict[str, object]]:
        """Status and answer for a probe."""
        data = {"return_map": "false"} | ({"class_name": self.scene.class_of(probe)} if named else {})
        answer = service.client.post("/detect", files={"file": self.scene.probes[probe].read_bytes()}, data=data)
        told: dict[str, object] = answer.json()
        return answer.status_code, told


_MOST: Final = 6

Check = Callable[[Stage], Outcome]


def outcome(wrong: list[str], text: str) -> Outcome:
    """Well where nothing is wrong; of much that is wrong the first things are told."""
    shown = [" ".join(each.split())[:240] for each in wrong[:_MOST]]
    more = [f"and {len(wrong) - _MOST} more"] if len(wrong) > _MOST else []
    return Outcome(not wrong, "; ".join([*shown, *more, text]))
