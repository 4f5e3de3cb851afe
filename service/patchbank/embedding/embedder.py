"""From images to embeddings. Teaching and detection embed through the same code."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import partial
from types import TracebackType
from typing import Final

from patchbank.arrays import ByteArray, FloatArray
from patchbank.embedding.backbones import Backbone
from patchbank.embedding.embedding import Embedding, Prepared
from patchbank.embedding.fusion import fuse, fusion_weights
from patchbank.embedding.graph_check import Probe, probe
from patchbank.embedding.input_size import parse_size
from patchbank.embedding.model_files import check_pin, find_backbone, model_path
from patchbank.embedding.network import Network
from patchbank.embedding.passes import passes_at_once
from patchbank.embedding.preprocess import (
    Geometry,
    fingerprint,
    plan_fused,
    plan_levels,
    resized,
    to_input,
)
from patchbank.embedding.providers import Runtime
from patchbank.embedding.self_test import Response, runtime_facts, self_test_picture
from patchbank.embedding.session import OnnxSession
from patchbank.embedding.turned import Turn, turned, turned_size
from patchbank.embedding.unit import unit
from patchbank.images import DecodedImage, PictureReader
from patchbank.scales import BASE, Scales
from patchbank.settings import Settings

_NAMES: Final = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}


class Embedder:
    """A backbone ready to run. Use as a context manager, or call ``close``.

    ``batch_size`` is the most images that one forward pass takes; 0 stands for the provider's default. ``pictures``
    reads the files that are to be embedded; it is closed with the embedder. Where threads share it, ``at_once`` forward
    passes run at the same time on a CPU.
    """

    def __init__(
        self,
        backbone: Backbone,
        session: OnnxSession,
        batch_size: int = 0,
        pictures: PictureReader | None = None,
        at_once: int = 1,
    ) -> None:
        self.backbone = backbone
        self.pictures = pictures or PictureReader()
        self._session = session
        self._network = Network(backbone, session, batch_size, at_once)
        self.fingerprint = fingerprint(backbone, session.sha256, session.precision)
        self._dimensions: tuple[int, int] | None = None
        self._response: Response | None = None

    @classmethod
    def open(cls, settings: Settings, decoders: int = 0) -> Embedder:
        """Open the backbone that the settings name and try it once at the input size asked for. What ``auto`` is must
        have been decided before (``patchbank.judging.backbone_choice.settled``). Files are decoded in this process
        unless ``decoders``, processes of their own, are asked for.

        ``ModelUnavailable`` says how to get a model that is not here or not the right one, and what to do if the graph
        does not take that size.
        """
        backbone = find_backbone(settings.backbone, settings.data_dir)
        if settings.input_size:
            backbone = backbone.resized(parse_size(settings.input_size))
        runtime = Runtime(
            settings.providers, settings.threads, settings.precision, settings.memory_arena, settings.engine_cache
        )
        with ExitStack() as opened:
            model = model_path(backbone, settings.data_dir)
            pictures = opened.enter_context(PictureReader(settings.image_limits, decoders))  # they start meanwhile
            check = partial(check_pin, backbone, data_dir=settings.data_dir)
            session = opened.enter_context(closing(OnnxSession(model, runtime, check)))
            embedder = cls(backbone, session, settings.batch_size, pictures, passes_at_once(settings.threads))
            embedder.dimensions()
            pictures.wait_until_ready()
            opened.pop_all()
        return embedder

    @property
    def batch_size(self) -> int:
        """Most pictures of one size in one forward pass."""
        return self._network.batch_size

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
        """Nodes of the graph that each execution provider runs; empty where that is not known."""
        return self._session.nodes

    @property
    def runs_on(self) -> str:
        """For people: what runs the graph, its version, and why it is that one where it was not asked for by name."""
        named = ", ".join(f"{_NAMES.get(name, name)} {number}" for name, number in self._session.versions.items())
        return f"{named}: {self._session.why}" if self._session.why else named

    def prepare(self, image: DecodedImage, scales: Scales = BASE, turn: Turn = 0) -> Prepared:
        """Resize and normalise; may run in another thread than the forward pass. ``turn`` eighths of a full turn make
        it a turned copy."""
        size = turned_size(image.size, turn)
        levels = plan_levels(size, self.backbone, scales)
        return Prepared(
            tuple(self._input(turned(image.pixels, turn, level.inputs), level) for level in levels),
            levels,
            plan_fused(size, self.backbone, scales),
            scales,
        )

    def _input(self, pixels: ByteArray, level: Geometry) -> FloatArray | ByteArray:
        """Pixels (H, W, 3) as the network takes them at one scale."""
        return resized(pixels, level) if self._network.cuts(level) else to_input(pixels, level, self.backbone)

    def embed(self, image: DecodedImage, scales: Scales = BASE) -> Embedding:
        """Embed one image. The forward pass releases Python's global lock."""
        return self.embed_batch([self.prepare(image, scales)])[0]

    def refine(self, image: DecodedImage, base: Embedding, scales: Scales) -> Embedding:
        """The image at ``scales``, of which ``base``, the backbone's own input size, is known."""
        if scales == BASE:
            return base
        rest = plan_levels(image.size, self.backbone, scales)[1:]
        inputs = [self._input(image.pixels, level) for level in rest]
        return self._fused([base, *self._network.embed(inputs, rest)], self.geometry(image.size, scales), scales)

    def embed_batch(self, batch: Sequence[Prepared]) -> list[Embedding]:
        """Embed prepared pictures, in their order. Those of one input size share forward passes of ``batch_size``."""
        inputs = [values for prepared in batch for values in prepared.inputs]
        made = iter(self._network.embed(inputs, [level for prepared in batch for level in prepared.levels]))
        return [
            self._fused([next(made) for _ in prepared.levels], prepared.geometry, prepared.scales) for prepared in batch
        ]

    def _fused(self, levels: Sequence[Embedding], geometry: Geometry, scales: Scales) -> Embedding:
        """One embedding of one picture's embeddings at all scales."""
        base, *finer = levels
        if not finer:
            return base
        own = self.backbone.own_channels
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

    def try_out(self, image: tuple[int, int]) -> Probe:
        """Run the graph on a grey image of that (width, height)."""
        return self._network.try_out(image)

    def self_test(self) -> Response:
        """This backbone's embeddings of the self-test's picture, computed once."""
        if self._response is None:
            shown = self_test_picture()
            made = self.embed(shown)
            facts = runtime_facts(self._session.versions, self.providers, self._session.precision)
            self._response = Response.of(made.patches, made.grid, made.cls, shown.image_id, facts)
        return self._response

    def close(self) -> None:
        """Release the session, and end the processes that decode."""
        self._session.close()
        self.pictures.close()

    def __enter__(self) -> Embedder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
