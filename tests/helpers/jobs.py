"""Jobs over HTTP, waited for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from patchbank.jobs.job import ENDED
from tests.helpers.pictures import png
from tests.helpers.uploads import until


def files(count: int, first: int = 0, field: str = "files") -> list[tuple[str, tuple[str, bytes]]]:
    """So many small pictures as the files of a form."""
    return [(field, (f"good-{seed:03d}.png", png(seed))) for seed in range(first, first + count)]


def order(client: httpx.Client, class_name: str = "part", count: int = 3, first: int = 0, **fields: str) -> str:
    """The id of a new job that teaches a class."""
    answer = client.post(f"/classes/{class_name}", files=files(count, first), data={"keep_all": "true", **fields})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def shown(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """A job as it stands."""
    answer = client.get(f"/jobs/{job_id}")
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = answer.json()
    return job


def ended(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """A job at its end."""
    until(lambda: shown(client, job_id)["state"] in ENDED, 120)
    return shown(client, job_id)


def at_work(client: httpx.Client, job_id: str) -> None:
    """Wait until the job has embedded a picture."""
    until(lambda: (shown(client, job_id)["progress"] or {"done": 0})["done"] > 0, 60)


def happenings(client: httpx.Client, job_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of a job as they come."""
    with client.stream("GET", f"/jobs/{job_id}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in answer.iter_lines():
            kind, _, text = line.partition(": ")
            if kind == "event":
                name = text
            elif kind == "data":
                yield name, json.loads(text)


def process_of(job_id: str) -> int | None:
    """The process that works on a job; None where none does. Linux alone."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"patchbank.jobs.run" in words and job_id.encode() in words:
                return int(entry.name)
    return None
