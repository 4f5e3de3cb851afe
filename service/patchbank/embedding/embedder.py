"""From images to embeddings. Teaching and detection embed through the same code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.embedding.backbones import Backbone
from patchbank.embedding.fusion import fuse, fusion_weights, unit
from patchbank.embedding.graph_check import Probe, probe, require_sides
from patchbank.embedding.input_size import parse_size
from patchbank.embedding.joining import join_tokens
from patchbank.embedding.model_files import check_pin, find_backbone, model_path
from patchbank.embedding.preprocess import (
    Geometry,
    fingerprint,
    fused_geometry,
    plan_fused,
    plan_geometry,
    plan_levels,
    to_input,
)
from patchbank.embedding.providers import Runtime
from patchbank.embedding.self_test import Response, runtime_facts, self_test_picture
from patchbank.embedding.session import OnnxSession
from patchbank.embedding.turned import Turn, turned, turned_size
from patchbank.errors import ModelUnavailable
from patchbank.images import DecodedImage
from patchbank.scales import BASE, Scales
from patchbank.settings import Settings

GPU_BATCH: Final = 16
"""Images per forward pass on a GPU, unless the settings say otherwise. On a CPU it is 1 (docs/inference.md)."""


@dataclass(frozen=True)
class Prepared:
    """A picture ready for the network at some ``scales``: ``inputs`` float32 (3, H, W) and how its grid lies on the
    original, for each scale."""

    inputs: tuple[FloatArray, ...]
    levels: tuple[Geometry, ...]
    scales: Scales = BASE

    @property
    def geometry(self) -> Geometry:
        """How the patches of all scales together lie on the original."""
        return fused_geometry(self.levels, self.scales)


@dataclass(frozen=True)
class Embedding:
    """What a backbone makes of one image.

    ``patches`` float32 (N, D) and ``cls`` float32 (D',), both L2-normalised; patches in row-major order of the
    grid, N = rows x columns; ``geometry`` maps cells back to original pixels. ``plain`` is the embedding at the
    backbone's own input size, by which classes are retrieved; None where this is it.
    """

    patches: FloatArray
    cls: FloatArray
    geometry: Geometry
    plain: Embedding | None = None

    @property
    def base(self) -> Embedding:
        """The embedding at the backbone's own input size."""
        return self if self.plain is None else self.plain

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.geometry.grid


class Embedder:
    """A backbone ready to run. Use as a context manager, or call ``close``.

    ``batch_size`` is the most images that one forward pass takes; 0 stands for the provider's default.
    """

    def __init__(self, backbone: Backbone, session: OnnxSession, batch_size: int = 0) -> None:
        self.backbone = backbone
        self._session = session
        wanted = dict.fromkeys((*backbone.patch_outputs, backbone.cls_output))
        missing = [name for name in wanted if name not in session.outputs]
        if missing:
            raise ModelUnavailable(
                f"{session.path.name} has no output {missing[0]!r}; it has {', '.join(session.outputs)}"
            )
        require_sides(backbone, session.fixed_sides)
        self._outputs = list(wanted)
        limits = [limit for limit in (backbone.max_batch, session.fixed_batch) if limit is not None]
        gpu = session.providers[0].startswith(("CUDA", "Tensorrt"))
        self.batch_size = min([batch_size or (GPU_BATCH if gpu else 1), *limits])
        self.fingerprint = fingerprint(backbone, session.sha256, session.precision)
        self._dimensions: tuple[int, int] | None = None
        self._response: Response | None = None

    @classmethod
    def open(cls, settings: Settings) -> Embedder:
        """Open the backbone that the settings name and try it once at the input size asked for. What ``auto`` is must
        have been decided before (``patchbank.judging.backbone_choice.settled``).

        ``ModelUnavailable`` says how to get a model that is not here, and what to do if the graph does not take that
        size.
        """
        backbone = find_backbone(settings.backbone, settings.data_dir)
        if settings.input_size:
            backbone = backbone.resized(parse_size(settings.input_size))
        runtime = Runtime(
            settings.providers, settings.threads, settings.precision, settings.memory_arena, settings.engine_cache
        )
        session = OnnxSession(model_path(backbone, settings.data_dir), runtime)
        try:
            check_pin(backbone, session.sha256, settings.data_dir)
            embedder = cls(backbone, session, settings.batch_size)
            embedder.dimensions()
        except BaseException:
            session.close()
            raise
        return embedder

    @property
    def model_sha256(self) -> str:
        """Hex SHA-256 of the model file."""
        return self._session.sha256

    @property
    def providers(self) -> list[str]:
        """Execution providers in use."""
        return self._session.providers

    @property
    def nodes(self) -> dict[str, int]:
        """Nodes of the graph that each execution provider runs; empty where ONNX Runtime does not tell."""
        return self._session.nodes

    def prepare(self, image: DecodedImage, scales: Scales = BASE, turn: Turn = 0) -> Prepared:
        """Resize and normalise; may run in another thread than the forward pass. ``turn`` eighths of a full turn make
        it a turned copy."""
        levels = plan_levels(turned_size(image.size, turn), self.backbone, scales)
        return Prepared(
            tuple(to_input(turned(image.pixels, turn, level.inputs), level, self.backbone) for level in levels),
            levels,
            scales,
        )

    def embed(self, image: DecodedImage, scales: Scales = BASE) -> Embedding:
        """Embed one image. The forward pass releases Python's global lock."""
        return self.embed_batch([self.prepare(image, scales)])[0]

    def refine(self, image: DecodedImage, base: Embedding, scales: Scales) -> Embedding:
        """The image at ``scales``, of which ``base``, the backbone's own input size, is known."""
        if scales == BASE:
            return base
        rest = plan_levels(image.size, self.backbone, scales)[1:]
        inputs = [to_input(image.pixels, level, self.backbone) for level in rest]
        return self._fused([base, *self._embed_inputs(inputs, rest)], scales)

    def embed_batch(self, batch: Sequence[Prepared]) -> list[Embedding]:
        """Embed prepared pictures, in their order. Those of one input size share forward passes of ``batch_size``."""
        inputs = [values for prepared in batch for values in prepared.inputs]
        made = iter(self._embed_inputs(inputs, [level for prepared in batch for level in prepared.levels]))
        return [self._fused([next(made) for _ in prepared.levels], prepared.scales) for prepared in batch]

    def _embed_inputs(self, inputs: Sequence[FloatArray], levels: Sequence[Geometry]) -> list[Embedding]:
        by_size: dict[tuple[int, int], list[int]] = {}
        for place, level in enumerate(levels):
            by_size.setdefault(level.inputs, []).append(place)
        made: dict[int, Embedding] = {}
        for places in by_size.values():
            for begin in range(0, len(places), self.batch_size):
                part = places[begin : begin + self.batch_size]
                embeddings = self._forward([inputs[place] for place in part], [levels[place] for place in part])
                made.update(zip(part, embeddings, strict=True))
        return [made[place] for place in range(len(levels))]

    def _fused(self, levels: Sequence[Embedding], scales: Scales) -> Embedding:
        """One embedding of one picture's embeddings at all scales."""
        base, *finer = levels
        if not finer:
            return base
        own = self.backbone.own_channels
        geometry = fused_geometry([level.geometry for level in levels], scales)
        patches = fuse(
            [(base.patches, base.grid), *((unit(level.patches[:, :own]), level.grid) for level in finer)],
            geometry.grid,
            fusion_weights(scales),
        )
        return Embedding(patches, base.cls, geometry, base)

    def geometry(self, image: tuple[int, int], scales: Scales, turn: Turn = 0) -> Geometry:
        """How the patches of an image of that (width, height), turned, lie on it."""
        return plan_fused(turned_size(image, turn), self.backbone, scales)

    def dimensions(self, scales: Scales = BASE) -> tuple[int, int]:
        """(D, D'): lengths of patch and CLS embeddings. The graph runs once to tell them."""
        if self._dimensions is None:
            self._dimensions = probe(self.backbone, self.try_out)
        patch_dim, cls_dim = self._dimensions
        return patch_dim + (len(scales.factors) - 1) * (self.backbone.own_channels or patch_dim), cls_dim

    def self_test(self) -> Response:
        """This backbone's embeddings of the self-test's picture, computed once."""
        if self._response is None:
            shown = self_test_picture()
            made = self.embed(shown)
            facts = runtime_facts(self.providers, self._session.precision)
            self._response = Response.of(made.patches, made.grid, made.cls, shown.image_id, facts)
        return self._response

    def try_out(self, image: tuple[int, int]) -> Probe:
        """Run the graph on a grey image of that (width, height)."""
        geometry = plan_geometry(image, self.backbone)
        wide, high = geometry.inputs
        tokens, summaries = self._run(np.zeros((self._session.fixed_batch or 1, 3, high, wide), dtype=np.float32))
        return Probe(geometry, tokens.shape[1], tokens.shape[2], summaries.shape[1])

    def _forward(self, inputs: Sequence[FloatArray], levels: Sequence[Geometry]) -> list[Embedding]:
        """One forward pass over pictures of one input size."""
        short = (self._session.fixed_batch or 0) - len(inputs)
        tokens, summaries = self._run(np.stack([*inputs, *[inputs[0]] * max(0, short)]))
        rows, columns = levels[0].grid
        if tokens.shape[1] != rows * columns:
            wide, high = levels[0].inputs
            raise ModelUnavailable(
                f"{self.backbone.name}: {tokens.shape[1]} patch tokens for an input of {wide} x {high}, "
                f"where {rows} x {columns} were expected: this graph does not take this input size"
            )
        return [
            Embedding(unit(tokens[place]), unit(summaries[place][None])[0], level) for place, level in enumerate(levels)
        ]

    def _run(self, inputs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Patch tokens (B, N, D) and CLS (B, D') of ``inputs`` (B, 3, H, W), as the graph gives them."""
        outputs = dict(zip(self._outputs, self._session.run(self._outputs, inputs), strict=True))
        parts = [outputs[name] for name in self.backbone.patch_outputs]
        summaries = outputs[self.backbone.cls_output]
        if self.backbone.tokens == "sequence" and summaries.ndim == 3:
            parts, summaries = [part[:, 1 + self.backbone.registers :] for part in parts], summaries[:, 0]
        if any(part.ndim != 3 for part in parts) or summaries.ndim != 2:
            raise ModelUnavailable(
                f"{self.backbone.name}: outputs of shape {parts[0].shape} and {summaries.shape}, where patch tokens "
                "(B, N, D) and CLS (B, D') were expected: is `tokens` right, grid or sequence?"
            )
        return join_tokens(parts, self.backbone.join), summaries

    def close(self) -> None:
        """Release the session."""
        self._session.close()

    def __enter__(self) -> Embedder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
