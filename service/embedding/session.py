"""An ONNX Runtime session that runs where it was asked to run, or says why it can't."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from service.errors import Closed, ModelUnavailable, ProviderUnavailable

PROVIDERS: Final = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}


class OnnxSession:
    """A loaded graph with one input (B, 3, H, W) and outputs picked by name. Thread-safe; close it when done."""

    def __init__(self, path: Path, providers: Sequence[str] = ("cpu",), threads: int = 0) -> None:
        self.path = path
        self.sha256 = file_sha256(path)
        self._session: Any = self._open(path, _provider_names(providers), threads)

    @staticmethod
    def _open(path: Path, providers: list[str], threads: int) -> Any:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = ort.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # ONNX Runtime raises many unrelated types
            raise ModelUnavailable(f"{path.name} cannot be loaded by ONNX Runtime: {error}") from error
        missing = [name for name in providers if name not in session.get_providers()]
        if missing:
            raise ProviderUnavailable(f"ONNX Runtime could not start {', '.join(missing)} on this machine")
        return session

    @property
    def outputs(self) -> list[str]:
        """Names of the graph's outputs."""
        return [output.name for output in self._alive().get_outputs()]

    @property
    def providers(self) -> list[str]:
        """The execution providers in use, in order."""
        return list(self._alive().get_providers())

    def run(self, names: Sequence[str], inputs: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        """The named outputs for ``inputs`` (B, 3, H, W), float32."""
        session = self._alive()
        try:
            return list(session.run(list(names), {session.get_inputs()[0].name: inputs}))
        except Exception as error:
            raise ModelUnavailable(f"{self.path.name} failed on an input of shape {inputs.shape}: {error}") from error

    def close(self) -> None:
        """Release the graph; a later ``run`` raises ``Closed``."""
        self._session = None

    def _alive(self) -> Any:
        session = self._session
        if session is None:
            raise Closed("the model session is closed")
        return session


def _provider_names(asked: Sequence[str]) -> list[str]:
    if not asked:
        raise ProviderUnavailable("no execution provider asked for")
    available = set(ort.get_available_providers())
    names = []
    for short in asked:
        name = PROVIDERS.get(short.strip().lower())
        if name is None:
            raise ProviderUnavailable(f"no execution provider {short!r}; known are {', '.join(PROVIDERS)}")
        if name not in available:
            raise ProviderUnavailable(
                f"the installed ONNX Runtime has no {name}; install patchbank[gpu] or patchbank[openvino] for it"
            )
        names.append(name)
    return names


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        raise ModelUnavailable(f"model file {path}: {error.strerror or error}") from error
    return digest.hexdigest()
