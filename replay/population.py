"""Accounts with positions, drawn from a scenario's distributions.

The longs and the shorts of a population both sum to the open interest, exactly, in lots. Every account starts healthy:
its deposit is its entry margin |cost| / leverage, plus whatever the equity at the first mark lacks to the initial
margin there, plus a cushion. So equity at the start is at least |value| / leverage, which is above maintenance.

Draws come from counter-based generators keyed by (seed, component), one for each population and each quantity: another
bot, or another population, changes no draw, and more accounts leave the first ones' draws as they are. Logarithms and
exponentials differ in the last bit between processors, so every draw is cut to a coarser whole number before any
amount is computed from it, and everything after that is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from perpsim.core import COMMAND, Kind, MarginMode, Side
from perpsim.exchange import MarketSpec
from perpsim.exchange.units import on_grid
from perpsim.replay.scenario import Leverage, Population, Size

WEIGHT_BITS = 40  # of a size before it is scaled to the open interest
EQUITY, TAIL, LEVERAGE, SIDE, MODE, ENTRY, CUSHION = range(7)  # what a generator is for
COMPONENTS = 16  # generators reserved for each population

Refuse = Callable[[str, str], Exception]  # (key, message) -> the error to raise


@dataclass(frozen=True, eq=False)
class Crowd:
    """The n accounts of one population: `first`, `first` + 1, …; arrays of n."""

    first: int
    market: int
    labels: list[str]  # names of the cohorts
    cohort: np.ndarray  # index of the account's label
    lots: np.ndarray  # signed
    leverage: np.ndarray
    isolated: np.ndarray  # bool
    entry_value: np.ndarray  # 1e-8 of the quote, on the tick grid
    deposit: np.ndarray  # 1e-8 of the settlement asset
    margin_added: np.ndarray  # what goes into an isolated position beyond its entry margin

    def __len__(self) -> int:
        return len(self.lots)


@dataclass(frozen=True, eq=False)
class Ground:
    """Where a population is set: one market at the moment of the start."""

    spec: MarketSpec
    market: int  # its number in the engine
    mark_value: int  # 1e-8 of the quote
    seed: int
    refuse: Refuse


def draw(population: Population, ground: Ground, number: int, first: int) -> Crowd:
    """The accounts of population `number` of a scenario, ids from `first` on.

    Raises what the ground's `refuse` makes of (key below the population, message) where no such population can exist.
    """
    count, spec, refuse = population.accounts, ground.spec, ground.refuse

    def generator(component: int) -> np.random.Generator:
        key = np.array([ground.seed, number * COMPONENTS + component], np.uint64)
        return np.random.Generator(np.random.Philox(key=key))

    rank = generator(EQUITY).standard_normal(count)
    other = generator(LEVERAGE).standard_normal(count)
    rho = population.correlation
    cohort = _by_rank(rho * rank + (1 - rho * rho) ** 0.5 * other, [part.weight for part in population.leverage])
    leverage = np.array([part.leverage for part in population.leverage], np.int64)[cohort]
    if int(leverage.max()) > spec.tiers[0].leverage_max:
        allowed = spec.tiers[0].leverage_max
        raise refuse("leverage", f"{leverage.max()} is above {allowed}, the most that {spec.symbol} allows")
    longs = np.zeros(count, bool)
    longs[generator(SIDE).permutation(count)[: round(population.long_share * count)]] = True
    weight = _whole(_equity(rank, population.size, generator(TAIL)) * leverage)
    lots = _positions(population, spec, weight, longs, refuse)
    entry_value = _entries(population, leverage, ground, generator(ENTRY)) * spec.tick_value
    leverage = _capped(lots, leverage, entry_value, ground)
    cushion = np.floor(generator(CUSHION).random(count) * population.cushion * 1e6).astype(np.int64)
    deposit, margin_added = _deposits(lots, leverage, entry_value, cushion, ground)
    return Crowd(
        first=first,
        market=ground.market,
        labels=[_label(population, part) for part in population.leverage],
        cohort=cohort,
        lots=lots,
        leverage=leverage,
        isolated=generator(MODE).random(count) < population.isolated_share,
        entry_value=entry_value,
        deposit=deposit,
        margin_added=margin_added,
    )


def commands(crowd: Crowd, time_ns: int, venue: int = 0) -> np.ndarray:
    """Deposits, leverages, margin modes and positions of a crowd, as COMMAND, in that order."""
    isolated = np.flatnonzero(crowd.isolated)
    everyone = np.arange(len(crowd))
    parts = []
    for kind, members, fields in (
        (Kind.DEPOSIT, everyone, {"value": crowd.deposit}),
        (Kind.SET_LEVERAGE, everyone, {"value": crowd.leverage}),
        (Kind.SET_MARGIN_MODE, isolated, {"aux": MarginMode.ISOLATED}),
        (
            Kind.SEED_POSITION,
            everyone,
            {
                "side": np.where(crowd.lots > 0, Side.BUY, Side.SELL),
                "size_lots": np.abs(crowd.lots),
                "value": crowd.entry_value,
                "aux": np.where(crowd.isolated, crowd.margin_added, 0),
            },
        ),
    ):
        part = np.zeros(len(members), COMMAND)
        part["kind"], part["time_ns"], part["venue"], part["market"] = kind, time_ns, venue, crowd.market
        part["account"] = crowd.first + members
        for name, values in fields.items():
            part[name] = values
        parts.append(part)
    return np.concatenate(parts)


def check_healthy(crowd: Crowd, accounts: np.ndarray, refuse: Refuse) -> None:
    """Raise if anybody is under maintenance; `accounts` is the engine's array of ACCOUNT after the crowd's commands."""
    mine = accounts[crowd.first : crowd.first + len(crowd)]
    cross = mine["cross_equity"] < mine["cross_maintenance"]
    isolated = mine["equity"] - mine["cross_equity"] < mine["maintenance"] - mine["cross_maintenance"]
    if (cross | isolated).any():
        raise refuse("accounts", f"{int((cross | isolated).sum())} accounts would be liquidated at the start")


def _label(population: Population, part: Leverage) -> str:
    label = part.name or f"{part.leverage}x"
    return f"{population.name} {label}" if population.name else label


def _by_rank(values: np.ndarray, weights: list[float]) -> np.ndarray:
    """Index of a part for each value: the lowest values get part 0, and so on, in the proportions of the weights."""
    ends = np.floor(np.cumsum(weights) / np.sum(weights) * len(values) + 0.5).astype(np.int64)
    part = np.empty(len(values), np.int64)
    part[np.argsort(values, kind="stable")] = np.searchsorted(ends[:-1], np.arange(len(values)), side="right")
    return part


def _equity(rank: np.ndarray, size: Size, generator: np.random.Generator) -> np.ndarray:
    """Equity up to a factor: exp(sigma * rank), above the tail's threshold Pareto; the order of the ranks stays."""
    equity = np.exp(size.sigma * rank)
    tail = int(size.tail * len(rank))
    if tail:
        rich = np.argsort(rank, kind="stable")[-tail:]
        threshold = equity[rich[0]]
        equity[rich] = threshold * np.sort((1.0 - generator.random(tail)) ** (-1.0 / size.alpha))
    return equity


def _whole(sizes: np.ndarray) -> np.ndarray:
    """Sizes as whole numbers of at most WEIGHT_BITS bits, fewer where their sum would leave 62."""
    bits = min(WEIGHT_BITS, 61 - len(sizes).bit_length())
    return np.maximum(np.floor(sizes / sizes.max() * 2.0**bits), 1).astype(np.int64)


def _positions(
    population: Population, spec: MarketSpec, weight: np.ndarray, longs: np.ndarray, refuse: Refuse
) -> np.ndarray:
    """Signed lots in proportion to the weights; each side sums to the open interest."""
    try:
        total = on_grid(population.open_interest, spec.lot, "open interest")
    except ValueError as error:
        raise refuse("open_interest", str(error)) from error
    lots = np.zeros(len(weight), np.int64)
    for side, sign in ((longs, 1), (~longs, -1)):
        people = int(side.sum())
        if people == 0:
            raise refuse("long_share", "there is nobody on one side")
        if people > total:
            raise refuse("open_interest", f"{people} accounts cannot share {total} lots, at least one each")
        lots[side] = sign * _shared_out(total, weight[side])
    if int(np.abs(lots).max()) > spec.position_max:
        raise refuse("open_interest", "the largest position is beyond what the market can represent")
    return lots


def _shared_out(lots: int, weights: np.ndarray) -> np.ndarray:
    """Whole lots in proportion to weights, one at least, summing to `lots` exactly: cumulated, then rounded down."""
    reached = np.cumsum(weights)
    ends = np.floor((lots - len(weights)) * (reached / reached[-1])).astype(np.int64)
    return 1 + np.diff(ends, prepend=0)


def _entries(
    population: Population, leverage: np.ndarray, ground: Ground, generator: np.random.Generator
) -> np.ndarray:
    """Entry prices in ticks. High leverage does not last, so its entries lie closer to the mark."""
    entry = population.entry
    distance = entry.mean + entry.spread * generator.standard_normal(len(leverage))
    distance *= leverage.astype(np.float64) ** -entry.turnover
    ticks = np.rint(ground.mark_value / ground.spec.tick_value * np.exp(distance))
    return np.clip(ticks, ground.spec.price_min, ground.spec.price_max).astype(np.int64)


def _value(lots: np.ndarray, price_value: np.ndarray | int, spec: MarketSpec) -> np.ndarray:
    """Value of signed lots at a price in 1e-8, rounded down as the core does, in steps that stay within 64 bits."""
    if spec.inverse:
        prices = np.broadcast_to(price_value, lots.shape)
        return np.array([spec.value_at(*pair) for pair in zip(lots.tolist(), prices.tolist(), strict=True)], np.int64)
    tick_lot_money = spec.tick_value * spec.lot_numerator // spec.lot_denominator
    ticks, rest = np.divmod(price_value, spec.tick_value)
    return lots * (ticks * tick_lot_money) + lots * rest * spec.lot_numerator // spec.lot_denominator


def _capped(lots: np.ndarray, leverage: np.ndarray, entry_value: np.ndarray, ground: Ground) -> np.ndarray:
    """Leverages cut to what the bracket of each position allows."""
    tiers = ground.spec.tiers
    notional = np.maximum(
        np.abs(_value(lots, entry_value, ground.spec)), np.abs(_value(lots, ground.mark_value, ground.spec))
    )
    tier = np.searchsorted(np.array([each.cap for each in tiers], np.int64), notional)
    if int(tier.max()) >= len(tiers):
        message = f"the largest position is beyond the last bracket of {ground.spec.symbol}"
        raise ground.refuse("open_interest", message)
    return np.minimum(leverage, np.array([each.leverage_max for each in tiers], np.int64)[tier])


def _deposits(
    lots: np.ndarray, leverage: np.ndarray, entry_value: np.ndarray, cushion: np.ndarray, ground: Ground
) -> tuple[np.ndarray, np.ndarray]:
    """(deposit, part of it that goes beyond the entry margin to meet the initial margin at the mark).

    cushion  millionths of the needed amount that are deposited besides
    """
    cost, value = _value(lots, entry_value, ground.spec), _value(lots, ground.mark_value, ground.spec)
    entry_margin = -(-np.abs(cost) // leverage)
    added = np.maximum(0, -(-np.abs(value) // leverage) - entry_margin - (value - cost))
    needed = entry_margin + added
    return needed + needed // 1_000_000 * cushion, added
