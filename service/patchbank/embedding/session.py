"""A loaded graph on the execution providers asked for. An error says why it cannot run there."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from patchbank.arrays import FloatArray
from patchbank.embedding.engine import Engine
from patchbank.embedding.engine_choice import Chosen, choose_engine
from patchbank.embedding.model_hash import model_sha256
from patchbank.embedding.providers import DEFAULT, Runtime
from patchbank.errors import Closed, ModelUnavailable
from patchbank.text import one_line

_LOG = logging.getLogger("patchbank")


class OnnxSession:
    """A loaded graph with one input (B, 3, H, W) and outputs picked by name. Thread-safe; close it when done."""

    def __init__(self, path: Path, runtime: Runtime = DEFAULT, check: Callable[[str], None] | None = None) -> None:
        """``check`` is called with the model's SHA-256 before it is loaded, and raises where it is a wrong one."""
        self.path = path
        self.sha256, weights = model_sha256(path)
        if check is not None:
            check(self.sha256)
        self.precision = runtime.precision
        self._chosen: Chosen | None = choose_engine(path, weights, runtime)
        self._guard = threading.Lock()

    @property
    def outputs(self) -> list[str]:
        """Names of the graph's outputs."""
        return self._alive().engine.outputs

    @property
    def providers(self) -> list[str]:
        """The execution providers in use, in order; ``OpenVINO`` where it runs the graph by itself."""
        return list(self._alive().engine.providers)

    @property
    def nodes(self) -> dict[str, int]:
        """Nodes of the graph that each execution provider runs; empty where that is not known."""
        return self._alive().engine.nodes

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the libraries that compute, by their names."""
        return self._alive().engine.versions

    @property
    def why(self) -> str:
        """Why this engine runs the graph; empty where it was asked for by name."""
        return self._alive().why

    @property
    def fixed_batch(self) -> int | None:
        """Images that the graph takes in one pass, None if it takes any number."""
        return self._alive().engine.fixed_batch

    @property
    def fixed_sides(self) -> tuple[int, int] | None:
        """(width, height) if the graph takes only that size, else None."""
        return self._alive().engine.fixed_sides

    def run(self, names: Sequence[str], inputs: FloatArray) -> list[FloatArray]:
        """The named outputs for ``inputs`` (B, 3, H, W), float32."""
        chosen = self._alive()
        engine = chosen.engine
        try:
            made = engine.run(names, inputs)
        except Exception as error:
            if self._replaced(chosen, engine, names, inputs, error):
                return self.run(names, inputs)
            raise ModelUnavailable(
                f"{self.path.name} failed on an input of shape {inputs.shape}: {one_line(error)}"
            ) from error
        chosen.spare = None
        return made

    def _replaced(
        self, chosen: Chosen, failed: Engine, names: Sequence[str], inputs: FloatArray, error: Exception
    ) -> bool:
        """Whether another engine has taken the place of one that has never run the graph: where there is a spare one,
        and it takes what made the first one fail."""
        with self._guard:
            if chosen.engine is not failed:  # another thread was here before
                return True
            if chosen.spare is None:
                return False
            try:
                engine = chosen.spare()
                engine.run(names, inputs)
            except Exception:  # it cannot run it either: the first error is told
                return False
            chosen.engine, chosen.spare = engine, None
            chosen.why = f"OpenVINO failed on an input of shape {inputs.shape}: {one_line(error)}"
        _LOG.warning("ONNX Runtime runs %s in the place of OpenVINO: %s", self.path.name, chosen.why)
        return True

    def close(self) -> None:
        """Release the graph; a later ``run`` raises ``Closed``."""
        self._chosen = None

    def _alive(self) -> Chosen:
        chosen = self._chosen
        if chosen is None:
            raise Closed("the model session is closed")
        return chosen
