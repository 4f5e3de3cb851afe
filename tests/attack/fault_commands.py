"""Faults 6, 11, 12, 14, 15 and 18: commands, full and read-only disks, model files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.attack.command import Ran, command
from tests.attack.judges import Died
from tests.attack.outcome import Outcome, Stage, outcome
from tests.attack.service import environment, running
from tests.helpers.places import ROOT

_ESCAPE: Final = "\x1b"
_FULL: Final = ("disk_full",)


def full_disk(stage: Stage) -> Outcome:
    """6: ``add`` on disks of 1 to 12 MB, where it needs about 6."""
    wrong, codes = [], []
    taught = stage.scene.classes[0]
    for megabytes in (1, 2, 3, 4, 6, 8, 12):
        place = stage.scene.root / "small"
        with _mounted(place, f"size={megabytes}m") as why:
            if why is not None:
                return Outcome(True, f"left out: {why}")
            ran = command("add", "new", *taught.first, "--keep-all", "--yes", data=place / "data")
            codes.append(ran.code if ran.status else "fits")
            if ran.crashed:
                wrong.append(f"{megabytes} MB: {ran.crashed}")
            elif ran.status and ran.code not in _FULL:
                wrong.append(f"{megabytes} MB: {ran.code}: {ran.output[:160]!r}")
            if ran.status:
                listed = command("versions", "new", data=place / "data")
                if listed.status == 0:
                    wrong.append(f"{megabytes} MB: a version is listed that nobody acknowledged")
    return outcome(wrong, f"{codes}")


def odd_names(stage: Stage) -> Outcome:
    """11: file names that are not UTF-8."""
    folder = stage.scene.root / "latin"
    folder.mkdir(exist_ok=True)
    taught = stage.scene.classes[0]
    for number, path in enumerate(taught.first):
        name = os.fsdecode(f"gr\xfcn-{number}.png".encode("latin-1"))
        (folder / name).write_bytes(path.read_bytes())
    data = stage.scene.copy("fault")
    ran = command("add", "latin", folder, "--keep-all", "--yes", data=data)
    told = command("add", "latin", folder, "--keep-all", "--yes", data=data, as_json=False)
    listed = command("references", "list", "latin", data=data)
    wrong = [each.crashed for each in (ran, told, listed) if each.crashed]
    return outcome(wrong, f"status {ran.status}, {told.status}, {listed.status}")


def markup(stage: Stage) -> Outcome:
    """12: names with markup and escape bytes."""
    folder = stage.scene.root / "markup"
    folder.mkdir(exist_ok=True)
    good = stage.scene.classes[0].good[0].read_bytes()
    names = ["a[/7].png", "b[red].png", f"c{_ESCAPE}[2J.png", "d\x07\r.png", "e\u202egnp.exe.png"]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(good)
    (folder / f"f{_ESCAPE}]0;x\x07.png").write_bytes(b"no picture")
    data = stage.scene.copy("fault")
    paths = sorted(folder.rglob("*.png"))
    runs: list[Ran] = [
        command("detect", *paths, data=data, as_json=False),
        command("add", "markup", folder, "--yes", "--keep-all", data=data, as_json=False),
        command("show", f"x{_ESCAPE}[2J[/7]", data=data, as_json=False),
        command("restore", paths[2], data=data, as_json=False),
        command("detect", folder / "missing[/7].png", data=data, as_json=False),
    ]
    wrong = [each.crashed for each in runs if each.crashed]
    loud = [place for place, each in enumerate(runs) if _ESCAPE.encode() in each.output or _ESCAPE in each.errors]
    wrong += [f"escape bytes reach the terminal in commands {loud}"] if loud else []
    return outcome(wrong, f"statuses {[each.status for each in runs]}")


def read_only(stage: Stage) -> Outcome:
    """14: a data directory that cannot be written."""
    place = stage.scene.root / "small"
    with _mounted(place, "size=1g") as why:
        if why is not None:
            return Outcome(True, f"left out: {why}")
        data = place / "data"
        subprocess.run(["cp", "-a", "--sparse=always", str(stage.scene.data), str(data)], check=True)
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        try:
            with running(data, stage.scene.root / "fault.log") as service:
                status, told = stage.post(service, next(iter(stage.scene.probes)))
                ready = service.client.get("/health/ready")
        except RuntimeError as error:
            text = str(error)
            return outcome(["a traceback"] if "Traceback" in text else [], f"it does not start: {text[-200:]}")
    wrong = [f"/detect is {status} {str(told)[:160]}"] if "damaged_bank" in str(told) else []
    wrong += [f"/detect is {status}, and ready ok"] if status != 200 and ready.status_code == 200 else []
    return outcome(wrong, f"/detect {status}, ready {ready.status_code} {ready.text[:80]}")


def model_file(stage: Stage) -> Outcome:
    """15: the model's file is halved; one bit of its weights is turned over."""
    wrong, told = [], []
    overlay = stage.scene.root / "overlay"
    for kind in ("half", "bit"):
        shutil.rmtree(overlay, ignore_errors=True)
        shutil.copytree(ROOT / "service" / "patchbank", overlay / "patchbank")
        model = next((overlay / "patchbank" / "embedding" / "models").glob("*.onnx"))
        content = bytearray(model.read_bytes())
        if kind == "half":
            del content[len(content) // 2 :]
        else:
            content[len(content) // 2] ^= 0x40
        model.write_bytes(content)
        data = stage.scene.copy("fault")
        surroundings = environment(data, port=1, host="127.0.0.1", auth="off")
        surroundings["PYTHONPATH"] = os.pathsep.join([str(overlay), surroundings["PYTHONPATH"]])
        for words in (
            ["-m", "patchbank"],
            ["-m", "patchbank_indexer.cli", "detect", str(stage.scene.classes[0].good[0])],
        ):
            try:
                done = subprocess.run(
                    [sys.executable, *words], env=surroundings, capture_output=True, text=True, timeout=30, check=False
                )
            except subprocess.TimeoutExpired:
                wrong.append(f"{kind}: {words[1]} starts and runs")
                continue
            told.append(done.returncode)
            if done.returncode != 1 or "Traceback" in done.stderr:
                last = (done.stderr.strip().splitlines() or ["?"])[-1][:160]
                wrong.append(f"{kind}: {words[1]} ends with {done.returncode}: {last}")
            elif "listen" in done.stderr or "bind" in done.stderr or "permission" in done.stderr.lower():
                wrong.append(f"{kind}: {words[1]} gets as far as its port")
    shutil.rmtree(overlay, ignore_errors=True)
    return outcome(wrong, f"exit statuses {told}")


def half_removed(stage: Stage) -> Outcome:
    """18: what a ``remove`` leaves that dies after its switch."""
    wrong, victim = [], stage.scene.classes[0].class_name
    data = stage.scene.copy("fault")
    dying = (
        "import os\n"
        "from patchbank.bank.edge.store import EdgeStore\n"
        "EdgeStore._sweep = lambda *_: os._exit(9)\n"
        "from patchbank_indexer.cli import main\nmain()\n"
    )
    first = command("remove", victim, "--yes", data=data, entry=dying)
    (data / ".aliases.json-0123abcd").write_text("{}")
    listed = command("versions", victim, data=data)
    if listed.status == 0 and listed.document()["versions"]:
        wrong.append("its versions are listed")
    again = command("remove", victim, "--yes", data=data)
    if again.status != 0 and again.code != "unknown_class":
        wrong.append(f"a second remove: {again.code}")
    kept = [path.name for path in (data / "collections").iterdir() if f"__{victim}__" in path.name]
    if kept:
        wrong.append(f"{len(kept)} folders are left after a second remove")
    command("add", victim, *stage.scene.classes[0].first, "--keep-all", "--yes", data=data)
    told = command("versions", victim, data=data)
    count = len(told.document()["versions"]) if told.status == 0 else -1
    if count != 1:
        wrong.append(f"taught again it has {count} versions")
    if (data / ".aliases.json-0123abcd").exists():
        wrong.append("a half-written pointer is left")
    try:
        stage.judge.open(data)
        stage.judge.close_store()
    except Died as died:
        wrong.append(str(died))
    return outcome(wrong, f"remove died with {first.status}, again {again.status} {again.code or ''}")


@contextmanager
def _mounted(place: Path, options: str) -> Iterator[str | None]:
    place.mkdir(exist_ok=True)
    line = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        yield f"no file system can be mounted: {done.stderr.strip()}"
        return
    try:
        yield None
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)
