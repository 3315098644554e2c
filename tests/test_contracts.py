"""Inverse contracts: what a position is worth in coin, and the mark at which it is liquidated."""

import dataclasses

import pytest
from perpsim.core import (
    AdlPolicy,
    ContractKind,
    Engine,
    EventKind,
    Kind,
    MaintenanceValue,
    ReduceLimit,
    ReduceMethod,
    Reject,
    Side,
    TierMethod,
    ValueRounding,
)
from perpsim.exchange.contracts import contract
from perpsim.exchange.rules import Rulebook, Tier
from stream_settings import VENUE, tiers
from test_regressions import ONE, PLAIN

COIN = USD = 10**8
TIERS = (Tier(50 * COIN, 5_000_000, 0, 100), Tier(500 * COIN, 25_000_000, COIN, 20))


def spec(**changes):
    fields = {"contract_kind": ContractKind.INVERSE, "tiers": TIERS, "leverage_default": 10} | changes
    return contract("BTCUSD", "0.5", 100, 40_000, **fields)


def venue(*markets):
    return Engine(Rulebook("test", "2026-01-01", "", markets, adl_policy=AdlPolicy.NONE), markets, 4, audit=2)


def seeded(engine, side, lots, price, money):
    engine.submit(kind=Kind.SET_MARK, value=price)
    assert engine.submit(kind=Kind.DEPOSIT, account=0, value=money) == 0
    assert engine.submit(kind=Kind.SEED_POSITION, account=0, side=side, size_lots=lots, value=price) == 0


def found(engine, mark):
    engine.drain()
    engine.submit(kind=Kind.SET_MARK, value=mark)
    return EventKind.LIQUIDATION_STARTED in engine.drain()["kind"].tolist()


@pytest.mark.parametrize("side", [0, 1])
def test_the_liquidation_price_solves_the_formula(side):
    """LP = Q (m + s) / (WB + s Q / EP), in the lowest bracket of COIN-M."""
    lots, entry, money = 1_000, 40_000 * USD, COIN // 4
    quote, sign = 100 * lots, 1 if side == 0 else -1
    exact = quote * (0.005 + sign) / (money / COIN + sign * quote / 40_000)
    engine = venue(spec())
    seeded(engine, side, lots, entry, money)
    near = round(exact * USD)
    assert not found(engine, near + sign * 100_000)
    assert found(engine, near - sign * 100_000)


@pytest.mark.parametrize(
    ("rounding", "value"), [(ValueRounding.PER_LOT, 14_210 * 7_038), (ValueRounding.PER_TRADE, 100_007_105)]
)
def test_a_trade_is_rounded_once_for_both(rounding, value):
    """7,038 dollars at 7,037.5: 14,209.59 units a contract, 100,007,104.8 the whole (BitMEX; COIN-M)."""
    terms = {"contract_kind": ContractKind.INVERSE, "value_rounding": rounding, "tiers": TIERS}
    market = contract("XBTUSD", "0.5", 1, 7_000, **terms)
    engine = venue(market)
    engine.submit(kind=Kind.SET_MARK, value=7_037 * USD)
    for account in range(2):
        engine.submit(kind=Kind.DEPOSIT, account=account, value=5 * COIN)
        order = {"account": account, "order_id": 1, "side": account, "price_ticks": 14_075, "size_lots": 7_038}
        assert engine.submit(kind=Kind.PLACE, **order) == 0
    assert sorted(cost for cost in engine.positions()["cost"].tolist() if cost) == [-value, value]
    assert market.trade_value(7_038, 14_075) == -value


def test_parts_of_an_order_give_back_what_they_held():
    engine = venue(spec())
    engine.submit(kind=Kind.SET_MARK, value=40_000 * USD)
    for account in range(2):
        engine.submit(kind=Kind.DEPOSIT, account=account, value=COIN)
    engine.submit(kind=Kind.PLACE, account=0, order_id=1, side=0, price_ticks=80_333, size_lots=7)
    for number in range(7):
        engine.submit(kind=Kind.PLACE, account=1, order_id=number, side=1, price_ticks=80_000, size_lots=1)
    rows = engine.positions()
    assert not rows["bid_value"].any() and not rows["open_loss"].any()


def test_prices_below_the_lowest_are_refused():
    market = spec(price_min=100)
    engine = venue(market)
    lowest = 100 * market.tick_value
    assert engine.submit(kind=Kind.SET_MARK, value=lowest - 1) == Reject.BAD_VALUE
    assert engine.submit(kind=Kind.SET_MARK, value=lowest) == 0
    engine.submit(kind=Kind.DEPOSIT, account=0, value=10**6 * COIN)
    for price, reason in ((99, Reject.BAD_PRICE), (100, 0)):
        order = {"order_id": price, "price_ticks": price, "size_lots": 1}
        assert engine.submit(kind=Kind.PLACE, account=0, **order) == reason


def test_a_market_that_could_leave_64_bits_is_refused():
    with pytest.raises(ValueError, match="position_max / price_min is above"):
        venue(dataclasses.replace(spec(), price_min=1, position_max=2**37))
    with pytest.raises(ValueError, match="price_min belongs to inverse"):
        venue(dataclasses.replace(spec(), contract_kind=ContractKind.LINEAR, price_min=2))


LEAP = (Tier(10**6 * USD, 5_000_000, 0, 100), Tier(10**8 * USD, 10_000_000, 0, 50))


@pytest.mark.parametrize("side", [0, 1])
def test_a_leap_of_maintenance_is_seen_on_either_side(side):
    """9,999 at 100: a rise to 100.02 doubles the rate. The long has won 200 by it, and is liquidated all the same."""
    terms = {"tier_method": TierMethod.WHOLE, "tiers": LEAP}
    engine = venue(contract("X", "0.01", 1, 100, **terms))
    seeded(engine, side, 9_999, 100 * USD, 9_000 * USD)
    assert not found(engine, 100_01 * USD // 100)
    assert found(engine, 100_02 * USD // 100)


def test_what_winds_down_to_a_lower_tier_is_looked_at_again():
    """An inverse short is worth more the lower the mark: it wins by the fall that takes it into the next tier."""
    tiers = (Tier(10 * COIN, 5_000_000, 0, 100), Tier(500 * COIN, 100_000_000, 0, 9))
    engine = venue(spec(tier_method=TierMethod.WHOLE, tiers=tiers))
    seeded(engine, 1, 3_990, 40_000 * USD, COIN // 10)
    assert not found(engine, 39_950 * USD)
    assert found(engine, 39_890 * USD)


def test_a_rate_that_rises_with_the_size():
    """Deribit, BTC: 1 % and 0.005 % a coin: 25 coins need 1.125 % of 25."""
    terms = {"tier_method": TierMethod.LINEAR, "maintenance_base": 10_000_000, "maintenance_slope": 50_000}
    engine = venue(spec(tiers=(Tier(500 * COIN, 0, 0, 50),), **terms))
    seeded(engine, 0, 25_000, 100_000 * USD, COIN)
    assert engine.positions()["maintenance"].max() == 28_125_000


@pytest.mark.parametrize("size", [25, 6_000])
def test_a_rate_that_rises_with_the_size_of_a_contract_in_usdc(size):
    """Deribit, SOL: 2 % and 0.0005 % a coin, at any price: 25 SOL at 200 need 2.0125 % of 5,000; 6,000 need 5 %."""
    terms = {"tier_method": TierMethod.LINEAR, "maintenance_base": 20_000_000, "maintenance_slope": 5_000}
    engine = venue(contract("X", "0.01", 1, 200, tiers=(Tier(10**8 * USD, 0, 0, 25),), **terms))
    seeded(engine, 0, size, 200 * USD, 10**6 * USD)
    assert engine.positions()["maintenance"].max() == size * 200 * (20_000 + 5 * size) * USD // 10**6
    engine.submit(kind=Kind.SET_MARK, value=100 * USD)
    assert engine.positions()["maintenance"].max() == size * 100 * (20_000 + 5 * size) * USD // 10**6


def test_the_closing_fee_is_part_of_maintenance():
    """OKX, Bitget: (EP - margin / q) / (1 - (m + f)) for a long."""
    terms = {"tier_method": TierMethod.WHOLE, "close_fee_in_maintenance": 600_000, "leverage_default": 1}
    engine = venue(contract("X", "0.01", 1, 100, tiers=(Tier(10**8 * USD, 10_000_000, 0, 50),), **terms))
    seeded(engine, 0, 1, 100 * USD, 20 * USD)
    exact = 80 * USD / (1 - 0.0106)
    assert not found(engine, int(exact) + 10)
    assert found(engine, int(exact) - 10)


def test_tiers_that_do_not_fit_their_method_are_refused():
    assert [tier.deduction for tier in spec(tier_method=TierMethod.WHOLE).tiers] == [0, 0]
    with pytest.raises(ValueError, match="does not continue"):
        venue(dataclasses.replace(spec(), tier_method=TierMethod.WHOLE))


class TestForcedPrices:
    """100 lots of 100 USD from 100.0, worth 100 coins; half of what was paid for them is their maintenance.

    Market 1 is linear, settles in the same coin, and asks no maintenance, so that the whole equity is behind market 0.
    """

    def venue(self, coins, side, **inverse):
        """An account with so many units of the coin and the position, at the price at which it was opened."""
        lots = {"lot_numerator": 100, "lot_denominator": 1, "price_min": 50}
        first = PLAIN | {"contract_kind": ContractKind.INVERSE, "tiers": tiers((1_000_000, "50", 1))} | lots | inverse
        whole = {"reduce_method": ReduceMethod.WHOLE, "reduce_limit": ReduceLimit.BANKRUPTCY}
        engine = Engine(VENUE | whole, [first, PLAIN | {"tiers": tiers((1_000_000, "0", 1))}], 3)
        engine.submit(kind=Kind.DEPOSIT, account=0, value=coins)
        engine.submit(kind=Kind.SET_MARK, value=100 * ONE)
        engine.submit(kind=Kind.SET_MARK, value=100 * ONE, market=1)
        seed = {"side": side, "size_lots": 100, "value": 100 * ONE}
        assert engine.submit(kind=Kind.SEED_POSITION, account=0, **seed) == Reject.NONE
        return engine

    def of(self, events, kind):
        return events[(events["kind"] == kind) & (events["market"] == 0)]

    @pytest.mark.parametrize(
        ("rounding", "left", "limit"),
        [
            (ValueRounding.PER_TRADE, 50 * ONE, 2_000),  # 10,000 USD are worth 50 coins at 200.0
            (ValueRounding.PER_TRADE, 5, 20_001),  # the price of 5 units leaves 64 bits
            (ValueRounding.PER_LOT, 5, 20_001),  # less than a unit a lot
            (ValueRounding.PER_TRADE, 0, 20_001),  # worth nothing at any price
        ],
    )
    def test_a_debt_as_large_as_the_position_leaves_no_price_to_sell_at(self, rounding, left, limit):
        """500 coins are lost in market 1; `left` is what the position may owe after the deposit and that loss."""
        engine = self.venue(400 * ONE + left, Side.BUY, value_rounding=rounding)
        seed = {"market": 1, "side": Side.BUY, "size_lots": 1_000, "value": 100 * ONE}
        assert engine.submit(kind=Kind.SEED_POSITION, account=0, **seed) == Reject.NONE
        engine.submit(kind=Kind.TAPE_LEVEL, side=Side.BUY, price_ticks=20_000, size_lots=1_000)
        engine.drain()
        engine.submit(kind=Kind.SET_MARK, value=50 * ONE, market=1)
        events = engine.drain()
        assert self.of(events, EventKind.LIQUIDATION_ORDER)["price_ticks"].tolist() == [limit]
        assert len(self.of(events, EventKind.TRADE)) == (limit <= 20_000)

    @pytest.mark.parametrize("asks", [100, 0])
    def test_a_short_that_has_more_than_it_is_worth_may_pay_any_price(self, asks):
        """Of 110 coins 90 are lost at ten times the price: 20 are left, 50 are asked, and the lots are worth 10."""
        engine = self.venue(110 * ONE, Side.SELL, maintenance_value=MaintenanceValue.ENTRY)
        if asks:
            engine.submit(kind=Kind.TAPE_LEVEL, side=Side.SELL, price_ticks=20_000, size_lots=asks)
        engine.drain()
        engine.submit(kind=Kind.SET_MARK, value=1_000 * ONE)
        events = engine.drain()
        assert self.of(events, EventKind.LIQUIDATION_ORDER)["price_ticks"].tolist() == [20_000]
        taken = self.of(events, EventKind.TAKEOVER)
        if asks:
            assert self.of(events, EventKind.TRADE)["price_ticks"].tolist() == [20_000] and not len(taken)
        else:  # no price makes 100 short lots worth less than nothing: none is shown
            assert (taken["value"].tolist(), taken["price_ticks"].tolist()) == ([-10 * ONE], [0])
