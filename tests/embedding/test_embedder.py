"""The embedder: both token layouts, and graphs that do not keep their word."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from patchbank.arrays import ByteArray, DoubleArray, FloatArray
from patchbank.embedding.backbones import BACKBONES, Backbone, HubFile, Packaged
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.embedding import Embedding
from patchbank.embedding.input_size import Area, InputSize, Sides
from patchbank.embedding.model_files import pulled_path
from patchbank.embedding.model_hash import file_sha256
from patchbank.embedding.preprocess import fingerprint
from patchbank.embedding.session import OnnxSession
from patchbank.errors import Closed, InvalidSettings, ModelUnavailable
from patchbank.images import DecodedImage
from patchbank.settings import Settings
from tests.helpers.graphs import GRID, SEQUENCE, write_grid, write_sequence, write_squares

Pixels = ByteArray


def picture(pixels: Pixels) -> DecodedImage:
    return DecodedImage(pixels, "0" * 24, "", "PNG")


def noise(width: int = 64, height: int = 64, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(1, 256, (height, width, 3), dtype=np.uint8)


def open_tiny(path: Path, backbone: Backbone) -> Embedder:
    write = write_grid if backbone.tokens == "grid" else write_sequence
    return Embedder(backbone, OnnxSession(write(path / "tiny.onnx")))


@pytest.fixture(params=[GRID, SEQUENCE], ids=lambda backbone: backbone.tokens)
def tiny(request: pytest.FixtureRequest, tmp_path: Path) -> Embedder:
    return open_tiny(tmp_path, request.param)


def mean_colours(pixels: Pixels, rows: int, columns: int) -> DoubleArray:
    """Unit vectors along the mean colours of a grid's cells, row by row."""
    high, wide = pixels.shape[0] // rows, pixels.shape[1] // columns
    cells = pixels.reshape(rows, high, columns, wide, 3).astype(np.float64).mean(axis=(1, 3)).reshape(-1, 3)
    return np.asarray(cells / np.linalg.norm(cells, axis=1, keepdims=True))


def test_patches_are_those_of_the_cells_row_by_row(tiny: Embedder) -> None:
    pixels = noise()
    made = tiny.embed(picture(pixels))
    assert made.grid == (4, 4)
    assert made.patches.dtype == made.cls.dtype == np.float32
    np.testing.assert_allclose(made.patches, mean_colours(pixels, 4, 4), atol=1e-5)
    np.testing.assert_allclose(made.cls, mean_colours(pixels, 1, 1)[0], atol=1e-5)


@pytest.mark.parametrize("size", [(128, 32), (32, 128), (10, 300), (1, 1), (641, 479)])
def test_every_size_of_image_is_embedded(tiny: Embedder, size: tuple[int, int]) -> None:
    made = tiny.embed(picture(noise(*size)))
    rows, columns = made.grid
    assert made.patches.shape == (rows * columns, 3)
    assert made.geometry.image == size
    np.testing.assert_allclose(np.linalg.norm(made.patches, axis=1), 1.0, rtol=1e-5)
    assert np.linalg.norm(made.cls) == pytest.approx(1.0, rel=1e-5)


def test_a_zero_token_stays_zero(tiny: Embedder) -> None:
    pixels = noise()
    pixels[:16, :16] = 0
    made = tiny.embed(picture(pixels))
    assert (made.patches[0] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(made.patches[1:], axis=1), 1.0, rtol=1e-5)


def test_the_same_image_is_embedded_alike_every_time(tiny: Embedder) -> None:
    first, second = (tiny.embed(picture(noise(70, 50))) for _ in range(2))
    np.testing.assert_array_equal(first.patches, second.patches)
    np.testing.assert_array_equal(first.cls, second.cls)


def test_registers_are_skipped(tmp_path: Path) -> None:
    session = OnnxSession(write_sequence(tmp_path / "tiny.onnx", registers=4))
    made = Embedder(replace(SEQUENCE, registers=4), session).embed(picture(noise()))
    np.testing.assert_allclose(made.patches, mean_colours(noise(), 4, 4), atol=1e-5)


@pytest.mark.parametrize("registers", [0, 1, 3])
def test_registers_that_are_not_declared_are_a_wrong_token_count(tmp_path: Path, registers: int) -> None:
    session = OnnxSession(write_sequence(tmp_path / "tiny.onnx", registers=registers))
    with pytest.raises(ModelUnavailable, match=f"{16 + registers - 2} patch tokens .* 4 x 4 were expected"):
        Embedder(SEQUENCE, session).embed(picture(noise()))


@pytest.mark.parametrize(("backbone", "write"), [(GRID, write_grid), (SEQUENCE, write_sequence)])
@pytest.mark.parametrize("stride", [8, 32])
def test_a_wrong_token_count_is_an_error_not_a_score(
    tmp_path: Path, backbone: Backbone, write: Callable[..., Path], stride: int
) -> None:
    session = OnnxSession(write(tmp_path / "tiny.onnx", stride=stride))
    with pytest.raises(ModelUnavailable, match="64 x 64"):
        Embedder(backbone, session).embed(picture(noise()))


def test_a_graph_of_one_size_is_told_at_load_with_what_to_do(tmp_path: Path) -> None:
    session = OnnxSession(write_grid(tmp_path / "tiny.onnx", fixed=64))
    with pytest.raises(ModelUnavailable, match=r"64 x 64 alone, .* PATCHBANK_INPUT_SIZE=64x64 .*indexer model export"):
        Embedder(GRID, session)


def test_a_graph_of_one_size_stretches_every_image_to_it(tmp_path: Path) -> None:
    session = OnnxSession(write_grid(tmp_path / "tiny.onnx", fixed=64))
    made = Embedder(replace(GRID, size=Sides(64, 64)), session)
    assert made.dimensions() == (3, 3)
    pixels = noise(128, 32)
    found = made.embed(picture(pixels))
    assert found.grid == (4, 4)
    assert found.geometry.image == (128, 32)


def test_a_graph_that_takes_squares_alone_is_told_at_load(tmp_path: Path) -> None:
    session = OnnxSession(write_squares(tmp_path / "tiny.onnx"))
    with pytest.raises(ModelUnavailable, match=r"takes squares alone .* PATCHBANK_INPUT_SIZE=64x64"):
        Embedder(GRID, session).dimensions()
    assert Embedder(replace(GRID, size=Sides(64, 64)), session).dimensions() == (3, 3)


@pytest.mark.parametrize("size", [Area(64), Sides(96, 64)])
def test_a_graph_of_another_stride_is_told_at_load(tmp_path: Path, size: InputSize) -> None:
    session = OnnxSession(write_grid(tmp_path / "tiny.onnx", stride=8))
    with pytest.raises(ModelUnavailable, match=r"does not take the input size .* patch tokens .* were expected"):
        Embedder(replace(GRID, size=size), session).dimensions()


def test_outputs_of_the_wrong_rank_are_told(tmp_path: Path) -> None:
    session = OnnxSession(write_grid(tmp_path / "tiny.onnx"))
    with pytest.raises(ModelUnavailable, match="grid or sequence"):
        Embedder(replace(GRID, tokens="sequence", patch_output="cls_token"), session).dimensions()


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7])
def test_pictures_embed_alike_alone_and_in_batches_of_mixed_sizes(tmp_path: Path, batch_size: int) -> None:
    made = Embedder(GRID, OnnxSession(write_grid(tmp_path / "tiny.onnx")), batch_size)
    sizes = [(64, 64), (128, 32), (64, 64), (64, 64), (32, 128), (128, 32), (64, 64)]
    pictures = [picture(noise(*size, seed)) for seed, size in enumerate(sizes)]
    together = made.embed_batch([made.prepare(one) for one in pictures])
    for one, found in zip(pictures, together, strict=True):
        alone = made.embed(one)
        assert found.geometry == alone.geometry
        np.testing.assert_allclose(found.patches, alone.patches, atol=1e-6)
        np.testing.assert_allclose(found.cls, alone.cls, atol=1e-6)


def test_a_batch_is_no_larger_than_the_graph_or_the_backbone_allow(tmp_path: Path) -> None:
    session = OnnxSession(write_grid(tmp_path / "tiny.onnx"))
    assert Embedder(GRID, session).batch_size == 1  # a processor gains nothing from more
    assert Embedder(GRID, session, 8).batch_size == 8
    assert Embedder(replace(GRID, max_batch=2), session, 8).batch_size == 2
    fixed = OnnxSession(write_grid(tmp_path / "four.onnx", batch=4))
    made = Embedder(GRID, fixed, 8)
    assert made.batch_size == 4
    assert made.dimensions() == (3, 3)
    pictures = [picture(noise(seed=seed)) for seed in range(6)]
    for one, found in zip(pictures, made.embed_batch([made.prepare(one) for one in pictures]), strict=True):
        np.testing.assert_allclose(found.patches, mean_colours(one.pixels, 4, 4), atol=1e-5)


def test_a_part_never_comes_from_another_picture_of_the_batch(tmp_path: Path) -> None:
    made = Embedder(GRID, OnnxSession(write_grid(tmp_path / "tiny.onnx")), 4)
    pictures = [picture(noise(seed=seed)) for seed in range(4)]
    for one, found in zip(pictures, made.embed_batch([made.prepare(one) for one in pictures]), strict=True):
        np.testing.assert_allclose(found.patches, mean_colours(one.pixels, 4, 4), atol=1e-5)


@pytest.mark.parametrize(("asked", "grid"), [("", (4, 4)), ("128", (8, 8)), ("96x48", (3, 6))])
def test_the_input_size_is_a_setting_and_part_of_the_fingerprint(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, asked: str, grid: tuple[int, int]
) -> None:
    backbone, _ = _registered(monkeypatch, settings.data_dir, None)
    with Embedder.open(settings.model_copy(update={"backbone": "pulled", "input_size": asked})) as opened:
        assert opened.embed(picture(noise())).grid == grid
        assert (opened.fingerprint == fingerprint(backbone, opened.model_sha256)) == (asked == "")


@pytest.mark.parametrize("asked", ["big", "100x64", "8", "0x0", "448x", "99999"])
def test_an_input_size_that_cannot_be_is_an_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    _registered(monkeypatch, settings.data_dir, None)
    with pytest.raises(InvalidSettings, match="input size"):
        Embedder.open(settings.model_copy(update={"backbone": "pulled", "input_size": asked}))


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), float("-inf")])
def test_output_that_is_not_finite_is_an_error_not_a_score(tmp_path: Path, factor: float) -> None:
    made = Embedder(GRID, OnnxSession(write_grid(tmp_path / "tiny.onnx", factor=factor)))
    with pytest.raises(ModelUnavailable, match="not finite"):
        made.embed(picture(noise()))


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_length_of_tokens_does_not_matter(tmp_path: Path, factor: float) -> None:
    made = Embedder(GRID, OnnxSession(write_grid(tmp_path / "tiny.onnx", factor=factor)))
    np.testing.assert_allclose(made.embed(picture(noise())).patches, mean_colours(noise(), 4, 4), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "missing"), [({"patch_output": "tokens"}, "tokens"), ({"cls_output": "pooler"}, "pooler")]
)
def test_an_output_that_the_graph_lacks_is_told_at_once(tmp_path: Path, change: dict[str, str], missing: str) -> None:
    session = OnnxSession(write_grid(tmp_path / "tiny.onnx"))
    with pytest.raises(ModelUnavailable, match=f"no output '{missing}'; it has patch_tokens, cls_token"):
        Embedder(replace(GRID, **change), session)  # type: ignore[arg-type]


def test_use_after_close_is_an_error(tiny: Embedder) -> None:
    with tiny as entered:
        assert entered is tiny
        tiny.embed(picture(noise()))
    with pytest.raises(Closed):
        tiny.embed(picture(noise()))


def test_dimensions_are_those_of_the_embeddings(tiny: Embedder) -> None:
    assert tiny.dimensions() == (3, 3)


def test_the_embedder_knows_its_model(tiny: Embedder, tmp_path: Path) -> None:
    assert tiny.model_sha256 == file_sha256(tmp_path / "tiny.onnx")
    assert tiny.fingerprint == fingerprint(tiny.backbone, tiny.model_sha256)
    assert tiny.providers == ["CPUExecutionProvider"]


def _registered(monkeypatch: pytest.MonkeyPatch, data_dir: Path, sha256: str | None) -> tuple[Backbone, Path]:
    """A backbone to be pulled, known under the name that its graph has."""
    source = HubFile("some-org/tiny", "0" * 40, "onnx/model.onnx", None, sha256)
    backbone = replace(SEQUENCE, name="pulled", source=source)
    monkeypatch.setitem(BACKBONES, "pulled", backbone)
    path = pulled_path("pulled", source, data_dir)
    path.parent.mkdir(parents=True)
    return backbone, write_sequence(path)


def test_a_pulled_backbone_opens_by_name(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, path = _registered(monkeypatch, settings.data_dir, None)
    with Embedder.open(settings.model_copy(update={"backbone": "pulled"})) as opened:
        assert opened.backbone == backbone
        assert opened.model_sha256 == file_sha256(path)
        assert isinstance(opened.embed(picture(noise())), Embedding)


def test_a_pulled_file_that_is_not_the_pinned_one_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _registered(monkeypatch, settings.data_dir, "0" * 64)
    with pytest.raises(ModelUnavailable, match="pinned is 0000"):
        Embedder.open(settings.model_copy(update={"backbone": "pulled"}))


def test_a_backbone_that_was_not_pulled_says_how_to_get_it(settings: Settings) -> None:
    with pytest.raises(ModelUnavailable, match="indexer model pull dinov2-vits14"):
        Embedder.open(settings.model_copy(update={"backbone": "dinov2-vits14"}))


def test_an_unknown_backbone_is_an_error_that_names_the_known(settings: Settings) -> None:
    with pytest.raises(ModelUnavailable, match=r"'resnet'.*efficientnet-lite2"):
        Embedder.open(settings.model_copy(update={"backbone": "resnet"}))


def test_the_built_in_backbone_embeds_without_a_download(embedder: Embedder) -> None:
    assert isinstance(embedder.backbone.source, Packaged)
    made = embedder.embed(picture(noise(300, 200)))
    rows, columns = made.grid
    patch_dim, cls_dim = embedder.dimensions()
    assert made.patches.shape == (rows * columns, patch_dim)
    assert made.cls.shape == (cls_dim,)
    np.testing.assert_allclose(np.linalg.norm(made.patches, axis=1), 1.0, rtol=1e-4)


def test_the_built_in_backbone_sees_where_a_change_is(embedder: Embedder) -> None:
    grey = np.full((448, 448, 3), 128, dtype=np.uint8)
    spotted = grey.copy()
    spotted[96:128, 320:352] = (255, 0, 0)
    before, after = (embedder.embed(picture(pixels)) for pixels in (grey, spotted))
    apart = 1.0 - (before.patches * after.patches).sum(axis=1)
    row, column = np.unravel_index(int(apart.argmax()), before.grid)
    assert abs((row + 0.5) / before.grid[0] - 112 / 448) < 0.06
    assert abs((column + 0.5) / before.grid[1] - 336 / 448) < 0.06


@pytest.mark.parametrize("factor", [1e20])
def test_the_length_of_tokens_does_not_matter_at_all(tmp_path: Path, factor: float) -> None:
    made = Embedder(GRID, OnnxSession(write_grid(tmp_path / "tiny.onnx", factor=factor)))
    np.testing.assert_allclose(made.embed(picture(noise())).patches, mean_colours(noise(), 4, 4), atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_picture_in_tiles_is_embedded_as_its_tiles_are(tiny: Embedder, tmp_path: Path, batch_size: int) -> None:
    """Each patch of these graphs depends on its own cell alone, so tiles must make what the whole picture makes."""
    write = write_grid if tiny.backbone.tokens == "grid" else write_sequence
    backbone = replace(tiny.backbone, largest_tile=64)
    large = tiny.backbone.resized(Area(256))
    pixels = noise(300, 180)
    with (
        Embedder(large, OnnxSession(write(tmp_path / "whole.onnx"))) as whole,
        Embedder(
            replace(backbone, size=large.size), OnnxSession(write(tmp_path / "cut.onnx")), batch_size=batch_size
        ) as cut,
    ):
        expected, made = whole.embed(picture(pixels)), cut.embed(picture(pixels))
        prepared = cut.prepare(picture(pixels))
    assert prepared.inputs[0].dtype == np.uint8
    assert prepared.inputs[0].shape == (*expected.geometry.inputs[::-1], 3)
    assert made.geometry == expected.geometry
    np.testing.assert_allclose(made.patches, expected.patches, atol=1e-6)
    assert made.cls @ expected.cls > 0.999


def test_of_a_picture_in_tiles_one_tile_at_a_time_is_held(
    tiny: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = write_grid if tiny.backbone.tokens == "grid" else write_sequence
    session = OnnxSession(write(tmp_path / "cut.onnx"))
    alive: set[int] = set()
    most: list[int] = []
    run = session.run

    def watched(names: Sequence[str], inputs: FloatArray) -> list[FloatArray]:
        outputs = run(names, inputs)
        for values in outputs[:1]:
            alive.add(id(values))
            weakref.finalize(values, alive.discard, id(values))
        most.append(len(alive))
        return outputs

    with Embedder(replace(tiny.backbone, size=Area(256), largest_tile=64), session) as cut:
        monkeypatch.setattr(session, "run", watched)
        cut.embed(picture(noise(300, 180)))
    assert len(most) > 10
    assert max(most) <= 2
