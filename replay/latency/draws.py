"""Chance for latencies: counter-based draws, and distributions as integer tables.

A draw is a function of (seed, component, account, n) and of nothing else. From a draw to nanoseconds there are only
whole numbers. The table of a lognormal is made with decimal arithmetic, which is the same everywhere; the normal
quantiles in it are cut to millionths, and a test asserts that none of them is near to a rounding boundary.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from functools import cache
from itertools import pairwise
from statistics import NormalDist

import numpy as np

FEED, ENTRY, RESPONSE, SPIKE, SERVICE, TAKEN = range(6)  # components
FAMILY = 1 << 63  # apart from the generators of populations
ACCOUNT_BITS = 40
BITS = 32  # of a draw
ONE = 1 << BITS
BLOCK = 1024  # draws made together
WORDS = 4  # numbers that Philox makes of one value of its counter
MILLIONTH = 1_000_000
STEPS, TAIL = 1024, 20  # a lognormal's table: steps of probability, and tails down to 2 ** -TAIL

Point = tuple[int, int]  # (probability of 2 ** BITS, ns)


class Draws:
    """Whole numbers below 2 ** BITS, each by its number n."""

    def __init__(self, seed: int, component: int, account: int):
        self._key = np.array([seed, FAMILY | component << ACCOUNT_BITS | account], np.uint64)
        self._block, self._words = -1, []

    def __getitem__(self, n: int) -> int:
        block, place = divmod(n, BLOCK)
        if block != self._block:
            generator = np.random.Philox(key=self._key, counter=block * (BLOCK // WORDS))
            self._block, self._words = block, (generator.random_raw(BLOCK) >> np.uint64(64 - BITS)).tolist()
        return self._words[place]


class Table:
    """A distribution by its quantiles, ns; straight lines between them, rounded down."""

    def __init__(self, points: Sequence[Point]):
        self._shares = [share for share, _ in points]
        self._values = [value for _, value in points]

    def at(self, draw: int) -> int:
        """The quantile of draw / 2 ** BITS."""
        if len(self._shares) == 1:
            return self._values[0]
        above = min(bisect_right(self._shares, draw), len(self._shares) - 1)
        low, high = self._shares[above - 1], self._shares[above]
        base = self._values[above - 1]
        return base + (self._values[above] - base) * (draw - low) // (high - low)


class Stream:
    """A distribution with the draws that are made from it, one after the other."""

    def __init__(self, table: Table, draws: Draws):
        self._table, self._draws, self._n = table, draws, 0

    def next(self) -> int:
        """The next value, ns."""
        self._n += 1
        return self._table.at(self._draws[self._n - 1])


def constant(value_ns: int) -> Table:
    return Table([(0, value_ns)])


def from_quantiles(points: Sequence[tuple[Fraction, int]]) -> Table:
    """From (probability, ns). Raises ValueError unless they go from 0 to 1 and both grow."""
    if len(points) < 2 or points[0][0] != 0 or points[-1][0] != 1:
        raise ValueError("the first quantile must be that of 0 and the last that of 1")
    for (share, value), (next_share, next_value) in pairwise(points):
        if next_share <= share or next_value < value:
            raise ValueError("quantiles must grow: probabilities always, times never less")
    return Table([(int(share * ONE), value) for share, value in points])


def lognormal(median_ns: int, sigma: Decimal) -> Table:
    """exp of a normal with this standard deviation, times the median; cut at one in 2 ** TAIL on both sides."""
    points = []
    with localcontext(Context(prec=28)):
        for share, z in normal_quantiles():
            points.append((share, int(median_ns * (sigma * z / MILLIONTH).exp())))
    return Table([(0, points[0][1]), *points, (ONE, points[-1][1])])


def sigma_of(median_ns: int, high_ns: int, share: Fraction) -> Decimal:
    """The sigma with which the quantile of `share` is `high_ns`."""
    z = round(NormalDist().inv_cdf(float(share)) * MILLIONTH)
    with localcontext(Context(prec=28)):
        return (Decimal(high_ns) / median_ns).ln() * MILLIONTH / z


@cache
def normal_quantiles() -> tuple[Point, ...]:
    """(probability of 2 ** BITS, standard normal quantile in millionths) on the grid of a lognormal's table."""
    low = [ONE >> bits for bits in range(TAIL, STEPS.bit_length() - 1, -1)]
    inside = [ONE // STEPS * step for step in range(1, STEPS)]
    shares = low + inside + [ONE - share for share in reversed(low)]
    return tuple((share, round(NormalDist().inv_cdf(share / ONE) * MILLIONTH)) for share in shares)
