"""Faults 3, 4, 5, 16, 17, 18 and 21: damaged banks and snapshots."""

from __future__ import annotations

import io
import json
import random
import shutil
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np

from tests.attack import harm
from tests.attack.judges import Died
from tests.attack.outcome import Outcome, Stage, outcome
from tests.attack.service import running

_LEFT = 4_096
_TOLD = 15.0
"""Seconds after which health must know of damage; it looks every 10 s."""

_ENTRIES = ("manifest.json", "references.json", "cls.npy", "ids.npy", "vectors.npy")


def flat_copies(stage: Stage) -> Outcome:
    """3: one exponent bit, and a block of garbage, in the flat vectors."""
    wrong, said, same = [], 0, 0
    for number in range(8):
        data = stage.scene.copy("fault")
        victim = stage.scene.classes[number % 3].class_name
        files = sorted(data.glob(f"collections/patchbank__{victim}__*/exact/vectors.npy"))
        kind = "exponent" if number % 2 else "block"
        rng = random.Random(number)  # noqa: S311
        done = harm.KINDS[kind](rng.choice(files), rng)
        try:
            error = stage.judge.open(data)
            if error is not None:
                wrong.append(f"the store does not open: {error}")
                continue
            for question, judged in stage.judge.judge().items():
                sound = stage.scene.sound[question]
                if judged.same_as(sound):
                    same += 1
                elif judged.error is not None and not judged.untyped:
                    said += 1
                else:
                    wrong.append(f"{victim}: {done}: {question} was {sound}, is {judged}")
            stage.judge.close_store()
        except Died as died:
            wrong.append(str(died))
    return outcome(wrong, f"8 damages: {same} verdicts the same, {said} coded errors")


def router(stage: Stage) -> Outcome:
    """4: the files for class retrieval of one class are deleted or damaged; the other classes answer as ever."""
    wrong: list[str] = []
    for number, kind in enumerate(("delete", "cut", "block", "folder")):
        data = stage.scene.copy("fault")
        victim = stage.scene.classes[number % 3].class_name
        for folder in data.glob(f"collections/patchbank__{victim}__*/cls"):
            if kind == "folder":
                shutil.rmtree(folder)
                continue
            for file in folder.iterdir():
                harm.KINDS[kind](file, random.Random(number))  # noqa: S311
        for folder in data.glob("collections/*router*"):
            shutil.rmtree(folder)
        try:
            stage.judge.open(data)
            for question, judged in stage.judge.judge().items():
                probe, _, named = question.rpartition("@")
                own = stage.scene.class_of(probe) == victim or named == victim
                fine = judged.same_as(stage.scene.sound[question])
                if own and (judged.error is not None or any(victim in warning for warning in judged.said)):
                    fine = not judged.untyped
                if not fine:
                    wrong.append(f"{kind} of {victim}: {question} was {stage.scene.sound[question]}, is {judged}")
            stage.judge.close_store()
        except Died as died:
            wrong.append(str(died))
    return outcome(wrong, "4 damages of what serves class retrieval")


def cut_under_service(stage: Stage) -> Outcome:
    """5 and 16: files of a served class are cut under a running service."""
    wrong: list[str] = []
    statuses: list[int] = []
    victim = stage.scene.classes[0].class_name
    names = ("chunk_0.mmap", "page_0.dat", "status.dat", "exact/vectors.npy", "cls/vectors.npy")
    with stage.service("fault") as (service, data):
        probe = next(iter(stage.scene.probes))
        stage.post(service, probe)
        for name in names:
            for file in data.glob(f"collections/patchbank__{victim}__*/**/{name}"):
                with file.open("r+b") as opened:
                    opened.truncate(min(file.stat().st_size // 2, _LEFT))
            for path in (f"/classes/{victim}/references", f"/classes/{victim}", "/classes"):
                try:
                    answer = service.client.get(path)
                    statuses.append(answer.status_code)
                    answer.json()
                    if answer.status_code == 500:
                        wrong.append(f"{name} halved: {path} is 500")
                except (httpx.HTTPError, ValueError) as error:
                    wrong.append(f"{name} halved: {path}: {type(error).__name__}")
            try:
                status, told = stage.post(service, probe)
                statuses.append(status)
                if status == 500:
                    wrong.append(f"{name} halved: /detect is 500: {told}")
            except (httpx.HTTPError, ValueError) as error:
                wrong.append(f"{name} halved: /detect: {type(error).__name__}")
            if not service.runs():
                wrong.append(f"{name} halved: the service died with {service.process.returncode}")
                break
        else:
            other = next(name for name in stage.scene.probes if stage.scene.class_of(name) != victim)
            status, told = stage.post(service, other)
            if told.get("decision") != stage.scene.sound[f"{other}@{stage.scene.class_of(other)}"].decision:
                wrong.append(f"another class: {status} {str(told)[:200]}")
        tracebacks = service.tracebacks()
    return outcome([*wrong, *([f"{tracebacks} tracebacks"] if tracebacks else [])], f"answers {sorted(set(statuses))}")


def archives(stage: Stage) -> Outcome:
    """17: damaged snapshots, vectors that are not of unit length, a threshold out of range."""
    data, whole = stage.scene.copy("fault"), stage.scene.root / "whole.snapshot"
    whole.unlink(missing_ok=True)
    stage.judge.run("snapshot", stage.scene.classes[0].class_name, whole, "--data-dir", data)
    wrong, codes, path = [], set(), stage.scene.root / "damaged.snapshot"
    for name, content in _damaged(whole.read_bytes()):
        path.write_bytes(content)
        status, output = stage.judge.command("restore", path, "--as", "restored", "--json", "--data-dir", data)
        try:
            code = json.loads(output)["error"]["code"]
        except (ValueError, KeyError, TypeError):
            wrong.append(f"{name}: status {status}, {output[-160:]}")
            continue
        codes.add(code)
    return outcome(wrong, f"{codes}")


def _damaged(whole: bytes) -> Iterator[tuple[str, bytes]]:
    entries = {}
    with zipfile.ZipFile(io.BytesIO(whole)) as opened:
        entries = {name: opened.read(name) for name in opened.namelist()}

    def made(**changed: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, content in {
                **entries,
                **{key.replace("__", "."): value for key, value in changed.items()},
            }.items():
                archive.writestr(name, content)
        return out.getvalue()

    manifest: dict[str, Any] = json.loads(entries["manifest.json"])
    for threshold in (-1.0, 5.0, float("nan"), float("inf"), "x", None):
        changed = json.loads(json.dumps(manifest))
        changed["calibration"]["threshold"] = threshold
        yield f"threshold {threshold}", made(manifest__json=json.dumps(changed).encode())
    vectors = np.load(io.BytesIO(entries["vectors.npy"]))
    for name, values in {
        "long": vectors * 3,
        "short": vectors * 0.1,
        "nan": vectors * np.nan,
        "zero": vectors * 0,
    }.items():
        body = entries["vectors.npy"][: -vectors.nbytes] + values.astype("<f4").tobytes()
        yield f"{name} vectors", made(vectors__npy=body)
    cls = np.load(io.BytesIO(entries["cls.npy"]))
    yield "long cls", made(cls__npy=entries["cls.npy"][: -cls.nbytes] + (cls * 3).astype("<f4").tobytes())
    rng = random.Random(17)  # noqa: S311
    for number in range(12):
        content = bytearray(whole)
        if number % 3 == 0:
            del content[rng.randrange(len(content)) :]
        elif number % 3 == 1:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        else:
            place = rng.randrange(max(1, len(content) - 600))
            content[place : place + 512] = rng.randbytes(512)
        yield f"damage {number}", bytes(content)
    for name in _ENTRIES:
        yield f"{name} empty", made(**{name.replace(".", "__"): b""})
        yield f"{name} garbage", made(**{name.replace(".", "__"): rng.randbytes(2_000)})
    yield "deep JSON", made(manifest__json=b"[" * 200_000)
    yield "no zip", b"PK\3\4" + bytes(1_000)


def health(stage: Stage) -> Outcome:
    """21: a manifest is cut, a class's folder or the pointer is gone; health says so."""
    wrong: list[str] = []
    victim = stage.scene.classes[0].class_name
    with stage.service("fault") as (service, data):
        for file in data.glob(f"collections/patchbank__{victim}__*/manifest.json"):
            harm.cut(file, random.Random(3))  # noqa: S311
        end = time.monotonic() + _TOLD
        while time.monotonic() < end and service.client.get("/health").json()["status"] == "ok":
            time.sleep(0.2)
        if service.client.get("/health").json()["status"] == "ok":
            wrong.append(f"manifests are cut: /health says ok for {_TOLD:.0f} s")
        other = next(name for name in stage.scene.probes if stage.scene.class_of(name) != victim)
        status, _ = stage.post(service, other)
        if status != 200:
            wrong.append(f"manifests are cut: another class is {status}")
    data = stage.scene.copy("fault")
    (data / "aliases.json").unlink()
    try:
        with running(data, stage.scene.root / "fault.log") as service:
            ready, classes = service.client.get("/health/ready"), service.client.get("/classes")
            if ready.status_code == 200 and ready.json()["status"] == "ok" and not _named(classes, victim):
                wrong.append("the pointer is gone: no classes, and ready says ok")
    except RuntimeError:
        pass  # it refuses to start, which says it
    return outcome(wrong, "manifest cut, pointer gone")


def _named(classes: httpx.Response, victim: str) -> bool:
    return classes.status_code == 200 and victim in classes.text
