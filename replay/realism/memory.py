"""Memory over many scales: detrended fluctuation analysis, and the decay of the autocorrelation of signs.

DFA: Peng et al. (1994), Mosaic organization of DNA nucleotides. Signs: Lillo and Farmer (2004), The long memory of the
efficient market.
"""

from __future__ import annotations

import numpy as np
from perpsim.replay.realism.resample import NOTHING, Estimate, block_length, blocks, interval

SCALE_MIN = 8
SCALES = 12
RESAMPLES = 200
LAGS = np.array([1, 2, 3, 5, 8, 13, 21, 34, 55])


def fluctuation(profile: np.ndarray, scale: int) -> float:
    """Root mean square distance of a profile from a straight line in each of its windows of `scale` values."""
    count = len(profile) // scale
    windows = profile[: count * scale].reshape(count, scale)
    place = np.arange(scale) - (scale - 1) / 2
    slope = windows @ place / (place @ place)
    rest = windows - windows.mean(axis=1, keepdims=True) - slope[:, None] * place
    return float(np.sqrt((rest**2).mean()))


def dfa(values: np.ndarray, scale_max: int | None = None) -> float:
    """Hurst exponent of increments: slope of ln F(s) on ln s, s from 8 to a quarter of them. 0.5: no memory."""
    top = min(scale_max or len(values), len(values) // 4)
    if top < 2 * SCALE_MIN:
        return np.nan
    scales = np.unique(np.geomspace(SCALE_MIN, top, SCALES).astype(int))
    profile = np.cumsum(values - values.mean())
    found = np.array([fluctuation(profile, int(scale)) for scale in scales])
    if not (found > 0).all():
        return np.nan
    return float(np.polyfit(np.log(scales), np.log(found), 1)[0])


def hurst(values: np.ndarray) -> Estimate:
    """DFA exponent. The interval: spread of the exponent between resamples of blocks a quarter of the data long.

    Blocks that long keep the memory inside the scales that are fitted; the interval is put around the estimate of all.
    """
    n = len(values)
    value = dfa(values)
    if not np.isfinite(value) or n < 32 * SCALE_MIN:
        return NOTHING._replace(n=n)
    generator = np.random.Generator(np.random.Philox(key=n))
    length = max(block_length(n), n // 4)
    drawn = np.array([dfa(values[blocks(n, length, generator)], n // 16) for _ in range(RESAMPLES)])
    spread = 1.96 * float(np.nanstd(drawn))
    return Estimate(value, value - spread, value + spread, n)


def sign_memory(signs: np.ndarray) -> dict[int, float]:
    """C(lag) of signs +1 and -1, for the lags that a tenth of them allows."""
    away = signs - signs.mean()
    power = (away * away).mean() if len(signs) else 0.0
    if power <= 0:
        return {}
    lags = LAGS[len(signs) // 10 >= LAGS]
    return {int(lag): float((away[:-lag] * away[lag:]).mean() / power) for lag in lags}


def decay(correlations: dict[int, float]) -> float:
    """gamma of C(lag) ~ lag ** -gamma, over the lags up to the first that is not positive; nan below four of them."""
    lags, values = [], []
    for lag, value in correlations.items():
        if value <= 0:
            break
        lags.append(lag)
        values.append(value)
    return float(-np.polyfit(np.log(lags), np.log(values), 1)[0]) if len(lags) >= 4 else np.nan


def sign_decay(signs: np.ndarray) -> Estimate:
    """gamma of the signs' autocorrelation, with its interval."""
    if len(signs) < 200:
        return NOTHING._replace(n=len(signs))
    return interval(lambda chosen: decay(sign_memory(chosen)), signs, reach=int(LAGS[-1]), resamples=RESAMPLES)


def sign_correlation(signs: np.ndarray) -> Estimate:
    """C(1) of the signs: above 0, buys follow buys."""
    if len(signs) < 30:
        return NOTHING._replace(n=len(signs))
    return interval(lambda a, b: float((a * b).mean() - a.mean() * b.mean()), signs[:-1], signs[1:])
