"""Inverse contracts: what a position is worth in coin, and the mark at which it is liquidated."""

import dataclasses

import pytest
from perpsim.core import AdlPolicy, ContractKind, Engine, EventKind, Kind, Reject, ValueRounding
from perpsim.exchange.contracts import contract
from perpsim.exchange.rules import Rulebook, Tier

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
