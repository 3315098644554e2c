"""Hedge mode: two legs in a market, each with its own margin; what an order of each side may do to them."""

import pytest
from model.wire import Leg
from perpsim.core import EventKind, Flag, Kind, PositionSide, Reject, Side
from perpsim.exchange.desk import Desk as BotDesk
from test_regressions import ONE, PLAIN, Desk

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT


class Hedger(Desk):
    """Account 0 is in hedge mode; the others are not."""

    def __init__(self, **fields):
        super().__init__(**fields)
        self.reason = self.do(Kind.SET_POSITION_MODE, account=0, aux=1)

    def legs(self, account=0) -> dict[int, int]:
        rows = self.engine.positions()
        rows = rows[(rows["account"] == account) & (rows["position_side"] != PositionSide.BOTH)]
        return dict(zip(rows["position_side"].tolist(), rows["lots"].tolist(), strict=True))


@pytest.fixture
def hedger() -> Hedger:
    """A wall of account 1 on both sides at 1000, a long leg of 10 lots and a short one of 4."""
    desk = Hedger()
    desk.sell(1, 300, 1_001)
    desk.buy(1, 300, 999)
    assert desk.buy(0, 10, position_side=LONG) == Reject.NONE
    assert desk.sell(0, 4, position_side=SHORT) == Reject.NONE
    assert desk.legs() == {LONG: 10, SHORT: -4}
    return desk


def test_numbers_of_the_sides():
    assert [int(side) for side in PositionSide] == [Leg.BOTH, Leg.LONG, Leg.SHORT]


class TestOrders:
    def test_the_account_must_name_a_leg_and_others_must_not(self, hedger):
        assert hedger.buy(0, 1, 900) == Reject.HEDGE_ONLY
        assert hedger.buy(0, 1, 900, position_side=3) == Reject.BAD_ENUM
        assert hedger.buy(2, 1, 900, position_side=LONG) == Reject.ONE_WAY_ONLY

    def test_the_closing_side_of_a_leg_never_turns_it_over(self, hedger):
        assert hedger.sell(0, 25, position_side=LONG) == Reject.NONE
        assert hedger.legs() == {LONG: 0, SHORT: -4}
        assert hedger.sell(0, 1, position_side=LONG) == Reject.REDUCE_ONLY

    def test_reduce_only_is_not_said_twice(self, hedger):
        flags = Flag.REDUCE_ONLY
        assert hedger.sell(0, 1, 1_100, position_side=LONG, flags=flags) == Reject.BAD_FLAGS
        assert hedger.do(Kind.SET_POSITION_MODE, account=2, aux=1) == Reject.NONE
        assert hedger.sell(2, 1, 1_100, position_side=LONG) == Reject.REDUCE_ONLY

    def test_closing_orders_together_close_a_leg_once(self, hedger):
        hedger.sell(0, 10, 1_020, position_side=LONG)
        assert hedger.sell(0, 1, position_side=LONG) == Reject.REDUCE_ONLY
        assert hedger.buy(0, 3, position_side=SHORT) == Reject.NONE
        assert hedger.legs() == {LONG: 10, SHORT: -1}

    def test_both_legs_need_margin(self, hedger):
        """One-way, 10 lots long and 10 short would need none."""
        free = hedger.engine.accounts()["balance"][0]
        hedger.do(Kind.WITHDRAW, account=0, value=int(free) - 9 * ONE)
        assert hedger.buy(0, 100, 990, position_side=LONG) == Reject.INSUFFICIENT_MARGIN

    def test_a_market_can_be_one_way_for_all(self):
        desk = Hedger(market={"hedge_allowed": 0})
        assert desk.buy(0, 1, 990, position_side=LONG) == Reject.ONE_WAY_ONLY
        assert desk.buy(0, 1, 990) == Reject.NONE


class TestModes:
    def test_the_mode_changes_only_when_nothing_is_open(self, hedger):
        assert hedger.do(Kind.SET_POSITION_MODE, account=0, aux=0) == Reject.POSITION_OPEN
        assert hedger.do(Kind.SET_POSITION_MODE, account=1, aux=1) == Reject.POSITION_OPEN
        hedger.buy(2, 1, 900)
        assert hedger.do(Kind.SET_POSITION_MODE, account=2, aux=1) == Reject.ORDERS_OPEN
        assert hedger.do(Kind.SET_POSITION_MODE, account=2, aux=2) == Reject.BAD_ENUM

    def test_leverage_and_margin_mode_are_those_of_both_legs(self):
        desk = Hedger()
        desk.do(Kind.SET_MARGIN_MODE, account=0, aux=1)
        desk.do(Kind.SET_LEVERAGE, account=0, value=7)
        rows = desk.engine.positions()
        rows = rows[rows["account"] == 0]
        assert rows["leverage"].tolist() == [7, 7] and rows["mode"].tolist() == [1, 1]

    def test_margin_is_moved_into_the_leg_that_is_named(self):
        desk = Hedger()
        desk.do(Kind.SET_MARGIN_MODE, account=0, aux=1)
        desk.seed(0, 10)
        desk.seed(0, -10)
        assert desk.legs() == {LONG: 10, SHORT: -10}
        assert desk.do(Kind.MOVE_MARGIN, account=0, value=ONE) == Reject.HEDGE_ONLY
        assert desk.do(Kind.MOVE_MARGIN, account=0, value=ONE, position_side=SHORT) == Reject.NONE
        rows = desk.engine.positions()
        margins = {row["position_side"]: row["isolated_margin"] for row in rows if row["account"] == 0}
        assert margins[SHORT] - margins[LONG] == ONE


def crash(net_hedges: int) -> Hedger:
    """600 lots long and 400 short on margin that a fall to 900 exhausts; nobody buys."""
    desk = Hedger(rich=0, net_hedges=net_hedges, market={"size_max": 1_000})
    desk.do(Kind.DEPOSIT, account=0, value=20 * ONE)
    desk.do(Kind.DEPOSIT, account=desk.engine.house["funds"][0], value=100_000 * ONE)
    desk.seed(0, 600)
    desk.seed(0, -400)
    desk.mark(900)
    return desk


class TestLiquidation:
    def test_legs_are_not_netted_unless_the_rulebook_says_so(self):
        desk = crash(net_hedges=0)
        assert len(desk.of(EventKind.LEGS_NETTED)) == 0
        assert sorted(desk.of(EventKind.TAKEOVER)["size_lots"].tolist()) == [400, 600]

    def test_hedged_legs_close_against_each_other_first(self):
        desk = crash(net_hedges=1)
        (netted,) = desk.of(EventKind.LEGS_NETTED)
        assert netted["size_lots"] == 400 and netted["value"] == 400 * 900 * PLAIN["tick_value"] // 100
        assert desk.of(EventKind.TAKEOVER)["size_lots"].tolist() == [200]
        kinds = desk.events["kind"].tolist()
        assert kinds.index(EventKind.LEGS_NETTED) < kinds.index(EventKind.TAKEOVER)

    def test_netting_may_be_enough(self):
        """Maintenance of the legs, 3 each, was all that was missing: 5 are left, and nothing is sold or taken over."""
        desk = Hedger(rich=0, net_hedges=1, market={"size_max": 1_000})
        desk.do(Kind.DEPOSIT, account=0, value=5 * ONE)
        desk.seed(0, 500)
        desk.seed(0, -500)
        desk.mark(1_000)
        assert desk.events["kind"].tolist()[-3:] == [
            EventKind.LIQUIDATION_STARTED, EventKind.LEGS_NETTED, EventKind.LIQUIDATION_ENDED,
        ]  # fmt: skip
        assert desk.legs() == {LONG: 0, SHORT: 0}
        assert desk.engine.accounts()["balance"][0] == 5 * ONE


def test_a_bot_knows_its_legs():
    """The ledger of a bot's desk follows both legs to the venue's numbers, through netting and takeover too."""
    desk = Hedger(rich=0, net_hedges=1, market={"size_max": 1_000})
    bot = BotDesk(0, [SpecLike], send=lambda fields: None, set_timer=lambda delay, tag: None)
    steps = [
        lambda: desk.do(Kind.SET_POSITION_MODE, account=0, aux=1),
        lambda: desk.do(Kind.DEPOSIT, account=0, value=20 * ONE),
        lambda: desk.seed(0, 600),
        lambda: desk.seed(0, -400),
        lambda: desk.mark(900),
    ]
    for step in steps:
        step()
        for event in desk.events:
            fields = {name: int(event[name]) for name in event.dtype.names}
            if 0 in (fields["account"], fields["maker_account"]):
                bot.event(fields)
    assert {leg: held[0] for (_, leg), held in bot.positions.items()} == {LONG: 0, SHORT: 0}
    assert bot.balance == desk.engine.accounts()["balance"][0]


class SpecLike:
    tick_value, lot_numerator, lot_denominator = PLAIN["tick_value"], PLAIN["lot_numerator"], PLAIN["lot_denominator"]


class TestEqualLegs:
    @pytest.mark.parametrize("first", [500, -500])
    def test_the_long_one_is_taken_over_first(self, first):
        """Whichever was opened first: two legs with the same key went in the order of a list that nothing decides."""
        desk = Hedger(rich=0, market={"size_max": 1_000})
        desk.do(Kind.DEPOSIT, account=0, value=5 * ONE)
        desk.do(Kind.DEPOSIT, account=desk.engine.house["funds"][0], value=100_000 * ONE)
        desk.seed(0, first)
        desk.seed(0, -first)
        desk.mark(1_000)
        assert desk.of(EventKind.TAKEOVER)["side"].tolist() == [Side.SELL, Side.BUY]
