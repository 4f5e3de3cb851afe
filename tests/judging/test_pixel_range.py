"""16-bit grey without a range is judged as its class's references were read, or refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from patchbank.arrays import ByteArray
from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.embedding import Embedding
from patchbank.errors import UnknownPixelRange
from patchbank.images import DecodedImage, read_image
from patchbank.judging.inspector import Inspector
from patchbank.scales import BASE, Scales
from patchbank.settings import Settings
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product
from tests.helpers.deep_files import deep_file, deep_files, grey_of

Pictures = dict[str, dict[str, list[ByteArray]]]
"""Grey pictures of two products: references, good and defective ones."""


@pytest.fixture(scope="module")
def pictures(products: dict[str, Product]) -> Pictures:
    made = {}
    for name, product in (("part", products["textile"]), ("other", products["solar_mono"])):
        files = {
            "references": product.references[:5],
            "good": product.references[6:8],
            "defective": product.defective[:1],
        }
        made[name] = {kind: [grey_of(read_image(file).pixels) for file in some] for kind, some in files.items()}
    return made


@pytest.fixture
def teach(teacher: Teacher, pictures: Pictures, tmp_path: Path) -> Iterator[Teach]:
    yield Teach(teacher, pictures, tmp_path)


class Teach:
    """Teaches a product from files of a depth, and writes files of new pictures."""

    def __init__(self, teacher: Teacher, pictures: Pictures, folder: Path) -> None:
        self.teacher = teacher
        self.pictures = pictures
        self.folder = folder

    def __call__(self, name: str, bits: int) -> None:
        self.teacher.teach(name, deep_files(self.folder / name, self.pictures[name]["references"], bits))

    def new(self, bits: int, name: str = "part", kind: str = "good") -> Path:
        return deep_file(self.folder / f"new-{bits}", self.pictures[name][kind][0], bits)


@pytest.mark.parametrize("class_name", ["part", None])
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_the_verdict_is_that_of_the_8_bit_picture(
    teach: Teach, inspector: Inspector, bits: int, class_name: str | None
) -> None:
    teach("part", bits)
    for kind in ("good", "defective"):
        right = inspector.inspect(teach.new(8, kind=kind), class_name)
        made = inspector.inspect(teach.new(bits, kind=kind), class_name)
        assert made.verdict is not None
        assert right.verdict is not None
        assert (made.verdict.score, made.verdict.p_value) == (right.verdict.score, right.verdict.p_value)
        said = [note for note in made.warnings if note not in right.warnings]
        assert said == ([] if bits == 16 else [f"16-bit values 0 to {(1 << bits) - 1}, as the references of 'part'"])


@pytest.mark.parametrize("class_name", ["part", None])
def test_values_above_the_white_of_the_class_are_refused(
    teach: Teach, inspector: Inspector, class_name: str | None
) -> None:
    teach("part", 12)
    for bits in (14, 16):
        with pytest.raises(UnknownPixelRange, match=f"new-{bits}: .* {(1 << bits) - 1}"):
            inspector.inspect(teach.new(bits), class_name)


@pytest.mark.parametrize("class_name", ["part", None])
def test_a_class_of_8_bits_reads_16_bits_and_refuses_what_may_have_fewer(
    teach: Teach, inspector: Inspector, class_name: str | None, tmp_path: Path
) -> None:
    teach("part", 8)
    right, made = (inspector.inspect(teach.new(bits), class_name) for bits in (8, 16))
    assert right.verdict is not None
    assert made.verdict is not None
    assert made.verdict.score == right.verdict.score
    assert made.warnings == right.warnings
    for bits in (10, 12, 14):
        with pytest.raises(UnknownPixelRange, match="teach the class from such files"):
            inspector.inspect(teach.new(bits), class_name)
    black = deep_file(tmp_path / "black", np.zeros((64, 64), np.uint8), 12)
    assert inspector.inspect(black, "part").verdict is not None, "0 is black in any range"


def test_a_picture_with_fewer_bits_than_its_class_is_warned_of(teach: Teach, inspector: Inspector) -> None:
    teach("part", 14)
    named = inspector.inspect(teach.new(12), "part")
    assert any("in no reference of 'part' less than 16383" in note for note in named.warnings)
    unnamed = inspector.inspect(teach.new(12))
    assert any("read too dark" in note for note in unnamed.warnings)


class CountingEmbedder(Embedder):
    """Counts passes of single pictures."""

    passes = 0

    def embed(self, image: DecodedImage, scales: Scales = BASE) -> Embedding:
        self.passes += 1
        return super().embed(image, scales)


def test_among_classes_of_several_ranges_each_picture_finds_its_own_in_two_passes_at_most(
    settings: Settings, pictures: Pictures, tmp_path: Path
) -> None:
    with closing(EdgeStore(settings.data_dir)) as store, CountingEmbedder.open(settings) as embedder:
        assert isinstance(embedder, CountingEmbedder)
        inspector = Inspector(settings, embedder, store)
        teach = Teach(Teacher(settings, embedder, store), pictures, tmp_path)
        teach("part", 12)
        teach("other", 14)
        dim = deep_file(tmp_path / "dim", pictures["other"]["good"][0] // 5, 14)
        passes = {}
        for what, file, name in (
            ("fits one", teach.new(12), "part"),
            ("above the other", teach.new(14, "other"), "other"),
            ("8 bits", teach.new(8, "other"), "other"),
            ("fits both", dim, None),
        ):
            embedder.passes = 0
            inspection = inspector.inspect(file)
            passes[what] = embedder.passes
            assert set(inspection.timings_ms) == {"decode", "embed", "retrieve", "search"}
            if name is not None:
                assert inspection.verdict is not None, what
                assert inspection.verdict.class_name == name
                alone = inspector.inspect(file, name).verdict
                assert alone is not None
                assert inspection.verdict.score == alone.score
        assert passes["fits one"] == passes["above the other"] == passes["8 bits"] == 1
        assert passes["fits both"] == 2, "as 12 bits it looks like the class of 14 bits, or like none"
        assert int(inspection.image.pixels.max()) == 51, "it was judged as 14 bits"
        embedder.passes = 0
        inspector.inspect(dim, "other")
        assert embedder.passes == 1


def test_a_picture_like_a_class_without_a_range_is_refused_with_its_name(teach: Teach, inspector: Inspector) -> None:
    teach("part", 12)
    teach("other", 8)
    assert inspector.inspect(teach.new(12)).verdict is not None
    with pytest.raises(UnknownPixelRange, match="no reference of 'other' is such a file"):
        inspector.inspect(teach.new(12, "other"))


def test_bytes_and_decoded_pictures_are_judged_as_files_are(teach: Teach, inspector: Inspector) -> None:
    teach("part", 12)
    file = teach.new(12)
    first, second = inspector.inspect(file), inspector.inspect(file.read_bytes())
    decoded = inspector.inspect(DecodedImage.of_pixels(first.image.pixels))
    scores = {made.verdict.score for made in (first, second, decoded) if made.verdict is not None}
    assert len(scores) == 1
    assert decoded.warnings == tuple(note for note in first.warnings if "16-bit" not in note)
