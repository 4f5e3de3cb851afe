"""What the product needs at run time, and what it must never load."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.helpers.places import ROOT

SCRIPT = """
import sys
from pathlib import Path
from patchbank.api.app import create_app
import patchbank_indexer.cli
import patchbank.__main__
from patchbank import Inspector
from patchbank.settings import load_settings
from patchbank.teaching.teacher import Teacher
settings = load_settings(data_dir=Path(sys.argv[1]) / "data")
create_app(settings)
with Inspector.open(settings) as inspector:
    Teacher(settings, inspector.embedder, inspector.store).teach("part", sorted(Path(sys.argv[1]).glob("*.png")))
    assert inspector.inspect(sorted(Path(sys.argv[1]).glob("*.png"))[0]).verdict is not None
print(*sorted(name for name in sys.modules if "." not in name))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Modules loaded by a fresh interpreter that imports all entry points, teaches and inspects."""
    from tests.helpers.pictures import folder_of

    folder = folder_of(tmp_path_factory.mktemp("run") / "in", 4)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("name", ["torch", "transformers", "onnx", "sklearn", "matplotlib", "cv2"])
def test_it_is_never_loaded_at_run_time(loaded: set[str], name: str) -> None:
    assert "onnxruntime" in loaded
    assert name not in loaded


SLOW = ("scipy.stats", "huggingface_hub.hf_api", "tifffile", "jinja2", "httpx", "alembic")


def test_starting_does_not_load_what_few_commands_need() -> None:
    script = "import sys, patchbank.__main__, patchbank_indexer.cli; print({*sys.argv} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", script, *SLOW], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "set()"
