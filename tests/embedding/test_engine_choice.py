"""Which engine runs a graph on the processor, what takes its place, and what is said of it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from patchbank.arrays import FloatArray
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.engine_choice import way_of
from patchbank.embedding.onnxruntime_engine import OnnxRuntimeEngine
from patchbank.embedding.openvino_engine import OPENVINO, OpenVinoEngine
from patchbank.embedding.providers import PROVIDERS, Runtime
from patchbank.embedding.session import OnnxSession
from patchbank.errors import ModelUnavailable, ProviderUnavailable
from patchbank.openvino_runtime import is_openvino_installed
from tests.helpers.graphs import GRID, write_attending, write_grid
from tests.helpers.runtimes import MODEL

PLAIN = PROVIDERS["cpu"]
INPUTS = np.random.default_rng(0).random((2, 3, 32, 48), dtype=np.float32)

with_openvino = pytest.mark.skipif(not is_openvino_installed(), reason="OpenVINO has no wheel for this machine")


@pytest.fixture
def transformer(tmp_path: Path) -> Path:
    return write_attending(tmp_path / "tiny.onnx")


def tokens(session: OnnxSession, inputs: FloatArray = INPUTS) -> FloatArray:
    return session.run(["patch_tokens"], inputs)[0]


@with_openvino
def test_a_transformer_runs_in_openvino(transformer: Path) -> None:
    session = OnnxSession(transformer)
    assert session.providers == [OPENVINO]
    assert session.nodes[OPENVINO] > 0
    assert list(session.versions) == ["openvino"]
    assert session.outputs == ["patch_tokens", "cls_token"]
    assert "transformers" in session.why
    plain = OnnxSession(transformer, Runtime(("onnxruntime",)))
    np.testing.assert_allclose(tokens(session), tokens(plain), atol=1e-6)


def test_a_convolutional_network_runs_in_onnx_runtime_and_never_loads_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    session = OnnxSession(MODEL)
    assert session.providers == [PLAIN]
    assert "transformers alone" in session.why


@pytest.mark.parametrize("kind", [np.float16, np.int8])
def test_a_graph_of_another_precision_runs_in_onnx_runtime(tmp_path: Path, kind: type) -> None:
    session = OnnxSession(write_attending(tmp_path / "tiny.onnx", kind=kind))
    assert session.providers == [PLAIN]
    assert "precision" in session.why


@pytest.mark.parametrize("name", ["onnxruntime", "ONNXRuntime", " onnxruntime "])
def test_onnx_runtime_asked_for_by_name_runs_every_graph(transformer: Path, name: str) -> None:
    session = OnnxSession(transformer, Runtime((name,)))
    assert session.providers == [PLAIN]
    assert session.why == ""


@with_openvino
@pytest.mark.parametrize(("threads", "streams"), [(0, 1), (1, 2), (2, 1), (3, 1)])
def test_passes_of_few_threads_run_at_once_in_openvino(
    transformer: Path, threads: int, streams: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert OpenVinoEngine(transformer, Runtime(threads=threads)).streams == streams


@with_openvino
def test_openvino_asked_for_by_name_runs_every_graph(tmp_path: Path) -> None:
    path = write_grid(tmp_path / "tiny.onnx")
    session = OnnxSession(path, Runtime(("openvino",)))
    assert session.providers[0] in (OPENVINO, PROVIDERS["openvino"])
    assert session.why == ""
    np.testing.assert_allclose(tokens(session), tokens(OnnxSession(path)), atol=1e-6)


def test_where_memory_is_to_be_given_back_onnx_runtime_runs_a_transformer(transformer: Path) -> None:
    session = OnnxSession(transformer, Runtime(memory_arena=False))
    assert session.providers == [PLAIN]
    assert "memory" in session.why


@with_openvino
def test_threads_of_the_caller_share_openvino(transformer: Path) -> None:
    session = OnnxSession(transformer, Runtime(("openvino",), threads=1))
    inputs = [np.full((1, 3, 32 + 16 * (seed % 3), 48), seed, dtype=np.float32) for seed in range(24)]
    alone = [tokens(session, image) for image in inputs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda image: tokens(session, image), inputs))
    for first, second in zip(alone, together, strict=True):
        np.testing.assert_array_equal(first, second)


@with_openvino
def test_outputs_are_the_caller_s_own(transformer: Path) -> None:
    session = OnnxSession(transformer, Runtime(("openvino",)))
    first = tokens(session)
    kept = first.copy()
    tokens(session, INPUTS + 1)
    np.testing.assert_array_equal(first, kept)


@with_openvino
def test_openvino_tells_the_sizes_that_a_graph_takes(tmp_path: Path) -> None:
    path = write_grid(tmp_path / "tiny.onnx", fixed=64, batch=4)
    for name in ("openvino", "onnxruntime"):
        session = OnnxSession(path, Runtime((name,)))
        assert (session.fixed_batch, session.fixed_sides) == (4, (64, 64))
        with pytest.raises(ModelUnavailable, match=r"tiny\.onnx failed on an input of shape \(2, 3, 32, 48\)"):
            tokens(session)


def test_without_openvino_onnx_runtime_runs_a_transformer_and_says_so(
    transformer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)  # as where it is not installed
    session = OnnxSession(transformer)
    assert session.providers == [PLAIN]
    assert "not installed" in session.why
    with Embedder(GRID, session) as embedder:
        assert embedder.runs_on == f"ONNX Runtime {ort.__version__}: {session.why}"
        assert embedder.self_test().runtime["onnxruntime"] == ort.__version__
    with pytest.raises(ProviderUnavailable, match="not installed"):
        OnnxSession(transformer, Runtime(("openvino",)))


@pytest.mark.parametrize(("content", "said"), [("import not_there", "not_there"), ("", "partly installed")])
def test_an_openvino_that_does_not_load_is_told_of_and_onnx_runtime_takes_its_place(
    transformer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    content: str,
    said: str,
) -> None:
    package = tmp_path / "site" / "openvino"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(content)
    for name in [name for name in sys.modules if name.partition(".")[0] == "openvino"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(package.parent))
    with caplog.at_level(logging.WARNING, "patchbank"):
        session = OnnxSession(transformer)
    monkeypatch.delitem(sys.modules, "openvino", raising=False)
    assert session.providers == [PLAIN]
    assert said in session.why
    assert said in caplog.text
    with pytest.raises(ProviderUnavailable, match=said):
        way_of(Runtime(("openvino",)))
    monkeypatch.delitem(sys.modules, "openvino", raising=False)


@with_openvino
def test_a_graph_that_openvino_cannot_run_once_goes_to_onnx_runtime(
    transformer: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(engine: OpenVinoEngine, names: Sequence[str], inputs: FloatArray) -> list[FloatArray]:
        raise RuntimeError("no such\nkernel")

    session = OnnxSession(transformer)
    monkeypatch.setattr(OpenVinoEngine, "run", broken)
    with caplog.at_level(logging.WARNING, "patchbank"), ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: tokens(session), range(8)))
    assert session.providers == [PLAIN]
    assert "no such kernel" in session.why
    assert caplog.text.count("in the place of OpenVINO") == 1
    expected = tokens(OnnxSession(transformer, Runtime(("onnxruntime",))))
    for result in made:
        np.testing.assert_array_equal(result, expected)
    with pytest.raises(ModelUnavailable, match="failed on an input"):
        tokens(session, np.zeros((2, 4, 32, 48), dtype=np.float32))


@with_openvino
def test_a_first_input_that_no_engine_takes_changes_nothing(transformer: Path) -> None:
    session = OnnxSession(transformer)
    with pytest.raises(ModelUnavailable, match=r"failed on an input of shape \(2, 4, 32, 48\)"):
        tokens(session, np.zeros((2, 4, 32, 48), dtype=np.float32))
    assert tokens(session).shape == (2, 6, 3)
    assert session.providers == [OPENVINO]


@with_openvino
def test_once_openvino_has_run_a_graph_its_errors_are_errors(
    transformer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = OnnxSession(transformer)
    tokens(session)

    def loaded(*_: object) -> None:
        raise AssertionError("no other engine is to be loaded")

    monkeypatch.setattr(OnnxRuntimeEngine, "__init__", loaded)
    with pytest.raises(ModelUnavailable, match=r"failed on an input of shape \(2, 4, 32, 48\)"):
        tokens(session, np.zeros((2, 4, 32, 48), dtype=np.float32))
    assert session.providers == [OPENVINO]


@with_openvino
def test_openvino_beside_a_gpu_is_refused() -> None:
    if PROVIDERS["openvino"] in ort.get_available_providers():
        pytest.skip("the installed ONNX Runtime holds OpenVINO")
    with pytest.raises(ProviderUnavailable, match="cuda"):
        way_of(Runtime(("openvino", "cuda")))
    assert way_of(Runtime(("openvino", "cpu"))) == "openvino"
