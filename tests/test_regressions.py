"""One test a bug that the core has had: what happened, told as a small scenario.

Prices are in ticks of 0.1; one lot at 1,000 ticks is worth 1. `Desk` trades without fees, bands and minimums.
"""

import numpy as np
import pytest
from perpsim.core import (
    COMMAND,
    MARKETS_ALL,
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
    Stop,
    StpMode,
    TapeOrder,
    Tif,
    TriggerSource,
)
from stream_settings import MARKET, SECOND, VENUE, tiers

ONE = 100_000_000
NOW = 1_700_000_000 * SECOND
PLAIN = MARKET | {
    "maker_fee": 0, "taker_fee": 0, "liquidation_fee": 0, "band_up": 0, "band_down": 0, "market_bound": 0,
    "min_notional": 0, "max_orders": 50, "leverage_default": 10,
}  # fmt: skip
FLAT_TIER = tiers((1_000_000, "5", 20))


class Desk:
    """An engine whose customers are rich unless told otherwise. `events` are those of the last command."""

    def __init__(self, markets=1, rich=10_000, accounts=8, mark=1_000, market=None, **venue):
        specs = [PLAIN | (market or {})] * markets
        self.engine = Engine(VENUE | venue, specs, accounts, audit=2)
        self.events = self.engine.drain()
        for account in range(accounts if rich else 0):
            self.deposit(account, rich)
        for number in range(markets if mark else 0):
            self.mark(mark, market=number)

    def do(self, kind, **fields) -> Reject:
        if self.engine.time_ns == 0:
            fields.setdefault("time_ns", NOW)
        reason = self.engine.submit(kind=kind, **fields)
        self.events = self.engine.drain()
        return Reject(reason)

    def deposit(self, account, amount):
        return self.do(Kind.DEPOSIT, account=account, value=amount * ONE)

    def mark(self, ticks, **fields):
        return self.do(Kind.SET_MARK, value=int(ticks * MARKET["tick_value"]), **fields)

    def buy(self, account, lots, price=0, **fields):
        return self.order(account, Side.BUY, lots, price, **fields)

    def sell(self, account, lots, price=0, **fields):
        return self.order(account, Side.SELL, lots, price, **fields)

    def order(self, account, side, lots, price, **fields):
        self.last_id = getattr(self, "last_id", 0) + 1
        fields = {"order_id": self.last_id} | fields
        if not price:
            fields["flags"] = fields.get("flags", 0) | Flag.MARKET
        return self.do(Kind.PLACE, account=account, side=side, size_lots=lots, price_ticks=price, **fields)

    def seed(self, account, lots, price=1_000, **fields):
        side, value = (Side.BUY if lots > 0 else Side.SELL), price * MARKET["tick_value"]
        return self.do(Kind.SEED_POSITION, account=account, side=side, size_lots=abs(lots), value=value, **fields)

    def isolate(self, account, leverage=None):
        self.do(Kind.SET_MARGIN_MODE, account=account, aux=MarginMode.ISOLATED)
        if leverage:
            self.do(Kind.SET_LEVERAGE, account=account, value=leverage)

    def state(self, state, **fields):
        return self.do(Kind.SET_MARKET_STATE, aux=state, **fields)

    def level(self, side, price, lots, **fields):
        return self.do(Kind.TAPE_LEVEL, side=side, price_ticks=price, size_lots=lots, **fields)

    def of(self, kind):
        return self.events[self.events["kind"] == kind]

    def row(self, account, market=0):
        rows = self.engine.positions()
        return rows[(rows["account"] == account) & (rows["market"] == market)][0]

    def lots(self, account, market=0) -> int:
        return int(self.row(account, market)["lots"])

    def wallet(self, account):
        return self.engine.accounts()[account]


# ---- orders --------------------------------------------------------------------------------------------------------


def test_a_dropped_maker_is_reported_with_side_and_price():
    desk = Desk()
    desk.sell(0, 5, 1_000)
    desk.buy(0, 2, 1_000, stp_mode=StpMode.EXPIRE_MAKER)
    (gone,) = desk.of(EventKind.CANCELLED)
    assert (gone["side"], gone["price_ticks"], gone["reason"]) == (Side.SELL, 1_000, Reject.BY_SELF_TRADE)


def test_cancelling_all_orders_of_an_unknown_market_is_refused():
    desk = Desk()
    assert desk.do(Kind.CANCEL_ALL, account=0, market=1) == Reject.UNKNOWN_MARKET
    assert desk.do(Kind.CANCEL_ALL, account=0, market=MARKETS_ALL) == Reject.NONE


@pytest.mark.parametrize("mode", [StpMode.EXPIRE_TAKER, StpMode.EXPIRE_BOTH])
def test_fill_or_kill_is_never_filled_in_part(mode):
    """The book held enough behind an own order that ended the taker after its first fill."""
    desk = Desk()
    desk.sell(1, 3, 1_000)
    desk.sell(0, 5, 1_000)
    desk.sell(1, 10, 1_001)
    assert desk.buy(0, 5, 1_001, tif=Tif.FOK, stp_mode=mode) == Reject.NOT_FILLABLE
    assert desk.buy(0, 3, 1_001, tif=Tif.FOK, stp_mode=mode) == Reject.NONE
    assert desk.lots(0) == 3


def test_a_sell_orders_loss_counts_from_its_own_limit():
    """It was measured at the best bid, which one lot can set, and the order came to rest without its margin."""
    desk = Desk(rich=100)
    desk.buy(1, 1, 1_000)
    assert desk.sell(0, 400, 800) == Reject.INSUFFICIENT_MARGIN  # 400 * 0.2 are lost at once, 40 are margin
    assert desk.sell(0, 300, 800) == Reject.NONE


def test_a_market_sell_through_the_mark_needs_its_loss():
    desk = Desk(rich=100)
    desk.buy(1, 400, 800)
    assert desk.sell(0, 400) == Reject.INSUFFICIENT_MARGIN


def test_a_stop_does_not_see_prices_from_before_it():
    """The only waiting order left while prints of the same group were still to be shown; the next one saw them."""
    desk = Desk(rich=0, reduce_limit=ReduceLimit.NONE, reduce_method=ReduceMethod.WHOLE)
    for account, amount in ((0, 10), (1, 11), (2, 1_000)):
        desk.deposit(account, amount)
    desk.seed(0, 100)
    desk.seed(1, 100)
    stop = {"flags": Flag.STOP, "trigger_ticks": 1_200, "trigger_source": TriggerSource.LAST}
    desk.buy(1, 1, 2_000, **stop)
    desk.buy(2, 100, 850)
    desk.mark(880)  # both longs fall: the first is sold at 850, the second loses its stop
    assert len(desk.of(EventKind.LIQUIDATION_STARTED)) == 2 and desk.engine.market(0)["last_ticks"] == 850
    desk.buy(2, 1, 1_000)
    desk.sell(3, 1, 1_000)
    desk.sell(2, 5, 700, flags=Flag.STOP, trigger_ticks=840, trigger_source=TriggerSource.LAST)
    assert not len(desk.of(EventKind.TRIGGERED))
    desk.do(Kind.TICK, time_ns=NOW + SECOND)
    assert not len(desk.of(EventKind.TRIGGERED))


TRAILING_BUY = {"flags": Flag.TRAILING, "aux": 50_000_000}  # 5 %


class TestTrailingStops:
    def test_a_fall_does_not_set_off_a_buy(self):
        """One sweep from 1,000 to 900 was taken as a low of 900 followed by 1,000."""
        desk = Desk()
        for price in (1_000, 950, 900):
            desk.buy(1, 10, price)
        desk.sell(3, 1)
        desk.buy(0, 5, 2_000, **TRAILING_BUY)
        desk.sell(2, 29)
        assert not len(desk.of(EventKind.TRIGGERED))
        desk.sell(3, 10, 946)
        desk.buy(2, 1, 946)
        assert len(desk.of(EventKind.TRIGGERED)) == 1

    def test_the_low_of_a_mark_between_ticks_is_no_lower_than_the_mark(self):
        desk = Desk(mark=999.5)
        desk.buy(0, 5, 2_000, trigger_source=TriggerSource.MARK, **TRAILING_BUY)
        desk.mark(1_049)
        assert not len(desk.of(EventKind.TRIGGERED))  # 5 % above 1,000 is 1,050; above 999 it would be 1,048.95
        desk.mark(1_050)
        assert len(desk.of(EventKind.TRIGGERED)) == 1

    def test_its_activation_lies_ahead(self):
        desk = Desk()
        mark = {"trigger_source": TriggerSource.MARK}
        assert desk.buy(0, 5, 1_000, trigger_ticks=1_000, **mark, **TRAILING_BUY) == Reject.WOULD_TRIGGER
        assert desk.sell(0, 5, 1_000, trigger_ticks=999, **mark, **TRAILING_BUY) == Reject.WOULD_TRIGGER
        assert desk.buy(0, 5, 1_000, trigger_ticks=999, **mark, **TRAILING_BUY) == Reject.NONE

    def test_it_closes_no_whole_position(self):
        flags = Flag.TRAILING | Flag.CLOSE_POSITION
        assert Desk().buy(0, 0, aux=50_000_000, flags=flags) == Reject.BAD_FLAGS


# ---- accounts, money, rules ----------------------------------------------------------------------------------------


def test_nobody_pays_into_a_clearing_account():
    """Its balance is the mirror of all entry costs; one deposit and the engine stopped at its own check."""
    desk = Desk()
    clearing = desk.engine.house["clearing"][0]
    assert desk.deposit(clearing, 5) == Reject.HOUSE_ACCOUNT
    assert desk.do(Kind.WITHDRAW, account=clearing, value=5) == Reject.HOUSE_ACCOUNT
    assert desk.deposit(desk.engine.house["funds"][0], 5) == Reject.NONE


def test_no_position_is_given_without_a_mark():
    """It was valued at 0, so the first mark of another market liquidated every long."""
    desk = Desk(markets=2, mark=None)
    assert desk.seed(0, 100, market=1) == Reject.NO_MARK
    desk.mark(1_000, market=1)
    assert desk.seed(0, 100, market=1) == Reject.NONE


def test_the_world_carries_more_than_one_customer_may():
    """The sum of all customers' positions stands against it; at one customer's limit the engine stopped."""
    desk = Desk()
    most = MARKET["position_max"]
    assert desk.seed(0, most) == Reject.NONE
    assert desk.seed(1, most) == Reject.NONE
    assert desk.lots(desk.engine.house["world"]) == -2 * most


def test_orders_can_not_take_a_position_beyond_its_largest_size():
    """Where no tier is in the way: the engine stopped when a fill came to more than a position can hold."""
    desk = Desk(market={"position_max": 1_000, "size_max": 600})
    assert desk.buy(0, 600, 1_000) == Reject.NONE
    assert desk.buy(0, 600, 1_000) == Reject.POSITION_CAP
    assert desk.buy(0, 400, 1_000) == Reject.NONE
    assert desk.seed(0, 1) == Reject.POSITION_CAP
    assert desk.sell(1, 600, 1_000) == desk.sell(1, 400, 1_000) == Reject.NONE
    assert (desk.lots(0), desk.lots(1)) == (1_000, -1_000)
    assert desk.buy(0, 1, 900) == Reject.POSITION_CAP
    assert desk.sell(0, 600, 1_000, flags=Flag.REDUCE_ONLY) == Reject.NONE


def test_no_position_is_given_in_a_settled_market():
    desk = Desk()
    desk.state(MarketState.SETTLING)
    assert desk.seed(0, 100) == Reject.MARKET_STATE


def test_the_margin_mode_stays_while_a_liquidation_runs():
    desk = Desk(rich=0, liquidation_delay_ns=SECOND)
    desk.deposit(0, 11)
    desk.deposit(1, 1_000)
    desk.isolate(0)
    desk.seed(0, 100)
    desk.sell(0, 100, 905)
    desk.mark(903)
    desk.buy(1, 100, 905)  # its own order closes the position while the delay runs
    assert desk.lots(0) == 0
    assert desk.do(Kind.SET_MARGIN_MODE, account=0, aux=MarginMode.CROSS) == Reject.IN_LIQUIDATION
    desk.do(Kind.TICK, time_ns=NOW + 2 * SECOND)
    assert desk.do(Kind.SET_MARGIN_MODE, account=0, aux=MarginMode.CROSS) == Reject.NONE


def test_closing_half_an_isolated_position_leaves_the_other_half_as_safe():
    """The loss of the closed half was taken from the whole margin before a half of that was given back."""
    desk = Desk()
    desk.isolate(0, leverage=10)
    desk.seed(0, 100)
    desk.mark(950)
    before = desk.row(0)
    desk.buy(1, 50, 950)
    desk.sell(0, 50, 950)
    after = desk.row(0)
    assert (before["isolated_margin"], after["isolated_margin"]) == (10 * ONE, 5 * ONE)
    assert before["pnl"] == 2 * after["pnl"] and desk.wallet(0)["balance"] == (10_000 - 5) * ONE - ONE * 25 // 10


def test_funding_is_paid_once_at_a_stamp_that_was_moved_away_and_back():
    desk = Desk()
    desk.seed(0, 100)
    for seconds in (10, 20, 10):
        desk.do(Kind.SET_FUNDING, value=1_000_000, expire_ns=NOW + seconds * SECOND)
    desk.do(Kind.TICK, time_ns=NOW + 30 * SECOND)
    assert len(desk.of(EventKind.FUNDING_SETTLED)) == 1
    assert desk.wallet(0)["funding"] == -ONE // 10


def test_a_group_ends_although_its_last_command_is_refused():
    desk = Desk(rich=0)
    desk.deposit(0, 10)
    desk.seed(0, 100)
    desk.mark(900, flags=Flag.MORE)
    assert not len(desk.of(EventKind.LIQUIDATION_STARTED))
    assert desk.mark(900, market=7) == Reject.UNKNOWN_MARKET
    assert len(desk.of(EventKind.LIQUIDATION_STARTED)) == 1


def test_slices_need_a_period():
    """With a period of 0 the unwind timer came due again at once, for ever."""
    desk = Desk()
    slices = {"aux": Rule.FUND_UNWIND, "value": FundUnwind.SLICES}
    assert desk.do(Kind.SET_RULE, **slices) == Reject.BAD_VALUE
    desk.do(Kind.SET_RULE, aux=Rule.FUND_UNWIND_PERIOD, value=SECOND)
    assert desk.do(Kind.SET_RULE, **slices) == Reject.NONE


def test_more_orders_than_can_be_counted_are_not_allowed():
    assert Desk().do(Kind.SET_RULE, aux=Rule.MAX_ORDERS, value=0x10000) == Reject.BAD_VALUE


# ---- market states -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [(MarketState.HALTED, MarketState.OPEN), (MarketState.REDUCE_ONLY,)])
def test_crossing_orders_meet_whichever_way_a_market_opens(way):
    desk = Desk()
    desk.seed(0, 100)
    desk.state(MarketState.PRE_OPEN)
    desk.buy(1, 10, 1_010)
    desk.sell(0, 10, 990)
    for state in way:
        desk.state(state)
    assert len(desk.of(EventKind.TRADE)) == 1 and desk.lots(0) == 90


def test_a_market_is_settled_before_it_is_closed():
    desk = Desk()
    desk.seed(0, 100)
    assert desk.state(MarketState.CLOSED) == Reject.MARKET_STATE
    assert desk.state(MarketState.SETTLING, value=MARKET["tick_value"] * 20_001) == Reject.BAD_VALUE
    assert desk.state(MarketState.SETTLING) == Reject.NONE and desk.lots(0) == 0
    assert desk.state(MarketState.CLOSED) == Reject.NONE


def test_nothing_trades_in_a_halted_market():
    """Recorded trades and levels hit account orders, and forced orders the book, halt or no halt."""
    desk = Desk(rich=0)
    desk.deposit(0, 1_000)
    desk.deposit(1, 11)
    desk.seed(1, 100)
    desk.level(Side.SELL, 1_001, 20)
    desk.sell(0, 10, 1_001)
    desk.buy(0, 10, 990)
    desk.state(MarketState.HALTED)
    desk.do(Kind.TAPE_TRADE, side=Side.BUY, price_ticks=1_001, size_lots=25)
    desk.level(Side.BUY, 1_001, 5)
    desk.mark(892)
    assert len(desk.of(EventKind.TAKEOVER)) == 1 and not len(desk.of(EventKind.TRADE))
    assert desk.engine.queue(0, Side.SELL, 1_001)[0] == (0, 1, 10)
    desk.state(MarketState.OPEN)
    (trade,) = desk.of(EventKind.TRADE)  # the recorded bid that came meanwhile takes its part now
    assert (trade["price_ticks"], trade["size_lots"], trade["maker_account"]) == (1_001, 5, 0)


# ---- liquidation ---------------------------------------------------------------------------------------------------


def test_a_forced_sale_frees_no_margin_of_an_isolated_position():
    """Half of what was sold went to the wallet as margin, so selling could not save anybody."""
    desk = Desk(rich=0, market={"tiers": FLAT_TIER})
    desk.deposit(0, 100)
    desk.deposit(1, 1_000)
    desk.isolate(0, leverage=10)
    desk.seed(0, 100)
    desk.buy(1, 100, 947)
    desk.mark(947)  # equity 4.7, maintenance 4.735: one lot sold is enough
    (order,) = desk.of(EventKind.LIQUIDATION_ORDER)
    assert order["size_lots"] == 1 and desk.lots(0) == 99
    assert not len(desk.of(EventKind.TAKEOVER)) and desk.wallet(0)["balance"] == 90 * ONE


def test_a_part_is_sold_where_the_fee_eats_up_the_whole():
    """The liquidation fee is above the lower tiers' rates: the whole is not enough, a part of the top tier is."""
    ladder = tiers((1_000, "0.5", 50), (100_000, "10", 10))
    desk = Desk(rich=0, market={"tiers": ladder, "liquidation_fee": 60_000_000, "size_max": 5_000})
    desk.deposit(0, 300)
    desk.deposit(1, 100_000)
    desk.seed(0, 2_000)
    desk.buy(1, 2_000, 903)
    desk.mark(903)  # value 1,806, equity 106, maintenance 85.6 ... at 893 they meet
    assert not len(desk.of(EventKind.LIQUIDATION_STARTED))
    desk.mark(891)  # value 1,782, equity 82, maintenance 83.2; a sale of 30 lots frees 4 %, of all 100 % nothing
    (order,) = desk.of(EventKind.LIQUIDATION_ORDER)
    assert 20 < order["size_lots"] < 60 and not len(desk.of(EventKind.TAKEOVER))
    assert desk.lots(0) == 2_000 - order["size_lots"]


def test_counterparties_that_forced_orders_have_made_are_found():
    """The queue of the first takeover was used for the last one; who had become short in between was not in it."""
    desk = Desk(
        markets=2, rich=0, adl_policy=AdlPolicy.BINANCE, reduce_method=ReduceMethod.WHOLE, reduce_limit=ReduceLimit.NONE
    )
    for account, amount in enumerate((10, 40, 25, 1_000, 1_000)):
        desk.deposit(account, amount)
    desk.seed(0, 100)  # worst of all, and taken over against the shorts of 3
    desk.seed(3, -100)
    desk.seed(1, -100)  # in trouble for its long in the other market, and its short is bought back from 4
    desk.seed(1, 300, market=1)
    desk.seed(2, 100)  # last: only 4 can be its counterparty
    desk.sell(4, 100, 800)
    desk.buy(3, 300, 700, market=1)
    desk.mark(700, flags=Flag.MORE, market=1)
    desk.mark(700)
    adl = desk.of(EventKind.ADL)
    assert adl["account"].tolist() == [3, 4]
    assert not len(desk.of(EventKind.TAKEOVER))


def test_the_rich_may_be_short_by_little():
    """The mark at which four thousand millions were lost by one lot left 64 bits, and the venue stopped."""
    desk = Desk(rich=0)
    desk.deposit(0, 4 * 10**9)
    desk.seed(0, -1)
    desk.mark(2_000)
    assert desk.lots(0) == -1 and not len(desk.of(EventKind.LIQUIDATION_STARTED))


# ---- the tape ------------------------------------------------------------------------------------------------------


def test_a_walking_print_leaves_better_recorded_levels_alone():
    """History says that they were gone; it ate them, and the depth message that followed found less to take away."""
    desk = Desk()
    for price, lots in ((1_000, 10), (1_001, 10), (1_002, 10)):
        desk.level(Side.SELL, price, lots)
    desk.buy(0, 14)
    desk.level(Side.SELL, 1_000, 25)  # the first level is full again, with 10 of it still to be confirmed as gone
    desk.do(Kind.TAPE_TRADE, side=Side.BUY, price_ticks=1_001, size_lots=10)  # 4 of these find nothing
    assert desk.engine.book(0, Side.SELL).tolist() == [[1_000, 15], [1_002, 6]]


def test_recorded_levels_below_the_first_tick_are_out_of_reach():
    """A shock had moved the tape by 100 ticks; when the recorded price then fell, takers bought below zero."""
    desk = Desk()
    desk.level(Side.BUY, 999, 10)
    desk.level(Side.SELL, 1_001, 10)
    desk.do(Kind.SET_SHOCK, value=900_000_000)
    desk.level(Side.SELL, 90, 10)
    assert desk.engine.market(0)["best_ask_ticks"] == 901
    desk.level(Side.BUY, 999, 0)
    desk.buy(0, 10)
    assert desk.of(EventKind.TRADE)["price_ticks"].tolist() == [901]
    desk.do(Kind.SET_SHOCK, value=1_000_000_000)
    assert desk.engine.market(0)["best_ask_ticks"] == 90


class TestRecordedOrders:
    def add(self, desk, order_id, side, lots, price):
        return desk.do(
            Kind.TAPE_ORDER, aux=TapeOrder.ADD, order_id=order_id, side=side, size_lots=lots, price_ticks=price
        )

    def test_they_hold_no_margin(self):
        """Each fill gave back a hold that had never been taken."""
        desk = Desk()
        self.add(desk, 1, Side.SELL, 10, 1_001)
        desk.buy(0, 4, 1_001)
        world = desk.row(desk.engine.house["world"])
        assert (world["bid_value"], world["ask_value"]) == (0, 0)
        desk.state(MarketState.SETTLING)

    def test_their_size_is_one_that_an_order_can_hold(self):
        """2^40 + 5 lots came to rest as 5."""
        assert self.add(Desk(), 1, Side.SELL, 2**40 + 5, 1_001) == Reject.BAD_SIZE

    def test_they_may_cross_each_other(self):
        """A recording that crosses itself is not the engine's fault, and is no reason to stop it."""
        desk = Desk()
        self.add(desk, 1, Side.SELL, 10, 1_000)
        self.add(desk, 2, Side.BUY, 10, 1_005)
        assert desk.engine.market(0)["best_bid_ticks"] == 1_005

    def test_they_reach_account_orders_behind_other_recorded_ones(self):
        desk = Desk()
        self.add(desk, 1, Side.SELL, 10, 1_000)
        desk.sell(0, 3, 1_002)
        self.add(desk, 2, Side.BUY, 10, 1_005)
        assert desk.lots(0) == -3
        assert desk.engine.queue(0, Side.BUY, 1_005) == [(desk.engine.house["world"], 2, 7)]

    def test_they_take_no_part_in_an_auction(self):
        """Two recorded orders traded with each other when the market opened."""
        desk = Desk()
        desk.state(MarketState.AUCTION)
        self.add(desk, 1, Side.SELL, 10, 1_000)
        self.add(desk, 2, Side.BUY, 10, 1_001)
        desk.sell(0, 3, 1_001)
        desk.state(MarketState.OPEN)
        (trade,) = desk.of(EventKind.TRADE)
        assert (trade["maker_account"], trade["size_lots"], trade["price_ticks"]) == (0, 3, 1_001)


def test_rows_and_commands_that_mean_the_same_have_the_same_digest():
    """The flags of a depth message went into the digest as they are written, which differs at the two doors."""
    by_command, by_row = Desk(rich=0).engine, Desk(rich=0).engine
    commands = np.zeros(2, COMMAND)
    commands["kind"], commands["time_ns"], commands["price_ticks"], commands["size_lots"] = 15, NOW + 1, [990, 991], 5
    commands["flags"] = [Flag.MORE | Flag.SNAPSHOT, Flag.SNAPSHOT]
    by_command.apply(commands)
    kernel = Kernel([by_row])
    columns = {
        "time_ns": commands["time_ns"].copy(), "code": np.array([1 | 32 | 64, 1 | 64], np.uint8),
        "price": commands["price_ticks"].copy(), "value": commands["size_lots"].copy(),
    }  # fmt: skip
    stream = kernel.add_stream(0, 0)
    kernel.feed(stream, columns)
    kernel.finish(stream)
    while kernel.run(NOW + 1) != Stop.UNTIL:
        pass
    assert by_row.digest() == by_command.digest()


@pytest.mark.parametrize(("first", "interval"), [(Kind.TICK, 0), (Kind.PLACE, 8)])
def test_timers_older_than_the_clock_fire(first, interval):
    """An order with a time limit was placed before the first time, which made the engine forget when to wake."""
    engine = Engine(VENUE, [PLAIN | {"funding_interval_ns": interval * SECOND}], 2)
    for account in range(2):
        engine.submit(kind=Kind.DEPOSIT, account=account, value=10_000 * ONE)
    engine.submit(kind=Kind.SET_MARK, market=0, value=1_000 * PLAIN["tick_value"])
    bid = {"market": 0, "side": Side.BUY, "price_ticks": 900, "size_lots": 1}
    engine.submit(kind=Kind.PLACE, order_id=1, tif=Tif.GTD, expire_ns=NOW + 10 * SECOND, **bid)
    engine.submit(kind=first, account=1, order_id=1, time_ns=NOW, **bid)
    engine.drain()
    engine.submit(kind=Kind.PLACE, account=1, order_id=2, time_ns=NOW + 20 * SECOND, **bid)
    kinds = engine.drain()["kind"].tolist()
    assert kinds.count(EventKind.FUNDING_SETTLED) == (2 if interval else 0)
    assert kinds.count(EventKind.CANCELLED) == 1
    engine.check()


# ---- rules that change while timers run ----------------------------------------------------------------------------


def marks_until(desk, seconds):
    desk.do(Kind.TICK, time_ns=NOW + int(seconds * SECOND))
    return (desk.of(EventKind.MARK)["time_ns"] - NOW) // SECOND


def test_the_period_of_the_mark_changes_at_a_date():
    """The rule was listed but refused."""
    desk = Desk(market={"mark_method": 1, "mark_period_ns": 3 * SECOND, "basis_samples": 4}, mark=None, rich=0)
    desk.do(Kind.SET_INDEX, value=1_000 * MARKET["tick_value"])
    desk.level(Side.BUY, 990, 10)
    desk.level(Side.SELL, 1_020, 10)
    assert list(marks_until(desk, 4)) == [1, 4]  # NOW + 1 s is a multiple of 3 s
    assert desk.do(Kind.SET_RULE, aux=Rule.BASIS_SAMPLES, value=2) == Reject.NONE
    assert desk.do(Kind.SET_RULE, aux=Rule.BASIS_SAMPLES, value=513) == Reject.BAD_VALUE
    assert desk.do(Kind.SET_RULE, aux=Rule.MARK_PERIOD, value=0) == Reject.NONE
    desk.do(Kind.SET_INDEX, value=1_100 * MARKET["tick_value"])
    assert len(marks_until(desk, 20)) == 0
    assert desk.do(Kind.SET_RULE, aux=Rule.MARK_PERIOD, value=5 * SECOND) == Reject.NONE
    assert list(marks_until(desk, 26)) == [25]


def test_funding_begins_when_an_interval_is_set():
    """An interval that came to a market without one never started its timer."""
    desk = Desk()
    assert desk.do(Kind.SET_RULE, aux=Rule.FUNDING_INTERVAL, value=10 * SECOND) == Reject.NONE
    desk.do(Kind.TICK, time_ns=NOW + 21 * SECOND)
    assert list((desk.of(EventKind.FUNDING_SETTLED)["time_ns"] - NOW) // SECOND) == [10, 20]
