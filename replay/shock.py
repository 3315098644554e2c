"""A path of factors that bends a recording: recorded prices and index are multiplied by it as they are replayed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from perpsim.core import COMMAND, Kind

RATE_ONE = 1_000_000_000
FACTOR_MAX = 100 * RATE_ONE


def path_commands(
    points: list[tuple[int, int]], step_ns: int, start_ns: int, markets: list[int], venue: int = 0
) -> np.ndarray:
    """SET_SHOCK commands along a path, linear in time between its points, one a step and one at each point.

    points    (nanoseconds after start_ns, factor in 1e-9), times rising
    markets   engine numbers of the markets that follow the path

    Before the first point the recording is as it was; after the last the factor stays. Raises ValueError, saying
    which point, for times that do not rise, factors out of (0, 100] and a step that is not positive.
    """
    if step_ns <= 0:
        raise ValueError("the step must be longer than nothing")
    before = -1
    for number, (time_ns, factor) in enumerate(points):
        if time_ns <= before or time_ns < 0:
            raise ValueError(f"point {number}: its time is not after the one before")
        if not 0 < factor <= FACTOR_MAX:
            raise ValueError(f"point {number}: the factor must be above 0 and at most 100")
        before = time_ns
    times, factors = _steps(points, step_ns)
    commands = np.zeros(len(times) * len(markets), COMMAND)
    commands["kind"], commands["venue"] = Kind.SET_SHOCK, venue
    commands["time_ns"] = start_ns + np.repeat(times, len(markets))
    commands["value"] = np.repeat(factors, len(markets))
    commands["market"] = np.tile(np.array(markets, np.int64), len(times))
    return commands


def _steps(points: list[tuple[int, int]], step_ns: int) -> tuple[np.ndarray, np.ndarray]:
    """(times, factors) at which the factor changes, both int64; rounded down, so that every machine agrees."""
    times, factors = [points[0][0]], [points[0][1]]
    for (from_ns, start), (to_ns, end) in pairwise(points):
        for time_ns in range(from_ns + step_ns, to_ns, step_ns):
            times.append(time_ns)
            factors.append(start + (end - start) * (time_ns - from_ns) // (to_ns - from_ns))
        times.append(to_ns)
        factors.append(end)
    changed = np.diff(np.array(factors, np.int64), prepend=RATE_ONE) != 0
    return np.array(times, np.int64)[changed], np.array(factors, np.int64)[changed]
