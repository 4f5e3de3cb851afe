"""Tables fit the terminal, and a pipe gets every row in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from typer.testing import CliRunner

from patchbank_indexer.cli import app
from patchbank_indexer.demo.products import Product
from patchbank_indexer.demo.report import Answer, tell
from patchbank_indexer.output import Output
from patchbank_indexer.table_width import GAP, fit, shorten
from tests.helpers.command_line import indexer, teach
from tests.helpers.labelled import mvtec_class
from tests.helpers.pictures import picture, png


@given(st.text(min_size=1), st.integers(3, 60))
def test_a_shortened_text_fits_and_keeps_both_ends(text: str, width: int) -> None:
    short = shorten(text, width)
    assert cell_len(short) <= width
    assert short == text or "..." in short


def test_the_end_of_a_path_is_kept_and_more_of_it_than_of_its_beginning() -> None:
    assert shorten("photos/line-3/2026-01-31/cookie-000123.png", 23) == "photos...kie-000123.png"


def test_the_least_important_columns_go_first_and_names_are_shortened_last() -> None:
    headings = ("image", "score", "mean score", "ms")
    rows = [("x" * 60, "0.1234", "0.1234", "12.3456")]
    assert [(column.index, column.width) for column in fit(headings, rows, None, ("image",))] == [
        (0, 60),
        (1, 6),
        (2, 10),
        (3, 7),
    ]
    for width in range(28, 90):
        columns = fit(headings, rows, width, ("image",), ("ms", "mean score"))
        assert sum(column.width for column in columns) + GAP * (len(columns) - 1) <= max(width, 24)
        gone = {0, 1, 2, 3} - {column.index for column in columns}
        assert gone in (set(), {3}, {2, 3})
        assert cell_len(columns[0].cells[0]) == columns[0].width >= 16


def test_headings_break_between_words_before_a_column_goes() -> None:
    columns = fit(("false alarms", "ms"), [("0.1", "1.0")], 11, least=("ms",))
    assert [(column.index, column.width) for column in columns] == [(0, 6), (1, 3)]


@pytest.mark.parametrize("width", [80, 120])
def test_commands_keep_to_the_width_of_the_terminal(
    data: Path, tmp_path: Path, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "a-class-with-a-name-that-is-as-long-as-names-may-be-0123456789"
    teach(data, tmp_path / "in", name)
    folder = tmp_path / "a folder with a long name" / "and another one"
    folder.mkdir(parents=True)
    (folder / "a-picture-with-a-long-name-0001.png").write_bytes(png(0))
    monkeypatch.setenv("COLUMNS", str(width))
    for words in (
        ("list",),
        ("show", name),
        ("versions", name),
        ("detect", folder, "--class-name", name),
        ("audit", name),
        ("model", "list"),
    ):
        result = indexer(*words, data=data)
        assert result.exit_code == 0, result.output
        table = [line for line in result.stdout.splitlines() if "  " in line]
        assert table, words
        assert max(map(cell_len, table)) <= width, (words, result.stdout)
    shown = indexer("detect", folder, "--class-name", name, data=data).stdout
    assert "0001.png" in shown


def test_in_a_pipe_every_row_is_one_whole_line(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    teach(data, tmp_path / "in")
    path = tmp_path / ("long" * 50) / ("name" * 20) / "picture.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(png(0))
    lines = indexer("detect", path, data=data).stdout.splitlines()
    assert len(lines) == 3
    assert lines[1].startswith(str(path))


def test_what_is_left_out_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    Output(as_json=False).table(("name", "number"), [("x" * 40, 1)], names=("name",), least=("number",))
    written = capsys.readouterr()
    assert written.out.split() == ["name", "xxxxx...xxxxxxxxxxxx"]
    assert written.err == "left out on a terminal of 20 columns: number\n"


LONG = "a-class-with-a-name-that-is-as-long-as-names-may-be-0123456789"


def test_the_tables_of_evaluate_and_profile_keep_to_80_columns(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PATCHBANK_SEARCH_WORKERS", "0")
    monkeypatch.setenv("PATCHBANK_INPUT_SIZE", "256")
    folder = mvtec_class(tmp_path / LONG, 1)
    evaluated = indexer("evaluate", folder, data=data)
    assert evaluated.exit_code == 0, evaluated.output
    for size in ((4000, 300), (300, 4000), (6000, 40)):
        picture(1, size).save(folder / f"train/good/{size[0]}.png")
    profiled = CliRunner().invoke(app, ["profile", str(folder)])
    assert profiled.exit_code == 0, profiled.output
    for result in (evaluated, profiled):
        assert max(map(cell_len, result.stdout.splitlines())) <= 80, result.stdout
        assert LONG[-10:] in result.stdout


def test_the_tables_of_the_demo_keep_to_80_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    reply = {
        "status": "ok",
        "class_name": "solar_mono",
        "is_anomalous": True,
        "decision": "reject",
        "anomaly_score": 0.12345,
        "threshold": 0.12345,
        "processing_time_ms": 1234.5,
    }
    unknown = reply | {"status": "unknown_product", "class_name": None, "is_anomalous": None, "decision": None}
    file = Path("a_picture_with_a_name_that_is_long_0001.png")
    names = ("solar_mono", "textile")
    answers = [
        Answer(name, file, defective, said, None)
        for name in names
        for defective in (True, False)
        for said in [reply] * 99 + [unknown]
    ]
    tell(Output(as_json=False), tmp_path, "x", [Product(name, (), (), ()) for name in names], answers)
    tables = capsys.readouterr().out.split("Overlays:")[0]
    assert "99 of 100" in tables
    assert max(cell_len(text) for text in tables.splitlines() if not text.startswith("...")) <= 80, tables
