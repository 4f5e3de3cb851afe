"""``jobs``: a service's jobs by the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from patchbank.settings import load_settings
from tests.helpers.command_line import indexer, indexer_json
from tests.helpers.http_service import serving
from tests.helpers.jobs import at_work, ended, order, shown


@pytest.fixture
def client(data: Path) -> Iterator[httpx.Client]:
    with serving(load_settings(data_dir=data, search_workers=0)) as opened:
        yield opened


def test_jobs_are_listed_shown_and_followed_in_the_words_of_the_api(client: httpx.Client, data: Path) -> None:
    job_id = order(client)
    followed = indexer("jobs", "follow", job_id, "--json", data=data)
    assert followed.exit_code == 0, followed.output
    events = [json.loads(line) for line in followed.stdout.splitlines()]
    assert events[0]["event"] == "state"
    assert events[-1] == {"event": "end", "data": shown(client, job_id)}
    assert indexer_json("jobs", "show", job_id, data=data) == shown(client, job_id)
    assert indexer_json("jobs", "list", data=data) == client.get("/jobs").json()
    assert indexer_json("jobs", "list", "--state", "running", data=data) == {"jobs": []}
    assert job_id in indexer("jobs", "list", data=data).stdout
    told = indexer("jobs", "follow", job_id, data=data)
    assert told.exit_code == 0
    assert "embedding (3)" in told.stderr


def test_a_job_is_cancelled_and_following_it_ends_with_status_1(client: httpx.Client, data: Path) -> None:
    job_id = order(client, count=60)
    at_work(client, job_id)
    assert indexer_json("jobs", "cancel", job_id, data=data)["cancel_requested"] is True
    followed = indexer("jobs", "follow", job_id, data=data)
    assert followed.exit_code == 1
    assert "nothing was changed [job_cancelled]" in followed.stderr
    assert ended(client, job_id)["state"] == "cancelled"


def test_what_is_not_there_is_an_error_and_makes_no_folder(data: Path) -> None:
    for words in (("show", "x"), ("cancel", "20260101-000000-000000-abcdef"), ("follow", "..")):
        result = indexer("jobs", *words, "--json", data=data)
        assert result.exit_code == 1
        assert json.loads(result.stdout)["error"]["code"] == "unknown_job"
    assert indexer_json("jobs", "list", data=data) == {"jobs": []}
    assert not (data / "jobs").exists()
    assert indexer("jobs", "list", "--state", "lost", data=data).exit_code == 2
