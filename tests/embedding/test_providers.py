"""Execution providers: which options they get, and what is refused. Those that are installed are run."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from patchbank.embedding.providers import (
    PROVIDERS,
    Precision,
    Runtime,
    provider_arguments,
    session_options,
    verify_providers,
)
from patchbank.embedding.session import OnnxSession
from patchbank.errors import DataDirNotWritable, ProviderUnavailable
from tests.helpers.graphs import write_grid

PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16")


@pytest.fixture
def all_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where every provider is in the installed package."""
    monkeypatch.setattr(ort, "get_available_providers", lambda: list(PROVIDERS.values()))


def options_of(short: str, runtime: Runtime) -> dict[str, str]:
    return dict(provider_arguments(runtime))[PROVIDERS[short]]


@pytest.mark.usefixtures("all_installed")
def test_providers_keep_the_order_asked_for() -> None:
    asked = provider_arguments(Runtime(("tensorrt", "cuda", "cpu")))
    assert [name for name, _ in asked] == [PROVIDERS[short] for short in ("tensorrt", "cuda", "cpu")]


@pytest.mark.usefixtures("all_installed")
def test_a_gpu_computes_as_the_processor_does() -> None:
    assert options_of("cuda", Runtime(("cuda",)))["use_tf32"] == "0"


@pytest.mark.usefixtures("all_installed")
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_tensorrt_builds_the_precision_asked_for(precision: Precision) -> None:
    assert options_of("tensorrt", Runtime(("tensorrt",), precision=precision)) == {f"trt_{precision}_enable": "1"}
    assert options_of("tensorrt", Runtime(("tensorrt",))) == {}


@pytest.mark.usefixtures("all_installed")
def test_engines_are_cached_apart_by_precision(tmp_path: Path) -> None:
    folders = set()
    for precision in PRECISIONS:
        made = options_of("tensorrt", Runtime(("tensorrt",), precision=precision, cache_dir=tmp_path))
        assert made["trt_engine_cache_enable"] == made["trt_timing_cache_enable"] == "1"
        folders.add(made["trt_engine_cache_path"])
    folders.add(options_of("openvino", Runtime(("openvino",), cache_dir=tmp_path))["cache_dir"])
    assert len(folders) == 3
    assert all(Path(folder).is_dir() for folder in folders)


@pytest.mark.usefixtures("all_installed")
def test_a_cache_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataDirNotWritable, match="file"):
        provider_arguments(Runtime(("openvino",), cache_dir=tmp_path / "file"))


@pytest.mark.usefixtures("all_installed")
@pytest.mark.parametrize(("precision", "hint"), [("fp32", "f32"), ("bf16", "bf16")])
def test_openvino_is_told_precision_and_threads(precision: Precision, hint: str) -> None:
    made = options_of("openvino", Runtime(("openvino",), threads=3, precision=precision))
    hints = json.loads(made["load_config"])["CPU"]
    assert hints == {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": "3"}


@pytest.mark.usefixtures("all_installed")
@pytest.mark.parametrize(
    ("asked", "precision"), [(("cpu",), "fp16"), (("cpu",), "bf16"), (("cuda", "cpu"), "fp16"), (("openvino",), "fp16")]
)
def test_a_precision_that_nobody_asked_can_run_is_an_error(asked: tuple[str, ...], precision: Precision) -> None:
    with pytest.raises(ProviderUnavailable, match=f"cannot run an fp32 graph in {precision}.*indexer model export"):
        provider_arguments(Runtime(asked, precision=precision))


def test_memory_and_threads_reach_the_session() -> None:
    made = session_options(Runtime(threads=3, memory_arena=False))
    assert made.intra_op_num_threads == 3
    assert not made.enable_cpu_mem_arena
    assert session_options(Runtime()).enable_cpu_mem_arena


def session_with(started: list[str], nodes: dict[str, int]) -> Any:
    """What a session of ONNX Runtime tells of itself."""
    parts = [SimpleNamespace(ep_name=name, get_nodes=lambda count=count: [0] * count) for name, count in nodes.items()]
    return SimpleNamespace(get_providers=lambda: started, get_provider_graph_assignment_info=lambda: parts)


def test_a_provider_that_started_but_runs_nothing_is_an_error() -> None:
    started = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    with pytest.raises(ProviderUnavailable, match="CUDAExecutionProvider runs no node"):
        verify_providers(session_with(started, {"CPUExecutionProvider": 400}), started)


def test_shares_of_the_graph_are_told() -> None:
    started = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    nodes = {"CUDAExecutionProvider": 380, "CPUExecutionProvider": 20}
    assert verify_providers(session_with(started, nodes), started) == nodes


def test_a_runtime_that_tells_nothing_of_nodes_is_no_error() -> None:
    bare = SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])
    assert verify_providers(bare, ["CPUExecutionProvider"]) == {}


@pytest.mark.parametrize("arena", [True, False])
def test_the_processor_runs_the_whole_graph(tmp_path: Path, arena: bool) -> None:
    session = OnnxSession(write_grid(tmp_path / "tiny.onnx"), Runtime(memory_arena=arena))
    assert set(session.nodes) == {"CPUExecutionProvider"}
    assert session.nodes["CPUExecutionProvider"] > 0


@pytest.mark.parametrize("short", ["openvino", "cuda", "tensorrt"])
def test_what_is_installed_agrees_with_the_processor(tmp_path: Path, short: str) -> None:
    if PROVIDERS[short] not in ort.get_available_providers():
        pytest.skip(f"the installed ONNX Runtime has no {PROVIDERS[short]}")
    path = write_grid(tmp_path / "tiny.onnx")
    inputs = np.random.default_rng(0).random((1, 3, 64, 96), dtype=np.float32)
    expected = OnnxSession(path).run(["patch_tokens"], inputs)[0]
    rest = () if short == "openvino" else ("cpu",)
    session = OnnxSession(path, Runtime((short, *rest), cache_dir=tmp_path / "engines"))
    assert session.providers[0] == PROVIDERS[short]
    np.testing.assert_allclose(session.run(["patch_tokens"], inputs)[0], expected, atol=1e-4)
