"""All commands that change something, and a data directory on which each has something to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.attack.judges import Judge
from tests.attack.scene import Scene, copied
from tests.attack.service import running

Words = Sequence[str | Path]


@dataclass(frozen=True)
class Ground:
    """A data directory with recorded detections, an accepted one, keys, a snapshot, and defects for tuning. ``victim``
    is the class that commands change."""

    data: Path
    victim: str
    facts: Mapping[str, Any]
    questions: tuple[str, ...]

    def copy(self, name: str) -> Path:
        """A fresh copy."""
        place = self.data.parent / name
        shutil.rmtree(place, ignore_errors=True)
        return copied(self.data, place)


@dataclass(frozen=True)
class Change:
    """A command. ``again`` are the error codes with which it may refuse to be run once more after it is done. One that
    makes two versions, of which the first is sound by itself, may be killed between them: ``then`` makes the second, as
    a service does by itself."""

    name: str
    words: Callable[[Ground], Words]
    again: frozenset[str] = frozenset()
    then: Callable[[Ground], Words] | None = None


def prepare(scene: Scene, judge: Judge) -> Ground:
    """Make the ground, once for a scene: the first class is the victim."""
    if "ground" not in scene.shared:
        scene.shared["ground"] = _made(scene, judge)
    ground: Ground = scene.shared["ground"]
    return ground


def _made(scene: Scene, judge: Judge) -> Ground:
    taught = scene.classes[0]
    data, victim = scene.copy("ground"), taught.class_name

    def run(*words: str | Path) -> Any:
        return json.loads(judge.run(*words, "--json", "--data-dir", data))

    judge.close_store()
    with running(data, scene.root / "ground.log") as service:
        ids = []
        for path in (taught.defective[0], taught.good[0]):
            asked = {"class_name": victim, "return_map": "false"}
            answer = service.client.post("/detect", files={"file": path.read_bytes()}, data=asked)
            ids.append(answer.json()["detection_id"])
    snapshot = scene.root / "ground.snapshot"
    run("snapshot", victim, snapshot)
    run("keys", "create", "old", "--scope", "detect")
    action = run("history", "accept", ids[1])["action"]["id"]
    defects = scene.root / "defects"
    defects.mkdir(exist_ok=True)
    for number, path in enumerate((*taught.defective, *(other for each in scene.classes[1:] for other in each.good))):
        shutil.copy(path, defects / f"{number}{path.suffix}")
    facts = {
        "detection": ids[0],
        "action": action,
        "snapshot": snapshot,
        "out": scene.root / "written.snapshot",
        "defects": defects,
        "picture": taught.good[1],
        "accepted": taught.good[0],
        "defect": taught.defective[0],
        "first": taught.first,
        "versions": run("versions", victim)["versions"],
        "references": [reference["image_id"] for reference in run("references", "list", victim)["references"]],
    }
    own = tuple(name for name in scene.sound if scene.class_of(name.rpartition("@")[0]) == victim)
    others = tuple(name for name in scene.sound if name not in own and not name.startswith("stranger"))[:4]
    return Ground(data, victim, facts, (*own, *others))


CHANGES: Final = (
    Change("add", lambda on: ["add", on.victim, *on.facts["first"][:4], "--keep-all", "--yes"]),
    Change("add new", lambda on: ["add", "brand-new", *on.facts["first"][:4], "--keep-all", "--yes"]),
    Change("update", lambda on: ["update", on.victim, on.facts["picture"], "--keep-all", "--yes"]),
    Change("references add", lambda on: ["references", "add", on.victim, on.facts["picture"], "--keep-all", "--yes"]),
    Change(
        "references remove",
        lambda on: ["references", "remove", on.victim, on.facts["references"][0]],
        frozenset({"unknown_reference"}),
        lambda on: ["calibrate", on.victim, "--again"],
    ),
    Change("calibrate", lambda on: ["calibrate", on.victim, "--target-far", "0.4", "--review-far", "0.5"]),
    Change("calibrate again", lambda on: ["calibrate", on.victim, "--again"]),
    Change("compact", lambda on: ["compact", on.victim]),
    Change("activate", lambda on: ["activate", on.victim, on.facts["versions"][0]]),
    Change("prune", lambda on: ["prune", on.victim, "--keep", "1"]),
    Change("remove", lambda on: ["remove", on.victim, "--yes"], frozenset({"unknown_class"})),
    Change("restore", lambda on: ["restore", on.facts["snapshot"]]),
    Change("restore as", lambda on: ["restore", on.facts["snapshot"], "--as", "brand-new"]),
    Change("snapshot", lambda on: ["snapshot", on.victim, on.facts["out"]]),
    Change("rebuild", lambda on: ["rebuild", on.victim, on.facts["accepted"]]),
    Change("tune", lambda on: ["tune", on.victim, "--defects", on.facts["defects"], "--apply"]),
    Change("history accept", lambda on: ["history", "accept", on.facts["detection"]], frozenset({"already_known"})),
    Change("history undo", lambda on: ["history", "undo", on.facts["action"]], frozenset({"already_undone"})),
    Change(
        "defects add",
        lambda on: ["defects", "add", on.victim, on.facts["defect"], "--name", "spot"],
        frozenset({"defect_already_known"}),
    ),
    Change("keys create", lambda _: ["keys", "create", "new", "--scope", "teach"], frozenset({"key_name_taken"})),
    Change("keys revoke", lambda _: ["keys", "revoke", "old"]),  # a second time it stays revoked
    Change(
        "shadow start",
        lambda on: ["shadow", "start", on.victim, on.facts["versions"][0]],
    ),
)
"""Every command that changes banks, history or keys."""
