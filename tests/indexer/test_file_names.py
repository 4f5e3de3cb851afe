"""Any file name that the file system knows goes through every command, to a terminal of any encoding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from patchbank.settings import load_settings
from patchbank_indexer.cli import app
from tests.helpers.command_line import indexer, indexer_json
from tests.helpers.http_service import serving
from tests.helpers.labelled import mvtec_class
from tests.helpers.pictures import png

RAW = (
    b"gr\xfc\xdfe.png",
    b"cam[left].png",
    b"[bold]x[:bold].png",
    b"a\x1b[31mred.png",
    b"new\nline.png",
    ":smile: 中文.png".encode(),
)
SHOWN = ("gr\\xfc\\xdfe.png", "cam[left].png", "[bold]x[:bold].png", "a\\x1b[31mred.png", "new\\x0aline.png")
STORED = ("gr\\xfc\\xdfe.png", *(name.decode() for name in RAW[1:]))


def folder_of_names(folder: Path) -> Path:
    """A folder with a picture of each name, and one in a folder that is called ``[``."""
    (folder / "[").mkdir(parents=True)
    try:
        for seed, name in enumerate(RAW):
            (folder / os.fsdecode(name)).write_bytes(png(seed))
    except (OSError, UnicodeError):
        pytest.skip("this file system takes UTF-8 names alone")
    (folder / "[" / "x].png").write_bytes(png(99))
    return folder


def on_cp1252(*words: str | Path, data: Path) -> subprocess.CompletedProcess[str]:
    """The program on a terminal that knows neither Chinese letters nor a progress bar's dots."""
    return subprocess.run(
        [sys.executable, "-m", "patchbank_indexer.cli", *map(str, words), "--data-dir", str(data)],
        capture_output=True,
        encoding="cp1252",
        check=False,
        timeout=120,
        env=os.environ | {"PYTHONIOENCODING": "cp1252"},
    )


def test_any_name_is_taught_listed_judged_and_drawn_on_any_terminal(data: Path, tmp_path: Path) -> None:
    folder = folder_of_names(tmp_path / "in")
    (folder / os.fsdecode(b"br\xf6ken[:7].png")).write_bytes(b"x")
    taught = on_cp1252("add", "part", folder, data=data)
    assert (taught.returncode, "Traceback" in taught.stderr) == (0, False), taught.stderr
    assert "br\\xf6ken[:7].png" in taught.stderr
    shown = on_cp1252("show", "part", data=data)
    assert shown.returncode == 0, shown.stderr
    assert all(name in shown.stdout for name in SHOWN), shown.stdout
    judged = on_cp1252("detect", folder.name, "--out", "out", data=data)  # short paths, which fit the table
    assert (judged.returncode, "Traceback" in judged.stderr) == (1, False), judged.stderr
    assert all(name in judged.stdout for name in (*SHOWN, "[/x].png", ":smile: \\u4e2d\\u6587.png"))
    assert "\x1b" not in taught.stdout + taught.stderr + shown.stdout + judged.stdout + judged.stderr
    drawn = {path.name for path in (tmp_path / "out").iterdir()}
    assert drawn >= {"gr__e.png", "cam[left].png", "a_[31mred.png", "new_line.png", ":smile: 中文.png"}


def test_machines_get_valid_utf_8_from_json_rest_and_snapshots(data: Path, tmp_path: Path) -> None:
    folder = folder_of_names(tmp_path / "in")
    assert indexer("add", "part", folder, data=data).exit_code == 0
    snapshot = tmp_path / os.fsdecode(b"sn\xe4p")
    written = indexer_json("snapshot", "part", snapshot, data=data)
    assert written["file"].endswith("sn\\xe4p")
    assert indexer("restore", snapshot, data=tmp_path / "other").exit_code == 0
    listed = indexer_json("show", "part", data=tmp_path / "other")["reference_images"]
    judged = indexer_json("detect", folder, data=data)["results"]
    assert {row["name"] for row in listed} == {*STORED, "x].png"}
    assert {row["source"] for row in listed} == {row["image"] for row in judged}
    with serving(load_settings(data_dir=data, search_workers=0)) as client:
        answer = client.get("/classes/part/references")
        named = client.post("/detect", files={"file": png(0)}, data={"explain": "true", "threshold": "0"})
    assert {row["name"] for row in json.loads(answer.content.decode("utf-8"))["references"]} == {*STORED, "x].png"}
    assert named.status_code == 200


def test_data_sets_with_any_names_are_evaluated_and_profiled(data: Path, tmp_path: Path) -> None:
    root = mvtec_class(tmp_path / "bolt", 0)
    strange = os.fsdecode(b"gr\xfc[:b]\x1b[31m.png")
    for part in ("train/good", "test/good", "test/hole"):
        (root / part / "000.png").rename(root / part / strange)
    (root / "test" / os.fsdecode(b"h\xf6le")).mkdir()
    (root / "test" / "hole" / "001.png").rename(root / "test" / os.fsdecode(b"h\xf6le") / "001.png")
    words = ("--json", tmp_path / "all.json", "--html", tmp_path / "page.html")
    result = indexer("evaluate", root, *words, data=data)
    assert result.exit_code == 0, result.output
    assert "h\\xf6le" in (tmp_path / "page.html").read_text(encoding="utf-8")
    (tmp_path / "all.json").read_text(encoding="utf-8").encode("utf-8")
    profiled = CliRunner().invoke(app, ["profile", str(root), "--html", str(tmp_path / "profile.html"), "--json"])
    assert profiled.exit_code == 0, profiled.output
    assert "h\\xf6le" in (tmp_path / "profile.html").read_text(encoding="utf-8")
    json.dumps(json.loads(profiled.stdout), ensure_ascii=False).encode("utf-8")


def test_the_data_directory_may_have_any_name(tmp_path: Path) -> None:
    folder_of_names(tmp_path / "in")
    data = tmp_path / os.fsdecode(b"d\xe4[:]")
    indexer("add", "part", tmp_path / "in", data=data)
    assert indexer_json("list", data=data)["classes"][0]["references"] == len(RAW) + 1
    with serving(load_settings(data_dir=data, search_workers=1)) as client:
        assert client.post("/detect", files={"file": png(0)}).json()["class_name"] == "part"
        for name in ("aliases.json", "aliases.copy.json"):
            (data / name).write_text("{")
        assert "aliases.json is damaged" in client.get("/classes").json()["error"]["message"]


def test_pictures_of_an_audit_are_written_for_any_name(data: Path, tmp_path: Path) -> None:
    folder = folder_of_names(tmp_path / "in")
    assert indexer("add", "part", folder, data=data).exit_code == 0
    audited = indexer_json("audit", "part", "--out", tmp_path / "out", data=data)
    assert all(Path(row["picture"]).is_file() for row in audited["images"])
