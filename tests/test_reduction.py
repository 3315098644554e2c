"""Each venue's order of work when it liquidates: which orders, of what size and price, and who takes over.

Prices are in ticks of 0.1; one lot at 1,000 ticks is worth 1. Nobody pays fees unless a test says so.
"""

import pytest
from perpsim.core import (
    AdlPolicy,
    Engine,
    EventKind,
    Kind,
    LiquidationFee,
    MarginMode,
    ReduceLimit,
    ReduceMethod,
    Reject,
    Rule,
    Side,
    Takeover,
    formulas_reduce,
)
from stream_settings import SECOND, VENUE, tiers
from test_regressions import FLAT_TIER, NOW, ONE, PLAIN, Desk

LADDER = tiers((1_000, "1", 20), (2_000, "2", 20), (3_000, "5", 10), (4_000, "10", 10), (50_000, "20", 5))
NAMES = {
    EventKind.LIQUIDATION_STARTED: "found", EventKind.LIQUIDATION_ORDER: "order", EventKind.TRADE: "trade",
    EventKind.CANCELLED: "unfilled", EventKind.TAKEOVER: "takeover", EventKind.ADL: "adl",
    EventKind.LIQUIDATION_FEE: "fee", EventKind.FUND_COVER: "cover", EventKind.VENUE_DEFICIT: "deficit",
    EventKind.LIQUIDATION_ENDED: "ended",
}  # fmt: skip
MONEY = ("fee", "cover", "deficit")


def venue(market=None, tier=LADDER, **rules) -> Desk:
    return Desk(rich=0, market={"tiers": tier, "size_max": 100_000} | (market or {}), **rules)


def story(desk: Desk) -> list:
    """What the last command caused, in order: steps, with lots or whole money."""
    told = []
    for e in desk.events:
        name = NAMES.get(EventKind(e["kind"]))
        if name in ("found", "ended"):
            told.append(name)
        elif name:
            told.append((name, int(e["value"]) / ONE if name in MONEY else int(e["size_lots"])))
    return told


def wait(desk: Desk, seconds: int) -> list:
    """Time passes; what happened meanwhile."""
    desk.do(Kind.TICK, time_ns=desk.engine.time_ns + seconds * SECOND)
    return story(desk)


class TestTierFok:
    """BitMEX and Bybit: fill or kill, of the difference to the tier that satisfies maintenance; then takeover."""

    def desk(self, bids):
        desk = venue(reduce_method=ReduceMethod.TIER_FOK)
        desk.deposit(0, 460)
        desk.seed(0, 3_500)  # maintenance 180 at 1,000: tiers ask 10 + 20 + 50 + 100
        desk.level(Side.BUY, 910, bids)
        return desk

    def test_the_difference_is_filled_and_maintenance_holds(self):
        desk = self.desk(5_000)
        desk.mark(910)  # value 3,185, equity 145, maintenance 98.5
        assert story(desk) == []
        desk.mark(895)  # value 3,132.5, equity 92.5, maintenance 93.25; at the cap of 3,000: 80
        assert story(desk) == ["found", ("order", 149), ("trade", 149), "ended"]
        assert desk.lots(0) == 3_351 and 3_351 * 895 <= 3_000_000 < 3_352 * 895

    def test_what_cannot_be_filled_whole_is_not_filled_at_all(self):
        desk = self.desk(148)
        desk.mark(895)
        assert story(desk) == ["found", ("order", 149), ("unfilled", 149), ("takeover", 3_500), "ended"]
        assert desk.of(EventKind.CANCELLED)[0]["reason"] == Reject.BY_FOK

    def test_in_the_lowest_tier_there_is_nothing_to_send(self):
        desk = venue(reduce_method=ReduceMethod.TIER_FOK)
        desk.deposit(0, 60)
        desk.seed(0, 900)
        desk.level(Side.BUY, 940, 5_000)
        desk.mark(940)  # equity 6, maintenance 8.46
        assert story(desk) == ["found", ("takeover", 900), "ended"]


class TestByTiers:
    """OKX and Bitget: two tiers at a time; the last tiers are handed over, or closed in the market first."""

    def test_two_tiers_at_a_time_once_a_period(self):
        desk = venue(reduce_method=ReduceMethod.TWO_TIERS, liquidation_period_ns=SECOND)
        desk.deposit(0, 1_300)
        desk.seed(0, 6_000)
        desk.level(Side.BUY, 860, 50_000)
        desk.mark(860)  # value 5,160, equity 460, maintenance 180 + 232
        assert story(desk) == []
        desk.mark(850)  # value 5,100, equity 400, maintenance 400: just enough
        assert story(desk) == []
        desk.mark(849)  # fifth tier to the cap of the third, 3,000
        size = 6_000 - 3_000_000 // 849
        assert story(desk)[:2] == ["found", ("order", size)]
        assert desk.lots(0) == 6_000 - size

    def test_tiers_one_and_two_are_handed_over(self):
        desk = venue(reduce_method=ReduceMethod.TWO_TIERS)
        desk.deposit(0, 130)
        desk.seed(0, 1_900)
        desk.level(Side.BUY, 950, 50_000)
        desk.mark(940)  # value 1,786, equity 16, maintenance 25.72; the lowest rate asks 17.86
        assert story(desk) == ["found", ("takeover", 1_900), "ended"]

    def test_bitget_closes_in_the_market_what_it_would_hand_over(self):
        desk = venue(reduce_method=ReduceMethod.TWO_TIERS, hand_over_tier=1, close_rest=1)
        desk.deposit(0, 130)
        desk.seed(0, 1_900)
        desk.level(Side.BUY, 940, 50)
        desk.level(Side.BUY, 935, 60)
        desk.mark(940)
        assert story(desk) == [
            "found", ("order", 1_900), ("trade", 50), ("trade", 60), ("unfilled", 1_790), ("takeover", 1_790), "ended"
        ]  # fmt: skip

    @pytest.mark.parametrize(("behind", "told"), [(80, "takeover"), (110, "order")])
    def test_the_lowest_rate_asks_in_coins_what_they_are_worth(self, behind, told):
        """6,000 lots settle in a coin worth 2: at 849 they have lost 906 coins, and the lowest rate asks 50.94 of them.

        1,812 and `behind` lie in asset 0, so that the account has `behind` left, where 101.88 are asked.
        """
        rules = {"reduce_method": ReduceMethod.TWO_TIERS, "collateral": [{}, {"price": 2 * ONE}]}
        market = PLAIN | {"tiers": LADDER, "size_max": 100_000, "asset": 1}
        engine = Engine(VENUE | rules, [market], 2, assets=2, audit=2)
        engine.submit(kind=Kind.DEPOSIT, account=0, value=(1_812 + behind) * ONE, time_ns=NOW)
        engine.submit(kind=Kind.SET_MARK, value=1_000 * market["tick_value"])
        engine.submit(kind=Kind.SET_MARGIN_MODE, account=0, aux=MarginMode.MULTI)
        seed = {"side": Side.BUY, "size_lots": 6_000, "value": 1_000 * market["tick_value"]}
        assert engine.submit(kind=Kind.SEED_POSITION, account=0, **seed) == Reject.NONE
        engine.drain()
        engine.submit(kind=Kind.SET_MARK, value=849 * market["tick_value"])
        steps = [NAMES[EventKind(e["kind"])] for e in engine.drain() if EventKind(e["kind"]) in NAMES]
        assert steps[:2] == ["found", told]

    def test_okx_in_2019_went_straight_to_the_lowest_tier(self):
        desk = venue(reduce_method=ReduceMethod.LOWEST_TIER)
        desk.deposit(0, 460)
        desk.seed(0, 3_500)
        desk.level(Side.BUY, 895, 50_000)
        desk.mark(895)
        size = 3_500 - 1_000_000 // 895
        assert story(desk) == ["found", ("order", size), ("trade", size), "ended"]


class TestClips:
    """Deribit: a clip a round, nobody takes over, what is missing in the end is covered."""

    def desk(self, bids):
        desk = venue(
            {"clip_lots": 30}, tier=FLAT_TIER, reduce_method=ReduceMethod.CLIPS, reduce_limit=ReduceLimit.NONE,
            takeover=Takeover.NONE, liquidation_period_ns=SECOND,
        )  # fmt: skip
        desk.do(Kind.DEPOSIT, account=desk.engine.house["funds"][0], value=5 * ONE)
        desk.deposit(0, 10)
        desk.seed(0, 100)
        desk.level(Side.BUY, 945, bids)
        return desk

    def test_it_stops_as_soon_as_margin_suffices(self):
        desk = self.desk(1_000)
        desk.mark(946)  # equity 4.6, maintenance 4.73
        assert story(desk) == ["found", ("order", 30), ("trade", 30), "ended"]

    def test_a_clip_a_round(self):
        desk = self.desk(1_000)
        desk.mark(920)  # equity 2, maintenance 4.6; sold at 945 a clip brings 0.75
        assert story(desk) == ["found", ("order", 30), ("trade", 30)]
        assert wait(desk, 1) == [("order", 30), ("trade", 30), "ended"]
        assert desk.lots(0) == 40

    def test_nobody_takes_over_while_the_book_is_empty(self):
        desk = self.desk(20)
        desk.mark(890)  # equity -1
        assert story(desk) == ["found", ("order", 30), ("trade", 20), ("unfilled", 10)]
        assert wait(desk, 3) == [("order", 30), ("unfilled", 30)] * 3
        desk.level(Side.BUY, 880, 500)
        assert wait(desk, 1) == [("order", 30), ("trade", 30)]
        assert wait(desk, 1) == [("order", 30), ("trade", 30)]
        assert wait(desk, 1) == [("order", 20), ("trade", 20), ("cover", 0.7), "ended"]
        assert desk.lots(0) == 0 and desk.wallet(0)["balance"] == 0


class TestBackstop:
    """Hyperliquid: a slice of a large position, then the whole, then the vault with the margin, ADL below zero."""

    def desk(self, money=100, lots=1_000, bids=0, price=945):
        desk = venue(
            tier=FLAT_TIER, reduce_method=ReduceMethod.SLICE_COOLDOWN, reduce_slice=200_000_000,
            slice_above=500 * ONE, slice_cooldown_ns=30 * SECOND, reduce_limit=ReduceLimit.NONE,
            takeover=Takeover.BACKSTOP, backstop_at=666_666_667, liquidation_period_ns=SECOND,
            adl_policy=AdlPolicy.BINANCE,
        )  # fmt: skip
        self.vault = desk.engine.house["backstop"]
        desk.deposit(0, money)
        desk.seed(0, lots)
        if bids:
            desk.level(Side.BUY, price, bids)
        return desk

    def test_a_slice_and_within_the_cooldown_the_whole(self):
        desk = self.desk(bids=5_000, price=940)
        desk.mark(940)  # value 940, equity 40, maintenance 47
        assert story(desk) == ["found", ("order", 200), ("trade", 200), "ended"]
        desk.mark(936)  # value 748.8, equity 36.8, maintenance 37.4: large still, but the slice was just now
        assert story(desk) == ["found", ("order", 800), ("trade", 800), "ended"]

    def test_after_the_cooldown_a_slice_again(self):
        desk = self.desk(bids=5_000, price=940)
        desk.mark(940)
        wait(desk, 30)
        desk.mark(936)
        assert story(desk) == ["found", ("order", 160), ("trade", 160), "ended"]

    def test_a_small_position_goes_whole(self):
        desk = self.desk(money=40, lots=400, bids=5_000, price=940)
        desk.mark(940)
        assert story(desk) == ["found", ("order", 400), ("trade", 400), "ended"]

    def test_the_vault_takes_the_margin_along(self):
        desk = self.desk()
        desk.mark(940)
        assert story(desk) == ["found", ("order", 200), ("unfilled", 200)]
        desk.mark(925)  # equity 25, two thirds of maintenance 30.8: taken over at the next round
        assert story(desk) == [] and desk.lots(0) == 1_000
        assert wait(desk, 1) == [("order", 200), ("unfilled", 200), ("takeover", 1_000), "ended"]
        assert desk.wallet(0)["balance"] == 0 and desk.lots(self.vault) == 1_000
        assert desk.wallet(self.vault)["equity"] == 25 * ONE

    def test_below_zero_there_is_adl(self):
        desk = self.desk()
        desk.deposit(1, 1_000)
        desk.seed(1, -1_000)
        desk.mark(890)
        assert story(desk) == ["found", ("order", 200), ("unfilled", 200), ("adl", 1_000), "ended"]
        assert desk.lots(0) == desk.lots(1) == 0

    def test_the_vault_itself_is_deleveraged(self):
        desk = self.desk()
        desk.deposit(1, 1_000)
        desk.seed(1, -1_000)
        desk.mark(925)
        assert story(desk)[-2:] == [("takeover", 1_000), "ended"]
        desk.mark(901)
        assert story(desk) == []
        desk.mark(899)
        assert story(desk) == [("adl", 1_000)]
        assert desk.of(EventKind.ADL)[0]["maker_account"] == self.vault
        assert desk.lots(self.vault) == desk.lots(1) == 0 and desk.wallet(self.vault)["balance"] == 0

    def test_the_vault_may_be_paid_into(self):
        desk = self.desk()
        assert desk.do(Kind.DEPOSIT, account=self.vault, value=50 * ONE) == Reject.NONE
        assert desk.do(Kind.PLACE, account=self.vault, order_id=1, size_lots=1, price_ticks=900) == Reject.HOUSE_ACCOUNT


class TestBlocks:
    """dYdX: limits of a block, the fillable price, the fund's gain and loss of a fill."""

    def desk(self, fund=0, **rules):
        desk = venue(
            {"liquidation_fee": 15_000_000}, tier=FLAT_TIER, reduce_method=ReduceMethod.BLOCK,
            position_block_rate=100_000_000, position_block_min=50 * ONE, account_block_notional=150 * ONE,
            reduce_limit=ReduceLimit.FILLABLE, fillable_spread=1_500_000_000,
            liquidation_fee_base=LiquidationFee.BANKRUPTCY, takeover=Takeover.ADL, liquidation_period_ns=SECOND,
            adl_policy=AdlPolicy.BINANCE, **rules,
        )  # fmt: skip
        if fund:
            desk.do(Kind.DEPOSIT, account=desk.engine.house["funds"][0], value=fund * ONE)
        desk.deposit(0, 100)
        desk.seed(0, 1_000)
        return desk

    def test_a_tenth_a_block_and_the_fee_is_the_gain_over_bankruptcy(self):
        desk = self.desk()
        desk.level(Side.BUY, 940, 5_000)
        desk.mark(940)  # bankruptcy at 900; 100 lots sold at 940 gain 4, the fee is at most 1.5 % of 94
        assert story(desk) == ["found", ("order", 100), ("trade", 100), ("fee", 1.41)]
        (order,) = desk.of(EventKind.LIQUIDATION_ORDER)
        assert order["price_ticks"] == 930  # 940 less 1.5 * 47 * 7 / 47 = 10.5 of 940, in ticks above

    def test_without_a_fill_and_with_equity_the_account_waits(self):
        desk = self.desk()
        desk.mark(940)
        assert story(desk) == ["found", ("order", 100), ("unfilled", 100)]
        assert wait(desk, 2) == [("order", 100), ("unfilled", 100)] * 2

    def test_the_fund_pays_a_fill_below_bankruptcy(self):
        desk = self.desk(fund=100)
        desk.level(Side.BUY, 890, 5_000)
        desk.mark(905)  # equity 5; worst price 905 - 1.5 * 45.25 * (1 - 5 / 45.25) = 844.6
        assert story(desk)[:4] == ["found", ("order", 100), ("trade", 100), ("cover", 1.0)]

    def test_a_loss_that_the_fund_cannot_pay_is_refused_and_deleveraged(self):
        desk = self.desk()
        desk.deposit(1, 1_000)
        desk.seed(1, -1_000)
        desk.level(Side.BUY, 880, 5_000)
        desk.mark(890)
        assert story(desk) == ["found", ("order", 100), ("unfilled", 100), ("adl", 1_000), "ended"]

    def test_the_account_has_a_limit_of_its_own(self):
        desk = self.desk(liquidation_delay_ns=SECOND)
        desk.do(Kind.SET_RULE, aux=Rule.ACCOUNT_BLOCK_NOTIONAL, value=30 * ONE)
        desk.level(Side.BUY, 940, 5_000)
        desk.mark(940)
        assert wait(desk, 1)[:2] == [("order", 31), ("trade", 31)]


class TestCure:
    """Drift: what makes the shortage good to a buffer, a part that grows with time."""

    def desk(self, **rules):
        desk = venue(
            {"liquidation_fee": 10_000_000}, tier=FLAT_TIER, reduce_method=ReduceMethod.CURE,
            liquidation_buffer=20_000_000, reduce_limit=ReduceLimit.LIQUIDATOR, liquidator_fee=10_000_000,
            liquidation_fee_base=LiquidationFee.COLLATERAL, **rules,
        )  # fmt: skip
        desk.deposit(0, 105)
        desk.seed(0, 2_000)
        return desk

    def test_all_is_sold_where_a_part_does_not_do(self):
        desk = self.desk()
        desk.level(Side.BUY, 941, 50_000)
        desk.mark(950)  # equity 5, asked 95 + 38 + 2 with the buffer on value and loss; a sale frees 6 % of 1,900
        assert story(desk) == ["found", ("order", 2_000), ("trade", 2_000), ("deficit", 13.0), "ended"]
        assert desk.of(EventKind.LIQUIDATION_ORDER)[0]["price_ticks"] == 941  # 1 % below the mark, up to the tick

    def test_a_part_at_a_time(self):
        desk = self.desk(cure_period_ns=10 * SECOND, cure_start=100_000_000, liquidation_period_ns=SECOND)
        desk.level(Side.BUY, 990, 50_000)
        desk.mark(995)  # equity 95, maintenance 99.5
        told = story(desk)
        assert told[0] == "found" and told[1][0] == "order" and told[1][1] < 300
        before = desk.lots(0)
        assert wait(desk, 1)[0][0] == "order" and desk.lots(0) < before
        wait(desk, 10)
        row = desk.wallet(0)
        assert row["stage"] == 0 and row["equity"] > row["maintenance"]


class TestNetwork:
    """Vega: the network takes the whole position at the mark, the remaining margin goes to the fund as money."""

    def desk(self):
        desk = venue(tier=FLAT_TIER, reduce_method=ReduceMethod.NONE, takeover=Takeover.NETWORK)
        desk.deposit(0, 100)
        desk.seed(0, 1_000)
        return desk

    def test_the_margin_goes_as_money(self):
        desk = self.desk()
        desk.mark(940)
        assert story(desk) == ["found", ("takeover", 1_000), ("fee", 40.0), "ended"]
        assert desk.of(EventKind.TAKEOVER)[0]["value"] == 940 * ONE
        assert desk.wallet(0)["balance"] == 0

    def test_where_nothing_is_left_no_money_moves(self):
        """At 900 the 1,000 lots have lost 100, which is all there was."""
        desk = self.desk()
        desk.mark(900)
        assert story(desk) == ["found", ("takeover", 1_000), "ended"]
        assert desk.of(EventKind.TAKEOVER)[0]["value"] == 900 * ONE
        assert desk.wallet(0)["balance"] == 0 and desk.wallet(desk.engine.house["funds"][0])["balance"] == 0

    def test_a_loss_is_covered(self):
        desk = self.desk()
        desk.mark(890)
        assert story(desk) == ["found", ("takeover", 1_000), ("deficit", 10.0), "ended"]


def test_a_limit_that_leaves_seventy_percent_of_maintenance():
    """Cube: one contract at 100,000 with maintenance and equity of 10,000 is closed at 97,000 or better."""
    desk = venue(
        tier=tiers((1_000_000, "10", 5)), reduce_method=ReduceMethod.WHOLE, reduce_limit=ReduceLimit.LEAVE,
        reduce_leave=700_000_000,
    )  # fmt: skip
    desk.deposit(0, 200)
    desk.seed(0, 1_000)
    desk.mark(887)  # equity 87, maintenance 88.7: the limit leaves 62.09
    (order,) = desk.of(EventKind.LIQUIDATION_ORDER)
    assert order["price_ticks"] == 863  # 887 - 87 + 62.09, up to the tick


def test_the_residue_goes_to_the_fund():
    desk = venue(
        tier=FLAT_TIER, reduce_method=ReduceMethod.WHOLE, liquidation_fee_base=LiquidationFee.RESIDUE,
    )  # fmt: skip
    desk.deposit(0, 100)
    desk.seed(0, 1_000)
    desk.level(Side.BUY, 935, 5_000)
    desk.mark(940)
    assert story(desk) == ["found", ("order", 1_000), ("trade", 1_000), ("fee", 35.0), "ended"]
    assert desk.wallet(0)["balance"] == 0


def test_a_fee_never_exceeds_the_equity_left():
    desk = venue({"liquidation_fee": 500_000_000}, tier=FLAT_TIER, reduce_method=ReduceMethod.WHOLE)
    desk.deposit(0, 100)
    desk.seed(0, 1_000)
    desk.level(Side.BUY, 935, 5_000)
    desk.mark(940)
    assert story(desk)[-2:] == [("fee", 35.0), "ended"]


@pytest.mark.parametrize("takeover", [Takeover.BACKSTOP, Takeover.NONE, Takeover.ADL])
def test_what_waits_for_rounds_needs_rounds(takeover):
    with pytest.raises(ValueError, match="liquidation_period_ns must be positive"):
        venue(takeover=takeover)
    desk = venue()
    assert desk.do(Kind.SET_RULE, aux=Rule.TAKEOVER, value=takeover) == Reject.BAD_VALUE
    desk.do(Kind.SET_RULE, aux=Rule.LIQUIDATION_PERIOD, value=SECOND)
    assert desk.do(Kind.SET_RULE, aux=Rule.TAKEOVER, value=takeover) == Reject.NONE
    assert desk.do(Kind.SET_RULE, aux=Rule.LIQUIDATION_PERIOD, value=0) == Reject.BAD_VALUE


class TestFormulas:
    def test_what_leaves_64_bits_says_so(self):
        assert formulas_reduce.value_of(-3, 7, 2) == -11
        with pytest.raises(OverflowError, match="coarser unit"):
            formulas_reduce.value_of(1 << 62, 4, 1)

    def test_a_position_that_is_not_short_of_margin_keeps_all(self):
        """100 lots at 10 with 500 beside them: 5 % of 1,000 is there ten times."""
        step = {
            "lots": 100, "price": 10, "quote": -1_000, "collateral": 500, "margin": 50_000_000, "buffer": 0,
            "liquidator_fee": 0, "fee_max": 0, "most": 100, "elapsed": 1, "duration": 1, "initial": 0, "small": 0,
            "freed": 7,
        }  # fmt: skip
        assert formulas_reduce.cure_step(**step) == {"sold": 0, "lots": 100, "quote": -1_000, "fund_fee": 0, "freed": 0}
        assert formulas_reduce.cure_step(**step | {"collateral": 10})["sold"] > 0

    def test_margin_of_the_whole_value_has_no_liquidation_price(self):
        """A long that is asked for all that it is worth: collateral - value is the same at every price."""
        terms = {"value": 1_000, "collateral": 500, "owed": 0, "size": 1, "one": 1, "linear": 0, "quadratic": 0}
        assert formulas_reduce.factor_value(**terms, risk=500_000_000) == 1_000
        with pytest.raises(ValueError, match="no liquidation price"):
            formulas_reduce.factor_value(**terms, risk=1_000_000_000)

    def test_a_fee_that_has_risen_long_enough_is_the_largest(self):
        """From 1 % by 0.1 % a second, after a grace of 5 s, to 2 % at most; a nearly endless time does not overflow."""
        fee = [formulas_reduce.liquidator_fee(100, 200, time, 5, 10, 1) for time in (5, 6, 10, 11, 1 << 62)]
        assert fee == [100, 160, 200, 200, 200]

    def test_nothing_is_above_the_cap(self):
        assert [formulas_reduce.above(10, value, 100) for value in (99, 100, 101, 200)] == [0, 0, 1, 5]
