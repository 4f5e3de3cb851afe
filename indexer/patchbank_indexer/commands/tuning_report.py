"""What is told of a class that was tuned."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from patchbank.jobs.picture_report import set_aside_list
from patchbank.judging.bank_facts import calibration_facts, threshold_facts
from patchbank.teaching.tuning import MOST_REFERENCES, Tried, TuneReport
from patchbank.teaching.tuning_applied import Applied
from patchbank.teaching.tuning_choice import interval
from patchbank.teaching.tuning_scores import MOST_PATCHES
from patchbank_indexer.output import Output

RATES: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""False-alarm rates whose effect is shown."""


def document(report: TuneReport, applied: Applied | None) -> dict[str, Any]:
    """The report for machines."""
    comparison, defects, good = report.comparison, _defects(report), _good(report)
    matched = report.matched
    return {
        "class_name": report.before.class_name,
        "version": report.before.version,
        "defects": defects,
        "good": good,
        "normal_scores": len(report.present.trial.normal),
        "references": {
            "total": report.before.references,
            "with_picture": None if matched is None else len(matched.files),
            "used": report.used,
            "trial_patches": dict(report.trial_patches),
        },
        "tried": [_row(report, item) for item in report.tried],
        "present": report.present.candidate.name,
        "chosen": report.winner.candidate.name,
        "recommended": report.recommended.candidate.name,
        "better": comparison.better,
        "expected": [
            {
                "rate": change.rate,
                **_share("found", hits, defects),
                **_share("false_alarms", alarms, good),
                "newly_found": change.newly_found,
                "lost": change.lost,
                "new_alarms": change.new_alarms,
                "cleared": change.cleared,
            }
            for change, hits, alarms in zip(comparison.changes, comparison.found, comparison.alarms, strict=True)
        ],
        "stand_out": {"more": comparison.higher, "less": comparison.lower, "p_value": comparison.p_value},
        "rates": [_at_rate(report.recommended, rate) for rate in RATES],
        "also_references": report.also_references,
        "skipped": [{"path": str(bad.path), **bad.error.as_dict()} for bad in report.skipped],
        "applied": None if applied is None else _applied(applied),
    }


def tell(out: Output, report: TuneReport, applied: Applied | None, *, asked: bool) -> None:
    """The report for people; ``asked`` says that something was to be taken over."""
    for bad in report.skipped:
        out.remark(f"skipped {bad.path}: {bad.error.message} [{bad.error.code}]")
    if report.also_references:
        out.remark(f"{report.also_references} labelled pictures are references of the class and were left out")
    _say_what_was_tried(out, report)
    _tell_table(out, report)
    _tell_choice(out, report)
    _tell_rates(out, report)
    _tell_end(out, report, applied, asked=asked)


def _say_what_was_tried(out: Output, report: TuneReport) -> None:
    before, matched = report.before, report.matched
    out.say(
        f"{before.class_name}, version {before.version}: {_defects(report)} pictures of defects, {_good(report)} of "
        f"good parts, {len(report.present.trial.normal)} references left out in turn as normal ones"
    )
    if matched is None:
        out.say(
            f"tried: patch scores and shares at the class's own detail, {report.present.candidate.detail}; to try the "
            "others, give the folders that the class was taught from with --references"
        )
        return
    of_all = f"{len(matched.files)} of {matched.total} references are among the pictures ({matched.share:.0%})"
    capped = f", {report.used} of them drawn at random" if report.used == MOST_REFERENCES < len(matched.files) else ""
    out.say(
        f"{of_all}{capped}; trial banks hold at most {MOST_PATCHES} patches, drawn at random: "
        f"{', '.join(f'{name} {count}' for name, count in report.trial_patches.items())}"
    )


def _tell_table(out: Output, report: TuneReport) -> None:
    fast = _fast(report)
    rows = []
    for place, item in enumerate(report.tried):
        marks = [
            "present" if place == report.comparison.present else "",
            "best" if place == report.comparison.winner else "",
        ]
        found = [_counted(int(item.trial.found(rate).sum()), _defects(report)) for rate in report.rates]
        alarms = [_counted(int(item.trial.alarms(rate).sum()), _good(report)) for rate in report.rates]
        times = None if fast is None else f"{item.ms / fast.ms:.1f}"
        name = (item.candidate.detail, item.candidate.share, item.candidate.rule.patch_score)
        cost = (item.bank_patches, round(item.ms), times)
        rows.append((*name, f"{item.trial.ranking:.3f}", *found, *alarms, *cost, " ".join(filter(None, marks))))
    headings = [f"found at {rate:.1%}" for rate in report.rates]
    headings += [f"false alarms at {rate:.1%}" for rate in report.rates]
    out.table(
        ("detail", "share", "patch score", "ranking", *headings, "patches", "ms", "of fast", ""),
        rows,
        least=("patches", "of fast", "ms"),
    )


def _tell_choice(out: Output, report: TuneReport) -> None:
    comparison, present = report.comparison, report.present
    out.say("")
    out.say("expected, each picture judged by what the others chose:")
    for change, hits, alarms in zip(comparison.changes, comparison.found, comparison.alarms, strict=True):
        now = int(present.trial.found(change.rate).sum())
        false = f", false alarms {_between(alarms, _good(report))}" if _good(report) else ""
        out.say(
            f"  at {change.rate:.1%}: found {_between(hits, _defects(report))}, at present {now} "
            f"({change.newly_found} newly found, {change.lost} lost){false}"
        )
    out.say(
        f"  {comparison.higher} of {_defects(report)} defects stand out more than at present, {comparison.lower} less "
        f"(by chance in {comparison.p_value:.1%} of draws)"
    )
    if comparison.better:
        out.say(f"recommended: {report.winner.candidate.name}, instead of {present.candidate.name}")
        return
    why = (
        "the pictures choose it" if comparison.winner == comparison.present else "nothing is better by more than noise"
    )
    out.say(f"recommended: stay with {present.candidate.name}; {why}")


def _tell_rates(out: Output, report: TuneReport) -> None:
    item, count = report.recommended, len(report.recommended.trial.normal)
    out.say("")
    out.say(f"{item.candidate.name} at other false-alarm rates")
    rows = []
    for rate in RATES:
        found, alarms = int(item.trial.found(rate).sum()), int(item.trial.alarms(rate).sum())
        rows.append((f"{rate:.1%}", _counted(found, _defects(report)), _counted(alarms, _good(report))))
    out.table(("rate", "found", "false alarms"), rows)
    out.say(
        f"with {count} normal scores, all rates below {1 / (count + 1):.1%} have one threshold: the highest score; "
        "--apply --target-far RATE takes another rate"
    )


def _tell_end(out: Output, report: TuneReport, applied: Applied | None, *, asked: bool) -> None:
    out.say("")
    name = report.before.class_name
    if applied is None:
        hint = "" if asked else "; --apply takes the recommended one over, --choose CANDIDATE another one"
        out.say(f"nothing was changed{hint}")
        return
    manifest = applied.manifest
    out.say(
        f"{name}: version {manifest.version} serves, {manifest.references} references, threshold "
        f"{manifest.calibration.threshold:.4f}; `indexer activate {name} {report.before.version}` goes back"
    )
    if applied.taught is not None:
        for aside in applied.taught.set_aside:
            out.remark(aside.line)
    if manifest.references < report.before.references:
        out.remark(f"{report.before.references - manifest.references} references are no longer in the class")
    if report.before.calibration.method == "held-out" and manifest.calibration.method != "held-out":
        out.remark(
            "the thresholds came from held-out pictures, and now come from references left out: "
            f"`indexer calibrate {name} --with DIR` takes held-out ones again"
        )


def _row(report: TuneReport, item: Tried) -> dict[str, Any]:
    fast = _fast(report)
    return {
        "detail": item.candidate.detail,
        "share": item.candidate.share,
        "patch_score": item.candidate.rule.patch_score,
        "ranking": item.trial.ranking,
        "at_rates": [_at_rate(item, rate) for rate in report.rates],
        "bank_patches": item.bank_patches,
        "ms": item.ms,
        "ms_of_fast": None if fast is None else item.ms / fast.ms,
        "present": item is report.present,
        "chosen": item is report.winner,
    }


def _at_rate(item: Tried, rate: float) -> dict[str, Any]:
    found, alarms = item.trial.found(rate), item.trial.alarms(rate)
    return {
        "rate": rate,
        **_share("found", int(np.count_nonzero(found)), len(found)),
        **_share("false_alarms", int(np.count_nonzero(alarms)), len(alarms)),
    }


def _share(name: str, part: int, whole: int) -> dict[str, Any]:
    return {name: part, f"{name}_interval": interval(part, whole)}


def _applied(applied: Applied) -> dict[str, Any]:
    manifest = applied.manifest
    return {
        "version": manifest.version,
        "references": manifest.references,
        "patches": manifest.patches,
        **threshold_facts(manifest.calibration),
        "calibration": calibration_facts(manifest.calibration),
        "set_aside": [] if applied.taught is None else set_aside_list(applied.taught.set_aside, {}),
    }


def _counted(part: int, whole: int) -> str | None:
    """``3 of 5 (15-95 %)``; None of nothing."""
    limits = interval(part, whole)
    return None if limits is None else f"{part} of {whole} ({100 * limits[0]:.0f}-{100 * limits[1]:.0f} %)"


def _between(part: int, whole: int) -> str:
    limits = interval(part, whole)
    return f"{part} of {whole}" + ("" if limits is None else f": between {limits[0]:.0%} and {limits[1]:.0%}")


def _fast(report: TuneReport) -> Tried | None:
    return next((item for item in report.tried if item.candidate.detail == "fast"), None)


def _defects(report: TuneReport) -> int:
    return len(report.present.trial.defects)


def _good(report: TuneReport) -> int:
    return len(report.present.trial.good)
