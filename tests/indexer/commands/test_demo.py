"""``demo``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from patchbank_indexer.cli import app


def test_the_demo_teaches_serves_detects_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    out = tmp_path / "demo"
    words = [
        "demo",
        "--data-dir",
        str(out / "bank"),
        "--out",
        str(out),
        "--references",
        "10",
        "--held-out",
        "2",
        "--json",
    ]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["backbone"] == "efficientnet-lite2"
    assert "built-in backbone" in result.stderr
    assert [row["class"] for row in document["classes"]] == ["solar_mono", "solar_poly", "textile"]
    assert len(document["images"]) == 12
    for image in document["images"]:
        assert (image["overlay"] is None) == (image["status"] == "unknown_product")
        if image["overlay"]:
            assert Path(image["overlay"]).read_bytes().startswith(b"\x89PNG")
    assert (out / "overlays.png").is_file()
    assert list((out / "images").iterdir())
