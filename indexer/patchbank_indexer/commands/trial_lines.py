"""What learning from a detection would change, for people."""

from __future__ import annotations

from patchbank.history.rejudging import Rejudged
from patchbank.history.trial import TrialReport
from patchbank_indexer.output import Output


def tell_trial(out: Output, report: TrialReport, looked_at: str, flip: str) -> None:
    """The recent detections whose decision would be another one. ``looked_at`` says which were judged again, ``flip``
    what a flip of them is."""
    if report.flips or report.changed:
        out.table(
            ("detection", "file", "word", "decision", "then", "score", "then"),
            [rejudged_cells(row) for row in (*report.flips, *report.changed)],
            names=("file",),
        )
    itself, rows = report.itself, report.recent.rows
    out.say(f"itself: {itself.decision}, score {itself.score:.4f}, threshold {itself.threshold:.4f}")
    hidden, rejected = sum(row.hides_defect for row in rows), sum(row.rejects_good for row in rows)
    told = [f"{hidden} are defects that people confirmed"] if hidden else []
    told += [f"{rejected} are good, as people said"] if rejected else []
    known = f" ({', '.join(told)})" if told else ""
    out.say(
        f"of {len(rows)} recent detections of {report.class_name} that {looked_at}, {len(report.flips)} {flip} "
        f"anomalous{known}; nothing was changed"
    )
    if report.recent.without_picture:
        out.remark(f"{report.recent.without_picture} more could not be judged again: their pictures are not kept")
    for line in report.recent.failed:
        out.remark(line)


def rejudged_cells(row: Rejudged) -> tuple[object, ...]:
    """A detection, its file, what people said, and both decisions and scores."""
    before, after, seen = row.before, row.after, row.detection
    return seen.id, seen.file_name, seen.word, before.decision, after.decision, before.score, after.score
