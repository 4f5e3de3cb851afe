"""ONNX Runtime sessions: they run where they were asked to run, or say why they can't."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from patchbank.embedding.model_hash import file_sha256
from patchbank.embedding.providers import PROVIDERS, Runtime
from patchbank.embedding.session import OnnxSession
from patchbank.errors import Closed, ModelUnavailable, ProviderUnavailable
from tests.helpers.graphs import write_grid, write_sequence


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_grid(tmp_path / "tiny.onnx")


def pixels(height: int = 32, width: int = 48, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(seed).random((1, 3, height, width), dtype=np.float32)


def test_outputs_come_in_the_order_asked_for(model: Path) -> None:
    session = OnnxSession(model)
    assert session.outputs == ["patch_tokens", "cls_token"]
    inputs = pixels()
    summary, patches = session.run(["cls_token", "patch_tokens"], inputs)
    np.testing.assert_allclose(summary[0], inputs[0].mean(axis=(1, 2)), rtol=1e-5)
    assert patches.shape == (1, 6, 3)
    (alone,) = session.run(["cls_token"], inputs)
    np.testing.assert_array_equal(alone, summary)


def test_a_sequence_graph_has_one_output(tmp_path: Path) -> None:
    session = OnnxSession(write_sequence(tmp_path / "tiny.onnx", registers=4))
    assert session.outputs == ["last_hidden_state"]
    (tokens,) = session.run(["last_hidden_state"], pixels())
    assert tokens.shape == (1, 1 + 4 + 6, 3)


def test_the_hash_is_that_of_the_file(model: Path) -> None:
    assert OnnxSession(model).sha256 == hashlib.sha256(model.read_bytes()).hexdigest()


def test_a_large_file_is_hashed_whole(tmp_path: Path) -> None:
    body = bytes(range(256)) * 10_000
    (tmp_path / "large").write_bytes(body)
    assert file_sha256(tmp_path / "large") == hashlib.sha256(body).hexdigest()


def test_a_missing_file_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"gone\.onnx"):
        OnnxSession(tmp_path / "gone.onnx")


@pytest.mark.parametrize("content", [b"", b"not a graph", bytes(1000)])
def test_a_file_that_is_no_graph_is_unavailable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelUnavailable, match=r"broken\.onnx cannot be loaded"):
        OnnxSession(path)


def test_a_truncated_graph_is_unavailable(model: Path) -> None:
    model.write_bytes(model.read_bytes()[:-40])
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        OnnxSession(model)


def test_an_output_that_is_not_there_is_unavailable(model: Path) -> None:
    with pytest.raises(ModelUnavailable, match="shape"):
        OnnxSession(model).run(["features"], pixels())


def test_an_input_that_the_graph_does_not_take_is_unavailable(tmp_path: Path) -> None:
    session = OnnxSession(write_grid(tmp_path / "fixed.onnx", fixed=64))
    assert session.run(["cls_token"], pixels(64, 64))[0].shape == (1, 3)
    with pytest.raises(ModelUnavailable, match=r"fixed\.onnx failed on an input of shape \(1, 3, 32, 48\)"):
        session.run(["cls_token"], pixels())


def test_a_closed_session_says_so(model: Path) -> None:
    session = OnnxSession(model)
    session.close()
    session.close()
    with pytest.raises(Closed):
        session.run(["cls_token"], pixels())
    with pytest.raises(Closed):
        _ = session.outputs
    with pytest.raises(Closed):
        _ = session.providers


def test_the_processor_is_the_default_provider(model: Path) -> None:
    assert OnnxSession(model).providers == ["CPUExecutionProvider"]


@pytest.mark.parametrize("name", ["cpu", "CPU", " cpu "])
def test_providers_are_named_loosely(model: Path, name: str) -> None:
    assert OnnxSession(model, Runtime((name,))).providers == ["CPUExecutionProvider"]


def test_an_unknown_provider_is_an_error_that_names_the_known(model: Path) -> None:
    with pytest.raises(ProviderUnavailable, match="'gpu'") as caught:
        OnnxSession(model, Runtime(("gpu",)))
    assert all(known in caught.value.message for known in PROVIDERS)


def test_no_provider_at_all_is_an_error(model: Path) -> None:
    with pytest.raises(ProviderUnavailable):
        OnnxSession(model, Runtime(()))


@pytest.mark.parametrize("asked", [["{}"], ["{}", "cpu"], ["cpu", "{}"]])
def test_a_provider_that_is_not_installed_is_an_error_and_no_fall_back(model: Path, asked: list[str]) -> None:
    absent = next((short for short, name in PROVIDERS.items() if name not in ort.get_available_providers()), None)
    if absent is None:
        pytest.skip("every known provider is installed here")
    with pytest.raises(ProviderUnavailable, match=PROVIDERS[absent]):
        OnnxSession(model, Runtime(tuple(name.format(absent) for name in asked)))


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_that_does_not_start_is_an_error_and_no_fall_back(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = next((short for short, name in PROVIDERS.items() if name not in ort.get_available_providers()), None)
    if absent is None:
        pytest.skip("every known provider is installed here")
    # As on a machine whose runtime was built for a device that it lacks.
    monkeypatch.setattr(ort, "get_available_providers", lambda: list(PROVIDERS.values()))
    with pytest.raises(ProviderUnavailable, match=f"could not start {PROVIDERS[absent]}"):
        OnnxSession(model, Runtime((absent, "cpu")))


def test_threads_of_the_caller_share_a_session(model: Path) -> None:
    session = OnnxSession(model, Runtime(threads=1))
    alone = [session.run(["patch_tokens"], pixels(seed=seed))[0] for seed in range(16)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: session.run(["patch_tokens"], pixels(seed=seed))[0], range(16)))
    np.testing.assert_array_equal(together, alone)
