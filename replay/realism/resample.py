"""Confidence intervals by the moving-block bootstrap: blocks of consecutive values keep what is dependent together.

Künsch (1989), The jackknife and the bootstrap for general stationary observations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

RESAMPLES = 400
SEED = 20_100_713  # of every interval; a card printed twice is the same


class Estimate(NamedTuple):
    """A number and its 95 % interval; nan where the data do not allow one. n: of values that it is made of."""

    value: float
    low: float
    high: float
    n: int


NOTHING = Estimate(np.nan, np.nan, np.nan, 0)


def block_length(n: int, reach: int = 1) -> int:
    """Values in a block: the cube root of n, at least five times the reach of the statistic, at most a quarter."""
    return int(min(max(round(n ** (1 / 3)), 5 * reach, 1), max(n // 4, 1)))


def blocks(n: int, length: int, generator: np.random.Generator) -> np.ndarray:
    """Indices of one resample of n values: blocks from random starts, one behind the other, cut to n."""
    starts = generator.integers(0, n - length + 1, -(-n // length))
    return (starts[:, None] + np.arange(length)).ravel()[:n]


def interval(
    statistic: Callable[..., float], *arrays: np.ndarray, reach: int = 1, resamples: int = RESAMPLES
) -> Estimate:
    """statistic(*arrays) with its percentile interval; the arrays, of one length n, are resampled together."""
    n = len(arrays[0])
    if n < 8:
        return NOTHING._replace(n=n)
    generator = np.random.Generator(np.random.Philox(key=SEED))
    length = block_length(n, reach)
    drawn = np.empty(resamples)
    for number in range(resamples):
        chosen = blocks(n, length, generator)
        drawn[number] = statistic(*(each[chosen] for each in arrays))
    drawn = drawn[np.isfinite(drawn)]
    value = float(statistic(*arrays))
    if not np.isfinite(value) or len(drawn) < resamples // 2:
        return NOTHING._replace(n=n)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(value, float(low), float(high), n)
