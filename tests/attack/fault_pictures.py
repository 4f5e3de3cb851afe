"""Faults 1, 2, 7, 10, 13 and 20: what strangers' pictures cost."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.attack.command import command
from tests.attack.files import MEMORY
from tests.attack.hostile import HOSTILE, gif_bomb, half_jpeg, many_scans, strip_png, tile_bomb, webp_bomb
from tests.attack.outcome import Outcome, Stage, outcome
from tests.attack.tree import watched

_SCANS = 15.0
_LIVE = 0.5


def tile_bombs(stage: Stage) -> Outcome:
    """1: TIFFs whose tile is declared as large as memory."""
    with stage.service("fault", history="false") as (service, _), watched(service.pid, 0.01) as memory:
        idle, begin = memory.peak, time.monotonic()
        bombs = [tile_bomb(compression=kind) for kind in (8, 5, 1, 7)] + [tile_bomb(7_000, 7_000)]
        files = [("files", ("a.tif", bomb)) for bomb in bombs for _ in range(4)]
        answer = service.client.post("/detect/batch", files=files)
        spent = time.monotonic() - begin
        codes = {result.get("error", {}).get("code") for result in answer.json()["results"]}
        grown = memory.peak - idle
    wrong = [] if grown < 500 else [f"{grown:.0f} MB"]
    wrong += [] if codes <= {"image_too_large", "image_too_costly", "undecodable_image"} else [f"answered {codes}"]
    return outcome(wrong, f"20 files: {codes} in {spent * 1e3:.0f} ms, +{grown:.0f} MB")


def scans(stage: Stage) -> Outcome:
    """2: a scan repeated 2,000 times, twice at once, while a good picture is judged."""
    probe = next(iter(stage.scene.probes))
    with stage.service("fault", history="false") as (service, _):
        stage.post(service, probe)
        spent: list[tuple[int, float]] = []

        def send() -> None:
            begin = time.monotonic()
            try:
                answer = httpx.post(
                    f"{service.url}/detect", files={"file": many_scans(2_000)}, timeout=60, trust_env=False
                )
                spent.append((answer.status_code, time.monotonic() - begin))
            except httpx.HTTPError:
                spent.append((0, time.monotonic() - begin))

        threads = [threading.Thread(target=send) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        begin = time.monotonic()
        try:
            good = service.client.post(
                "/detect",
                files={"file": stage.scene.probes[probe].read_bytes()},
                data={"class_name": stage.scene.class_of(probe)},
                timeout=60,
            ).status_code
        except httpx.HTTPError:
            good = 0
        good_after = time.monotonic() - begin
        for thread in threads:
            thread.join()
    wrong = [f"{status} after {seconds:.1f} s" for status, seconds in spent if seconds > _SCANS or status in (0, 500)]
    wrong += (
        [] if good == 200 and good_after < _SCANS else [f"a good picture beside them: {good} after {good_after:.1f} s"]
    )
    text = f"{sorted({status for status, _ in spent})} in {max(seconds for _, seconds in spent):.1f} s"
    return outcome(wrong, f"{text}, a good picture beside them {good} in {good_after:.1f} s")


def strips(stage: Stage) -> Outcome:
    """7: few bytes that unpack to 50 megapixels, four at a time."""
    with stage.service("fault", history="false") as (service, _), watched(service.pid, 0.02) as memory:
        stage.post(service, next(iter(stage.scene.probes)))
        idle, statuses, stalls = memory.peak, [], [0.0]
        files = [strip_png(), strip_png(8, 6_000_000), webp_bomb(), gif_bomb()]

        def send(data: bytes) -> None:
            try:
                statuses.append(
                    httpx.post(f"{service.url}/detect", files={"file": data}, timeout=90, trust_env=False).status_code
                )
            except httpx.HTTPError:
                statuses.append(0)

        threads = [threading.Thread(target=send, args=(data,)) for data in (*files, *files)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            begin = time.monotonic()
            service.client.get("/health/live")
            stalls.append(time.monotonic() - begin)
            time.sleep(0.05)
        grown = memory.peak - idle
    wrong = [f"{grown:.0f} MB"] if grown > MEMORY else []
    wrong += [f"/health/live took {max(stalls):.1f} s"] if max(stalls) > _LIVE else []
    wrong += [f"answered {statuses}"] if {0, 500} & set(statuses) else []
    return outcome(wrong, f"{sorted(statuses)}, +{grown:.0f} MB, /health/live at most {max(stalls) * 1e3:.0f} ms")


def large_uploads(stage: Stage) -> Outcome:
    """10: 400 MB in one file, where 64 are allowed, without a length and with one."""
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    with stage.service("fault", history="false") as (service, _):
        sent = [0]

        def body() -> Iterator[bytes]:
            yield head
            for _ in range(400):
                sent[0] += 1
                yield bytes(1_000_000)

        told = []
        for headers in ({}, {"Content-Length": str(len(head) + 400_000_000)}):
            sent[0] = 0
            try:
                answer = service.client.post(
                    "/detect",
                    content=body(),
                    headers={"Content-Type": "multipart/form-data; boundary=x", **headers},
                )
                told.append((answer.status_code, sent[0]))
            except httpx.HTTPError:
                told.append((0, sent[0]))
        alive = service.runs()
    wrong = [
        f"{status} after {megabytes} MB" for status, megabytes in told if megabytes > 200 or status not in (0, 413)
    ]
    return outcome(wrong if alive else ["the service died"], f"(status, MB taken): {told}")


def half_jpegs(stage: Stage) -> Outcome:
    """13: JPEGs that are cut and closed again."""
    with stage.service("fault", history="false") as (service, _):
        files = [("files", ("a.jpg", half_jpeg(share / 28))) for share in range(1, 28)]
        results = service.client.post("/detect/batch", files=files).json()["results"]
        taken = [
            place for place, result in enumerate(results) if result["status"] != "error" and not result["warnings"]
        ]
    return outcome([f"{len(taken)} of 27 are taken without a warning"] if taken else [], "27 cut JPEGs are refused")


def hostile_folder(stage: Stage) -> Outcome:
    """20: ``add`` on a folder of hostile files, a pipe and a device among them."""
    folder = stage.scene.root / "hostile"
    folder.mkdir(exist_ok=True)
    for number, make in enumerate(HOSTILE.values()):
        (folder / f"{number}.png").write_bytes(make())
    for number in range(6):
        (folder / f"tile-{number}.tif").write_bytes(tile_bomb())
    for path, make_it in ((folder / "pipe.png", os.mkfifo), (folder / "zero.png", _zero)):
        if not path.exists():
            make_it(path)
    for path in stage.scene.classes[0].first:
        target = folder / f"good-{path.name}"
        target.write_bytes(path.read_bytes())
    data = stage.scene.copy("fault")
    with watched(os.getpid(), 0.05) as memory:
        idle = memory.peak
        ran = command("add", "hostile", folder, "--keep-all", "--yes", data=data, patience=120)
        grown = memory.peak - idle
    wrong = [ran.crashed] if ran.crashed else []
    wrong += [f"{grown:.0f} MB"] if grown > MEMORY + 500 else []
    return outcome(wrong, f"status {ran.status}, {ran.seconds:.1f} s, {grown:.0f} MB at most")


def _zero(path: Path) -> None:
    path.symlink_to("/dev/zero")
