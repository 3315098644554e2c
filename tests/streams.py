"""Random command streams: a weighted grammar that likes boundaries, seeded, and steered by the twin's state.

A stream looks at the twin to find what is worth asking for: live orders, the band's edge, one unit more than a wallet
can spare. The commands that it yields are plain data, so a failing stream can be cut down and replayed without it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import accumulate

from model import Command, Twin
from model.accounts import removable
from model.contract import lot_hold
from model.margin import available
from model.orders import band_limit, in_liquidation
from model.state import Market, Order, Position
from model.wire import (
    ALL_MARKETS,
    BUY,
    FOK,
    GTC,
    GTD,
    IOC,
    RATE_ONE,
    SELL,
    VALUE_ONE,
    Attribution,
    Flag,
    Kind,
    Leg,
)
from stream_settings import SECOND, Setting
from stream_venue import VenueWords

START_NS = 1_700_000_000 * SECOND
WEIGHTS = {
    "limit": 30, "market": 8, "conditional": 8, "cancel": 7, "amend": 8, "cancel_all": 1, "leverage": 2, "mode": 2,
    "deposit": 3, "withdraw": 3, "margin": 3, "seed": 1, "crowd": 0.5, "mark": 10, "jump": 2, "edge": 2, "index": 2,
    "source": 0, "funding": 1.5, "tick": 2, "rule": 1.2, "state": 1, "account": 0.7, "garbage": 1.2, "depth": 9,
    "snapshot": 1, "trade": 7, "l3": 4, "shock": 0.6, "collateral": 6, "multi": 1.5, "risk_limit": 0,
    "flow": 0,
}  # fmt: skip


class Stream(VenueWords):
    """`next()` yields the next group of commands: one, or a depth message, or a set of marks."""

    def __init__(self, seed: int, setting: Setting, twin: Twin) -> None:
        self.rng = random.Random(seed)
        self.setting, self.venue = setting, twin.venue
        self.scale, self.money, self.lots = setting.scale, setting.money * VALUE_ONE, setting.lots
        weights = {name: weight * setting.weights.get(name, 1) for name, weight in WEIGHTS.items()}
        if not setting.l3:
            weights["l3"] = 0
        if any(m.constituents for m in self.venue.markets):
            weights["source"] = setting.weights.get("source", 1)
        if any(m.risk_limits for m in self.venue.markets):
            weights["risk_limit"] = setting.weights.get("risk_limit", 8)
        if any(m.attribution == Attribution.AGAINST for m in self.venue.markets):
            weights["flow"] = setting.weights.get("flow", 4)
        if not twin.venue.collateral:
            weights["collateral"] = weights["multi"] = 0
        self.names, self.weights = list(weights), list(accumulate(weights.values()))
        self.reference = [
            (self.rng.choice((900, 1000, 1100)) if m.tick_value > 1 else 5_000) * self.scale for m in self.venue.markets
        ]
        self.ids = 0
        self.opening = list(self.open(setting))

    def next(self) -> list[Command]:
        if self.opening:
            return [self.opening.pop(0)]
        if self.venue.asked and self.rng.random() < 0.9:
            return self.decision()
        name = self.rng.choices(self.names, cum_weights=self.weights)[0]
        commands = getattr(self, name)()
        self.timed(commands)
        return commands

    def timed(self, commands: list[Command]) -> None:
        """Mostly now or soon; all commands of a group at one instant; rarely in the past."""
        kind = self.rng.random()
        if kind < 0.45:
            return
        later = self.rng.choice((1, 1_000_000, SECOND // 2, SECOND, SECOND, 7 * SECOND))
        if kind > 0.98:
            later *= 20
        now = self.venue.time_ns + (later if kind < 0.995 else -later)
        for c in commands:
            c.time_ns = now

    def open(self, setting: Setting) -> Iterator[Command]:
        """The first seconds: money, leverage, modes, prices."""
        for m in self.venue.markets:
            yield Command(Kind.SET_INDEX, START_NS, market=m.number, value=self.reference[m.number] * m.tick_value)
            if self.rng.random() < 0.9:
                yield Command(Kind.SET_MARK, START_NS, market=m.number, value=self.mark_near(m, 0.0))
        for asset in range(self.venue.assets):
            for fund in range(self.venue.fund_first, self.venue.clearing_first):
                amount = self.rng.choice(setting.funds) * self.money
                if amount:
                    yield Command(Kind.DEPOSIT, account=fund, asset=asset, value=amount)
            for account in range(self.venue.accounts_max):
                amount = self.rng.choice(setting.purses) * self.money + self.rng.randrange(1000)
                yield Command(Kind.DEPOSIT, account=account, asset=asset, value=amount or 1)
        for account in range(self.venue.accounts_max):
            if self.rng.random() < setting.hedge:
                yield Command(Kind.SET_POSITION_MODE, account=account, aux=1)
            for m in self.venue.markets:
                if self.rng.random() < 0.4:
                    yield Command(Kind.SET_MARGIN_MODE, account=account, market=m.number, aux=1)
                if self.rng.random() < 0.6:
                    leverage = self.rng.choice((1, 5, 20, 50))
                    yield Command(Kind.SET_LEVERAGE, account=account, market=m.number, value=leverage)
        if self.venue.collateral:
            yield from self.open_multi()

    def open_multi(self) -> Iterator[Command]:
        """Collateral prices; most accounts in multi-asset mode, some with money in one asset only."""
        for m in self.venue.markets:
            yield Command(Kind.SET_MARGIN_MODE, account=0, market=m.number, aux=0)
        yield Command(Kind.SET_MARGIN_MODE, account=0, aux=2)  # too early
        for asset in self.venue.collateral[1:]:
            yield self.collateral_command(asset)
        for account in range(self.venue.accounts_max):
            if self.rng.random() < 0.8:
                for m in self.venue.markets:
                    yield Command(Kind.SET_MARGIN_MODE, account=account, market=m.number, aux=0)
                poor = self.rng.sample(range(self.venue.assets), self.rng.choice((0, 1, 1, 2)))
                for asset in self.venue.collateral:
                    balance = self.venue.wallet(account, asset.number).balance
                    value = balance if asset.number in poor else balance * 99 // 100 if asset.spot_market >= 0 else 0
                    if value:
                        yield Command(Kind.WITHDRAW, account=account, asset=asset.number, value=value)
                yield Command(Kind.SET_MARGIN_MODE, account=account, aux=2)

    # ---- choices ---------------------------------------------------------------------------------------------------

    def account_number(self) -> int:
        """Any customer; one that is being liquidated more often than chance would have it."""
        if self.rng.random() < 0.1:
            busy = [p.account for p in self.venue.positions if in_liquidation(p)]
            if busy:
                return self.rng.choice(busy)
        return self.rng.randrange(self.venue.accounts_max)

    def pick_market(self) -> Market:
        return self.rng.choice(self.venue.markets)

    def mark_near(self, m: Market, spread: float) -> int:
        """A mark between ticks, around the reference."""
        move = 1 + self.rng.uniform(-spread, spread)
        mark = int(self.reference[m.number] * m.tick_value * move) + self.rng.randrange(m.tick_value)
        return max(1, min(mark, m.price_max * m.tick_value))

    def size(self, m: Market) -> int:
        draw = self.rng.random()
        if draw < 0.15:
            return 1
        if draw < 0.95:
            return self.rng.choice((2, 5, 10, 20, 40, 80, 100, 150)) * self.lots
        return self.rng.choice((m.size_max, m.size_max, m.size_max - 1, m.size_max + 1, 0, m.size_max // 2, -3))

    def affordable(self, account: int, m: Market) -> int:
        """About the largest size that the account's free margin allows, and so about as bad an idea as it can have."""
        held = self.leg(account, m)
        leverage = held.leverage if held else m.leverage_default
        free = max(0, available(self.venue.wallet(account, m.asset), gains=True))
        price = m.mark // m.tick_value or self.reference[m.number]
        return min(m.size_max, free * leverage // lot_hold(m, price)) or self.size(m)

    def price(self, m: Market, side: int) -> int:
        draw = self.rng.random()
        around = m.mark // m.tick_value or self.reference[m.number]
        if draw < 0.75:
            lean = -3 if side == BUY else 3
            return max(1, around + (lean + self.rng.randrange(-7, 8)) * self.scale)
        if draw < 0.85:
            return max(1, around + self.rng.choice((0, 1, -1, 10 * self.scale, -10 * self.scale, 25, -25)))
        if draw < 0.95:
            edge = band_limit(m, side, m.band_up if side == BUY else m.band_down)
            return edge + self.rng.choice((-1, 0, 0, 1))
        return self.rng.choice((1, 1, 2, 0, m.price_max, m.price_max, m.price_max + 1, max(1, around // 2), around * 2))

    def position_side(self, account: int, m: Market) -> int:
        """A leg where the account has two; rarely one that does not suit."""
        if not self.setting.hedge:
            return Leg.BOTH
        if self.rng.random() < 0.02:
            return self.rng.randrange(4)
        return self.rng.choice((Leg.LONG, Leg.SHORT)) if self.venue.hedged(account, m) else Leg.BOTH

    def leg(self, account: int, m: Market) -> Position | None:
        """Some position of the account in the market."""
        return self.venue.find_position(account, m, self.rng.choice((1, 2)) if self.venue.hedged(account, m) else 0)

    def live(self) -> Order | None:
        orders = [o for o in self.venue.orders.values() if o.account != self.venue.world]
        return self.rng.choice(orders) if orders else None

    def new_id(self) -> int:
        self.ids += 1
        if self.rng.random() < 0.02:
            order = self.live()
            return self.rng.choice((-1, 1, 2**62, order.order_id if order else 0))
        return self.ids

    # ---- orders ----------------------------------------------------------------------------------------------------

    def base_order(self, m: Market) -> Command:
        c = Command(Kind.PLACE, account=self.account_number(), market=m.number, order_id=self.new_id())
        c.side = self.rng.randrange(2)
        c.position_side = self.position_side(c.account, m)
        held = self.venue.find_position(c.account, m, c.position_side)
        if held and held.lots and self.rng.random() < 0.5:
            c.side = SELL if held.lots > 0 else BUY
        c.size_lots = self.size(m)
        if held and held.lots and self.rng.random() < 0.15:
            c.size_lots = abs(held.lots) * self.rng.choice((1, 1, 2))
        if self.rng.random() < 0.25:
            c.size_lots = self.affordable(c.account, m) + self.rng.randrange(2)
        c.stp_mode = self.rng.choice((0, 0, 1, 2, 3))
        if self.rng.random() < (0.02 if c.position_side else 0.12):
            c.flags |= Flag.REDUCE_ONLY
        return c

    def limit(self) -> list[Command]:
        m = self.pick_market()
        c = self.base_order(m)
        c.price_ticks = self.price(m, c.side)
        c.tif = self.rng.choices((GTC, IOC, FOK, GTD), (70, 12, 10, 8))[0]
        if c.tif == GTD:
            c.expire_ns = self.venue.time_ns + self.rng.choice((0, 1, SECOND, 5 * SECOND, 40 * SECOND))
        if self.rng.random() < 0.1:
            c.flags |= Flag.POST_ONLY
        return [c]

    def market(self) -> list[Command]:
        c = self.base_order(self.pick_market())
        c.flags |= Flag.MARKET
        c.tif = self.rng.choice((GTC, IOC, IOC, FOK))
        return [c]

    def conditional(self) -> list[Command]:
        m = self.pick_market()
        c = self.base_order(m)
        c.flags |= self.rng.choice((Flag.STOP, Flag.STOP, Flag.TAKE_PROFIT, Flag.TRAILING))
        c.trigger_source = self.rng.randrange(2)
        around = (m.mark // m.tick_value if c.trigger_source else m.last) or self.reference[m.number]
        above = (c.side == BUY) == bool(c.flags & Flag.STOP)
        away = self.rng.choice((-2, 0, 1, 1, 2, 3, 5, 10, 30)) * self.rng.choice((1, self.scale))
        c.trigger_ticks = max(0, around + away if above else around - away)
        c.price_ticks = self.price(m, c.side)
        if c.flags & Flag.TRAILING:
            c.aux = self.rng.choice((0, 1, 1_000_000, 3_000_000, 10_000_000, 50_000_000, RATE_ONE - 1, RATE_ONE))
            c.trigger_ticks = self.rng.choice((0, 0, c.trigger_ticks))
        if self.rng.random() < 0.5:
            c.flags |= Flag.MARKET
            c.price_ticks = self.rng.choice((0, c.price_ticks, c.price_ticks, 2**40 + 7, -(2**40)))
        if self.rng.random() < 0.2:
            c.flags |= Flag.CLOSE_POSITION
            c.size_lots = self.rng.choice((0, 0, 0, 3))
        if self.rng.random() < 0.2:
            c.flags |= Flag.PRICE_PROTECT
        if self.rng.random() < 0.2:
            c.tif, c.expire_ns = GTD, self.venue.time_ns + self.rng.choice((1, SECOND, 9 * SECOND))
        elif self.rng.random() < 0.1:
            c.tif = IOC
        return [c]

    def cancel(self) -> list[Command]:
        order = self.live()
        if order is None or self.rng.random() < 0.05:
            return [Command(Kind.CANCEL, account=self.account_number(), order_id=self.rng.randrange(self.ids + 1))]
        return [
            Command(Kind.CANCEL, account=order.account, market=order.position.market.number, order_id=order.order_id)
        ]

    def amend(self) -> list[Command]:
        order = self.live()
        if order is None:
            return self.limit()
        m = order.position.market
        total = order.filled + order.lots
        c = Command(Kind.AMEND, account=order.account, market=m.number, order_id=order.order_id)
        c.size_lots = self.rng.choice(
            (total, total, total - 1, order.filled, order.filled + 1, total + 5, self.size(m))
        )
        c.price_ticks = self.rng.choice((order.price, order.price, order.price + 1, self.price(m, order.side)))
        if order.flags & Flag.MARKET:
            c.price_ticks = self.rng.choice((0, 1, 2**40 + 7))
        if order.state == 2 and self.rng.random() < 0.5:
            c.trigger_ticks = max(1, order.trigger + self.rng.randrange(-4, 5))
        return [c]

    def cancel_all(self) -> list[Command]:
        market = self.rng.choice((0, ALL_MARKETS, ALL_MARKETS, len(self.venue.markets)))
        return [Command(Kind.CANCEL_ALL, account=self.account_number(), market=market)]

    # ---- accounts --------------------------------------------------------------------------------------------------

    def leverage(self) -> list[Command]:
        m = self.pick_market()
        most = m.tiers[0].leverage_max
        value = self.rng.choice((0, 1, 2, 5, 10, 20, 25, most, most + 1))
        return [Command(Kind.SET_LEVERAGE, account=self.account_number(), market=m.number, value=value)]

    def risk_limit(self) -> list[Command]:
        """Some tier; often one near that of the size, sometimes with a leverage that suits it."""
        m, account = self.pick_market(), self.account_number()
        value = self.rng.choice((0, 1, 2, 3, len(m.tiers), len(m.tiers) + self.rng.randrange(2), -1))
        commands = [Command(Kind.SET_RISK_LIMIT, account=account, market=m.number, value=value)]
        if 0 < value <= len(m.tiers) and self.rng.random() < 0.4:
            most = m.tiers[value - 1].leverage_max
            commands.insert(0, Command(Kind.SET_LEVERAGE, account=account, market=m.number, value=most))
        return commands

    def mode(self) -> list[Command]:
        kind = self.rng.choices((Kind.SET_MARGIN_MODE, Kind.SET_POSITION_MODE), (9, 1))[0]
        number, market = self.account_number(), self.pick_market().number
        return [Command(kind, account=number, market=market, aux=self.rng.choice((0, 1, 1, 2)))]

    def multi(self) -> list[Command]:
        """Into multi-asset mode, or out of it."""
        aux = self.rng.choice((2, 2, 2, 2, 2, 0, 1))
        account, market = self.account_number(), self.pick_market().number
        return [
            Command(Kind.CANCEL_ALL, account=account, market=ALL_MARKETS),
            Command(Kind.SET_MARGIN_MODE, account=account, market=market, aux=aux),
        ]

    def deposit(self) -> list[Command]:
        who = self.account_number()
        if self.rng.random() < 0.15:
            who = self.rng.randrange(len(self.venue.accounts))
        elif self.rng.random() < 0.5:
            who = min(range(self.venue.accounts_max), key=lambda n: self.venue.wallet(n, 0).balance)
        amount = self.rng.choice((1, 20, 100, 500)) * self.money + self.rng.randrange(100)
        asset = self.rng.randrange(self.venue.assets + (self.rng.random() < 0.05))
        return [Command(Kind.DEPOSIT, account=who, asset=asset, value=amount)]

    def withdraw(self) -> list[Command]:
        """At, or one unit beside, what is free."""
        who, asset = self.account_number(), self.rng.randrange(self.venue.assets)
        wallet = self.venue.wallet(who, asset)
        free = min(available(wallet, gains=False), wallet.balance)
        value = self.rng.choice((free + 1, free + 1, free // 2, free // 4, 10 * self.money, 0))
        if self.rng.random() < 0.05:
            value = free
        if self.rng.random() < 0.05:
            who = self.rng.randrange(len(self.venue.accounts))
        return [Command(Kind.WITHDRAW, account=who, asset=asset, value=value)]

    def margin(self) -> list[Command]:
        held = [p for p in self.venue.positions if p.mode and p.lots]
        if not held or self.rng.random() < 0.1:
            return [Command(Kind.MOVE_MARGIN, account=self.account_number(), value=self.money)]
        p = self.rng.choice(held)
        spare, balance = removable(p), p.wallet.balance
        value = self.rng.choice((self.money, -self.money, -spare // 3, -spare, -spare - 1, balance, balance + 1, 0))
        c = Command(Kind.MOVE_MARGIN, account=p.account, market=p.market.number, value=value)
        c.position_side = p.position_side
        return [c]

    def crowd(self) -> list[Command]:
        """Several accounts alike: same money, same position, so one mark finds them all and ranks are tied."""
        m, side = self.pick_market(), self.rng.randrange(2)
        lots, value = self.size(m), self.mark_near(m, 0.01)
        commands = []
        for account in self.rng.sample(range(self.venue.accounts_max), 4):
            wallet = self.venue.wallet(account, m.asset)
            free = min(available(wallet, gains=False), wallet.balance)
            if free > 20 * self.money:
                spare = free - 20 * self.money
                commands.append(Command(Kind.WITHDRAW, account=account, asset=m.asset, value=spare))
            commands.append(
                Command(Kind.SEED_POSITION, account=account, market=m.number, side=side, size_lots=lots, value=value)
            )
        return commands

    def seed(self) -> list[Command]:
        m = self.pick_market()
        c = Command(Kind.SEED_POSITION, account=self.account_number(), market=m.number, side=self.rng.randrange(2))
        c.size_lots, c.value = self.size(m), self.mark_near(m, 0.05)
        if self.rng.random() < 0.5:
            c.size_lots = self.rng.randrange(1, m.size_max)
        if self.rng.random() < 0.05:
            most = m.position_max if m.position_max <= 10 * m.size_max else m.size_max
            c.size_lots = self.rng.choice((most, most, m.position_max + 1))
        if self.rng.random() < 0.05:
            c.value = m.price_max * m.tick_value + self.rng.randrange(2)
        c.aux = self.rng.choice((0, 0, self.money, -1))
        return [c]

    def account(self) -> list[Command]:
        group = self.rng.choice((0, 1, 2, -1, 2**31 - 1, 2**31))
        return [Command(Kind.SET_ACCOUNT, account=self.account_number(), value=group, aux=self.rng.randrange(5))]
