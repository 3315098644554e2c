"""How far two distributions are from each other: L1 and Wasserstein-1 between normalised histograms.

The protocol of LOB-Bench (Nagy et al. 2025): both samples are scaled by mean and standard deviation of the recorded
one; conditional distances are means over the bins of the condition, weighted by the recorded share of each bin.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from perpsim.replay.realism.resample import NOTHING, RESAMPLES, SEED, Estimate, block_length, blocks

BINS = 40
MINIMUM = 30  # values a sample below which nothing is said


def scaled(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both in standard deviations of `theirs` away from its mean; only shifted where that does not vary."""
    middle, spread = theirs.mean(), theirs.std() or 1.0
    return (ours - middle) / spread, (theirs - middle) / spread


def l1(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Half the sum of |p - q| over 40 bins of one width from the smaller minimum to the larger maximum: 0 to 1."""
    low, high = min(ours.min(), theirs.min()), max(ours.max(), theirs.max())
    if low == high:
        return 0.0
    edges = np.linspace(low, high, BINS + 1)
    p, q = (np.histogram(each, edges)[0] / len(each) for each in (ours, theirs))
    return float(np.abs(p - q).sum() / 2)


def wasserstein(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Area between the two empirical distribution functions, in the unit of the values."""
    ours, theirs = np.sort(ours), np.sort(theirs)
    values = np.sort(np.concatenate([ours, theirs]))
    below = [np.searchsorted(each, values[:-1], side="right") / len(each) for each in (ours, theirs)]
    return float((np.abs(below[0] - below[1]) * np.diff(values)).sum())


def distance(kind: str, ours: np.ndarray, theirs: np.ndarray) -> Estimate:
    """L1 ("l1") or Wasserstein-1 ("w1") of scaled samples, with an interval by blocks of both."""
    good = [np.isfinite(each) for each in (ours, theirs)]
    if len(ours) == len(theirs):  # they stay pairs
        good = [good[0] & good[1]] * 2
    ours, theirs = (np.asarray(each, float)[mask] for each, mask in zip((ours, theirs), good, strict=True))
    if min(len(ours), len(theirs)) < MINIMUM:
        return NOTHING._replace(n=min(len(ours), len(theirs)))
    measure = {"l1": l1, "w1": wasserstein}[kind]
    ours, theirs = scaled(ours, theirs)
    return _around(measure, ours, theirs)


def _around(measure: Callable[..., float], ours: np.ndarray, theirs: np.ndarray) -> Estimate:
    """Samples of one length are of the same times and are resampled together: what they share is no difference."""
    generator = np.random.Generator(np.random.Philox(key=SEED))
    drawn = np.empty(RESAMPLES // 2)
    for number in range(len(drawn)):
        mine = blocks(len(ours), block_length(len(ours)), generator)
        other = mine if len(theirs) == len(ours) else blocks(len(theirs), block_length(len(theirs)), generator)
        drawn[number] = measure(ours[mine], theirs[other])
    value, drawn = measure(ours, theirs), drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or len(drawn) < RESAMPLES // 4:
        return NOTHING._replace(n=min(len(ours), len(theirs)))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(value, float(low), float(high), min(len(ours), len(theirs)))


def conditional(
    kind: str, ours: np.ndarray, ours_given: np.ndarray, theirs: np.ndarray, theirs_given: np.ndarray, bins: int = 5
) -> float:
    """Mean distance of the values given which bin a condition is in; bins are quantiles of the recorded condition.

    Bins in which one of the two has fewer than 30 values are left out; nan where none is left.
    """
    ours, theirs = scaled(np.asarray(ours, float), np.asarray(theirs, float))
    edges = np.unique(np.quantile(theirs_given, np.linspace(0, 1, bins + 1)[1:-1]))
    places = [np.searchsorted(edges, given, side="right") for given in (ours_given, theirs_given)]
    measure = {"l1": l1, "w1": wasserstein}[kind]
    total = weight = 0.0
    for place in range(len(edges) + 1):
        a, b = ours[places[0] == place], theirs[places[1] == place]
        if min(len(a), len(b)) >= MINIMUM:
            total += len(b) * measure(a, b)
            weight += len(b)
    return total / weight if weight else np.nan


def conditional_distance(
    kind: str, ours: np.ndarray, ours_given: np.ndarray, theirs: np.ndarray, theirs_given: np.ndarray, bins: int = 5
) -> Estimate:
    """`conditional` with an interval: values and conditions are resampled together."""
    count = min(len(ours), len(theirs))
    if count < MINIMUM:
        return NOTHING._replace(n=count)
    samples = [np.stack(each, axis=1) for each in ((ours, ours_given), (theirs, theirs_given))]

    def measure(a: np.ndarray, b: np.ndarray) -> float:
        return conditional(kind, a[:, 0], a[:, 1], b[:, 0], b[:, 1], bins)

    return _around(measure, *samples)


def imbalance(bid_lots: np.ndarray, ask_lots: np.ndarray) -> np.ndarray:
    """(bid - ask) / (bid + ask); nan where there is neither."""
    total = np.asarray(bid_lots, float) + ask_lots
    return np.divide(np.asarray(bid_lots, float) - ask_lots, total, where=total > 0, out=np.full(len(total), np.nan))
