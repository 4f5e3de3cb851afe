"""Runs a backbone's graph on pictures that are ready for it: in batches, and in tiles where an input is too large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import numpy as np

from patchbank.arrays import ByteArray, FloatArray
from patchbank.embedding.backbones import Backbone
from patchbank.embedding.embedding import Embedding
from patchbank.embedding.graph_check import Probe, require_sides
from patchbank.embedding.joining import join_tokens
from patchbank.embedding.passes import ForwardPasses, Made
from patchbank.embedding.preprocess import Geometry, normalised, plan_geometry
from patchbank.embedding.session import OnnxSession
from patchbank.embedding.tiles import Tiling
from patchbank.embedding.unit import unit
from patchbank.errors import ModelUnavailable

GPU_BATCH: Final = 16
"""Images per forward pass on a GPU, unless the settings say otherwise. On a CPU it is 1 (docs/inference.md)."""


class Network:
    """A backbone's graph. ``batch_size`` is the most inputs that one forward pass takes; 0 stands for the provider's
    default. Threads may share it: ``at_once`` passes run at the same time on a CPU, one on a GPU."""

    def __init__(self, backbone: Backbone, session: OnnxSession, batch_size: int = 0, at_once: int = 1) -> None:
        self._backbone = backbone
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
        self._passes = ForwardPasses(self._forward, 1 if gpu else at_once, self.batch_size)

    def embed(self, inputs: Sequence[FloatArray | ByteArray], levels: Sequence[Geometry]) -> list[Embedding]:
        """Embed inputs, in their order: float32 (3, H, W), or uint8 (H, W, 3) where the input is cut into tiles. Those
        of one size share forward passes; the tiles of a large one are stitched, and its CLS embedding is the mean of
        theirs."""
        whole = iter(
            self._embed_whole([np.asarray(values, dtype=np.float32) for values in inputs if values.dtype != np.uint8])
        )
        embeddings = []
        for values, level in zip(inputs, levels, strict=True):
            if values.dtype == np.uint8:
                embeddings.append(self._embed_tiles(np.asarray(values, dtype=np.uint8), level))
            else:
                tokens, summary = next(whole)
                embeddings.append(Embedding(unit(tokens), unit(summary), level))
        return embeddings

    def cuts(self, level: Geometry) -> bool:
        """Whether an input is cut into tiles."""
        return self._tiling(level).is_cut

    def try_out(self, image: tuple[int, int]) -> Probe:
        """Run the graph on a grey image of that (width, height)."""
        geometry = plan_geometry(image, self._backbone)
        wide, high = geometry.inputs
        tokens, summaries = self._run(np.zeros((self._session.fixed_batch or 1, 3, high, wide), dtype=np.float32))
        return Probe(geometry, tokens.shape[1], tokens.shape[2], summaries.shape[1])

    def _tiling(self, level: Geometry) -> Tiling:
        """How an input is cut: to the one size that the graph takes, or to what the backbone allows at most."""
        fixed, stride = self._session.fixed_sides, self._backbone.stride
        if fixed is not None:
            return Tiling.of(level.grid, (fixed[1] // stride, fixed[0] // stride))
        largest = self._backbone.largest_tile
        if largest is None:
            return Tiling.of(level.grid, level.grid)
        cells = largest // self._backbone.multiple * self._backbone.multiple // stride
        return Tiling.of(level.grid, (cells, cells))

    def _embed_tiles(self, pixels: ByteArray, level: Geometry) -> Embedding:
        """Embed an input (H, W, 3) tile by tile: of all tiles together, only the patches are held."""
        tiling = self._tiling(level)
        tiles = tiling.cut(pixels, self._backbone.stride)
        summaries: list[FloatArray] = []

        def made() -> Iterator[FloatArray]:
            while part := [normalised(tile, self._backbone) for tile in islice(tiles, self.batch_size)]:
                for tokens, summary in self._passes.run(part):
                    summaries.append(unit(summary))
                    yield unit(tokens)

        patches = unit(tiling.stitch(made()))
        return Embedding(patches, unit(np.mean(summaries, axis=0)), level)

    def _embed_whole(self, inputs: Sequence[FloatArray]) -> list[Made]:
        by_size: dict[tuple[int, ...], list[int]] = {}
        for place, values in enumerate(inputs):
            by_size.setdefault(values.shape, []).append(place)
        made: dict[int, Made] = {}
        for places in by_size.values():
            for begin in range(0, len(places), self.batch_size):
                part = places[begin : begin + self.batch_size]
                made.update(zip(part, self._passes.run([inputs[place] for place in part]), strict=True))
        return [made[place] for place in range(len(inputs))]

    def _forward(self, inputs: Sequence[FloatArray]) -> list[Made]:
        """One forward pass over inputs of one size: patch tokens (N, D) and CLS (D',) of each, as the graph gives
        them."""
        short = (self._session.fixed_batch or 0) - len(inputs)
        batch = [*inputs, *[inputs[0]] * max(0, short)]
        tokens, summaries = self._run(np.stack(batch) if len(batch) > 1 else batch[0][None])  # a stack is a copy
        _, high, wide = inputs[0].shape
        rows, columns = high // self._backbone.stride, wide // self._backbone.stride
        if tokens.shape[1] != rows * columns:
            raise ModelUnavailable(
                f"{self._backbone.name}: {tokens.shape[1]} patch tokens for an input of {wide} x {high}, "
                f"where {rows} x {columns} were expected: this graph does not take this input size"
            )
        return [(tokens[place], summaries[place]) for place in range(len(inputs))]

    def _run(self, inputs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Patch tokens (B, N, D) and CLS (B, D') of ``inputs`` (B, 3, H, W), as the graph gives them."""
        outputs = dict(zip(self._outputs, self._session.run(self._outputs, inputs), strict=True))
        parts = [outputs[name] for name in self._backbone.patch_outputs]
        summaries = outputs[self._backbone.cls_output]
        if self._backbone.tokens == "sequence" and summaries.ndim == 3:
            parts, summaries = [part[:, 1 + self._backbone.registers :] for part in parts], summaries[:, 0]
        if any(part.ndim != 3 for part in parts) or summaries.ndim != 2:
            raise ModelUnavailable(
                f"{self._backbone.name}: outputs of shape {parts[0].shape} and {summaries.shape}, where patch tokens "
                "(B, N, D) and CLS (B, D') were expected: is `tokens` right, grid or sequence?"
            )
        return join_tokens(parts, self._backbone.join), summaries
