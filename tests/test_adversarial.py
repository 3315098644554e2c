"""Attacks and extremes: what each may cost the venue, exactly, with every invariant checked after each command.

Prices in ticks of 0.1; a lot is a hundredth of a coin, so at 1,000 ticks it is worth 1 (see test_regressions.Desk).
"""

import time

import numpy as np
import pytest
from perpsim.core import (
    COMMAND,
    AdlPolicy,
    AdlPrice,
    Engine,
    EventKind,
    FundUnwind,
    Kind,
    MarginMode,
    ReduceLimit,
    Reject,
    Side,
    Socialise,
    Tif,
)
from stream_settings import MARKET, VENUE, tiers
from test_regressions import FLAT_TIER, NOW, ONE, PLAIN, Desk

ATTACKERS = LONG, SHORT = 0, 1


def batch(kind: Kind, count: int, **fields) -> np.ndarray:
    commands = np.zeros(count, COMMAND)
    commands["kind"] = kind
    for name, value in fields.items():
        commands[name] = value
    return commands


def of(events: np.ndarray, kind: EventKind) -> np.ndarray:
    return events[events["kind"] == kind]


class TestSelfTradeDrain:
    """One owner on both sides of a trade: what one account cannot pay, the other one gains."""

    def attack(self, gap_to: int, fund: int, capital: int = 5, **venue):
        """Open at 1,380 both ways, 10 lots, let the price gap, close with the fund's own forced sale."""
        desk = Desk(rich=0, accounts=4, mark=1_380, fund_unwind=FundUnwind.AT_ONCE, **venue)
        self.fund = desk.engine.house["funds"][0]
        if fund:
            desk.deposit(self.fund, fund)
        desk.deposit(LONG, capital)
        desk.deposit(SHORT, 1_000)
        desk.sell(SHORT, 10, 1_380)
        desk.buy(LONG, 10, 1_380)
        assert (desk.lots(LONG), desk.lots(SHORT)) == (10, -10)
        assert desk.buy(SHORT, 10, gap_to) == Reject.NONE  # waits for whoever must sell
        desk.mark(gap_to)
        return desk

    def take_out(self, desk: Desk) -> int:
        """Withdraw all there is; net gain of the two."""
        gained = 0
        for account in ATTACKERS:
            balance = int(desk.wallet(account)["balance"])
            if balance:
                assert desk.do(Kind.WITHDRAW, account=account, value=balance) == Reject.NONE
                gained += balance
            gained -= (5 if account == LONG else 1_000) * ONE
        return gained

    def test_the_published_case(self):
        """Capital 5, 0.1 coins, 138 to 50, a fund of 5: loss 8.8, of which the fund pays 3.8 and keeps 1.2."""
        desk = self.attack(500, fund=5, reduce_limit=ReduceLimit.BANKRUPTCY)
        assert desk.lots(LONG) == desk.lots(SHORT) == 0
        assert desk.wallet(LONG)["balance"] == 0
        assert desk.wallet(SHORT)["balance"] == 1_000 * ONE + 880_000_000
        assert desk.wallet(self.fund)["balance"] == 120_000_000
        assert self.take_out(desk) == 380_000_000

    @pytest.mark.parametrize("policy", [AdlPolicy.BINANCE, AdlPolicy.BITMEX, AdlPolicy.NONE])
    @pytest.mark.parametrize("price", list(AdlPrice))
    @pytest.mark.parametrize("gap_to", [880, 700, 381, 380, 379, 100, 1])
    @pytest.mark.parametrize("fund", [0, 5, 50])
    def test_no_more_comes_out_than_the_fund_had_and_the_deficit_shows(self, policy, price, gap_to, fund):
        """M8: gain of the attackers <= what the fund lost + what the venue owes, and with ADL at that price no debt.

        The fund used to cover with money that it needed for a loss it had just taken over, and ended below zero.
        """
        desk = self.attack(gap_to, fund, adl_policy=policy, adl_price=price)
        house = desk.engine.house
        owed = -int(desk.wallet(house["deficit"])["balance"])
        paid = fund * ONE - int(desk.wallet(self.fund)["equity"])
        equity = sum(int(desk.wallet(account)["equity"]) for account in ATTACKERS)
        assert equity - 1_005 * ONE <= paid + owed
        assert owed >= 0 and paid <= fund * ONE
        if policy != AdlPolicy.NONE and price == AdlPrice.BANKRUPTCY:
            assert owed == 0
        assert desk.lots(LONG) == 0

    def test_without_a_fund_the_other_side_gives_up_what_was_not_there(self):
        desk = self.attack(500, fund=0)
        assert self.take_out(desk) == 0
        assert desk.lots(SHORT) == 0


class TestContractsAreConserved:
    """Winners closed whole until the money suffices: six contracts closed against five. Here: lot for lot."""

    @pytest.mark.parametrize("policy", [AdlPolicy.BINANCE, AdlPolicy.BITMEX])
    @pytest.mark.parametrize("price", list(AdlPrice))
    @pytest.mark.parametrize("shorts", [(1, 5), (5, 1), (2, 2, 2), (6,)])
    def test_adl_closes_as_many_lots_as_the_bankrupt_had(self, policy, price, shorts):
        desk = Desk(rich=0, accounts=8, adl_policy=policy, adl_price=price)
        desk.deposit(0, 1)
        desk.deposit(7, 1_000)
        desk.isolate(0, 10)
        longs = {0: 5, 7: sum(shorts) - 5}
        for number, lots in enumerate(shorts, 1):
            desk.deposit(number, 50)
            desk.sell(number, lots, 1_000)
        for account, lots in longs.items():
            if lots:
                assert desk.buy(account, lots, 1_000) == Reject.NONE
        before = {number: -lots for number, lots in enumerate(shorts, 1)}
        desk.mark(400)
        cut = desk.of(EventKind.ADL)
        assert int(cut["size_lots"].sum()) == 5
        assert desk.lots(0) == 0
        assert sum(desk.lots(number) for number in before) == -(sum(shorts) - 5)
        assert all(before[number] <= desk.lots(number) <= 0 for number in before)
        rows = desk.engine.positions()
        assert int(rows["lots"].sum()) == 0


def test_ten_thousand_accounts_at_one_liquidation_price():
    """One mark finds them all, each once, in order of their numbers.

    The book takes what makes the first ones safe; the fund takes over the positions of the others.
    """
    count = 10_000
    engine = Engine(VENUE, [PLAIN | {"position_max": 2_000_000}], count)
    fund = engine.house["funds"][0]
    accounts = np.arange(count, dtype=np.int32)
    engine.apply(batch(Kind.SET_MARK, 1, time_ns=NOW, value=1_000 * MARKET["tick_value"]))
    engine.apply(batch(Kind.DEPOSIT, 1, account=fund, value=1_000_000 * ONE))
    engine.apply(batch(Kind.DEPOSIT, count, account=accounts, value=2 * ONE))
    engine.apply(batch(Kind.SEED_POSITION, count, account=accounts, size_lots=10, value=1_000 * MARKET["tick_value"]))
    engine.apply(batch(Kind.TAPE_LEVEL, 1, price_ticks=950, size_lots=25_000))
    assert len(of(engine.apply(batch(Kind.SET_MARK, 1, value=805 * MARKET["tick_value"])), EventKind.MARK)) == 1
    assert engine.statistics()["liquidations"] == 0
    events = engine.apply(batch(Kind.SET_MARK, 1, value=803 * MARKET["tick_value"]))
    started, ended = of(events, EventKind.LIQUIDATION_STARTED), of(events, EventKind.LIQUIDATION_ENDED)
    assert len(started) == len(ended) == count == len(set(started["account"].tolist()))
    assert started["account"].tolist() == sorted(started["account"].tolist())
    assert int(of(events, EventKind.TRADE)["size_lots"].sum()) == 25_000
    rows = engine.positions()
    held = rows["lots"][rows["account"] == fund].sum()
    assert held + rows["lots"][rows["account"] < count].sum() == 10 * count - 25_000
    left = engine.accounts()[:count]
    assert (left["equity"] >= left["maintenance"]).all()
    assert held == 10 * int((left["equity"] == 0).sum()) > 0
    engine.check()


@pytest.mark.parametrize("socialise", list(Socialise))
@pytest.mark.parametrize("side", list(Side))
def test_everyone_on_one_side_of_an_empty_book(socialise, side):
    """Nobody to trade with, nobody to deleverage (the recording's own account never is): the venue's deficit."""
    count = 60
    engine = Engine(VENUE | {"socialise": socialise}, [PLAIN], count)
    engine.submit(kind=Kind.SET_MARK, time_ns=NOW, value=1_000 * MARKET["tick_value"])
    sign = 1 if side == Side.BUY else -1
    for account in range(count):
        engine.submit(kind=Kind.DEPOSIT, account=account, value=2 * ONE)
        seed = {"side": side, "size_lots": 10, "value": 1_000 * MARKET["tick_value"]}
        assert engine.submit(kind=Kind.SEED_POSITION, account=account, **seed) == 0
    engine.drain()
    gap = 1_000 - 500 * sign
    engine.submit(kind=Kind.SET_MARK, value=gap * MARKET["tick_value"])
    events = engine.drain()
    assert len(of(events, EventKind.LIQUIDATION_STARTED)) == count
    assert len(of(events, EventKind.TRADE)) == len(of(events, EventKind.ADL)) == 0
    rows, house = engine.accounts(), engine.house
    assert (rows["equity"][:count] == 0).all()
    loss = 500 * count * 10 * ONE // 1_000  # half of what all positions are worth
    owed = -int(rows["balance"][house["deficit"]]) - int(rows["equity"][house["funds"][0]])
    assert owed == loss - count * 2 * ONE
    engine.check()


def test_an_empty_book_gives_nothing_and_loses_nothing():
    desk = Desk(mark=0)
    assert desk.buy(0, 1) == Reject.NO_MARK
    desk.mark(1_000)
    desk.buy(0, 1)
    (gone,) = desk.of(EventKind.CANCELLED)
    assert gone["size_lots"] == 1
    assert desk.buy(0, 1, 1_000, tif=Tif.FOK) == Reject.NOT_FILLABLE
    assert desk.do(Kind.CANCEL, account=0, order_id=1) == Reject.UNKNOWN_ORDER
    assert desk.engine.book(0, 0).shape == desk.engine.book(0, 1).shape == (0, 2)
    desk.level(Side.BUY, 1_000, 0)
    desk.do(Kind.TAPE_TRADE, side=Side.SELL, price_ticks=1_000, size_lots=5)
    assert len(desk.of(EventKind.TRADE)) == 0
    assert desk.engine.book(0, 0).shape == desk.engine.book(0, 1).shape == (0, 2)
    desk.engine.check()


class TestOneTick:
    """The lowest price there is: nothing is below it to bid, and a mark may still be."""

    def test_trades_and_liquidations(self):
        desk = Desk(rich=0, mark=2, market={"size_max": 10_000})
        desk.deposit(0, 1)
        desk.deposit(1, 1_000)
        desk.isolate(0, 10)
        lots = 4_000  # worth 8 at two ticks
        desk.sell(1, lots, 2)
        assert desk.buy(0, lots, 2) == Reject.NONE
        assert desk.sell(1, 1, 0, tif=Tif.IOC) == Reject.NONE
        assert desk.buy(1, lots, 1) == Reject.NONE
        desk.mark(1)
        assert desk.lots(0) == 0
        assert desk.lots(1) + desk.engine.positions()["lots"][desk.engine.positions()["account"] > 7].sum() == 0
        desk.engine.check()

    def test_a_mark_below_the_lowest_tick(self):
        desk = Desk(rich=100, mark=1)
        desk.sell(1, 100, 1)
        desk.buy(0, 100, 1)
        assert desk.do(Kind.SET_MARK, value=1) == Reject.NONE
        assert desk.engine.market(0)["mark"] == 1
        assert desk.lots(0) == -desk.lots(1) == 100
        assert desk.do(Kind.SET_MARK, value=0) != Reject.NONE
        desk.engine.check()


class TestStorms:
    """Floods: nothing is lost, and the hundred-thousandth order costs about what the first did."""

    COUNT, STEP = 100_000, 5_000
    SLOWEST = 400e-6  # seconds a command, over a step: what a pass over the orders would take, not what one takes

    def engine(self) -> Engine:
        market = PLAIN | {"max_orders": 60_000, "size_max": 200_000, "tiers": FLAT_TIER}
        engine = Engine(VENUE, [market], 4, audit=0)  # audited at the end: an audit looks at every order
        engine.apply(batch(Kind.DEPOSIT, 4, time_ns=NOW, account=range(4), value=10**7 * ONE))
        engine.apply(batch(Kind.SET_MARK, 1, value=1_000 * MARKET["tick_value"]))
        return engine

    def pour(self, engine: Engine, commands: np.ndarray) -> list[np.ndarray]:
        chunks = []
        for first in range(0, len(commands), self.STEP):
            began = time.perf_counter()
            chunks.append(engine.apply(commands[first : first + self.STEP]).copy())
            assert time.perf_counter() - began < self.SLOWEST * self.STEP
        return chunks

    def flood(self) -> np.ndarray:
        ids = np.arange(1, self.COUNT + 1)
        return batch(Kind.PLACE, self.COUNT, account=ids % 2, order_id=ids, price_ticks=1_000, size_lots=1)

    def test_orders_at_one_price_fill_in_their_order(self):
        engine = self.engine()
        events = np.concatenate(self.pour(engine, self.flood()))
        assert (events["kind"] == EventKind.ACCEPTED).all()
        assert engine.book(0, 0).tolist() == [[1_000, self.COUNT]]
        sweep = batch(Kind.PLACE, 1, account=2, order_id=1, side=Side.SELL, price_ticks=1_000, size_lots=self.COUNT)
        trades = of(np.concatenate(self.pour(engine, sweep)), EventKind.TRADE)
        assert np.array_equal(trades["maker_order_id"], np.arange(1, self.COUNT + 1))
        assert engine.book(0, 0).size == 0
        engine.check()

    def test_cancels_from_the_middle_of_one_price(self):
        engine = self.engine()
        self.pour(engine, self.flood())
        ids = np.random.default_rng(1).permutation(self.COUNT) + 1
        gone = np.concatenate(self.pour(engine, batch(Kind.CANCEL, self.COUNT, account=ids % 2, order_id=ids)))
        assert np.array_equal(gone["order_id"], ids)
        assert engine.book(0, 0).size == 0 and engine.statistics()["live_orders"] == 0
        engine.check()

    def test_cancel_and_replace_for_ever(self):
        """50,000 times the same order: no pool grows, ids are free again."""
        engine = self.engine()
        pair = np.concatenate([
            batch(Kind.PLACE, 1, order_id=7, price_ticks=999, size_lots=3), batch(Kind.CANCEL, 1, order_id=7),
        ])  # fmt: skip
        self.pour(engine, pair)
        size = len(engine.snapshot())
        events = np.concatenate(self.pour(engine, np.tile(pair, self.COUNT // 2)))
        assert (events["kind"][::2] == EventKind.ACCEPTED).all() and (events["kind"][1::2] == EventKind.CANCELLED).all()
        assert len(engine.snapshot()) == size
        engine.check()

    def test_amends_up_and_down(self):
        engine = self.engine()
        self.pour(engine, batch(Kind.PLACE, 2, order_id=[1, 2], price_ticks=999, size_lots=3))
        up_and_down = batch(Kind.AMEND, 2, order_id=1, price_ticks=[998, 999], size_lots=3)
        events = np.concatenate(self.pour(engine, np.tile(up_and_down, self.COUNT // 2)))
        assert (events["kind"] == EventKind.AMENDED).all()
        assert engine.queue(0, 0, 999) == [(0, 2, 3), (0, 1, 3)]
        engine.check()


class TestExtremes:
    """The largest contract that a market may have, at its limits."""

    PRICE, LOTS = 2**29, 2**32
    LARGE = PLAIN | {
        "tick_value": 1, "lot_numerator": 1, "lot_denominator": 1, "price_max": PRICE, "position_max": LOTS,
        "size_max": LOTS, "tiers": tiers((40_000_000_000, "1", 20)), "leverage_default": 20,
    }  # fmt: skip

    def engine(self) -> Engine:
        engine = Engine(VENUE, [self.LARGE], 2)
        engine.submit(kind=Kind.SET_MARK, time_ns=NOW, value=self.PRICE)
        for account in range(2):
            assert engine.submit(kind=Kind.DEPOSIT, account=account, value=2**61) == 0
        return engine

    def open(self, engine: Engine) -> None:
        order = {"kind": Kind.PLACE, "order_id": 1, "size_lots": self.LOTS, "price_ticks": self.PRICE}
        assert engine.submit(**order, account=1, side=Side.SELL) == 0
        assert engine.submit(**order, account=0, side=Side.BUY) == 0

    def test_the_largest_notional_is_exact(self):
        engine = self.engine()
        self.open(engine)
        rows = engine.positions()
        cost = {int(row["account"]): int(row["cost"]) for row in rows if row["lots"]}
        assert cost == {0: self.PRICE * self.LOTS, 1: -self.PRICE * self.LOTS}
        engine.submit(kind=Kind.SET_MARK, value=self.PRICE // 2 + 1)
        equity = engine.accounts()["equity"]
        assert int(equity[0]) == 2**61 - self.LOTS * (self.PRICE // 2 - 1)
        assert int(equity[0]) + int(equity[1]) == 2**62
        engine.check()

    def test_losing_all_of_it_leaves_nothing_behind(self):
        engine = self.engine()
        assert engine.submit(kind=Kind.WITHDRAW, account=0, value=2**60) == 0
        self.open(engine)
        engine.drain()
        engine.submit(kind=Kind.SET_MARK, value=1)
        kinds = set(engine.drain()["kind"].tolist())
        assert {EventKind.LIQUIDATION_STARTED, EventKind.LIQUIDATION_ENDED} <= kinds
        rows = engine.accounts()
        assert int(rows["equity"][0]) >= 0
        assert sum(map(int, rows["balance"])) == 2**62 - 2**60
        engine.check()

    @pytest.mark.parametrize("mode", list(MarginMode))
    def test_a_lot_more_or_a_tick_more_is_refused(self, mode):
        engine = self.engine()
        engine.submit(kind=Kind.SET_MARGIN_MODE, account=0, aux=mode)
        order = {"kind": Kind.PLACE, "account": 0, "order_id": 5, "side": Side.BUY}
        refused = [
            engine.submit(**order, size_lots=lots, price_ticks=price)
            for lots, price in (
                (self.LOTS + 1, self.PRICE), (self.LOTS, self.PRICE + 1), (2**63 - 1, 2**63 - 1), (-(2**63), 1),
                (1, -(2**63)), (2**62, 1),
            )
        ]  # fmt: skip
        assert Reject.NONE not in refused
        assert engine.submit(kind=Kind.SET_MARK, value=2**63 - 1) != Reject.NONE
        assert engine.submit(kind=Kind.SEED_POSITION, account=0, size_lots=2**62, value=2**62) != Reject.NONE
        assert engine.submit(kind=Kind.WITHDRAW, account=0, value=2**63 - 1) != Reject.NONE
        engine.check()
