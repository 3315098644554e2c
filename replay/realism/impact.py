"""The law of impact, I / sigma_D = c * (Q / V_D) ** delta: fit on bins of metaorders, path and decay.

Tóth et al. (2011), Anomalous price impact and the critical nature of liquidity in financial markets.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from perpsim.replay.realism.resample import NOTHING, SEED, Estimate, interval

BINS = 8
ROOT_COEFFICIENT = 0.5  # of the square-root law as tradefloor registers it
RESAMPLES = 500


class Law(NamedTuple):
    """delta and c of the fit, and the bins that it went through: (Q / V_D, I / sigma_D, metaorders)."""

    delta: Estimate
    coefficient: Estimate
    bins: list[tuple[float, float, int]]


def binned(size: np.ndarray, impact: np.ndarray, bins: int = BINS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of impact in bins of equal counts by size, at the geometric mean of the sizes: (size, impact, count)."""
    order = np.array_split(np.argsort(size, kind="stable"), min(bins, max(1, len(size) // 3)))
    return (
        np.array([np.exp(np.log(size[part]).mean()) for part in order]),
        np.array([impact[part].mean() for part in order]),
        np.array([len(part) for part in order]),
    )


def slope(size: np.ndarray, impact: np.ndarray, bins: int = BINS) -> tuple[float, float]:
    """(delta, c) by least squares of ln(mean impact) on ln(size), bins weighted by count; nan below three bins.

    A bin whose mean impact is not positive has no logarithm and is left out.
    """
    x, y, count = binned(size, impact, bins)
    good = y > 0
    if good.sum() < 3:
        return np.nan, np.nan
    x, y, weight = np.log(x[good]), np.log(y[good]), count[good]
    middle = np.average(x, weights=weight)
    spread = (weight * (x - middle) ** 2).sum()
    if spread < 1e-9:  # all of one size
        return np.nan, np.nan
    delta = (weight * (x - middle) * y).sum() / spread
    return float(delta), float(np.exp(np.average(y, weights=weight) - delta * middle))


def fit(size: np.ndarray, impact: np.ndarray) -> Law:
    """delta and c with percentile intervals over resampled metaorders.

    size    Q / V_D of n metaorders, above zero
    impact  signed by the metaorder's side, in sigma_D
    """
    n = len(size)
    if n < 9:
        return Law(NOTHING._replace(n=n), NOTHING._replace(n=n), [])
    generator = np.random.Generator(np.random.Philox(key=SEED))
    drawn = np.empty((RESAMPLES, 2))
    for number in range(RESAMPLES):
        chosen = generator.integers(0, n, n)
        drawn[number] = slope(size[chosen], impact[chosen])
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    values = slope(size, impact)
    bins = [(float(x), float(y), int(count)) for x, y, count in zip(*binned(size, impact), strict=True)]
    if not np.isfinite(values).all() or len(drawn) < RESAMPLES // 2:
        return Law(NOTHING._replace(n=n), NOTHING._replace(n=n), bins)
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    delta, coefficient = (Estimate(values[i], float(low[i]), float(high[i]), n) for i in range(2))
    return Law(delta, coefficient, bins)


def difference(size: np.ndarray, impact: np.ndarray, other_size: np.ndarray, other_impact: np.ndarray) -> Estimate:
    """delta of the other impacts less delta of these, of the same n metaorders; they are resampled together."""
    n = len(size)
    if n < 9 or len(other_size) != n:
        return NOTHING._replace(n=n)
    generator = np.random.Generator(np.random.Philox(key=SEED))
    drawn = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        chosen = generator.integers(0, n, n)
        drawn[number] = slope(other_size[chosen], other_impact[chosen])[0] - slope(size[chosen], impact[chosen])[0]
    drawn = drawn[np.isfinite(drawn)]
    value = slope(other_size, other_impact)[0] - slope(size, impact)[0]
    if not np.isfinite(value) or len(drawn) < RESAMPLES // 2:
        return NOTHING._replace(n=n)
    return Estimate(value, *(float(each) for each in np.percentile(drawn, [2.5, 97.5])), n)


def against_root(size: np.ndarray, impact: np.ndarray) -> Estimate:
    """Sum of the impacts over that of 0.5 * sqrt(Q / V_D), with its interval; 1: as large as the square-root law."""
    if len(size) < 9:
        return NOTHING._replace(n=len(size))
    return interval(lambda ours, law: float(ours.sum() / law.sum()), impact, ROOT_COEFFICIENT * np.sqrt(size))


def path(impacts: np.ndarray, end: int) -> np.ndarray:
    """Mean path over its mean at the end of the metaorders. impacts: n metaorders by times; end: index of T."""
    mean = impacts.mean(axis=0)
    return mean / mean[end] if mean[end] > 0 else np.full(len(mean), np.nan)


def kept(impacts: np.ndarray, end: int) -> Estimate:
    """Share of the impact at T that is left at the last time, with its interval over resampled metaorders."""
    n = len(impacts)
    if n < 9:
        return NOTHING._replace(n=n)
    generator = np.random.Generator(np.random.Philox(key=SEED))
    drawn = np.array([path(impacts[generator.integers(0, n, n)], end)[-1] for _ in range(RESAMPLES)])
    drawn = drawn[np.isfinite(drawn)]
    value = float(path(impacts, end)[-1])
    if not np.isfinite(value) or len(drawn) < RESAMPLES // 2:
        return NOTHING._replace(n=n)
    return Estimate(value, *(float(each) for each in np.percentile(drawn, [2.5, 97.5])), n)
