"""``shadow``, and ``diff --recent``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.embedder import Embedder
from patchbank.history.history import History
from patchbank.history.recorder import Asked
from patchbank.history.rejudging import Rejudger
from patchbank.history.shadows import Shadows
from patchbank.judging.inspector import Inspector
from tests.helpers.candidates import Taught, nearly, taught
from tests.helpers.command_line import indexer, indexer_json


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Taught:
    """A class with a candidate, of which two detections are recorded."""
    made = taught(tmp_path_factory.mktemp("candidates"), embedder)
    store = EdgeStore(made.settings.data_dir)
    inspector = Inspector(made.settings, embedder, store)
    with History(made.settings) as history:
        for seed in (1, 2):
            data = nearly(seed)
            history.recorder.record(inspector.inspect(data, "part"), data, Asked(f"n-{seed}<b>.png"))
    store.close()
    return made


@pytest.fixture
def part(once: Taught, tmp_path: Path) -> Iterator[Taught]:
    """Each test's own copy."""
    data = tmp_path / "data"
    shutil.copytree(once.settings.data_dir, data)
    yield replace(once, settings=once.settings.model_copy(update={"data_dir": data}))


def judge_all(part: Taught, embedder: Embedder) -> None:
    """Let the candidate judge what is recorded, as a service does."""
    store = EdgeStore(part.settings.data_dir)
    with History(part.settings) as history:
        shadows = Shadows(history.database)
        rejudger = Rejudger(part.settings, embedder, store, history.records)
        shadow = shadows.of("part").model_copy(update={"version": part.strict})
        for row in history.records.newest("part", ("pass", "review", "reject"), 9):
            said = rejudger.judge(row, "part", shadow.version)
            shadows.record(shadow, row.id, said, agrees=said.decision == row.decision)
    store.close()


def since_long_ago(part: Taught) -> None:
    """The candidate is one since before the detections."""
    with History(part.settings) as history, history.database.writing() as connection:
        connection.exec_driver_sql("UPDATE shadows SET since = '2026-01-01 00:00:00.000000'")


def test_a_candidate_is_started_shown_listed_reported_and_dropped(
    part: Taught, embedder: Embedder, tmp_path: Path
) -> None:
    data = part.settings.data_dir
    started = indexer_json("shadow", "start", "part", part.strict, "--share", "0.5", "--by", "ada", data=data)
    assert (started["version"], started["share"], started["by"]) == (part.strict, 0.5, "ada")
    empty = indexer_json("shadow", "show", "part", data=data)
    assert (empty["state"], empty["judged"], empty["disagreements"]) == ("running", 0, [])
    since_long_ago(part)
    judge_all(part, embedder)
    shown = indexer_json("shadow", "show", "part", "--disagreements", "5", data=data)
    assert (shown["judged"], shown["agreed"], shown["disagreed"], shown["ended"]) == (2, 0, 2, None)
    assert shown["decisions"] == [{"serving": "pass", "candidate": "reject", "detections": 2}]
    assert [row["file_name"] for row in shown["disagreements"]] == ["n-2<b>.png", "n-1<b>.png"]
    table = indexer("shadow", "show", "part", "--disagreements", "1", data=data)
    assert table.exit_code == 0, table.output
    assert "judged 2: 0 as the version that served, 2 differently" in table.stdout
    assert f"activate part {part.strict}" in table.stdout
    assert ("n-2<b>.png" in table.stdout, "n-1<b>.png" in table.stdout) == (True, False)
    (listed,) = indexer_json("shadow", "list", data=data)["shadows"]
    assert (listed["class_name"], listed["judged"], listed["state"]) == ("part", 2, "running")
    file = tmp_path / "page.html"
    report = indexer_json("shadow", "report", "part", "--out", file, data=data)
    assert (report["shown"], report["file"]) == (2, str(file))
    text = file.read_text()
    assert text.count("data:image/jpeg;base64,/9j/") == 2
    assert "pass served, reject by the candidate" in text
    assert ("n-1&lt;b&gt;.png" in text, "<b>" in text, "<script" in text) == (True, False, False)
    indexer_json("activate", "part", part.strict, data=data)
    ended = indexer("shadow", "show", "part", data=data)
    assert "it judges nothing any more: the candidate serves itself" in ended.output
    assert indexer_json("shadow", "stop", "part", data=data) == {"class_name": "part", "version": part.strict}
    assert indexer_json("shadow", "list", data=data) == {"shadows": []}


def test_what_cannot_be_a_candidate_is_refused(part: Taught) -> None:
    data = part.settings.data_dir
    refused = {
        ("start", "part", part.serving): "already_serving",
        ("start", "part", "20200101-000000-000000"): "unknown_version",
        ("start", "nothing", part.strict): "unknown_class",
        ("show", "part"): "unknown_shadow",
        ("stop", "part"): "unknown_shadow",
    }
    for words, code in refused.items():
        result = indexer("shadow", *words, "--json", data=data)
        assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (1, code), words
    for share in ("0", "1.01"):
        assert indexer("shadow", "start", "part", part.strict, "--share", share, data=data).exit_code == 2


def test_diff_tells_what_both_say_of_recent_detections(part: Taught) -> None:
    data = part.settings.data_dir
    assert indexer_json("diff", "part", part.serving, part.strict, data=data)["recent"] is None
    words = ("diff", "part", part.serving, part.strict, "--recent", "9")
    recent = indexer_json(*words, data=data)["recent"]
    assert (recent["looked_at"], recent["without_picture"]) == (2, 0)
    assert recent["decisions"] == [{"before": "pass", "after": "reject", "detections": 2}]
    assert [row["file_name"] for row in recent["changed"]] == ["n-2<b>.png", "n-1<b>.png"]
    shown = indexer(*words, data=data)
    assert shown.exit_code == 0, shown.output
    assert "of 2 recent detections the two decide 2 differently" in shown.stdout
    assert indexer("diff", "part", part.strict, "--recent", "501", data=data).exit_code == 2
