"""What killed processes left in a data directory is swept, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

from patchbank.leftovers import sweep_leftovers


def aged(path: Path, seconds: float) -> Path:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))
    return path


def test_unfinished_files_and_transfers_go_and_all_else_stays(tmp_path: Path) -> None:
    for folder in ("models/.pull-old", "models/.pull-new", "models/.export-abcdefgh", "originals/part", "jobs/1"):
        (tmp_path / folder).mkdir(parents=True)
    left = [".backbone.json-abcdefgh", "models/.m.json-abcdefgh", "originals/part/.0a.png-abcdefgh"]
    left += ["jobs/1/.status.json-abcdefgh"]
    kept = ["backbone.json", ".mine-abcdefgh", "models/m.json", "originals/part/0a.png", "jobs/1/job.json"]
    for name in (*left, *kept, "models/.pull-old/half", "models/.pull-new/half"):
        (tmp_path / name).write_text("half")
    aged(tmp_path / "models/.pull-old/half", 7_200)
    for folder in ("models/.pull-old", "models/.pull-new", "models/.export-abcdefgh"):
        aged(tmp_path / folder, 7_200)
    sweep_leftovers(tmp_path)
    assert [name for name in left if (tmp_path / name).exists()] == []
    assert [name for name in kept if not (tmp_path / name).exists()] == []
    assert not (tmp_path / "models/.pull-old").exists()
    assert not (tmp_path / "models/.export-abcdefgh").exists()
    assert (tmp_path / "models/.pull-new/half").exists()
    sweep_leftovers(tmp_path / "not there")
