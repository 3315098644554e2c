"""The tail of absolute returns: Hill's estimator (Hill 1975, A simple general approach to inference about the tail)."""

from __future__ import annotations

import numpy as np
from perpsim.replay.realism.resample import NOTHING, Estimate, interval

SHARE = 0.05  # of the values that are the tail
K_MIN = 10


def tail_count(n: int) -> int:
    """k: how many of n values are the tail."""
    return int(n * SHARE)


def hill(values: np.ndarray, k: int) -> float:
    """alpha = k / sum of ln(x_(i) / x_(k+1)) over the k largest |x|; nan where they are all equal or x_(k+1) is 0."""
    largest = np.sort(np.abs(values))[::-1][: k + 1]
    if len(largest) <= k or largest[-1] <= 0:
        return np.nan
    total = np.log(largest[:-1] / largest[-1]).sum()
    return float(k / total) if total > 0 else np.nan


def tail_index(values: np.ndarray) -> Estimate:
    """Hill's alpha of the largest 5 %, at least 10 values; n is k."""
    k = tail_count(len(values))
    if k < K_MIN:
        return NOTHING._replace(n=k)
    return interval(lambda chosen: hill(chosen, k), values)._replace(n=k)
