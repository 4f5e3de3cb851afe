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

from patchbank.arrays import BoolArray
from patchbank.scoring.threshold import Targets, calibrate

NOISE: Final = 0.1
"""What chance alone does this often, or more often, is noise."""

_DRAWS: Final = 999
"""Random exchanges of the permutation test."""

_ROUNDING: Final = 1e-9
"""Means that differ by less are equal: the order in which they were summed must not choose."""

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """Image scores by one candidate: of ``normal`` (R,) references that were left out, of ``defects`` (D,) and of
    ``good`` pictures (G,). All trials are of the same pictures in the same order. With a ``confidence``, thresholds
    promise their rate with it."""

    normal: Scores
    defects: Scores
    good: Scores
    confidence: float | None = None

    def threshold(self, rate: float) -> float:
        """The threshold that teaching would set at a target false-alarm rate."""
        targets = Targets(rate, confidence=self.confidence)
        return calibrate(self.normal.tolist(), "leave-one-image-out", targets).threshold

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

    The leader is the one with the most evidence, the cheapest one of equals. Chosen is the cheapest one that is behind
    the leader by at most one standard error of their paired differences.
    """
    evidence = np.stack([trial.evidence(without_good) for trial in trials])
    if without_defect is not None:
        evidence = np.delete(evidence, without_defect, axis=1)
    means = evidence.mean(axis=1)
    leader = np.flatnonzero(means >= means.max() - _ROUNDING)[0]
    behind = evidence[leader] - evidence
    count = evidence.shape[1]
    error = behind.std(axis=1, ddof=1) / np.sqrt(count) if count > 1 else np.zeros(len(trials))
    return int(np.flatnonzero(behind.mean(axis=1) <= error + _ROUNDING)[0])


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
    ``lower`` are the numbers of defects that stand out more, and less, than at present. ``p_value`` is that of
    ``exchange_test``.
    """

    present: int
    winner: int
    chosen: tuple[int, ...]
    chosen_good: tuple[int, ...]
    found: tuple[int, ...]
    alarms: tuple[int, ...]
    higher: int
    lower: int
    p_value: float
    changes: tuple[Change, ...]

    @property
    def better(self) -> bool:
        """Whether the winner is better than the present candidate by more than noise: by its p-value, with more
        defects found at one rate, with fewer at none, and without more false alarms than noise explains."""
        return (
            self.winner != self.present
            and self.p_value <= NOISE
            and any(change.newly_found > change.lost for change in self.changes)
            and all(change.newly_found >= change.lost for change in self.changes)
            and all(sign_test(change.new_alarms, change.cleared) > NOISE for change in self.changes)
        )


def compare(trials: Sequence[Trial], present: int, rates: Sequence[float], draws: int = _DRAWS) -> Comparison:
    """Choose, and cross-validate the choice by leaving out one picture at a time. ``trials`` come by rising cost;
    there must be at least two defects. ``draws`` are those of ``exchange_test``."""
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
    winner = best(trials)
    return Comparison(
        present,
        winner,
        tuple(chosen),
        tuple(chosen_good),
        tuple(found),
        tuple(alarms),
        int((gain > 0).sum()),
        int((gain < 0).sum()),
        exchange_test(trials, present, winner, draws),
        tuple(changes),
    )


def exchange_test(trials: Sequence[Trial], present: int, winner: int, draws: int = _DRAWS) -> float:
    """The probability that the best of several candidates is ahead of the present one as far as the ``winner`` is, if
    all are of the same worth (permutation test of two ROC curves, Venkatraman and Begg 1996, with the maximum over
    candidates, Westfall and Young 1993).

    In each draw some pictures exchange their ranks at present with those by the other candidates, normal pictures too:
    a test over defects alone would forget that all of them are compared with the same few normal ones.
    """
    if winner == present:
        return 1.0
    from scipy.stats import rankdata  # noqa: PLC0415  # it takes half a second to load, and few need it

    rows = [rankdata(np.concatenate([trial.defects, trial.normal, trial.good])) for trial in trials]
    ranks, count = np.stack(rows), len(trials[present].defects)
    own = np.broadcast_to(ranks[present], ranks.shape)

    def ahead(exchanged: BoolArray) -> Scores:
        """How far each candidate is ahead (C,) where these pictures (N,) are exchanged."""
        return _stands_out(np.where(exchanged, own, ranks), count) - _stands_out(np.where(exchanged, ranks, own), count)

    reached = ahead(np.zeros(ranks.shape[1], dtype=np.bool_))[winner] - _ROUNDING
    rng = np.random.default_rng(0)
    as_far = 0
    for _ in range(draws):
        exchanged: BoolArray = np.asarray(rng.random(ranks.shape[1]) < 0.5, dtype=np.bool_)
        as_far += bool(ahead(exchanged).max() >= reached)
    return (1 + as_far) / (1 + draws)


def _stands_out(ranks: Scores, defects: int) -> Scores:
    """Mean evidence (C,) by ranks (C, N) of so many defects, which come first, and of normal pictures."""
    usual = ranks[:, defects:]
    higher = (usual[:, None, :] >= ranks[:, :defects, None]).sum(axis=2)
    return np.asarray(-np.log((1.0 + higher) / (usual.shape[1] + 1.0)).mean(axis=1))


def sign_test(more: int, less: int) -> float:
    """One-sided p-value of the sign test; 1 where nothing differs."""
    from scipy.stats import binomtest  # noqa: PLC0415  # it takes half a second to load, and few need it

    return float(binomtest(more, more + less, alternative="greater").pvalue) if more + less else 1.0


def interval(part: int, whole: int) -> tuple[float, float] | None:
    """The exact (Clopper-Pearson) interval of a share, 95 %; None of nothing."""
    if not whole:
        return None
    from scipy.stats import binomtest  # noqa: PLC0415  # it takes half a second to load, and few need it

    limits = binomtest(part, whole).proportion_ci(0.95)
    return float(limits.low), float(limits.high)
