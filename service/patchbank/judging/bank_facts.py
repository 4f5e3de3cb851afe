"""What REST and command line tell of a bank, as JSON: the manifest's facts, and whether it may be judged with."""

from __future__ import annotations

from typing import Any

from patchbank.bank.manifest import Calibration, Manifest
from patchbank.judging.compatibility import Compatibility
from patchbank.scales import DETAILS, Scales, detail_of
from patchbank.scoring.threshold import promise, promise_takes, promised, review_threshold, sample_of


def size_facts(manifest: Manifest) -> dict[str, Any]:
    """Which version it is, and how large."""
    return {
        "class_name": manifest.class_name,
        "version": manifest.version,
        "references": manifest.references,
        "patches": manifest.patches,
    }


def vector_bytes(manifest: Manifest) -> int:
    """Bytes of all patch and CLS embeddings in full precision, as a bank of its own would hold them."""
    return 4 * (manifest.patches * manifest.patch_dim + manifest.references * manifest.cls_dim)


def usable_facts(compatibility: Compatibility | None) -> dict[str, Any]:
    """Whether the backbone that runs may judge with it; None where that was not looked at."""
    if compatibility is None:
        return {"usable": None, "self_test": "not checked", "refusal": None}
    return {
        "usable": not compatibility.refused,
        "self_test": compatibility.outcome,
        "refusal": compatibility.reason or None,
    }


def summary(manifest: Manifest, compatibility: Compatibility | None) -> dict[str, Any]:
    """A class in a list of classes."""
    return {
        **size_facts(manifest),
        "threshold": manifest.calibration.threshold,
        "review_threshold": review_threshold(manifest.calibration),
        "backbone": manifest.backbone.name,
        "created_at": manifest.created_at,
        "vector_bytes": vector_bytes(manifest),
        **usable_facts(compatibility),
    }


def detail(manifest: Manifest, compatibility: Compatibility | None) -> dict[str, Any]:
    """All of the manifest but the vectors of self-test, subspace and known defects; of the second the number of its
    axes, of the last how many there are."""
    facts = manifest.model_dump(
        mode="json", exclude={"self_test": {"patches", "cls"}, "subspace": True, "defects": True}
    )
    recorded = facts.pop("self_test")
    facts["calibration"].pop("support")
    facts["calibration"] |= calibration_facts(manifest.calibration)
    return {
        **facts,
        "subspace": None if manifest.subspace is None else {"axes": len(manifest.subspace.arrays()[1])},
        "inspected_percentage": manifest.inspected_percentage,
        "detail": detail_of(manifest.scales),
        "smallest_visible": smallest_visible(manifest),
        "known_defects": len(manifest.defects),
        "review_threshold": review_threshold(manifest.calibration),
        "vector_bytes": vector_bytes(manifest),
        **usable_facts(compatibility),
        "self_test_record": recorded,
    }


def smallest_visible(manifest: Manifest) -> dict[str, Any] | None:
    """How much pictures are shrunk, and how many pixels one patch covers; None where that was not recorded."""
    return None if manifest.resolution is None else manifest.resolution.facts


def detail_line(manifest: Manifest) -> str | None:
    """How finely the class's pictures are seen, for people, and what other details would be; None where that was not
    recorded."""
    if manifest.resolution is None:
        return None
    width, height = (side * manifest.scales.finest for side in manifest.resolution.patch)
    others = ", ".join(
        f"{name} {width / scales.finest:.0f} x {height / scales.finest:.0f}{_grid_note(scales)}"
        for name, scales in DETAILS.items()
        if scales != manifest.scales
    )
    return f"detail {detail_of(manifest.scales)}: {manifest.resolution.line} (--detail {others})"


def _grid_note(scales: Scales) -> str:
    return f" with {scales.grid**2:.0f} times the patches" if scales.grid > 1 else ""


def threshold_facts(calibration: Calibration) -> dict[str, Any]:
    """The thresholds in force."""
    return {
        "threshold": calibration.threshold,
        "review_threshold": review_threshold(calibration),
        "pixel_threshold": calibration.mask_threshold,
    }


def calibration_facts(calibration: Calibration) -> dict[str, Any]:
    """Where the thresholds come from, without the scores themselves."""
    return {
        "method": calibration.method,
        "count": calibration.count,
        "target_far": calibration.target_far,
        "review_far": calibration.review_rate,
        "confidence": calibration.confidence,
        "reachable": calibration.reachable,
        "pixel_target_far": calibration.pixel_target_far,
        "set_aside": calibration.set_aside,
        "together": calibration.together,
        "stale": calibration.stale_count,
        "independent": sample_of(calibration).independent,
        "promised": promised(calibration),
        "review_promised": promised(calibration, calibration.review_rate),
        "promise": promise(calibration),
        "promise_takes": promise_takes(calibration),
    }
