"""A class that manifests of Amazon Lookout for Vision describe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from patchbank_indexer.datasets.dataset import ClassData, Purpose, checked, halves
from patchbank_indexer.datasets.lookout import NORMAL, read_manifest, training_and_test


def lookout_class(name: str, manifests: Sequence[Path], purpose: Purpose) -> ClassData:
    """The normal pictures of the training manifest are references, and all of the test manifest is tested. Where there
    is one manifest, it is like one folder of each kind. Raises ``NoReferences`` where pictures that the purpose needs
    are missing."""
    training, test = training_and_test(manifests)
    taught = read_manifest(training)
    if test is not None:
        tested = read_manifest(test)
        used = taught.left_out + tested.left_out if purpose != "judge" else tested.left_out
        references = taught.normal if purpose != "judge" else ()
        return checked(ClassData(name, references, tested.images, good=NORMAL, left_out=used), test, purpose)
    references, tests = (), taught.images
    if purpose != "judge":
        first, rest = (taught.normal, ()) if purpose == "survey" else halves(taught.normal)
        references = tuple(first)
        tests = tuple(image for image in taught.images if image.defective or image.file in rest)
    return checked(ClassData(name, references, tests, good=NORMAL, left_out=taught.left_out), training, purpose)
