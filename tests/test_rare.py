"""What the other tests and the random streams do not come to: refusals and turns that need an odd setting."""

import struct
import zlib

import numpy as np
import pytest
from perpsim.core import (
    AdlPolicy,
    Engine,
    EventKind,
    Flag,
    FundUnwind,
    Kernel,
    Kind,
    MarginMode,
    MarketState,
    ReduceLimit,
    ReduceMethod,
    Reject,
    Rule,
    Side,
    Takeover,
    TapeOrder,
    TapeWalk,
    TriggerSource,
    questions,
)
from perpsim.core.audit import InvariantError
from stream_settings import COMPUTED, INVERSE, MARKET, RATE_ONE, SECOND, VENUE, tiers
from test_regressions import NOW, ONE, PLAIN, Desk

PREMIUM = {"premium_period_ns": SECOND, "impact_notional": ONE}


def recorded(desk, order_id, side, lots, price, **fields):
    return desk.do(
        Kind.TAPE_ORDER, aux=TapeOrder.ADD, order_id=order_id, side=side, size_lots=lots, price_ticks=price, **fields
    )


class TestRefusals:
    @pytest.fixture
    def delayed(self) -> Desk:
        """Account 0 is under maintenance, and its liquidation begins in ten seconds."""
        desk = Desk(rich=0, liquidation_delay_ns=10 * SECOND)
        desk.deposit(0, 11)
        desk.deposit(1, 11)
        desk.isolate(1, leverage=10)
        desk.seed(0, 100)
        desk.seed(1, 100)
        desk.buy(0, 1, 500)
        self.resting = desk.last_id
        desk.mark(890)
        assert len(desk.of(EventKind.LIQUIDATION_STARTED)) == 2
        return desk

    def test_what_an_account_in_liquidation_may_not_do(self, delayed):
        no = Reject.IN_LIQUIDATION
        assert delayed.do(Kind.WITHDRAW, account=0, value=1) == no
        assert delayed.do(Kind.SET_LEVERAGE, account=0, value=2) == no
        assert delayed.do(Kind.SET_MARGIN_MODE, account=0, aux=1) == no
        assert delayed.do(Kind.MOVE_MARGIN, account=1, value=1) == no
        assert delayed.buy(0, 1, 500) == no
        assert delayed.buy(0, 1, 500, flags=Flag.POST_ONLY) == no
        amended = {"order_id": self.resting, "size_lots": 1, "price_ticks": 499}
        assert delayed.do(Kind.AMEND, account=0, **amended) == no
        assert delayed.deposit(0, 100) == Reject.NONE
        delayed.do(Kind.TICK, time_ns=NOW + 10 * SECOND)
        assert delayed.do(Kind.WITHDRAW, account=0, value=1) == Reject.NONE

    def test_an_account_in_liquidation_keeps_its_position_mode(self, delayed):
        """Whether its cross pool is liquidated or an isolated position."""
        for account in (0, 1):
            assert delayed.do(Kind.SET_POSITION_MODE, account=account, aux=1) == Reject.IN_LIQUIDATION
        assert delayed.do(Kind.SET_POSITION_MODE, account=2, aux=1) == Reject.NONE

    def test_an_account_in_liquidation_keeps_its_pools(self):
        desk = Desk(rich=0, liquidation_delay_ns=10 * SECOND, collateral=[{}])
        desk.deposit(0, 11)
        desk.deposit(1, 11)
        desk.isolate(1, leverage=10)
        desk.seed(0, 100)
        desk.seed(1, 100)
        desk.mark(890)
        for account in (0, 1):
            assert desk.do(Kind.SET_MARGIN_MODE, account=account, aux=MarginMode.MULTI) == Reject.IN_LIQUIDATION
        assert desk.do(Kind.SET_MARGIN_MODE, account=2, aux=MarginMode.MULTI) == Reject.NONE

    def test_settling_needs_a_price(self):
        assert Desk(mark=0).state(MarketState.SETTLING) == Reject.NO_MARK

    def test_recorded_orders_of_no_side_or_size(self):
        desk = Desk()
        assert recorded(desk, 1, 2, 5, 1_000) == Reject.BAD_ENUM
        assert recorded(desk, 1, Side.BUY, 5, 1_000) == Reject.NONE
        assert desk.do(Kind.TAPE_ORDER, aux=TapeOrder.REDUCE, order_id=1) == Reject.BAD_SIZE
        assert desk.do(Kind.TAPE_ORDER, aux=TapeOrder.REDUCE, order_id=2, size_lots=1) == Reject.UNKNOWN_ORDER

    def test_an_order_id_twice(self):
        desk = Desk()
        assert desk.buy(0, 1, 900, order_id=7) == Reject.NONE
        assert desk.buy(0, 1, 901, order_id=7) == Reject.DUPLICATE_ORDER_ID


class TestRecordedOrders:
    def test_accounts_at_better_prices_come_before_an_executed_order(self):
        """Behind another recorded order, which stays where it is. What history executed is gone from its own order."""
        desk = Desk()
        recorded(desk, 1, Side.SELL, 10, 1_000)
        desk.sell(0, 3, 1_000)
        recorded(desk, 2, Side.SELL, 10, 1_001)
        desk.do(Kind.TAPE_ORDER, aux=TapeOrder.EXECUTE, order_id=2, size_lots=5)
        assert desk.lots(0) == -3
        assert desk.engine.book(0, Side.SELL).tolist() == [[1_000, 10], [1_001, 5]]

    def test_accounts_with_priority_at_its_price_do_too(self):
        desk = Desk()
        desk.sell(0, 3, 1_001)
        recorded(desk, 2, Side.SELL, 10, 1_001)
        desk.do(Kind.TAPE_ORDER, aux=TapeOrder.EXECUTE, order_id=2, size_lots=5)
        assert desk.lots(0) == -3
        assert desk.engine.book(0, Side.SELL).tolist() == [[1_001, 5]]

    def test_accounts_behind_another_recorded_order_do_too(self):
        desk = Desk()
        recorded(desk, 1, Side.SELL, 10, 1_001)
        desk.sell(0, 3, 1_001)
        recorded(desk, 2, Side.SELL, 10, 1_001)
        desk.do(Kind.TAPE_ORDER, aux=TapeOrder.EXECUTE, order_id=2, size_lots=5)
        assert desk.lots(0) == -3
        assert desk.engine.book(0, Side.SELL).tolist() == [[1_001, 15]]

    def test_an_order_that_history_executes_in_full_is_gone(self):
        """What accounts had supplied of it stayed in the book for good: no row would name the order again."""
        desk = Desk()
        desk.sell(0, 3, 1_001)
        recorded(desk, 2, Side.SELL, 10, 1_001)
        desk.do(Kind.TAPE_ORDER, aux=TapeOrder.EXECUTE, order_id=2, size_lots=10)
        assert desk.lots(0) == -3
        assert desk.engine.book(0, Side.SELL).tolist() == []

    def test_history_takes_first_what_a_simulated_taker_has_taken(self):
        """Of 10 lots 6 are eaten: the first 6 that history executes find nothing, and the other 4 still stand."""
        desk = Desk(market={"tape_walk": TapeWalk.DROP})
        recorded(desk, 1, Side.SELL, 10, 1_001)
        desk.buy(0, 6, 1_001)
        desk.do(Kind.TAPE_ORDER, aux=TapeOrder.EXECUTE, order_id=1, size_lots=7, side=Side.SELL, price_ticks=1_001)
        assert desk.of(EventKind.TAPE_UNFILLED)["size_lots"].tolist() == [6]
        assert desk.engine.book(0, Side.SELL).tolist() == [[1_001, 3]]

    def test_lots_that_leave_may_be_those_that_were_eaten(self):
        desk = Desk(market={"tape_walk": TapeWalk.DROP})
        recorded(desk, 1, Side.SELL, 10, 1_001)
        desk.buy(0, 6, 1_001)
        desk.do(Kind.TAPE_ORDER, aux=TapeOrder.REDUCE, order_id=1, size_lots=5)
        assert desk.engine.book(0, Side.SELL).tolist() == [[1_001, 2]]

    def test_an_execution_of_an_eaten_order_finds_nothing(self):
        desk = Desk(market={"tape_walk": TapeWalk.DROP})
        recorded(desk, 1, Side.SELL, 10, 1_001)
        desk.buy(0, 10, 1_001)
        desk.sell(1, 2, 1_000)
        gone = {"order_id": 1, "size_lots": 10, "side": Side.SELL}
        assert desk.do(Kind.TAPE_ORDER, aux=TapeOrder.EXECUTE, **gone) == Reject.UNKNOWN_ORDER
        assert desk.do(Kind.TAPE_ORDER, aux=TapeOrder.EXECUTE, **gone, price_ticks=1_001) == Reject.NONE
        assert (desk.lots(1), desk.of(EventKind.TAPE_UNFILLED)["size_lots"].tolist()) == (-2, [8])

    def test_what_found_nothing_walks_through_recorded_orders(self):
        """In mode W. Orders at better prices than the print were gone by then."""
        desk = Desk(market={"tape_walk": TapeWalk.DEEPER})
        for order_id, price in ((1, 1_000), (2, 1_001), (3, 1_001), (4, 1_003)):
            recorded(desk, order_id, Side.SELL, 10, price)
        desk.do(Kind.TAPE_ORDER, aux=TapeOrder.REDUCE, order_id=1, size_lots=9)
        desk.buy(0, 11, 1_001)
        recorded(desk, 1, Side.SELL, 4, 1_000)
        desk.sell(1, 5, 1_002)
        row = {"order_id": 2, "size_lots": 10, "side": Side.SELL, "price_ticks": 1_001}
        desk.do(Kind.TAPE_ORDER, aux=TapeOrder.EXECUTE, **row)
        assert desk.engine.book(0, Side.SELL).tolist() == [[1_000, 4], [1_002, 5], [1_003, 10]]
        recorded(desk, 2, Side.SELL, 10, 1_001)
        desk.buy(0, 14, 1_001)
        desk.do(Kind.TAPE_ORDER, aux=TapeOrder.EXECUTE, **row)
        assert desk.lots(1) == -5
        assert desk.engine.book(0, Side.SELL).tolist() == [[1_003, 5]]

    @pytest.mark.parametrize(("field", "bad", "code"), [
        ("side", 2, Reject.BAD_ENUM), ("size_lots", 0, Reject.BAD_SIZE), ("size_lots", 1 << 40, Reject.BAD_SIZE),
        ("price_ticks", 1 << 30, Reject.BAD_PRICE),
    ])  # fmt: skip
    def test_rows_of_eaten_orders_are_checked(self, field, bad, code):
        row = {"order_id": 9, "size_lots": 1, "side": Side.SELL, "price_ticks": 1_000} | {field: bad}
        assert Desk().do(Kind.TAPE_ORDER, aux=TapeOrder.EXECUTE, **row) == code

    def test_where_an_execution_printed_is_the_last_price(self):
        """In an auction an order trades at a better price than its own."""
        desk = Desk()
        desk.state(MarketState.AUCTION)
        recorded(desk, 1, Side.SELL, 10, 990)
        desk.do(Kind.TAPE_ORDER, aux=TapeOrder.EXECUTE, order_id=1, size_lots=4, price_ticks=1_000)
        assert desk.engine.market(0)["last_ticks"] == 1_000
        assert desk.do(
            Kind.TAPE_ORDER, aux=TapeOrder.EXECUTE, order_id=1, size_lots=4, price_ticks=-1) == Reject.BAD_PRICE

    @pytest.mark.parametrize("behind", [False, True])
    def test_a_reduce_only_order_is_looked_at_before_it_fills(self, behind):
        """It may hold more than is left of its position; behind a recorded order too."""
        desk = Desk()
        desk.seed(0, 5)
        if behind:
            recorded(desk, 1, Side.SELL, 4, 1_000)
        desk.sell(0, 3, 1_001 if behind else 1_000, flags=Flag.REDUCE_ONLY)
        desk.sell(0, 3, 1_001, flags=Flag.REDUCE_ONLY)
        recorded(desk, 2, Side.BUY, 10, 1_002)
        assert desk.lots(0) == 0

    def test_levels_do_not_trade_with_recorded_orders(self):
        desk = Desk()
        recorded(desk, 1, Side.SELL, 10, 1_000)
        desk.level(Side.BUY, 1_005, 10)
        assert not len(desk.of(EventKind.TRADE))
        assert desk.engine.market(0)["best_bid_ticks"] == 1_005


class TestComputedPrices:
    def test_a_premium_without_an_index_is_none(self):
        desk = Desk(market=PREMIUM)
        desk.do(Kind.TICK, time_ns=NOW + 3 * SECOND)
        assert desk.engine.market(0)["index"] == 0

    def test_bids_that_a_shock_has_moved_below_zero_have_no_price(self):
        desk = Desk(market=COMPUTED)
        desk.do(Kind.SET_INDEX, value=1_000 * MARKET["tick_value"])
        desk.level(Side.BUY, 999, 10)
        desk.level(Side.BUY, 50, 10_000)
        desk.level(Side.SELL, 1_001, 100)
        desk.do(Kind.SET_SHOCK, value=900_000_000)
        desk.do(Kind.TICK, time_ns=NOW + 6 * SECOND)
        assert desk.engine.market(0)["best_bid_ticks"] == 899

    @pytest.fixture
    def tiny_index(self) -> Desk:
        """A premium that leaves 64 bits at the next sample."""
        desk = Desk(market=PREMIUM)
        desk.level(Side.BUY, 1_000, 1_000)
        desk.do(Kind.SET_INDEX, value=1)
        return desk

    def test_an_overflow_in_a_timer_stops_the_engine(self, tiny_index):
        with pytest.raises(OverflowError):
            tiny_index.do(Kind.TICK, time_ns=NOW + 5 * SECOND)

    def test_an_overflow_in_a_timer_between_rows_stops_the_kernel(self, tiny_index):
        kernel = Kernel([tiny_index.engine])
        times = NOW + np.arange(1, 6) * SECOND
        columns = {"time_ns": times, "code": np.full(5, 1, np.uint8), "price": np.full(5, 990), "value": np.arange(5)}
        kernel.feed(kernel.add_stream(0, 0), columns)
        with pytest.raises(OverflowError):
            kernel.run()


class TestLiquidation:
    def test_one_that_another_has_restored_is_left_alone(self):
        """Both shorts are found; the forced order of the worse one buys dearly from the other."""
        desk = Desk(rich=0, reduce_limit=ReduceLimit.NONE, reduce_method=ReduceMethod.WHOLE)
        for account, amount in ((0, 10), (1, 11), (2, 1_000)):
            desk.deposit(account, amount)
        desk.do(Kind.SET_LEVERAGE, account=1, value=50)
        desk.seed(0, -100)
        desk.seed(1, -100)
        desk.sell(1, 10, 1_200)
        desk.sell(2, 90, 1_110)
        desk.mark(1_106)
        assert desk.of(EventKind.LIQUIDATION_STARTED)["account"].tolist() == [0]
        assert desk.lots(1) == -110

    def test_two_positions_of_one_account_that_are_as_bad(self):
        desk = Desk(markets=2, rich=0)
        desk.deposit(0, 100)
        for market in (1, 0):
            desk.do(Kind.SET_MARGIN_MODE, account=0, aux=1, market=market)
            desk.seed(0, 100, market=market)
        desk.mark(890, flags=Flag.MORE, market=1)
        desk.mark(890)
        assert desk.of(EventKind.LIQUIDATION_STARTED)["market"].tolist() == [1, 0]  # in the order of their opening

    def test_the_queue_knows_losers_with_all_the_money_in_the_world(self):
        """Equity of a thousand million times the value of the position: a leverage of 0, which is taken as 1e-9."""
        desk = Desk(rich=0, adl_policy=AdlPolicy.BITMEX)
        desk.deposit(0, 11)
        desk.do(Kind.DEPOSIT, account=1, value=4 * 10**9 * ONE)
        desk.deposit(2, 100)
        desk.seed(0, 100)
        desk.seed(1, -1, price=500)
        desk.seed(2, -100)
        desk.mark(880)
        assert desk.of(EventKind.ADL)["account"].tolist() == [2]

    def test_the_queue_where_nothing_asks_for_maintenance(self):
        desk = Desk(rich=0, adl_policy=AdlPolicy.BITMEX, market={"tiers": tiers((1_000_000, "0", 20))})
        for account, amount in ((0, 11), (1, 1_000), (2, 100)):
            desk.deposit(account, amount)
        desk.seed(0, 100)
        desk.seed(1, -50)
        desk.seed(2, -100)
        desk.mark(880)
        assert desk.of(EventKind.ADL)["account"].tolist() == [2]  # its equity is smaller, so its leverage is larger

    def test_a_position_worth_nothing_is_no_hedge(self):
        """A hundredth of 99 units, rounded down for longs: closing such a lot exposes nobody."""
        desk = Desk(
            mark=0, rich=0, adl_policy=AdlPolicy.HEDGE_AWARE, reduce_method=ReduceMethod.NONE, takeover=Takeover.ADL,
            liquidation_period_ns=SECOND,
        )  # fmt: skip
        desk.do(Kind.DEPOSIT, account=0, value=1)
        desk.do(Kind.SET_MARK, value=1)
        for account, side, lots in ((1, Side.BUY, 1), (2, Side.BUY, 1), (0, Side.SELL, 2)):
            seed = {"account": account, "side": side, "size_lots": lots, "value": 1}
            assert desk.do(Kind.SEED_POSITION, **seed) == Reject.NONE
        desk.do(Kind.SET_MARK, value=99)
        cuts = desk.of(EventKind.ADL)
        assert cuts["account"].tolist() == [1, 2] and cuts["size_lots"].tolist() == [1, 1]
        assert cuts["reason"].tolist() == [Reject.NONE] * 2  # not BY_UNHEDGED

    def test_a_debt_in_an_asset_without_a_market_is_the_venues_deficit(self):
        """20 coins are lost in a market that settles in coins, 22 of asset 0 behind them, a coin being worth 2."""
        whole = {"reduce_limit": ReduceLimit.NONE, "reduce_method": ReduceMethod.WHOLE}
        rules = VENUE | whole | {"collateral": [{}, {"price": 2 * ONE}]}
        engine = Engine(rules, [PLAIN | {"asset": 1}], 2, assets=2, audit=2)
        tick = MARKET["tick_value"]
        engine.submit(kind=Kind.DEPOSIT, account=0, value=22 * ONE, time_ns=NOW)
        engine.submit(kind=Kind.DEPOSIT, account=1, asset=1, value=1_000 * ONE)
        engine.submit(kind=Kind.SET_MARK, value=1_000 * tick)
        engine.submit(kind=Kind.SET_MARGIN_MODE, account=0, aux=MarginMode.MULTI)
        engine.submit(kind=Kind.SEED_POSITION, account=0, side=Side.BUY, size_lots=100, value=1_000 * tick)
        engine.submit(kind=Kind.PLACE, account=1, order_id=1, side=Side.BUY, size_lots=100, price_ticks=800)
        engine.drain()
        engine.submit(kind=Kind.SET_MARK, value=880 * tick)
        events = engine.drain()
        (paid,) = events[events["kind"] == EventKind.VENUE_DEFICIT]
        deficit = engine.house["deficit"]
        assert (paid["account"], paid["maker_account"], paid["asset"], paid["value"]) == (0, deficit, 0, 18 * ONE)
        assert engine.accounts()["balance"][:2].tolist() == [0, 0]  # 22 - 2 * 20
        assert engine.accounts()["balance"][2 * deficit] == -18 * ONE

    def test_a_fund_that_sells_in_slices_may_be_told_to_hold(self):
        desk = Desk(rich=0, fund_unwind=FundUnwind.SLICES, fund_unwind_period_ns=SECOND, fund_unwind_slice=500_000_000)
        fund = desk.engine.house["funds"][0]
        desk.deposit(0, 11)
        desk.deposit(1, 1_000)
        desk.deposit(fund, 1_000)
        desk.seed(0, 100)
        desk.mark(892)
        assert desk.lots(fund) == 100
        assert desk.do(Kind.SET_RULE, aux=Rule.FUND_UNWIND, value=FundUnwind.HOLD) == Reject.NONE
        desk.buy(1, 100, 892)
        desk.do(Kind.TICK, time_ns=NOW + 5 * SECOND)
        assert desk.lots(fund) == 100

    def test_positions_of_the_house_end_where_their_value_would_leave_64_bits(self):
        contract = {"tick_value": 1, "lot_numerator": 2**60, "lot_denominator": 2**60, "position_max": 3, "size_max": 3}
        desk = Desk(mark=0, rich=0, market=contract)
        desk.do(Kind.SET_MARK, value=1_000)
        size = {"side": Side.SELL, "size_lots": 3, "value": 1_000}
        assert desk.do(Kind.SEED_POSITION, account=0, **size) == Reject.NONE
        with pytest.raises(OverflowError):
            desk.do(Kind.SEED_POSITION, account=1, **size)

    def test_a_short_worth_less_than_the_rounding_is_looked_at_from_the_first_mark_on(self):
        desk = Desk(mark=0, rich=0)
        desk.do(Kind.DEPOSIT, account=0, value=2)
        desk.do(Kind.SET_MARK, value=1)
        desk.do(Kind.SEED_POSITION, account=0, side=Side.SELL, size_lots=1, value=1)
        desk.do(Kind.SET_MARK, value=1)
        assert not len(desk.of(EventKind.LIQUIDATION_STARTED))
        desk.mark(1)
        assert len(desk.of(EventKind.LIQUIDATION_STARTED)) == 1


class TestOrders:
    def test_a_trailing_order_between_others_goes(self):
        desk = Desk()
        for _ in range(3):
            desk.sell(0, 1, 900, flags=Flag.TRAILING, aux=50_000_000)
        assert desk.do(Kind.CANCEL, account=0, order_id=1) == Reject.NONE
        assert desk.do(Kind.CANCEL, account=0, order_id=2) == Reject.NONE
        desk.buy(1, 1, 1_000)
        desk.sell(2, 1, 1_000)
        desk.buy(1, 1, 940)
        desk.sell(2, 1, 940)
        assert desk.of(EventKind.TRIGGERED)["order_id"].tolist() == [3]

    def test_a_stop_between_others_at_its_trigger_goes(self):
        desk = Desk()
        stop = {"flags": Flag.STOP, "trigger_ticks": 900, "trigger_source": TriggerSource.MARK}
        first, second, third = (desk.sell(0, 1, 890, **stop) or desk.last_id for _ in range(3))
        assert desk.do(Kind.CANCEL, account=0, order_id=second) == Reject.NONE
        desk.mark(899)
        assert desk.of(EventKind.TRIGGERED)["order_id"].tolist() == [first, third]

    def test_depth_of_two_markets_between_each_other(self):
        desk = Desk(markets=2)
        desk.level(Side.BUY, 990, 5, flags=Flag.MORE)
        desk.level(Side.BUY, 991, 5, market=1)
        assert [desk.engine.market(number)["best_bid_ticks"] for number in (0, 1)] == [990, 991]


def test_what_does_not_add_up_stops_the_engine():
    """A balance was changed in a snapshot: nobody but an audit can know."""
    engine = Engine(VENUE, [PLAIN], 3, audit=1)
    engine.submit(kind=Kind.DEPOSIT, account=0, value=123_456_789_012, time_ns=NOW)
    assert engine.audit == 1
    data = engine.snapshot()
    head = struct.Struct("<8sIIQI")
    body = data[head.size :].replace(struct.pack("<q", 123_456_789_012), struct.pack("<q", 123_456_789_013), 1)
    engine = Engine.restore(head.pack(*head.unpack_from(data)[:4], zlib.crc32(body)) + body)
    with pytest.raises(InvariantError, match="found"):
        engine.check()
    with pytest.raises(RuntimeError, match="has stopped"):
        engine.submit(kind=Kind.TICK)


class TestParameters:
    @pytest.mark.parametrize(("market", "sentence"), [
        ({"impact_kernel": (1,)}, "an impact needs a step and a kernel of 1 to"),
        ({"impact_step_ns": 1}, "an impact needs a step and a kernel of 1 to"),
        ({"impact_step_ns": 1, "impact_kernel": (RATE_ONE, RATE_ONE + 1)}, "entry 1 of the impact kernel"),
        ({"sources": (1,) * 80}, "80 sources, at most"),
        ({"sources": (1, 2), "perp_sources": (0,)}, "the weight 0 of source 2 is not between 1 and"),
        ({"index_method": 1, "index_period_ns": 1}, "made of sources, and it states none"),
        ({"oi_ladder": ((10**8, 1),) * 99}, "99 bands of open interest, at most"),
        (INVERSE | {"price_min": INVERSE["price_max"] + 1}, "price_min is above price_max"),
        (INVERSE | {"lot_denominator": 1 << 50}, "price_max or lot_denominator is too large for an inverse contract"),
    ])  # fmt: skip
    def test_a_market_that_cannot_be(self, market, sentence):
        with pytest.raises(ValueError, match=f"market 1: .*{sentence}"):
            Engine(VENUE, [MARKET, MARKET | market], 1)
        assert len(Engine(VENUE, [MARKET, MARKET], 1).house["clearing"]) == 2

    @pytest.mark.parametrize(("terms", "sentence"), [
        ([{}], "the rulebook describes 1 collateral assets, the engine has 3"),
        ([{}, {"colour": 1}, {}], "collateral 1: colour: not a term"),
        ([{}, {"cap": -1}, {}], "collateral 1: cap -1 is out of range"),
        ([{}, {}, {"floor": 1 << 62}], "collateral 2: floor .* is out of range"),
        ([{}, {"spot_market": 0}, {"spot_market": 0}], "collateral 2: market 0 is the book of asset 1 already"),
    ])  # fmt: skip
    def test_collateral_that_cannot_be(self, terms, sentence):
        with pytest.raises(ValueError, match=sentence):
            Engine(VENUE | {"collateral": terms}, [MARKET], 1, assets=3)
        assert Engine(VENUE | {"collateral": [{}, {"spot_market": 0}, {}]}, [MARKET], 1, assets=3).digest()


class TestQuestions:
    @pytest.fixture
    def desk(self) -> Desk:
        desk = Desk(adl_policy=AdlPolicy.BITMEX)
        desk.seed(0, 100)
        return desk

    def test_about_accounts_that_are_not_there(self, desk):
        for account in (-1, 10_000):
            with pytest.raises(IndexError, match=f"account {account} is not one of"):
                questions.unit_at(desk.engine, account, 0, 1)
        with pytest.raises(ValueError, match="account 1 has no position in market 0"):
            questions.unit_at(desk.engine, 1, 0, 1)

    def test_about_a_mark_that_is_too_high(self, desk):
        """The question is refused, and the engine goes on as it was."""
        before = desk.engine.digest()
        with pytest.raises(OverflowError, match="at this mark"):
            questions.unit_at(desk.engine, 0, 0, (1 << 63) - 1)
        assert desk.engine.digest() == before and desk.mark(1_001) == Reject.NONE

    def test_about_a_queue_in_a_coin_that_is_worth_almost_nothing(self):
        """10,000 are 1e20 units of a coin of 1e-8: the question is refused, and the engine goes on as it was."""
        rules = VENUE | {"adl_policy": AdlPolicy.BITMEX, "collateral": [{}, {"price": 1}]}
        engine = Engine(rules, [PLAIN | {"asset": 1}], 2, assets=2)
        engine.submit(kind=Kind.DEPOSIT, account=0, value=10_000 * ONE)
        engine.submit(kind=Kind.SET_MARK, value=100 * ONE)
        engine.submit(kind=Kind.SET_MARGIN_MODE, account=0, aux=MarginMode.MULTI)
        seed = {"side": Side.BUY, "size_lots": 100, "value": 100 * ONE}
        assert engine.submit(kind=Kind.SEED_POSITION, account=0, **seed) == Reject.NONE
        before = engine.digest()
        with pytest.raises(OverflowError, match="a score leaves 64 bits"):
            questions.adl_queue(engine, 0, True)
        assert questions.adl_queue(engine, 0, False) == []
        assert engine.digest() == before and engine.submit(kind=Kind.SET_MARK, value=101 * ONE) == Reject.NONE

    def test_about_a_queue_that_is_none(self, desk):
        assert [entry[0] for entry in questions.adl_queue(desk.engine, 0, True)] == [0]
        with pytest.raises(ValueError, match="has no queue"):
            questions.adl_queue(Desk(adl_policy=AdlPolicy.MIN_MAX).engine, 0, True)
