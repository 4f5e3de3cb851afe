"""An ONNX Runtime session on the execution providers asked for. An error says why it cannot run there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from patchbank.arrays import FloatArray
from patchbank.embedding.model_hash import model_sha256
from patchbank.embedding.providers import DEFAULT, Runtime, provider_arguments, session_options, verify_providers
from patchbank.errors import Closed, ModelUnavailable
from patchbank.onnx_runtime import onnx_runtime


class OnnxSession:
    """A loaded graph with one input (B, 3, H, W) and outputs picked by name. Thread-safe; close it when done.

    ``nodes`` counts the graph's nodes per execution provider (empty where ONNX Runtime does not tell).
    """

    def __init__(self, path: Path, runtime: Runtime = DEFAULT, check: Callable[[str], None] | None = None) -> None:
        """``check`` is called with the model's SHA-256 before it is loaded, and raises where it is a wrong one."""
        self.path = path
        self.sha256, weights = model_sha256(path)
        if check is not None:
            check(self.sha256)
        self.precision = runtime.precision
        arguments = provider_arguments(runtime)
        options = session_options(runtime)
        try:
            if weights:  # taken from memory, so that they are what was checked, and nothing is mapped
                options.add_external_initializers_from_files_in_memory(
                    list(weights), list(weights.values()), [len(content) for content in weights.values()]
                )
            session = onnx_runtime().InferenceSession(str(path), options, providers=arguments)
        except Exception as error:  # ONNX Runtime raises many unrelated types
            raise ModelUnavailable(f"{path.name} cannot be loaded by ONNX Runtime: {_one_line(error)}") from error
        self.nodes = verify_providers(session, [name for name, _ in arguments])
        self._session: Any = session

    @property
    def outputs(self) -> list[str]:
        """Names of the graph's outputs."""
        return [output.name for output in self._alive().get_outputs()]

    @property
    def providers(self) -> list[str]:
        """The execution providers in use, in order."""
        return list(self._alive().get_providers())

    @property
    def fixed_batch(self) -> int | None:
        """Images that the graph takes in one pass, None if it takes any number."""
        batch = self._alive().get_inputs()[0].shape[0]
        return batch if isinstance(batch, int) else None

    @property
    def fixed_sides(self) -> tuple[int, int] | None:
        """(width, height) if the graph takes only that size, else None."""
        shape = self._alive().get_inputs()[0].shape
        if len(shape) != 4 or not all(isinstance(side, int) for side in shape[2:]):
            return None
        return shape[3], shape[2]

    def run(self, names: Sequence[str], inputs: FloatArray) -> list[FloatArray]:
        """The named outputs for ``inputs`` (B, 3, H, W), float32."""
        session = self._alive()
        try:
            return list(session.run(list(names), {session.get_inputs()[0].name: inputs}))
        except Exception as error:
            raise ModelUnavailable(
                f"{self.path.name} failed on an input of shape {inputs.shape}: {_one_line(error)}"
            ) from error

    def close(self) -> None:
        """Release the graph; a later ``run`` raises ``Closed``."""
        self._session = None

    def _alive(self) -> Any:
        session = self._session
        if session is None:
            raise Closed("the model session is closed")
        return session


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
