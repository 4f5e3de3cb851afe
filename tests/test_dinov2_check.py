"""``make dinov2-check``: what it prints, and what it says where the model cannot be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.dinov2_check import BLOCK_MEAN, DINOV2, Row, export_block_mean, main, table
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.settings import Settings
from tests.embedding.test_model_manifest import GRID, write
from tests.helpers.graphs import write_grid
from tests.helpers.labelled import mvtec_class
from tests.helpers.places import ROOT


def test_the_figures_are_those_of_the_scores() -> None:
    row = Row("mine", "part", good=(0.1, 0.2, 0.3, 0.6), defective=(0.4, 0.7), threshold=0.5, seconds=0.25)
    assert row.figures == pytest.approx((7 / 8, (1 / 1 + 2 / 3) / 2, 0.5, 0.25, 0.25))


def test_the_table_puts_backbones_beside_each_other_and_ends_with_their_means() -> None:
    perfect = Row("mine", "screw", (0.1, 0.2), (0.8, 0.9), 0.5, 0.1)
    reversed_ = Row("mine", "tyre", (0.8, 0.9), (0.1, 0.2), 0.5, 0.3)
    other = Row("other", "screw", (0.1, 0.2), (0.8, 0.9), 0.85, 0.1)
    _, _, *lines = table([perfect, reversed_, other])
    assert lines[0] == "| screw | mine | 2 + 2 | 1.0000 | 1.0000 | 100.0% | 0.0% | 0.100 |"
    assert [line.split(" | ")[:2] for line in lines] == [
        ["| screw", "mine"],
        ["| screw", "other"],
        ["| tyre", "mine"],
        ["| mean", "mine"],
        ["| mean", "other"],
    ]
    assert "| mean | mine | 8 | 0.5000 |" in lines[3]
    assert lines[3].endswith("| 50.0% | 50.0% | 0.200 |")


def test_another_backbone_is_measured_beside_the_built_in_one_on_a_labelled_data_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = write(tmp_path / "mine.json", GRID)
    write_grid(manifest.with_name("mine.onnx"))
    for product, name in enumerate(("nut", "screw")):
        mvtec_class(tmp_path / "data" / name, product, references=4)
    words = ["--backbone", str(manifest), "--data", str(tmp_path / "data"), "--data-dir", str(tmp_path / "models")]
    assert main([*words, "--references", "3", "--tests", "1"]) == 0
    lines = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [line[:3] for line in lines[1:]] == [
        [f"| {name}", backbone, images]
        for name, images in (("nut", "1 + 1"), ("screw", "1 + 1"), ("mean", "4"))
        for backbone in (BUILT_IN, "mine")
    ]
    assert all(float(line[3]) == 1.0 for line in lines[1:] if line[1] == BUILT_IN)


def test_without_the_hub_it_says_so_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data-dir", str(tmp_path / "models")]) == 1
    printed = capsys.readouterr()
    assert f"nothing was measured: {DINOV2} cannot be pulled from the hub" in printed.err
    assert printed.out == ""


def test_the_block_mean_is_left_out_with_the_reason(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert not export_block_mean(settings)  # neither PyTorch nor a checkpoint
    assert f"{BLOCK_MEAN} is not measured: " in capsys.readouterr().err


def test_make_runs_it() -> None:
    assert "-m benchmarks.dinov2_check $(if $(DATA),--data $(DATA))" in (ROOT / "Makefile").read_text()
