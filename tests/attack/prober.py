"""Asks a service for its health all the time: ``python -m tests.attack.prober URL``; standard input ends it.

In a process of its own, so that what is measured is the service and not the clients beside it. A line of JSON on
standard input names a phase; at the end it prints the milliseconds of each phase, by route.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import defaultdict
from typing import Final

import httpx

from tests.helpers.pictures import png

_EVERY: Final = 0.05


def main() -> None:
    """Probe until standard input ends."""
    phase, url = ["idle"], sys.argv[1]
    took: dict[str, list[float]] = defaultdict(list)
    stop = threading.Event()

    def listen() -> None:
        for line in sys.stdin:
            phase[0] = line.strip()
        stop.set()

    threading.Thread(target=listen, daemon=True).start()
    picture, turn = png(1), 0
    with httpx.Client(base_url=url, timeout=30.0, trust_env=False) as client:
        while not stop.wait(_EVERY):
            turn += 1
            name = phase[0]
            begin = time.perf_counter()
            try:
                answer = client.get("/health/live")
            except httpx.HTTPError as error:
                took[f"{name} {type(error).__name__}"].append((time.perf_counter() - begin) * 1e3)
                continue
            kind = "live" if answer.status_code == 200 else f"live {answer.status_code}"
            took[f"{name} {kind}"].append((time.perf_counter() - begin) * 1e3)
            if name == "load" and turn % 4 == 0:
                begin = time.perf_counter()
                try:
                    answer = client.post("/detect", files={"file": ("a.png", picture)}, data={"return_map": "false"})
                except httpx.HTTPError:
                    continue
                took[f"{name} detect {answer.status_code}"].append((time.perf_counter() - begin) * 1e3)
    sys.stdout.write(json.dumps(took))


if __name__ == "__main__":
    main()
