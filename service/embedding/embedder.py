"""Images in, embeddings out: the one way that index time and request time share."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

import numpy as np
import numpy.typing as npt

from service.embedding.backbones import Backbone, find_backbone
from service.embedding.model_files import check_pin, model_path
from service.embedding.preprocess import Geometry, fingerprint, plan_geometry, to_input
from service.embedding.session import OnnxSession
from service.errors import ModelUnavailable
from service.images import DecodedImage
from service.settings import Settings

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Embedding:
    """What a backbone makes of one image.

    ``patches`` float32 (N, D) and ``cls`` float32 (D',), both L2-normalised; patches in row-major order of the
    grid, N = rows x columns; ``geometry`` maps cells back to original pixels.
    """

    patches: FloatArray
    cls: FloatArray
    geometry: Geometry

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.geometry.grid


class Embedder:
    """A backbone ready to run. Use as a context manager, or call ``close``."""

    def __init__(self, backbone: Backbone, session: OnnxSession) -> None:
        self.backbone = backbone
        self._session = session
        wanted = dict.fromkeys((backbone.patch_output, backbone.cls_output))
        missing = [name for name in wanted if name not in session.outputs]
        if missing:
            raise ModelUnavailable(
                f"{session.path.name} has no output {missing[0]!r}; it has {', '.join(session.outputs)}"
            )
        self._outputs = list(wanted)
        self.fingerprint = fingerprint(backbone, session.sha256)

    @classmethod
    def open(cls, settings: Settings) -> Embedder:
        """The backbone that the settings name; ``ModelUnavailable`` says how to get one that is not here."""
        backbone = find_backbone(settings.backbone)
        session = OnnxSession(model_path(backbone, settings.data_dir), settings.providers, settings.threads)
        check_pin(backbone, session.sha256)
        return cls(backbone, session)

    @property
    def model_sha256(self) -> str:
        """Hex SHA-256 of the model file."""
        return self._session.sha256

    @property
    def providers(self) -> list[str]:
        """Execution providers in use."""
        return self._session.providers

    def embed(self, image: DecodedImage) -> Embedding:
        """Embed one image; the forward pass leaves Python's global lock."""
        geometry = plan_geometry(image.size, self.backbone)
        inputs = to_input(image.pixels, geometry, self.backbone)[None]
        outputs = dict(zip(self._outputs, self._session.run(self._outputs, inputs), strict=True))
        patches, summary = self._split(outputs)
        rows, columns = geometry.grid
        if patches.shape[0] != rows * columns:
            raise ModelUnavailable(
                f"{self.backbone.name}: {patches.shape[0]} patch tokens for an input of "
                f"{inputs.shape[3]} x {inputs.shape[2]}, where {rows} x {columns} were expected: "
                "this graph does not take this input size"
            )
        return Embedding(_normalise(patches), _normalise(summary[None])[0], geometry)

    def dimensions(self) -> tuple[int, int]:
        """(D, D'): lengths of patch and CLS embeddings, found by embedding a grey image once."""
        grey = np.full((64, 64, 3), 128, dtype=np.uint8)
        probe = self.embed(DecodedImage(grey, "0" * 24, "", "PNG"))
        return probe.patches.shape[1], probe.cls.shape[0]

    def _split(self, outputs: dict[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Patch tokens (N, D) and CLS (D',) of the single image in the batch."""
        tokens = outputs[self.backbone.patch_output][0]
        if self.backbone.tokens == "grid":
            return tokens, outputs[self.backbone.cls_output][0]
        return tokens[1 + self.backbone.registers :], tokens[0]

    def close(self) -> None:
        """Release the session."""
        self._session.close()

    def __enter__(self) -> Embedder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _normalise(vectors: FloatArray) -> FloatArray:
    """Rows of unit length; a zero row stays zero, and what is not finite is an error, never a score."""
    if not np.isfinite(vectors).all():
        raise ModelUnavailable("the backbone's output is not finite")
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)
