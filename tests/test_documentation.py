"""The documentation says what the code does."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from docs import picture
from docs.reference import ROOT, cli_page, keys_page, readme, scopes_table
from patchbank.answers.detection import Detection
from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.embedder import Embedder
from patchbank.errors import all_errors
from patchbank.settings import load_settings
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product


def test_the_settings_table_is_the_code_s() -> None:
    text = (ROOT / "README.md").read_text()
    assert readme(text) == text, "run: make docs"
    assert "PATCHBANK_DATA_DIR" in text


def test_the_table_of_scopes_is_the_code_s() -> None:
    text = (ROOT / "docs" / "keys.md").read_text()
    assert keys_page(text) == text, "run: make docs"
    assert scopes_table() in text


def test_the_page_of_the_command_line_is_the_code_s() -> None:
    assert (ROOT / "docs" / "cli.md").read_text() == cli_page(), "run: make docs"


def test_the_python_example_runs(
    tmp_path: Path, embedder: Embedder, products: dict[str, Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "README.md").read_text()
    example = re.search(r"<!-- example -->\n```python\n(.*?)```", text, flags=re.DOTALL)
    assert example is not None
    settings = load_settings(data_dir=tmp_path / "patchbank-data")
    store = EdgeStore(settings.data_dir)
    Teacher(settings, embedder, store).teach("solar", products["solar_mono"].references)
    store.close()
    shutil.copy(products["solar_mono"].good[0], tmp_path / "part.png")
    done = subprocess.run([sys.executable, "-c", example[1]], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("solar ")
    assert "(300, 300)" in done.stdout


def test_the_picture_can_be_drawn_again(tmp_path: Path, embedder: Embedder, products: dict[str, Product]) -> None:
    settings = load_settings(data_dir=tmp_path / "patchbank-data")
    store = EdgeStore(settings.data_dir)
    Teacher(settings, embedder, store).teach("textile", products["textile"].references)
    store.close()
    again = tmp_path / "result.png"
    judged = picture.judge(settings.data_dir)
    picture.draw(judged, again)
    defective, good = judged
    assert defective.verdict.score > good.verdict.score
    with Image.open(again) as drawn, Image.open(picture.OUT) as committed:
        assert drawn.size == committed.size
    assert picture.OUT.stat().st_size < 200_000


def test_the_api_page_explains_every_field_of_an_answer() -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    assert [name for name in Detection.model_fields if f"`{name}`" not in page] == []


def test_the_api_page_lists_errors_under_their_status() -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    statuses = {kind.code: kind.status for kind in all_errors()}
    statuses |= {
        "bad_request": 400,
        "not_found": 404,
        "method_not_allowed": 405,
        "request_timeout": 408,
    }  # the framework's own
    rows = re.findall(r"^\| (\d{3}) \| (`.*?`) \|", page, flags=re.MULTILINE)
    listed = {code: int(status) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)}
    assert len(listed) > 20
    assert listed == {code: statuses.get(code) for code in listed}


def test_the_import_contract_holds() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_nothing_at_run_time_imports_torch() -> None:
    imports = "import sys, patchbank_indexer.cli, patchbank, patchbank.api.app"
    code = f"{imports}; patchbank.Inspector; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
