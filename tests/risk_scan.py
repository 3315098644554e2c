"""Who is under maintenance, by looking at everybody: plain formulas over what the engine shows of its records.

Takes from the views what cannot be derived (balances, lots, costs, margins, orders) and computes the rest itself:
values, maintenance by tier method, of orders, collateral, accrued funding. `Crowd` drives an engine whose liquidations
are delayed for good, so that whoever is found stays as he was.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field

from model.collateral import Asset
from model.wire import ALL_MARKETS, RATE_ONE, VALUE_ONE, Flag, Kind, TierMethod
from perpsim.core import Engine, EventKind, MarginMode
from stream_settings import SECOND, VENUE

COIN = 10**16
FINE = 2**32
EIGHT_HOURS = 8 * 3600 * SECOND
START = 1_700_000_000 * SECOND
FOREVER = 10**17
SILENT = {EventKind.MARK, EventKind.COLLATERAL_PRICE}  # what a group tells when nobody is hurt
DELAYED = {"liquidation_delay_ns": FOREVER, "fund_unwind": 0}


def up(a: int, b: int) -> int:
    return -(-a // b)


def value_at(market: dict, lots: int, mark: int) -> int:
    above, below = lots * market["lot_numerator"], market["lot_denominator"]
    if market.get("contract_kind"):
        return -above * COIN // (below * mark)
    return above * mark // below


def maintenance_at(market: dict, notional: int) -> int:
    fee = market.get("close_fee_in_maintenance", 0)
    if market.get("tier_method") == TierMethod.LINEAR:
        square = up(up(notional**2, VALUE_ONE) * market["maintenance_slope"], RATE_ONE)
        return min(up(notional, 2), up(notional * (market["maintenance_base"] + fee), RATE_ONE) + square)
    tiers = market["tiers"]
    _, rate, deduction, _ = next((tier for tier in tiers if notional <= tier[0]), tiers[-1])
    return up(notional * (rate + fee), RATE_ONE) - deduction


@dataclass
class Accrual:
    """Funding of one market since the beginning, in 2^-32 of a unit a lot, and where each position was settled."""

    market: dict
    mark: int = 0
    rate: int = 0
    since: int = 0
    index: int = 0
    settled: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))

    def at(self, now: int) -> int:
        if not self.mark:
            return self.index
        above, below = self.market["lot_numerator"], self.market["lot_denominator"]
        if self.market.get("contract_kind"):
            lot = above * COIN * FINE // (self.mark * below)
        else:
            lot = self.mark * above * FINE // below
        moved = lot * abs(self.rate) * (now - self.since) // EIGHT_HOURS // RATE_ONE
        return self.index + (moved if self.rate > 0 else -moved)

    def change(self, now: int, mark: int | None = None, rate: int | None = None) -> None:
        if self.since != now:
            self.index, self.since = self.at(now), now
        self.mark = self.mark if mark is None else mark
        self.rate = self.rate if rate is None else rate

    def owed(self, holder: tuple[int, int], lots: int, now: int) -> int:
        return up(lots * (self.at(now) - self.settled[holder]), FINE)


class Crowd:
    """An engine, what was told to it, and the scan. A unit is (account, asset, market); of a cross pool ALL_MARKETS."""

    def __init__(self, rng: random.Random, markets: list[dict], accounts: int, **options: object) -> None:
        self.rng, self.markets, self.count = rng, markets, accounts
        collateral, rules = options.pop("collateral", ()), options.pop("rules", {})
        self.assets = [Asset(number, terms) for number, terms in enumerate(collateral)]
        terms = {"collateral": list(collateral)} if collateral else {}
        self.engine = Engine(
            VENUE | DELAYED | terms | rules, markets, accounts, assets=options.pop("assets", 1), audit=0
        )
        self.now = START
        self.marks = [100 * VALUE_ONE] * len(markets)
        self.accruals = [Accrual(market) for market in markets]
        self.found = self.spared = 0
        self.do(Kind.TICK, time_ns=self.now)
        for number in range(len(markets)):
            self.do(Kind.SET_INDEX, market=number, value=self.marks[number])
            self.set_mark(number, self.marks[number], more=False)
        for number in range(1, len(self.assets)):
            self.do(Kind.SET_COLLATERAL_PRICE, asset=number, value=self.assets[number].given)
        self.engine.drain()

    def do(self, kind: int, **fields: int) -> None:
        assert self.engine.submit(kind=kind, **fields) == 0, (Kind(kind).name, fields)

    def set_mark(self, number: int, mark: int, *, more: bool) -> None:
        self.marks[number] = mark
        self.accruals[number].change(self.now, mark=mark)
        self.do(Kind.SET_MARK, market=number, value=mark, flags=Flag.MORE * more)

    def seed(self, account: int, number: int, lots: int, **fields: int) -> None:
        side, value = int(lots < 0), self.marks[number]
        self.do(
            Kind.SEED_POSITION, account=account, market=number, side=side, size_lots=abs(lots), value=value, **fields
        )
        self.accruals[number].settled[account, number] = self.accruals[number].at(self.now)

    # ---- the scan --------------------------------------------------------------------------------------------------

    def maintenance(self, p, value: int) -> int:
        return maintenance_at(self.markets[p["market"]], abs(value)) if p["lots"] else 0

    def position_health(self, p) -> tuple[int, int]:
        """(what it adds to an equity, its maintenance)."""
        number, lots = int(p["market"]), int(p["lots"])
        if not lots:
            return 0, 0
        market = self.markets[number]
        value = value_at(market, lots, self.marks[number])
        gain = value - int(p["cost"])
        if market.get("funding_continuous"):
            gain -= self.accruals[number].owed((int(p["account"]), number), lots, self.now)
        return gain, self.maintenance(p, value)

    def orders_by_position(self) -> dict[tuple[int, int], int]:
        total = defaultdict(int)
        for o in self.engine.orders():
            market = self.markets[o["market"]]
            if market.get("order_maintenance"):
                tick = market["tick_value"] * market["lot_numerator"] // market["lot_denominator"]
                total[int(o["account"]), int(o["market"])] += int(o["price_ticks"]) * int(o["size_lots"]) * tick
        return total

    def scan(self) -> dict[tuple[int, int, int], int]:
        """Health of every unit that is in no liquidation."""
        wallets, isolated, staged = defaultdict(lambda: [0, 0]), {}, set()
        for w in self.engine.accounts():
            if w["account"] < self.count:
                wallets[int(w["account"]), int(w["asset"])][0] = int(w["balance"])
                if w["stage"]:
                    staged.add((int(w["account"]), int(w["asset"]), ALL_MARKETS))
        for p in self.engine.positions():
            account, number = int(p["account"]), int(p["market"])
            if account >= self.count:
                continue
            gain, needed = self.position_health(p)
            asset = self.markets[number]["asset"]
            if p["mode"] == MarginMode.ISOLATED:
                if p["lots"] and not p["stage"]:
                    isolated[account, asset, number] = int(p["isolated_margin"]) + gain - needed
                continue
            wallets[account, asset][0] += gain
            wallets[account, asset][1] += needed
        for (account, number), value in self.orders_by_position().items():
            wallets[account, self.markets[number]["asset"]][1] += maintenance_at(self.markets[number], value)
        units = isolated | (self.pools(wallets) if self.assets else self.single(wallets))
        return {unit: health for unit, health in units.items() if unit not in staged}

    def single(self, wallets: dict) -> dict:
        return {(*wallet, ALL_MARKETS): equity - needed for wallet, (equity, needed) in wallets.items()}

    def pools(self, wallets: dict) -> dict:
        total = defaultdict(int)
        for (account, asset), (equity, needed) in wallets.items():
            total[account, 0, ALL_MARKETS] += self.assets[asset].counts_for(equity) - self.assets[asset].owed(needed)
        return total

    # ---- decisions -------------------------------------------------------------------------------------------------

    def step(self, changes: dict[int, int], prices: dict[int, int] | None = None) -> None:
        """One mark group: new marks and collateral prices. Whom the engine finds must be whom the scan finds.

        Nothing but prices changes in a group, so the scan is of the records before it at the prices after it.
        """
        prices = prices or {}
        self.engine.drain()
        for number, mark in changes.items():
            self.marks[number] = mark
        for number, price in prices.items():
            self.assets[number].price = price
        healths = self.scan()
        expected = {unit for unit, health in healths.items() if health < 0}
        for left, (number, price) in zip(range(len(prices) - 1, -1, -1), prices.items(), strict=True):
            flags = Flag.MORE * (left > 0 or bool(changes))
            self.do(Kind.SET_COLLATERAL_PRICE, asset=number, value=price, flags=flags)
        for left, (number, mark) in zip(range(len(changes) - 1, -1, -1), changes.items(), strict=True):
            self.set_mark(number, mark, more=left > 0)
        events = self.engine.drain()
        started = events[events["kind"] == EventKind.LIQUIDATION_STARTED]
        found = {(int(e["account"]), int(e["asset"]), int(e["market"])) for e in started}
        assert len(found) == len(started)
        assert set(events["kind"].tolist()) <= SILENT | {EventKind.LIQUIDATION_STARTED}
        assert found == expected, f"found {sorted(found - expected)}, missed {sorted(expected - found)}"
        self.found += len(found)
        self.spared += len(healths) - len(expected)

    def walk(self, number: int) -> int:
        """The next mark of a market: mostly a small step, at times a gap, at times back to where it began, or none."""
        now, choice = self.marks[number], self.rng.random()
        if choice < 0.08:
            return now
        if choice < 0.18:
            return 100 * VALUE_ONE
        reach = self.rng.choice((0.0005, 0.002, 0.002, 0.01, 0.06))
        return max(50 * VALUE_ONE, int(now * (1 + self.rng.uniform(-reach, reach))))
