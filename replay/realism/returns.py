"""Returns of the mid on a grid of times: autocorrelation, excess kurtosis, clustering, volume against volatility."""

from __future__ import annotations

import numpy as np
from perpsim.replay.realism.resample import NOTHING, Estimate, interval

MINIMUM = 30  # returns below which nothing is said


def on_grid(time_ns: np.ndarray, value: np.ndarray, grid_ns: np.ndarray) -> np.ndarray:
    """The last value at or before each time of the grid; nan before the first. time_ns rises."""
    place = np.searchsorted(time_ns, grid_ns, side="right") - 1
    return np.where(place >= 0, np.asarray(value, float)[np.maximum(place, 0)], np.nan)


def log_returns(prices: np.ndarray, steps: int = 1) -> np.ndarray:
    """Logarithmic returns over `steps` steps of the grid, not overlapping. nan prices give no returns."""
    logs = np.log(prices[::steps])
    grown = np.diff(logs)
    return grown[np.isfinite(grown)]


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's; nan where one of them does not vary."""
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / scale) if scale > 0 else np.nan


def autocorrelation(values: np.ndarray, lag: int) -> Estimate:
    """corr(x_t, x_(t+lag)) with its interval: pairs are resampled, so that no block border parts them."""
    if len(values) < MINIMUM + lag:
        return NOTHING._replace(n=max(0, len(values) - lag))
    return interval(correlation, values[:-lag], values[lag:], reach=lag)


def excess_kurtosis(values: np.ndarray) -> float:
    """Fourth standardised moment less 3; 0 for a normal distribution."""
    away = values - values.mean()
    variance = (away**2).mean()
    return float((away**4).mean() / variance**2 - 3) if variance > 0 else np.nan


def kurtosis(values: np.ndarray) -> Estimate:
    """Excess kurtosis with its interval."""
    return interval(excess_kurtosis, values) if len(values) >= MINIMUM else NOTHING._replace(n=len(values))


def kurtosis_fall(prices: np.ndarray, short: int, long: int) -> Estimate:
    """Excess kurtosis over `short` steps less that over `long` steps; above 0: the longer, the more normal.

    Blocks of one-step returns are resampled, each of whole long returns.
    """
    steps = np.diff(np.log(prices))
    steps = steps[np.isfinite(steps)]
    whole = len(steps) // long * long
    rows = steps[:whole].reshape(-1, long)
    if len(rows) < MINIMUM:
        return NOTHING._replace(n=len(rows))

    def fall(chosen: np.ndarray) -> float:
        parts = chosen[:, : long // short * short].reshape(-1, short).sum(axis=1)
        return excess_kurtosis(parts) - excess_kurtosis(chosen.sum(axis=1))

    return interval(fall, rows)


def clustering(values: np.ndarray, lags: range) -> Estimate:
    """Mean over the lags of corr(|r_t|, |r_(t+lag)|)."""
    sizes, last = np.abs(values), max(lags)
    n = len(sizes) - last
    if n < MINIMUM:
        return NOTHING._replace(n=max(0, n))
    shifted = np.stack([sizes[lag : lag + n] for lag in (0, *lags)], axis=1)

    def mean(rows: np.ndarray) -> float:
        return float(np.mean([correlation(rows[:, 0], rows[:, each]) for each in range(1, rows.shape[1])]))

    return interval(mean, shifted, reach=last)


def volume_volatility(values: np.ndarray, volumes: np.ndarray) -> Estimate:
    """corr(|r_t|, volume of the same step)."""
    if len(values) < MINIMUM:
        return NOTHING._replace(n=len(values))
    return interval(correlation, np.abs(values), np.asarray(volumes, float))
