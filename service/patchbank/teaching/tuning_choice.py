"""Which of several candidates suits a class, from the scores of labelled pictures, and how much that proves.

Every labelled picture is judged by a candidate that was chosen without it. What is expected comes from those verdicts;
the figures of the candidate that all pictures chose are on the bright side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from patchbank.arrays import BoolArray
from patchbank.scoring.threshold import calibrate

NOISE: Final = 0.1
"""A candidate is better than another by more than noise where the sign test's p-value is at most this."""

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """Image scores by one candidate: of ``normal`` (R,) references that were left out, of ``defects`` (D,) and of
    ``good`` pictures (G,). All trials are of the same pictures in the same order."""

    normal: Scores
    defects: Scores
    good: Scores

    def threshold(self, rate: float) -> float:
        """The threshold that teaching would set at a target false-alarm rate."""
        return calibrate(self.normal.tolist(), "leave-one-image-out", rate).threshold

    def found(self, rate: float) -> BoolArray:
        """Which defects (D,) are above the threshold of that rate."""
        return np.asarray(self.defects > self.threshold(rate))

    def alarms(self, rate: float) -> BoolArray:
        """Which good pictures (G,) are above the threshold of that rate."""
        return np.asarray(self.good > self.threshold(rate))

    @cached_property
    def ranking(self) -> float:
        """The probability that a defect scores above a normal picture, ties half (AUROC). Normal are the references
        left out and the good pictures."""
        usual = np.concatenate([self.normal, self.good])[None, :]
        defects = self.defects[:, None]
        return float(np.mean((defects > usual) + 0.5 * (defects == usual)))

    def evidence(self, without_good: int | None = None) -> Scores:
        """How much each defect (D,) stands out: -log of its conformal p-value among all normal pictures, but for one
        good picture where one is named. It depends on the order of scores alone, so candidates can be compared."""
        good = self.good if without_good is None else np.delete(self.good, without_good)
        usual = np.sort(np.concatenate([self.normal, good]))
        higher = len(usual) - np.searchsorted(usual, self.defects, side="left")
        return np.asarray(-np.log((1.0 + higher) / (len(usual) + 1.0)))


def best(trials: Sequence[Trial], without_defect: int | None = None, without_good: int | None = None) -> int:
    """The number of the candidate to choose, perhaps without one picture. ``trials`` come by rising cost.

    The leader is the one with the most evidence. Chosen is the cheapest one that is behind the leader by at most one
    standard error of their paired differences.
    """
    evidence = np.stack([trial.evidence(without_good) for trial in trials])
    if without_defect is not None:
        evidence = np.delete(evidence, without_defect, axis=1)
    behind = evidence[evidence.mean(axis=1).argmax()] - evidence
    count = evidence.shape[1]
    error = behind.std(axis=1, ddof=1) / np.sqrt(count) if count > 1 else np.zeros(len(trials))
    return int(np.flatnonzero(behind.mean(axis=1) <= error + 1e-12)[0])


@dataclass(frozen=True)
class Change:
    """What another candidate changes at one rate, in numbers of pictures."""

    rate: float
    newly_found: int
    lost: int
    new_alarms: int
    cleared: int


@dataclass(frozen=True)
class Comparison:
    """Candidates chosen without the picture that they judge, against the ``present`` one.

    ``winner`` is chosen by all pictures. ``chosen`` and ``chosen_good`` are the candidates that judged each defect and
    each good picture; ``found`` and ``alarms`` count, per rate, what they found and their false alarms. ``higher`` and
    ``lower`` are the numbers of defects that stand out more, and less, than at present.
    """

    present: int
    winner: int
    chosen: tuple[int, ...]
    chosen_good: tuple[int, ...]
    found: tuple[int, ...]
    alarms: tuple[int, ...]
    higher: int
    lower: int
    changes: tuple[Change, ...]

    @property
    def p_value(self) -> float:
        """Of the one-sided sign test: how often chance alone makes as many defects stand out more."""
        return sign_test(self.higher, self.lower)

    @property
    def better(self) -> bool:
        """Whether the winner is better than the present candidate by more than noise: by the sign test, with more
        defects found at one rate, with fewer at none, and without more false alarms than noise explains."""
        return (
            self.winner != self.present
            and self.p_value <= NOISE
            and any(change.newly_found > change.lost for change in self.changes)
            and all(change.newly_found >= change.lost for change in self.changes)
            and all(sign_test(change.new_alarms, change.cleared) > NOISE for change in self.changes)
        )


def compare(trials: Sequence[Trial], present: int, rates: Sequence[float]) -> Comparison:
    """Choose, and cross-validate the choice by leaving out one picture at a time. ``trials`` come by rising cost;
    there must be at least two defects."""
    now = trials[present]
    defects, goods = range(len(now.defects)), range(len(now.good))
    chosen = [best(trials, without_defect=place) for place in defects]
    chosen_good = [best(trials, without_good=place) for place in goods]
    evidence = np.stack([trial.evidence() for trial in trials])
    gain = evidence[chosen, list(defects)] - evidence[present]
    found, alarms, changes = [], [], []
    for rate in rates:
        hits = np.stack([trial.found(rate) for trial in trials])
        false = np.stack([trial.alarms(rate) for trial in trials])
        hit, alarm = hits[chosen, list(defects)], false[chosen_good, list(goods)]
        found.append(int(hit.sum()))
        alarms.append(int(alarm.sum()))
        changes.append(
            Change(
                rate,
                newly_found=int((hit & ~hits[present]).sum()),
                lost=int((~hit & hits[present]).sum()),
                new_alarms=int((alarm & ~false[present]).sum()),
                cleared=int((~alarm & false[present]).sum()),
            )
        )
    return Comparison(
        present,
        best(trials),
        tuple(chosen),
        tuple(chosen_good),
        tuple(found),
        tuple(alarms),
        int((gain > 0).sum()),
        int((gain < 0).sum()),
        tuple(changes),
    )


def sign_test(more: int, less: int) -> float:
    """One-sided p-value of the sign test; 1 where nothing differs."""
    return float(binomtest(more, more + less, alternative="greater").pvalue) if more + less else 1.0


def interval(part: int, whole: int) -> tuple[float, float] | None:
    """The exact (Clopper-Pearson) interval of a share, 95 %; None of nothing."""
    if not whole:
        return None
    limits = binomtest(part, whole).proportion_ci(0.95)
    return float(limits.low), float(limits.high)
