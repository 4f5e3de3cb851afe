"""The parts of the attack, and each one's share of the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tests.attack.api import api
from tests.attack.budget import Budget
from tests.attack.damage import damage
from tests.attack.disks import disks
from tests.attack.faults import faults
from tests.attack.files import files
from tests.attack.fuzz import fuzz
from tests.attack.kills import kills
from tests.attack.load import load
from tests.attack.report import Report
from tests.attack.scene import Scene

PARTS: Final[Mapping[str, Callable[[Scene, Budget, Report], None]]] = {
    "faults": faults,
    "damage": damage,
    "files": files,
    "fuzz": fuzz,
    "api": api,
    "kills": kills,
    "disks": disks,
    "load": load,
}
SHARES: Final[Mapping[str, float]] = {
    "faults": 3.0,
    "damage": 2.0,
    "files": 2.0,
    "fuzz": 1.0,
    "api": 2.0,
    "kills": 2.0,
    "disks": 1.0,
    "load": 2.0,
}
