"""``indexer list``, ``show``, ``versions``, ``activate`` and ``remove``: work on banks; a backbone is not needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from patchbank.bank.manifest import Calibration, Manifest
from patchbank.bank.names import BankRef
from patchbank.bank.open_store import open_store
from patchbank.bank.store import PatchStore
from patchbank.embedding.embedder import Embedder
from patchbank.errors import DamagedBank, PatchbankError
from patchbank.judging.compatibility import Admitted, compare
from patchbank.settings import Settings
from patchbank_indexer.output import Output


@contextmanager
def opened(settings: Settings) -> Iterator[PatchStore]:
    """The store that the settings name, closed at the end."""
    store = open_store(settings)
    try:
        yield store
    finally:
        store.close()


def _admitted(settings: Settings, out: Output, banks: Sequence[Manifest]) -> list[Admitted | None]:
    """Whether the backbone of the settings may judge with each bank; None, and a remark, where it is not here."""
    if not banks:
        return []
    try:
        with Embedder.open(settings) as embedder:
            found = [compare(manifest, embedder) for manifest in banks]
    except PatchbankError as error:
        out.remark(f"whether the banks can be used was not checked: {error.message} [{error.code}]")
        return [None] * len(banks)
    for one in found:
        if one.refused:
            out.remark(one.reason)
    return [*found]


def _told(admitted: Admitted | None) -> dict[str, object]:
    if admitted is None:
        return {"usable": None, "self_test": "not checked", "refusal": None}
    return {"usable": not admitted.refused, "self_test": admitted.outcome, "refusal": admitted.reason or None}


def list_classes(settings: Settings, out: Output) -> None:
    """All classes; a damaged bank is listed as such, and one that the backbone of the settings refuses."""
    banks = []
    with opened(settings) as store:
        for name in sorted(store.active()):
            try:
                banks.append(store.bank(name).manifest)
            except DamagedBank as error:
                out.remark(f"{name}: {error.message} [{error.code}]")
    rows = [
        {
            "class_name": manifest.class_name,
            "version": manifest.version,
            "references": manifest.references,
            "patches": manifest.patches,
            "threshold": manifest.calibration.threshold,
            "backbone": manifest.backbone.name,
            "created_at": manifest.created_at,
            **_told(admitted),
        }
        for manifest, admitted in zip(banks, _admitted(settings, out, banks), strict=True)
    ]
    out.result({"classes": rows})
    if not rows:
        out.say("no product class is taught yet; begin with: indexer add CLASS FOLDER")
        return
    shown = [name for name in rows[0] if name != "refusal"]
    out.table(shown, [[row[name] for name in shown] for row in rows])


def show_class(settings: Settings, out: Output, class_name: str) -> None:
    """One class's manifest and references, and whether the backbone of the settings may judge with it."""
    with opened(settings) as store:
        bank = store.bank(class_name)
        manifest, references, versions = bank.manifest, bank.references(), store.versions(class_name)
    (admitted,) = _admitted(settings, out, [manifest])
    listed = [
        {
            "image_id": item.image_id,
            "name": item.name,
            "source": item.source,
            "added_at": item.added_at,
            "sha256": item.sha256,
        }
        for item in references
    ]
    facts_of = manifest.model_dump(mode="json", exclude={"self_test": {"patches", "cls"}})
    recorded = facts_of.pop("self_test")
    out.result(
        {
            **facts_of,
            "inspected_percentage": manifest.inspected_percentage,
            "versions": versions,
            **_told(admitted),
            "self_test_record": recorded,
            "reference_images": listed,
        }
    )
    calibration = manifest.calibration
    facts: list[tuple[str, object]] = [
        ("class", manifest.class_name),
        ("version", f"{manifest.version} ({len(versions)} kept)"),
        ("backbone", f"{manifest.backbone.name} ({manifest.backbone.fingerprint})"),
        ("patches", manifest.patches),
        (
            "threshold",
            f"{calibration.threshold:.4f} at a target false-alarm rate of {calibration.target_far:.2%}",
        ),
        ("pixel threshold", pixel_line(calibration)),
        ("calibration", f"{calibration.method}, {calibration.count} images"),
        (
            "class retrieval",
            f"similarity {manifest.retrieval.similarity:.4f} or coherence {manifest.retrieval.coherence:.3f}",
        ),
        ("references", manifest.references),
        ("self-test", _self_test_line(manifest, admitted)),
    ]
    if manifest.coreset is not None:
        facts.append(("coreset", f"{manifest.coreset.ratio:.1%}, radius {manifest.coreset.radius:.3f}"))
    if manifest.foreground is not None:
        facts.append(("background", "masked"))
    if manifest.roi is not None:
        facts.append(("inspected", inspected_line(manifest)))
    out.table(("", ""), facts)
    out.table(("image_id", "name", "added_at"), [(row["image_id"], row["name"], row["added_at"]) for row in listed])


def inspected_line(manifest: Manifest) -> str:
    """How much of the picture is inspected."""
    return f"{manifest.inspected_percentage:.1f} % of the picture, the rest is ignored"


def _self_test_line(manifest: Manifest, admitted: Admitted | None) -> str:
    """What came of it, and what the bank was taught with."""
    record = manifest.self_test
    if record is None:
        return "not recorded: taught before there was one, so that a changed runtime does not show"
    told = _told(admitted)["self_test"]
    moved = "" if admitted is None or admitted.shift is None else f", embeddings moved by {admitted.shift:.1g}"
    return f"{told}{moved}; taught with " + ", ".join(f"{name} {value}" for name, value in record.runtime.items())


def pixel_line(calibration: Calibration) -> str:
    """Where the map is cut, and what that promises."""
    if calibration.pixel_target_far is None:
        return f"{calibration.mask_threshold:.4f}, the image's: calibrated before there was one for pixels"
    return (
        f"{calibration.mask_threshold:.4f}: at most {calibration.pixel_target_far:.2%} of normal images have any pixel "
        "above it"
    )


def list_versions(settings: Settings, out: Output, class_name: str) -> None:
    """The kept versions of a class, the serving one marked."""
    with opened(settings) as store:
        serving = store.bank(class_name).manifest.version
        found = store.versions(class_name)
    out.result({"class_name": class_name, "active": serving, "versions": found})
    out.table(("version", ""), [(version, "serves" if version == serving else "") for version in found])


def activate(settings: Settings, out: Output, class_name: str, version: str) -> None:
    """Switch the serving version."""
    with opened(settings) as store:
        store.activate(BankRef(class_name, version))
    out.result({"class_name": class_name, "active": version})
    out.say(f"{class_name}: version {version} serves")


def remove(settings: Settings, out: Output, class_name: str) -> None:
    """Remove a class."""
    with opened(settings) as store:
        store.remove(class_name)
    out.result({"removed": class_name})
    out.say(f"removed {class_name}")
