"""``indexer list``, ``show``, ``versions``, ``activate`` and ``remove``: work on banks without a backbone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from indexer.output import Output
from service.bank.manifest import Calibration, Manifest
from service.bank.names import BankRef
from service.bank.open_store import open_store
from service.bank.store import PatchStore
from service.errors import DamagedBank
from service.settings import Settings


@contextmanager
def opened(settings: Settings) -> Iterator[PatchStore]:
    """The store that the settings name, closed at the end."""
    store = open_store(settings)
    try:
        yield store
    finally:
        store.close()


def list_classes(settings: Settings, out: Output) -> None:
    """All classes; a damaged bank is listed as such."""
    with opened(settings) as store:
        rows = []
        for name, version in sorted(store.active().items()):
            try:
                manifest = store.bank(name).manifest
            except DamagedBank as error:
                out.remark(f"{name}: {error.message} [{error.code}]")
                continue
            rows.append(
                {
                    "class_name": name, "version": version, "references": manifest.references,
                    "patches": manifest.patches, "threshold": manifest.calibration.threshold,
                    "backbone": manifest.backbone.name, "created_at": manifest.created_at,
                }
            )  # fmt: skip
    out.result({"classes": rows})
    if not rows:
        out.say("no product class is taught yet; begin with: indexer add CLASS FOLDER")
        return
    out.table(list(rows[0]), [list(row.values()) for row in rows])


def show_class(settings: Settings, out: Output, class_name: str) -> None:
    """One class's manifest and references."""
    with opened(settings) as store:
        bank = store.bank(class_name)
        manifest, references, versions = bank.manifest, bank.references(), store.versions(class_name)
    listed = [
        {
            "image_id": item.image_id, "name": item.name, "source": item.source, "added_at": item.added_at,
            "sha256": item.sha256,
        }
        for item in references
    ]  # fmt: skip
    out.result(
        {
            **manifest.model_dump(mode="json"), "inspected_percentage": manifest.inspected_percentage,
            "versions": versions, "reference_images": listed,
        }
    )  # fmt: skip
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
