"""Resilience of the depth at the best prices, and the rhythm of events."""

from __future__ import annotations

import numpy as np

DRAIN = 2.0  # standard deviations below the mean: the depth has been hit


def recoveries(depth: np.ndarray, time_ns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(updates, seconds) from each hit until the depth is back within one standard deviation of its mean.

    A hit is an update by which the depth falls from within one standard deviation to `DRAIN` or more below the mean of
    its logarithm (depth is skewed); hits that never recover are left out. Arrays of one length.
    """
    logs = np.log(np.maximum(depth, 0.5))
    middle, spread = logs.mean(), logs.std()
    if spread == 0:
        return np.empty(0, int), np.empty(0)
    inside = logs >= middle - spread
    hit = np.flatnonzero(inside[:-1] & (logs[1:] <= middle - DRAIN * spread)) + 1
    back = np.flatnonzero(inside)
    place = np.searchsorted(back, hit)
    hit, place = hit[place < len(back)], place[place < len(back)]
    end = back[place]
    return end - hit, (time_ns[end] - time_ns[hit]) / 1e9


def mode_of_times(time_ns: np.ndarray, per_decade: int = 10) -> tuple[float, float]:
    """(seconds, share) of the fullest bin of waiting times above zero; ten logarithmic bins a decade from 1 us."""
    waits = np.diff(np.sort(time_ns)) / 1e9
    waits = waits[waits > 0]
    if len(waits) < 30:
        return np.nan, np.nan
    edges = 10 ** np.arange(-6, 4 + 1e-9, 1 / per_decade)
    counts, _ = np.histogram(waits, edges)
    top = int(counts.argmax())
    return float(np.sqrt(edges[top] * edges[top + 1])), float(counts[top] / len(waits))
