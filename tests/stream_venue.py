"""What a random stream can say about prices, the rulebook, market states and the tape."""

from __future__ import annotations

from model import Command
from model.adl import eligible
from model.margin import Unit
from model.markets import ENDED
from model.state import Market
from model.wire import BUY, RATE_ONE, SELL, VALUE_ONE, Flag, Kind, MarketState, Rule, TapeOrder
from stream_settings import SECOND

PRICE_RULE_VALUES = {
    Rule.INDEX_METHOD: (1, 2, 3, 4), Rule.INDEX_PERIOD: (0, SECOND, -1), Rule.OUTLIER_RULE: (0, 1, 2, 3, 4),
    Rule.OUTLIER_BAND: (10_000_000, 50_000_000, -1), Rule.OUTLIER_RETURN_BAND: (5_000_000, RATE_ONE + 1),
    Rule.OUTLIER_RETURN: (0, 2 * SECOND), Rule.SOURCE_STALE: (0, 5 * SECOND, 30 * SECOND), Rule.SOURCES_FEW: (0, 3, 33),
    Rule.LAST_PRICE_PROTECTION: (0, 1, 2), Rule.MARK_EMA: (0, 20 * SECOND, 10**13 + 1), Rule.MARK_FALLBACK: (0, SECOND),
    Rule.MARK_BOUND_UP: (0, 10_000_000), Rule.MARK_BOUND_DOWN: (0, 10_000_000, -1), Rule.MARK_MID_BOUND: (0, 2_000_000),
    Rule.MARK_STEP: (0, 5 * SECOND), Rule.MARK_UNIT: (0, 3, 10**12 + 1), Rule.PREMIUM_AVERAGE: (0, 1, 2),
    Rule.PREMIUM_SOURCE: (0, 1, 2, 3), Rule.FUNDING_FORMULA: (0, 1, 2, 3), Rule.FUNDING_CHANGE_CAP: (0, 500, -1),
    Rule.FUNDING_CAP_MARGIN: (0, 500_000_000, -1), Rule.FUNDING_CHANGE_MARGIN: (0, 100_000_000, -1),
    Rule.IMPACT_MARGIN: (0, VALUE_ONE, 2**62), Rule.FUNDING_PRICE: (0, 1, 2), Rule.FUNDING_OFFSET: (0, 11 * SECOND),
    Rule.FUNDING_CAPPED_INTERVAL: (0, 10 * SECOND), Rule.FUNDING_QUIET_INTERVAL: (0, 60 * SECOND),
    Rule.FUNDING_QUIET_CYCLES: (0, 1, 0x10000), Rule.FUNDING_QUIET_RATE: (0, 10_000_000, -1),
    Rule.FUNDING_CONTINUOUS: (0, 1, 2),
    Rule.MARK_COMPOSITION: (0, 1, 2), Rule.MARK_WINDOW: (0, 7 * SECOND, -1),
    Rule.MARK_WEIGHT_TRADES: (0, 300_000_000, RATE_ONE + 1), Rule.MARK_WEIGHT_BOOK: (0, 500_000_000, RATE_ONE + 1),
    Rule.MARK_WEIGHT_INDEX: (0, 200_000_000, RATE_ONE + 1),
    Rule.PREMIUM_PERIOD: (0, 3 * SECOND, -1), Rule.INTEREST_RATE: (0, 100_000, 10**12 + 1),
    Rule.FUNDING_INNER: (0, 500_000, -1), Rule.FUNDING_CAP: (0, 20_000_000, -1),
    Rule.IMPACT_NOTIONAL: (0, 50 * VALUE_ONE, -1),
}  # fmt: skip
RULE_VALUES = {
    Rule.MAKER_FEE: (-100_000, 0, 200_000, 200_000, 1 - RATE_ONE, -RATE_ONE, RATE_ONE),
    Rule.TAKER_FEE: (0, 500_000, 500_000, -1, RATE_ONE - 1, RATE_ONE),
    Rule.LIQUIDATION_FEE: (0, 7_000_000, -1, RATE_ONE - 1, RATE_ONE),
    Rule.BAND_UP: (0, 1_050_000_000, 1_200_000_000, -1), Rule.BAND_DOWN: (0, 950_000_000, 800_000_000, RATE_ONE + 1),
    Rule.MARKET_BOUND: (0, 10_000_000, 50_000_000, -1, RATE_ONE), Rule.MIN_NOTIONAL: (0, 5 * VALUE_ONE, -1),
    Rule.MAX_ORDERS: (3, 8, 0xFFFF, 0x10000), Rule.MAX_CONDITIONAL: (0, 4, -1), Rule.FUNDING_INTERVAL: (0, 30 * SECOND),
    Rule.MARK_METHOD: (0, 0, 8), Rule.LIQUIDATION_PERIOD: (0, SECOND, -1), Rule.LIQUIDATION_DELAY: (0, SECOND, -1),
    Rule.REDUCE_METHOD: (*range(12), 12), Rule.REDUCE_LIMIT: (0, 1, 2, 3, 4, 5, 6),
    Rule.REDUCE_SLICE: (100_000_000, 500_000_000, RATE_ONE, RATE_ONE + 1),
    Rule.FUND_NOTIONAL_CAP: (0, RATE_ONE // 2, 2 * RATE_ONE, -1), Rule.FUND_UNWIND: (0, 1, 2, 3, 4),
    Rule.FUND_UNWIND_PERIOD: (0, SECOND), Rule.FUND_UNWIND_SLICE: (0, 500_000_000, RATE_ONE, RATE_ONE + 1),
    Rule.COLLATERAL_ORACLE: (0, 1, 1, 2, 3, 4), Rule.COLLATERAL_SPOT_PRICE: (0, 1, 2),
    Rule.BLEND_SPOT: (RATE_ONE // 2, RATE_ONE, RATE_ONE + 1), Rule.BLEND_INDEX: (0, RATE_ONE // 3, -1),
    Rule.BLEND_REDEMPTION: (0, RATE_ONE // 4, -1), Rule.EXCHANGE_LTV: (0, 950_000_000, RATE_ONE + 1),
    Rule.NET_HEDGES: (0, 1, 1, 2),
    Rule.ADL_POLICY: (*range(22), 23), Rule.ADL_PRICE: (0, 1, 2, 3, 4),
    Rule.ADL_PRICE_BAND: (0, 10_000_000, -1, RATE_ONE + 1), Rule.ADL_FEE: (0, 1, 2),
    Rule.SOCIALISE: (0, 1, 2, 3, 4, 5), Rule.CROSS_ORDER: (0, 1, 2),
    Rule.ADL_LIGHT: (0, 1, 2, 2, 3), Rule.ADL_LIGHT_LEVELS: (3, 5, 0, 101),
    Rule.ADL_LIGHT_PERIOD: (0, SECOND, SECOND, -1),
    Rule.ORDER_MAINTENANCE: (0, 0, 1, 2), Rule.OI_LOWER_CAP: (0, 0, 300 * VALUE_ONE, -1),
    Rule.OI_UPPER_CAP: (0, 0, 0, 2_000 * VALUE_ONE, -1),
    Rule.TAKEOVER: (0, 0, 1, 2, 3, 4, 5), Rule.BACKSTOP_AT: (0, 666_666_667, RATE_ONE + 1),
    Rule.SLICE_ABOVE: (0, 100 * VALUE_ONE), Rule.SLICE_COOLDOWN: (0, 3 * SECOND), Rule.HAND_OVER_TIER: (0, 1, 2, 3),
    Rule.CLOSE_REST: (0, 1, 2), Rule.LIQUIDATION_BUFFER: (0, 0, 2_000_000), Rule.REDUCE_LEAVE: (0, 700_000_000),
    Rule.LIQUIDATION_FEE_BASE: (0, 0, 1, 2, 3, 4), Rule.POSITION_BLOCK_RATE: (0, 100_000_000),
    Rule.POSITION_BLOCK_MIN: (0, 20 * VALUE_ONE), Rule.ACCOUNT_BLOCK_NOTIONAL: (0, 0, 300 * VALUE_ONE),
    Rule.CURE_PERIOD: (0, 5 * SECOND), Rule.CURE_START: (0, 100_000_000), Rule.LIQUIDATOR_FEE: (0, 10_000_000, -1),
    Rule.CLIP_LOTS: (0, 7), Rule.MAINTENANCE_VALUE: (0, 0, 1, 2), Rule.OI_FLOOR_LOTS: (0, 50, -1),
    Rule.LOWER_LIMIT_FIRST: (0, 1, 2),
    Rule.DAY_START: (0, 30 * SECOND, 90 * SECOND, 24 * 3600 * SECOND), Rule.COVER_FROM_FEES: (0, 1, 2),
    Rule.FUND_TRIGGER: (0, 1, 2, 2, 3, 3, 4), Rule.DRAWDOWN_TRIGGER: (100_000_000, RATE_ONE, RATE_ONE + 1),
    Rule.DRAWDOWN_STOP: (0, 50_000_000, 900_000_000), Rule.DRAWDOWN_WINDOW: (0, 30 * SECOND, 600 * SECOND, -1),
    Rule.DRAWDOWN_THRESHOLD: (0, 40 * VALUE_ONE, -1), Rule.FUND_FLOOR: (0, 30 * VALUE_ONE, -1),
    Rule.FUND_SAMPLE_PERIOD: (0, SECOND, 3 * SECOND, 60 * SECOND), Rule.WITHDRAW_GATE: (0, 10 * SECOND, -1),
    Rule.DISPOSAL_FRACTION_MAX: (0, 300_000_000, RATE_ONE + 1), Rule.DISPOSAL_BAND: (0, 50_000_000, RATE_ONE),
    Rule.FUND_LOSS_CAP: (0, RATE_ONE // 5, RATE_ONE, -1),
    Rule.MARK_PERIOD: (SECOND,), Rule.BASIS_SAMPLES: (5,), **PRICE_RULE_VALUES,
    15: (1,), 19: (1,), 99: (1,), 199: (1,), 0: (1,), -1: (1,),
}  # fmt: skip


class VenueWords:
    """Half of a Stream, which has the generator `rng`, the twin's `venue`, the `reference` prices and the choices."""

    # ---- prices and the venue --------------------------------------------------------------------------------------

    def mark(self) -> list[Command]:
        """A group of marks, each a small step; sometimes a market twice."""
        markets = self.rng.sample(self.venue.markets, self.rng.randrange(1, len(self.venue.markets) + 1))
        return self.group([self.mark_command(m, self.rng.choice((0.001, 0.004, 0.01))) for m in markets])

    def jump(self) -> list[Command]:
        markets = self.venue.markets if self.rng.random() < 0.5 else [self.pick_market()]
        return self.group([self.mark_command(m, self.rng.choice((0.05, 0.1, 0.2))) for m in markets])

    def edge(self) -> list[Command]:
        """The last mark at which some unit is still safe, the first at which it is not, or a little beyond."""
        held = [p for p in self.venue.positions if p.lots and p.account < self.venue.accounts_max and p.market.mark]
        if not held:
            return self.mark()
        p = self.rng.choice(held)
        m, unit = p.market, Unit(p.wallet, p if p.mode else None)
        now, safe, unsafe = m.mark, m.mark, 1 if p.lots > 0 else m.price_max * m.tick_value
        while abs(safe - unsafe) > 1:
            m.mark = (safe + unsafe) // 2
            if unit.health() >= 0:
                safe = m.mark
            else:
                unsafe = m.mark
        m.mark = now
        if not now * 3 // 4 < safe < now * 4 // 3:
            return self.mark()
        beyond = unsafe + (unsafe - safe) * self.rng.randrange(1 + safe // 150)
        self.reference[m.number] = max(1, safe // m.tick_value)
        return self.group([Command(Kind.SET_MARK, market=m.number, value=self.rng.choice((safe, unsafe, beyond)))])

    def mark_command(self, m: Market, spread: float) -> Command:
        low, high = (400, 2_500) if m.tick_value > 1 else (2_000 * self.scale, min(12_000 * self.scale, m.price_max))
        value = self.mark_near(m, spread)
        self.reference[m.number] = max(low, min(high, value // m.tick_value))
        if self.rng.random() < 0.002:
            value = self.rng.choice((1, m.tick_value, m.price_max * m.tick_value, m.price_max * m.tick_value + 1))
        return Command(Kind.SET_MARK, market=m.number, value=value, flags=self.rng.choice((0, 0, Flag.TAPE)))

    def collateral_command(self, asset) -> Command:
        """A price near that of the asset's own book, or near one."""
        value = VALUE_ONE
        if asset.number == 1:
            m = self.venue.markets[asset.spot_market]
            value = self.reference[m.number] * m.tick_value
        spread = self.rng.choice((0.002, 0.01, 0.05, 0.3))
        value = int(value * self.rng.uniform(1 - spread, 1 + spread / 3))
        if self.rng.random() < 0.01:
            value = self.rng.choice((0, -1, 10**17 + 1))
        return Command(Kind.SET_COLLATERAL_PRICE, asset=asset.number, value=value)

    def collateral(self) -> list[Command]:
        """A group of collateral prices and marks."""
        commands = [self.collateral_command(self.rng.choice(self.venue.collateral[1:]))]
        while self.rng.random() < 0.4:
            commands.append(self.mark_command(self.pick_market(), 0.02))
        if self.rng.random() < 0.02:
            commands[0].asset = self.rng.choice((0, self.venue.assets))
        self.rng.shuffle(commands)
        return self.group(commands)

    def group(self, commands: list[Command]) -> list[Command]:
        for c in commands[:-1]:
            c.flags |= Flag.MORE
        if self.rng.random() < 0.03:
            commands[-1].flags |= Flag.MORE  # left open: the next command, or time, closes it
        if self.rng.random() < 0.02:
            commands[-1].market = len(self.venue.markets)
        return commands

    def index(self) -> list[Command]:
        m = self.pick_market()
        moved = int(self.reference[m.number] * self.rng.uniform(0.985, 1.015))
        self.reference[m.number] = max(400, min(12_000 * self.scale, m.price_max, moved))
        flags = self.rng.choice((0, Flag.TAPE))
        return self.group([Command(Kind.SET_INDEX, market=m.number, value=self.mark_near(m, 0.002), flags=flags)])

    def source(self) -> list[Command]:
        """Prices of some sources of a market: near each other, some far off, some lost."""
        m = self.rng.choice([m for m in self.venue.markets if m.constituents] or self.venue.markets)
        count = len(m.constituents)
        moved = int(self.reference[m.number] * self.rng.uniform(0.99, 1.01))
        self.reference[m.number] = max(400, min(12_000 * self.scale, m.price_max, moved))
        commands = []
        for number in self.rng.sample(range(count), self.rng.randrange(1, count + 1)) if count else [0]:
            price = self.mark_near(m, self.rng.choice((0.001, 0.004, 0.03, 0.1)))
            if self.rng.random() < 0.08:
                price = self.rng.choice((0, 0, 0, -1, m.price_max * m.tick_value + 1))
            if self.rng.random() < 0.01:
                number = self.rng.choice((-1, count))
            commands.append(Command(Kind.SET_SOURCE, market=m.number, aux=number, value=price))
            commands[-1].flags = self.rng.choice((0, Flag.TAPE))
        return self.group(commands)

    def funding(self) -> list[Command]:
        rate = self.rng.choice((0, 100_000, -300_000, 5_000_000, -20_000_000, 1, RATE_ONE))
        due = self.venue.time_ns + self.rng.choice((-1, 0, SECOND, SECOND, 10 * SECOND, 50 * SECOND))
        return self.group([Command(Kind.SET_FUNDING, market=self.pick_market().number, value=rate, expire_ns=due)])

    def tick(self) -> list[Command]:
        return [Command(Kind.TICK, self.venue.time_ns + self.rng.choice((1, SECOND, 3 * SECOND, 30 * SECOND)))]

    def rule(self) -> list[Command]:
        return [self.rule_command(rule) for rule in self.rng.choices(list(RULE_VALUES), k=self.rng.randrange(1, 4))]

    def rule_command(self, rule: int) -> Command:
        market = self.rng.randrange(len(self.venue.markets) + 1)
        return Command(Kind.SET_RULE, market=market, aux=rule, value=self.rng.choice(RULE_VALUES[rule]))

    def state(self) -> list[Command]:
        """Mostly back to open, so that the stream goes on; a settlement is for good and therefore rare."""
        closed = [m for m in self.venue.markets if m.state not in (MarketState.OPEN, *ENDED)]
        m = self.rng.choice(closed) if closed else self.pick_market()
        if closed and self.rng.random() < 0.85:
            to = MarketState.OPEN
        else:
            to = self.rng.choice((0, 1, 1, 2, 3, 4, 4, 7, MarketState.CLOSED))
        c = Command(Kind.SET_MARKET_STATE, market=m.number, aux=to)
        if self.rng.random() < 0.01 * len(self.venue.markets):
            c.aux = MarketState.SETTLING
            c.value = self.rng.choice((0, self.mark_near(m, 0.05), m.price_max * m.tick_value + 1))
        commands = [c]
        if to in (MarketState.PRE_OPEN, MarketState.AUCTION):
            for _ in range(self.rng.randrange(8)):
                commands += self.limit()
            back = self.rng.choice((MarketState.OPEN, MarketState.OPEN, MarketState.REDUCE_ONLY, MarketState.HALTED))
            commands.append(Command(Kind.SET_MARKET_STATE, market=m.number, aux=back))
        return commands

    def garbage(self) -> list[Command]:
        """Commands that must be refused, or do nothing."""
        c = self.limit()[0]
        what = self.rng.randrange(10)
        if what == 0:
            c.kind = self.rng.choice((0, 30, 200))
        elif what == 1:
            c.market = len(self.venue.markets) + self.rng.randrange(3)
        elif what == 2:
            c.account = self.rng.choice((-1, self.venue.world, len(self.venue.accounts)))
        elif what == 3:
            c.side, c.tif, c.stp_mode = self.rng.choice(((2, 0, 0), (0, 4, 0), (0, 0, 4)))
        elif what == 4:
            c.position_side = 1
        elif what == 5:
            c.flags |= Flag.STOP | Flag.TRAILING
        elif what == 6:
            c.kind = self.rng.choice((Kind.ADL_DECISION, Kind.SET_COLLATERAL_PRICE, Kind.TICK))
        elif what == 7:
            c.flags |= Flag.CLOSE_POSITION
        elif what == 8:
            c = Command(self.rng.choice((Kind.TAPE_LEVEL, Kind.TAPE_TRADE)), price_ticks=5, size_lots=5)
            c.side, c.price_ticks, c.size_lots = self.rng.choice(((2, 5, 5), (0, -1, 5), (0, 10**9, 5), (1, 5, -1)))
        else:
            kind = self.rng.choice((Kind.SET_MARK, Kind.SET_INDEX, Kind.DEPOSIT, Kind.SEED_POSITION))
            c = Command(kind, side=self.rng.choice((0, 2)), size_lots=1, value=self.rng.choice((0, -5, 2**60)))
            c.value = min(c.value, 0) if kind == Kind.DEPOSIT else c.value
        return [c]

    def decision(self) -> list[Command]:
        """What a user's ADL policy may say: all, a part, nothing; now and then something that is wrong."""
        p, _ = self.venue.asked
        others = [q for q in p.market.positions if eligible(self.venue, q, p.lots < 0)]
        self.rng.shuffle(others)
        left = int(abs(p.lots) * self.rng.choice((0, 0.4, 1, 1, 1)))
        commands = []
        for q in others:
            lots = min(left, abs(q.lots), self.rng.randrange(1, abs(q.lots) + 1) if self.rng.random() < 0.4 else left)
            if lots:
                commands.append(Command(Kind.ADL_DECISION, account=q.account, market=p.market.number, size_lots=lots))
                commands[-1].flags = Flag.MORE
            left -= lots
        if not commands or self.rng.random() < 0.3:
            commands.append(Command(Kind.ADL_DECISION, market=p.market.number))
        commands[-1].flags = 0
        if self.rng.random() < 0.15:
            wrong, what = self.rng.choice(commands), self.rng.randrange(6)
            if what == 0:
                wrong.market += 1
            elif what == 1:
                wrong.account = self.rng.randrange(-1, len(self.venue.accounts) + 1)
            elif what == 2:
                wrong.size_lots = -wrong.size_lots
            elif what == 3:
                wrong.account, wrong.size_lots = p.account, 1
            else:
                wrong.size_lots += self.rng.choice((1, 10, 1_000_000))
        return commands

    # ---- the tape --------------------------------------------------------------------------------------------------

    def l2_market(self) -> Market:
        return self.rng.choice([m for m in self.venue.markets if m.number not in self.setting.l3])

    def middle(self, m: Market) -> int:
        return max(60, self.reference[m.number])

    def depth(self) -> list[Command]:
        m = self.l2_market()
        return self.group([self.level(m) for _ in range(self.rng.choice((1, 1, 2, 3, 6)))])

    def level(self, m: Market) -> Command:
        side = self.rng.randrange(2)
        known = list(m.sides[side].world)
        distance = self.rng.choice((1, 1, 2, 3, 4, 6, 10)) * self.scale
        if self.rng.random() < 0.03:
            distance = -distance  # recorded levels may cross: nothing is repaired
        price = self.middle(m) + (-distance if side == BUY else distance)
        lots = self.rng.choice((0, 1, 5, 10, 25, 60, 200)) * self.lots
        if self.rng.random() < 0.1:  # beside an account's own order
            order = self.live()
            if order and order.position.market is m and order.price:
                side, price = order.side, order.price
        elif known and self.rng.random() < 0.5:
            price = self.rng.choice(known)
            lots = self.rng.choice(
                (0, 0, lots, max(0, m.sides[side].world[price].recorded + self.rng.randrange(-9, 10)))
            )
        return Command(Kind.TAPE_LEVEL, market=m.number, side=side, price_ticks=price, size_lots=lots)

    def snapshot(self) -> list[Command]:
        m = self.l2_market()
        commands = [self.level(m) for _ in range(self.rng.randrange(1, 8))]
        for c in commands:
            c.flags |= Flag.SNAPSHOT
        return self.group(commands)

    def trade(self) -> list[Command]:
        m = self.l2_market()
        side = self.rng.randrange(2)
        known = sorted(m.sides[1 - side].world, reverse=side == SELL)
        price = self.rng.choice(known[:4]) if known else self.middle(m)
        if self.rng.random() < 0.2:
            price = max(1, price + self.rng.choice((-30, -2, -1, 1, 2, 30)))
        waiting = [p.claim for queue in m.claims.values() for p in queue]
        if waiting and self.rng.random() < 0.7:
            claim = self.rng.choice(waiting)
            side, price = claim.side, self.rng.choice((price, price, claim.limit, claim.limit - 1, claim.limit + 1))
            price = max(0, min(price - m.shift, m.price_max))
            lots = self.rng.choice((1, claim.left, claim.left, claim.left + 7, max(1, claim.left - 1)))
            return [Command(Kind.TAPE_TRADE, market=m.number, side=side, price_ticks=price, size_lots=lots)]
        lots = self.rng.choice((1, 2, 5, 10, 30, 100, 400)) * self.lots
        return [Command(Kind.TAPE_TRADE, market=m.number, side=side, price_ticks=price, size_lots=lots)]

    def flow(self) -> list[Command]:
        """What an attribution run may have found in the recorded trades that come next, and what none can."""
        m = self.pick_market()
        number = max([m.tape_trades - 1, *m.flow_ahead]) + self.rng.choice((1, 1, 1, 2, 5))
        if self.rng.random() < 0.03:
            number -= self.rng.choice((1, 2, 10))
        lots = self.rng.choice((1, 5, 20, 60, 300)) * self.lots
        if self.rng.random() < 0.02:
            lots = self.rng.choice((0, -1, m.position_max + 1))
        return [Command(Kind.SET_FLOW, market=m.number, aux=number, size_lots=lots)]

    def l3(self) -> list[Command]:
        m = self.venue.markets[self.rng.choice(self.setting.l3)]
        recorded = [o for o in self.venue.orders.values() if o.account == self.venue.world and o.position.market is m]
        c = Command(Kind.TAPE_ORDER, market=m.number, size_lots=self.rng.choice((1, 3, 10, 40, 100)))
        if len(recorded) < 4 or self.rng.random() < 0.4:
            self.ids += 1
            c.aux, c.order_id, c.side = TapeOrder.ADD, self.ids, self.rng.randrange(2)
            distance = self.rng.choice((1, 1, 2, 3, 5))
            c.price_ticks = self.middle(m) + (-distance if c.side == BUY else distance)
            if self.rng.random() < 0.05:
                bad = self.rng.choice((("order_id", self.rng.choice(recorded).order_id if recorded else 1), ("side", 2),
                                       ("size_lots", 0), ("price_ticks", 0)))  # fmt: skip
                setattr(c, *bad)
            return [c]
        order = self.rng.choice(recorded)
        c.order_id = order.order_id + (self.rng.random() < 0.03)
        c.aux = self.rng.choice((TapeOrder.REDUCE, TapeOrder.DELETE, TapeOrder.EXECUTE, TapeOrder.EXECUTE, 4))
        if c.aux == TapeOrder.EXECUTE and self.rng.random() < 0.7:  # where it traded; an eaten order needs it
            c.side, c.price_ticks = order.side, max(1, order.price - m.shift + self.rng.choice((0, 0, 0, -1, 1)))
            if c.order_id == order.order_id and self.rng.random() < 0.2:
                c.order_id = self.rng.randrange(1, self.ids + 1)
        if self.rng.random() < 0.02:
            c.size_lots = 0
        return [c]

    def shock(self) -> list[Command]:
        factor = self.rng.choice((RATE_ONE, 999_000_000, 1_002_000_000, 985_000_000, 1_020_000_000, 0))
        return [Command(Kind.SET_SHOCK, market=self.rng.choice(self.venue.markets).number, value=factor)]
