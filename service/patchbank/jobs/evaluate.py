"""The job ``evaluate``: how a class judges labelled pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from patchbank.embedding.stream import Skipped
from patchbank.errors import NoReferences, PatchbankError
from patchbank.jobs.picture_report import skipped_list
from patchbank.judging.inspector import Inspector
from patchbank.judging.verdict import Verdict
from patchbank.progress import Progress
from patchbank.scoring.curve import Curve
from patchbank.settings import Settings

Label = Literal["good", "defects"]

_MOST: Final = 1_000
"""Pictures that are told one by one; all are counted."""


class EvaluateRequest(BaseModel):
    """Which class, or which version of it, and the pictures, at least one: ``good`` parts and ``defects``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    class_name: str
    version: str | None = None
    good: tuple[Path, ...] = ()
    defects: tuple[Path, ...] = ()

    @model_validator(mode="after")
    def _some(self) -> EvaluateRequest:
        if not self.good and not self.defects:
            raise ValueError("give pictures: good ones, defects, or both")
        return self


@dataclass(frozen=True)
class Judged:
    """A labelled picture and its verdict."""

    path: Path
    label: Label
    verdict: Verdict


@dataclass(frozen=True)
class EvaluateReport:
    """The verdicts; ``references`` are pictures that the bank holds itself, which say nothing of it and don't count."""

    class_name: str
    version: str
    judged: tuple[Judged, ...]
    references: tuple[Path, ...]
    skipped: tuple[Skipped, ...]


def evaluate(
    settings: Settings, request: EvaluateRequest, progress: Progress, tell: Callable[[str], None], decoders: int = 0
) -> EvaluateReport:
    """Judge the pictures as ``/detect`` does where the class is named; ``decoders`` as in ``teach``. Raises the errors
    of ``Inspector``, and ``NoReferences`` where no picture can be judged."""
    judged: list[Judged] = []
    known: list[Path] = []
    skipped: list[Skipped] = []
    with Inspector.open(settings, decoders=decoders) as inspector:
        bank = inspector.serving_bank(request.class_name, version=request.version)
        held = set(bank.cls_vectors()[0])
        version = bank.manifest.version
        labels: list[tuple[Label, Sequence[Path]]] = [("good", request.good), ("defects", request.defects)]
        for label, files in labels:
            steps = progress.begin(f"judging {label}", len(files))
            for file in files:
                try:
                    inspection = inspector.inspect(file, request.class_name, version=version)
                except PatchbankError as error:
                    skipped.append(Skipped(file, error))
                else:
                    if inspection.image.image_id in held:
                        known.append(file)
                    elif inspection.verdict is not None:
                        judged.append(Judged(file, label, inspection.verdict))
                steps.advance()
    if not judged:
        raise NoReferences("none of the pictures can be judged", skipped=skipped_list(skipped))
    if known:
        tell(f"{len(known)} pictures are references of the class: they say nothing of it and don't count")
    return EvaluateReport(request.class_name, version, tuple(judged), tuple(known), tuple(skipped))


def evaluated_document(report: EvaluateReport) -> dict[str, Any]:
    """The report as JSON; ``auroc`` is null without pictures of both kinds."""
    scores: dict[Label, list[float]] = {"good": [], "defects": []}
    decisions: dict[Label, Counter[str]] = {"good": Counter(), "defects": Counter()}
    for each in report.judged:
        scores[each.label].append(each.verdict.score)
        decisions[each.label][each.verdict.decision] += 1
    both = scores["good"] and scores["defects"]
    rows = [
        {
            "path": str(each.path),
            "label": each.label,
            "decision": each.verdict.decision,
            "is_anomalous": each.verdict.is_anomalous,
            "anomaly_score": each.verdict.score,
            "p_value": each.verdict.p_value,
            "reasons": list(each.verdict.reasons),
        }
        for each in report.judged[:_MOST]
    ]
    return {
        "class_name": report.class_name,
        "version": report.version,
        "threshold": report.judged[0].verdict.threshold,
        "review_threshold": report.judged[0].verdict.review_threshold,
        "auroc": Curve.of_scores(scores["good"], scores["defects"]).auroc if both else None,
        "good": _counted(decisions["good"]),
        "defects": _counted(decisions["defects"]),
        "images": rows,
        "references": [str(path) for path in report.references],
        "skipped": skipped_list(report.skipped),
    }


def evaluated_line(told: Mapping[str, Any]) -> str:
    """What came of it, in one line; ``told`` is the report as JSON."""
    good, defects = told["good"], told["defects"]
    area = "" if told["auroc"] is None else f", image AUROC {told['auroc']:.3f}"
    return (
        f"{defects['reject']} of {defects['images']} defects found, {defects['review']} more for review; "
        f"{good['reject']} false alarms of {good['images']} good pictures, {good['review']} for review{area}"
    )


def _counted(decisions: Counter[str]) -> dict[str, int]:
    return {"images": decisions.total(), **{name: decisions[name] for name in ("pass", "review", "reject")}}
