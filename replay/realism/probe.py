"""Random metaorders in a run: drawn from a seed, sent as market orders, measured against the same run without them.

The run without the probe is the control: impact is the mid with the probe over the mid without it, so what the market
did anyway is not in it. A round of metaorders, one after the other, each with a pause behind it, is one run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from perpsim.core import COMMAND, Flag, Kind, Side, Tif
from perpsim.exchange import MarketSpec
from perpsim.replay.errors import InputError
from perpsim.replay.plan import Plan
from perpsim.replay.realism.observe import DAY_NS, Observation, Seen, observe, probed
from perpsim.replay.realism.returns import log_returns, on_grid

SECOND = 1_000_000_000
SIZE_MIN, SIZE_MAX = 0.02, 2.0  # of a metaorder: shares of the mean volume of its duration, log-uniform
PATH = 21  # times at which a path is looked at: from the start to as long after the end as it took, T in the middle
SAFETY = 3  # deposit, in values of what an account trades: it cannot be liquidated
SIZES, SIDES, PLACES, LABELS = range(4)  # what a generator is for


@dataclass(frozen=True)
class Shape:
    """How a metaorder is sent and measured.

    duration_ns  from the first child order to the last; a single one has none, its pause is as long all the same
    settle_ns    from the last child to T: what the venue does about flow in steps is done by then
    """

    duration_ns: int
    children: int = 10
    settle_ns: int = 0

    @property
    def offsets(self) -> np.ndarray:
        """Of the child orders, from the start."""
        return np.arange(self.children) * (self.duration_ns // max(1, self.children - 1))

    @property
    def end_ns(self) -> int:
        """T, from the start: where impact is measured."""
        return int(self.offsets[-1]) + self.settle_ns

    @property
    def slot_ns(self) -> int:
        """From one metaorder of a round to the next."""
        return 2 * self.duration_ns + self.settle_ns


@dataclass(frozen=True, eq=False)
class Round:
    """n metaorders of one run: arrays of n, and the children's lots, array (n, children)."""

    start_ns: np.ndarray
    sign: np.ndarray
    lots: np.ndarray


@dataclass(frozen=True, eq=False)
class Impacts:
    """Metaorders of all rounds; arrays of n.

    size    executed Q / V_D
    path    signed log mid against the control over that at the start, in sigma_D: array (n, PATH)
    sigma   sigma_D, root of the realised variance of 1 s returns of the control, scaled to a day
    volume  V_D, lots, scaled to a day
    lost    metaorders of which nothing was executed; they are left out
    """

    size: np.ndarray
    path: np.ndarray
    sigma: float
    volume: float
    lost: int

    @property
    def end(self) -> int:
        return PATH // 2

    @property
    def final(self) -> np.ndarray:
        """Impact at T."""
        return self.path[:, self.end]


def scale(control: Observation) -> tuple[float, float]:
    """(sigma_D, V_D in lots) of a run, scaled to 24 hours."""
    days = (control.end_ns - control.start_ns) / DAY_NS
    returns = log_returns(on_grid(control.time_ns, control.mid, control.grid(SECOND)))
    return float(np.sqrt((returns**2).sum() / days)), float(control.trade_lots.sum() / days)


def draw(control: Observation, spec: MarketSpec, count: int, shape: Shape, seed: int) -> list[Round]:
    """`count` metaorders in as many rounds as they need; the same for every run of the same length and seed.

    Children are at least as large as the market takes, half above its smallest notional; so the smallest sizes are cut.
    Raises InputError where the run is too short for one, or nothing trades in it.
    """
    slot, duration_ns = shape.slot_ns, shape.duration_ns
    places = (control.end_ns - control.start_ns) // slot - 1  # what is left is for a random start
    if places < 1:
        raise InputError(f"the run is too short for metaorders of {duration_ns / SECOND:g} s; shorten --duration")
    _, volume = scale(control)
    mean = volume * duration_ns / DAY_NS
    if mean <= 0:
        raise InputError("nobody trades in this run, so there is no volume to measure metaorders by")

    def generator(component: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=np.array([seed, component], np.uint64)))

    shares = np.exp(generator(SIZES).uniform(np.log(SIZE_MIN), np.log(SIZE_MAX), count))
    one = abs(spec.value_at(1_000_000, _price(control, spec))) / 1_000_000  # value of a lot
    least = max(1, math.ceil(1.5 * spec.min_notional / one))
    most = spec.size_max or least
    lots = np.clip(np.rint(shares * mean / shape.children), least, max(least, most)).astype(np.int64)
    sign = generator(SIDES).choice(np.array([-1, 1]), count)
    offsets = generator(PLACES).integers(0, slot, -(-count // places))
    rounds = []
    for number, offset in enumerate(offsets):
        mine = slice(number * places, min((number + 1) * places, count))
        starts = control.start_ns + offset + slot * np.arange(len(sign[mine]))
        rounds.append(Round(starts, sign[mine], np.repeat(lots[mine, None], shape.children, axis=1)))
    return rounds


def commands(
    plan: Plan, market: int, around: Round, first: int, shape: Shape, price: int, labels: np.ndarray
) -> np.ndarray:
    """Deposits, then the child orders, as COMMAND.

    first   id of the first probe account
    price   1e-8 of the quote, for the deposits
    labels  account of each child, from 0: array (n, children); child i of metaorder j has the id j * children + i + 1
    """
    n = len(around.sign)
    spec = plan.markets[market].spec
    traded = np.bincount(labels.ravel(), around.lots.ravel(), n).astype(np.int64)
    deposits = np.zeros(n, COMMAND)
    deposits["kind"], deposits["account"] = Kind.DEPOSIT, first + np.arange(n)
    deposits["value"] = [max(1, SAFETY * abs(spec.value_at(int(lots), price))) for lots in traded]
    leverage = deposits.copy()
    leverage["kind"], leverage["value"], leverage["market"] = Kind.SET_LEVERAGE, 1, market
    children = np.zeros(n * shape.children, COMMAND)
    children["kind"], children["market"], children["flags"] = Kind.PLACE, market, int(Flag.MARKET)
    children["tif"] = Tif.IOC
    children["time_ns"] = (around.start_ns[:, None] + shape.offsets).ravel()
    children["account"] = first + labels.ravel()
    children["order_id"] = np.arange(n * shape.children) + 1
    children["side"] = np.repeat(np.where(around.sign > 0, Side.BUY, Side.SELL), shape.children)
    children["size_lots"] = around.lots.ravel()
    return np.concatenate([deposits, leverage, children])


def measure(
    plan: Plan, control: Seen, market: int, rounds: list[Round], shape: Shape, *, scrambled: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Impacts:  # fmt: skip
    """Run the plan once a round with its metaorders in it, and measure them against the control.

    scrambled  the accounts of all child orders of a round are permuted: the same orders, other names on them
    """
    calm = control.markets[market]
    sigma, volume = scale(calm)
    if sigma <= 0:
        raise InputError("the price never moves in this run, so impact has no unit")
    sizes, paths = [], []
    for number, around in enumerate(rounds):
        n = len(around.sign)
        labels = np.repeat(np.arange(n), shape.children)
        if scrambled:
            labels = np.random.Generator(np.random.Philox(key=[number, LABELS])).permutation(labels)
        labels = labels.reshape(n, shape.children)
        price = _price(calm, plan.markets[market].spec)
        sent = commands(plan, market, around, plan.accounts, shape, price, labels)
        seen, runner = observe(probed(plan, n), None, sent)
        sizes.append(_executed(runner.fills, plan.accounts, market, n, shape.children) / volume)
        paths.append(_paths(seen.markets[market], calm, around, shape) / sigma)
        if progress:
            progress(number + 1, len(rounds))
    size, path = np.concatenate(sizes), np.concatenate(paths)
    good = (size > 0) & np.isfinite(path).all(axis=1)
    return Impacts(size[good], path[good], sigma, volume, int((~good).sum()))


def _price(control: Observation, spec: MarketSpec) -> int:
    """A price that asks for enough deposit: the highest of a linear market, the lowest of an inverse one."""
    chosen = control.bid.min() if spec.inverse else control.ask.max()
    return int(chosen) * spec.tick_value


def _executed(fills: list[np.ndarray], first: int, market: int, n: int, children: int) -> np.ndarray:
    """Lots that the child orders of each of n metaorders got."""
    done = np.zeros(n)
    for part in fills:
        mine = part[(part["account"] >= first) & (part["account"] < first + n) & (part["market"] == market)]
        mine = mine[mine["order_id"] > 0]
        np.add.at(done, (mine["order_id"] - 1) // children, mine["size_lots"])
    return done


def _paths(seen: Observation, control: Observation, around: Round, shape: Shape) -> np.ndarray:
    """Signed log ratio of the mids, over that just before the start: array (n, PATH)."""
    until = np.linspace(0, shape.end_ns, PATH // 2 + 1)
    after = shape.end_ns + np.linspace(0, shape.duration_ns, PATH // 2 + 1)[1:]
    times = around.start_ns[:, None] + np.concatenate([until, after]).astype(np.int64)
    times[:, 0] -= 1  # before the first child

    def apart(when: np.ndarray) -> np.ndarray:
        mids = [on_grid(each.time_ns, each.mid, when.ravel()).reshape(when.shape) for each in (seen, control)]
        return np.log(mids[0] / mids[1])

    away = apart(times)
    return around.sign[:, None] * (away - away[:, :1])
