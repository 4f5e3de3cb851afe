"""Coverage-guided fuzzing (atheris, libFuzzer) of what reads strangers' bytes: pictures, snapshots, manifests and the
pointer.

A crash, a run of more than 5 seconds and a process of more than ``MEMORY`` megabytes are findings. The input of a
finding is kept beside the report's folder, so that it can be run again.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.attack.budget import Budget
from tests.attack.hostile import HOSTILE
from tests.attack.judges import Judge
from tests.attack.mutation import seeds
from tests.attack.report import Report
from tests.attack.scene import Scene, copied
from tests.attack.service import environment

MEMORY: Final = 1_024
"""Megabytes that a process may hold which decodes pictures of at most 2 megapixels, the interpreter included."""

_TARGETS: Final = {"decode": 5, "archive": 3, "manifest": 1, "pointer": 1}
_MINUTES: Final = 30.0
_MOST_FOUND: Final = 5
_RATE: Final = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_COVER: Final = re.compile(r"cov: (\d+)")


def fuzz(scene: Scene, budget: Budget, report: Report) -> None:
    """The part. A case is ``TARGET``, or ``TARGET:FILE`` to run one input again."""
    if find_spec("atheris") is None:
        report.note("atheris is not installed: pip install 'patchbank[attack]' (it has wheels for Linux); left out")
        return
    wanted, _, file = (budget.case or "").partition(":")
    whole = min(budget.left(), budget.pick(8, 120, int(_MINUTES * 60)))
    names = [name for name in _TARGETS if wanted in ("", name)]
    if budget.form == "short" and not wanted:
        names = [list(_TARGETS)[budget.seed % len(_TARGETS)]]
    shares = sum(_TARGETS[name] for name in names)
    for name in names:
        scratch = _scratch(scene, name)
        if file:
            _again(name, scratch, Path(file), report)
            continue
        _fuzz(name, scratch, whole * _TARGETS[name] / shares, budget, report)


def _scratch(scene: Scene, name: str) -> Path:
    """A folder with a corpus of valid files, and what the target works on."""
    scratch = scene.root / f"fuzz-{name}"
    shutil.rmtree(scratch, ignore_errors=True)
    corpus = scratch / "corpus"
    corpus.mkdir(parents=True)
    copied(scene.data, scratch / "data")
    if name == "decode":
        whole = {
            **seeds(),
            **{key: make() for key, make in HOSTILE.items() if key not in ("many scans", "too large PNG")},
        }
        for number, content in enumerate(whole.values()):
            if len(content) < 64_000:
                (corpus / str(number)).write_bytes(content)
        return scratch
    if name == "archive":
        import zipfile

        snapshot = scratch / "whole.snapshot"
        with Judge(scene.probes) as judge:
            judge.run(
                "add",
                "tiny",
                scene.classes[0].first[0],
                scene.classes[0].first[1],
                "--keep-all",
                "--yes",
                "--coreset",
                "0.05",
                "--data-dir",
                scratch / "data",
            )
            judge.run("snapshot", "tiny", snapshot, "--data-dir", scratch / "data")
        with zipfile.ZipFile(snapshot) as opened:
            for place, entry in enumerate(("manifest.json", "references.json", "cls.npy", "ids.npy", "vectors.npy")):
                (corpus / entry).write_bytes(bytes([place]) + opened.read(entry)[:200_000])
        (corpus / "whole").write_bytes(snapshot.read_bytes())
        return scratch
    pointer = scratch / "data" / "aliases.json"
    (corpus / "pointer").write_bytes(pointer.read_bytes())
    if name == "manifest":
        (corpus / "pointer").unlink()
        for class_name, version in json.loads(pointer.read_text())["classes"].items():
            folder = scratch / "data" / "collections" / f"patchbank__{class_name}__{version}"
            (corpus / class_name).write_bytes((folder / "manifest.json").read_bytes())
    return scratch


def _fuzz(name: str, scratch: Path, seconds: float, budget: Budget, report: Report) -> None:
    end, runs, cover, rounds = time.monotonic() + seconds, 0, 0, 0
    kept = Path(tempfile.gettempdir()) / "patchbank-attack"
    kept.mkdir(exist_ok=True)
    while (left := end - time.monotonic()) > 1 and rounds < _MOST_FOUND:
        rounds += 1
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.attack.fuzz_target",
                name,
                str(scratch),
                str(scratch / "corpus"),
                "-timeout=5",
                f"-rss_limit_mb={MEMORY}",
                f"-seed={budget.seed % 2**31 + rounds}",
                f"-max_total_time={max(1, int(left))}",
                "-max_len=300000",
                "-print_final_stats=1",
                f"-artifact_prefix={kept}/{name}-",
            ],
            env=environment(Path("none")),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=left + 120,
        )
        runs += sum(map(int, _RATE.findall(done.stderr)))
        cover = max([cover, *map(int, _COVER.findall(done.stderr))])
        if done.returncode == 0:
            break
        _tell(name, done.stderr + done.stdout, report)
    report.cases += runs
    report.figures[name] = f"{runs} runs in {seconds:.0f} s, coverage {cover}"


def _tell(name: str, output: str, report: Report) -> None:
    file = re.search(r"Test unit written to (\S+)", output)
    what = [
        line for line in output.splitlines() if line.startswith((" === ", "==")) or "Error" in line or "ERROR" in line
    ]
    case = f"{name}:{file.group(1)}" if file else name
    report.found(case, " | ".join(line.strip() for line in what[:4])[:500] or output[-500:])


def _again(name: str, scratch: Path, file: Path, report: Report) -> None:
    line = [sys.executable, "-m", "tests.attack.fuzz_target", name, str(scratch), str(file), "-timeout=5"]
    done = subprocess.run(
        [*line, f"-rss_limit_mb={MEMORY}"],
        env=environment(Path("none")),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    report.cases += 1
    if done.returncode != 0:
        _tell(name, f"{done.stderr}{done.stdout}Test unit written to {file}", report)
