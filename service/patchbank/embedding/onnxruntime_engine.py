"""A graph in ONNX Runtime, on its execution providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from patchbank.arrays import FloatArray
from patchbank.embedding.providers import Runtime, provider_arguments, session_options, verify_providers
from patchbank.errors import ModelUnavailable
from patchbank.onnx_runtime import onnx_runtime
from patchbank.text import one_line


class OnnxRuntimeEngine:
    """An ``Engine``. ``ProviderUnavailable`` or ``ModelUnavailable`` says why the graph cannot run there."""

    def __init__(self, path: Path, weights: Mapping[str, bytes], runtime: Runtime) -> None:
        """``weights`` are the content of files beside the model, by the names that it has for them."""
        arguments = provider_arguments(runtime)
        options = session_options(runtime)
        module = onnx_runtime()
        try:
            if weights:  # taken from memory, so that they are what was checked, and nothing is mapped
                options.add_external_initializers_from_files_in_memory(
                    list(weights), list(weights.values()), [len(content) for content in weights.values()]
                )
            session = module.InferenceSession(str(path), options, providers=arguments)
        except Exception as error:  # ONNX Runtime raises many unrelated types
            raise ModelUnavailable(f"{path.name} cannot be loaded by ONNX Runtime: {one_line(error)}") from error
        self.nodes = verify_providers(session, [name for name, _ in arguments])
        self.providers: list[str] = list(session.get_providers())
        self.versions: dict[str, str] = {"onnxruntime": module.__version__}
        self.outputs: list[str] = [output.name for output in session.get_outputs()]
        taken = session.get_inputs()[0]
        batch = taken.shape[0] if taken.shape else None
        self.fixed_batch = batch if isinstance(batch, int) else None
        fixed = len(taken.shape) == 4 and all(isinstance(side, int) for side in taken.shape[2:])
        self.fixed_sides: tuple[int, int] | None = (taken.shape[3], taken.shape[2]) if fixed else None
        self._input: str = taken.name
        self._session: Any = session

    def run(self, names: Sequence[str], inputs: FloatArray) -> list[FloatArray]:
        """See ``Engine``."""
        return list(self._session.run(list(names), {self._input: inputs}))
