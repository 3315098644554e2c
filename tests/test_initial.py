"""Initial margin by the rates of a venue: of tiers, by size, by open interest."""

import dataclasses

import pytest
from differential import Pair
from model import Command
from perpsim.core import ContractKind, Engine, EventKind, Kind, MarginMode, Reject, Rule, TierMethod, formulas_margin
from perpsim.exchange import rulebook
from perpsim.exchange.calculator import Account, order_cost
from perpsim.exchange.contracts import contract, parse_market
from perpsim.exchange.rules import Tier, parse_tiers
from perpsim.exchange.units import RATE_ONE
from stream_settings import VENUE, Setting
from test_regressions import PLAIN

USD = COIN = 10**8
WHALE, TRADER, OTHER = range(3)
TIERS = (Tier(1_000 * USD, 5_000_000, 0, 100, 20_000_000), Tier(10**6 * USD, 10_000_000, 5 * USD, 50, 50_000_000))


def market(**changes):
    """One dollar a lot at the mark of 100."""
    return contract("X", 1, "0.01", 100, **{"tiers": TIERS, "leverage_default": 50} | changes)


def venue(spec, mark=100):
    book = dataclasses.replace(rulebook("binance-usdm", "2025-10-10"), markets=(spec,))
    engine = Engine(book, [spec], 3, assets=1 + spec.asset)
    engine.submit(kind=Kind.SET_MARK, value=mark * USD)
    for account in range(3):
        engine.submit(kind=Kind.DEPOSIT, account=account, value=1_000 * USD, asset=spec.asset)
    return engine


def order(engine, size, account=TRADER, side=0, price=100, **fields):
    engine.orders_sent = getattr(engine, "orders_sent", 0) + 1
    return Reject(engine.submit(
        kind=Kind.PLACE, account=account, order_id=engine.orders_sent, side=side, price_ticks=price, size_lots=size,
        **fields,
    ))  # fmt: skip


def most(engine, **fields):
    """The largest order that is taken, by trying."""
    low, high = 0, 10**7
    while high - low > 1:
        middle = (low + high) // 2
        taken = order(engine, middle, **fields) == Reject.NONE
        low, high = (middle, high) if taken else (low, middle)
        engine.submit(kind=Kind.CANCEL_ALL, account=fields.get("account", TRADER), market=0)
    return low


def free(**changes):
    return market(maker_fee=0, taker_fee=0, band_up=0, band_down=0, min_notional=0, **changes)


@pytest.mark.parametrize(
    ("tiers", "largest"),
    [
        (tuple(dataclasses.replace(tier, initial=0) for tier in TIERS), 50_000),  # by the leverage of 50
        (TIERS, 20_000),  # 5 % of all of it, the rate of the second tier
        ((dataclasses.replace(TIERS[0], initial=0), TIERS[1]), 20_000),
        ((TIERS[0], dataclasses.replace(TIERS[1], initial=RATE_ONE)), 1_000),
    ],
)
def test_the_rate_of_the_tier_decides_where_it_asks_for_more(tiers, largest):
    assert most(venue(free(tiers=tiers))) == largest


def test_a_lower_leverage_goes_before_the_rate():
    engine = venue(free())
    engine.submit(kind=Kind.SET_LEVERAGE, account=TRADER, value=10)
    assert most(engine) == 10_000


def test_maintenance_knows_nothing_of_it():
    for tiers in (TIERS, tuple(dataclasses.replace(tier, initial=0) for tier in TIERS)):
        engine = venue(free(tiers=tiers))
        assert order(engine, 10_000) == order(engine, 10_000, OTHER, 1) == Reject.NONE
        assert set(engine.positions()["maintenance"][:2]) <= {0, 95 * USD}
        assert 95 * USD in engine.positions()["maintenance"]


def test_size_in_coins():
    """Deribit: 2 % + 0.005 % a coin of an inverse position, 4 % + 0.0005 % a coin of one in USDC."""
    wide = (Tier(10**7 * COIN, 0, 0, 50),)
    inverse = {"contract_kind": ContractKind.INVERSE, "tier_method": TierMethod.LINEAR, "maker_fee": 0, "taker_fee": 0}
    book = rulebook("deribit", "2025-01-01")
    btc = contract("X", 1, 1, 100_000, tiers=wide, initial_base=20_000_000, initial_slope=50_000, **inverse)
    sol = contract("X", 1, 1, 200, tiers=wide, initial_base=40_000_000, initial_slope=5_000)
    asked = [
        Account(dataclasses.replace(book, markets=(spec,)), balance=10**6)
        .hold("X", "long", size, price, leverage=50).initial_margin("X")
        for spec, size, price in ((btc, 2_500_000, 100_000), (sol, 25, 200), (sol, 6_000, 200))
    ]  # fmt: skip
    assert asked == [pytest.approx(value) for value in map(type(asked[0]), ("0.53125", "200.625", "84000"))]


def interest(engine, lots):
    """The others hold so much against each other."""
    for account in (WHALE, OTHER):
        engine.submit(kind=Kind.DEPOSIT, account=account, value=10**6 * USD)
    assert order(engine, lots, WHALE) == order(engine, lots, OTHER, 1) == Reject.NONE


@pytest.mark.parametrize(("lots", "percent"), [(0, 10), (20_000, 10), (35_000, 55), (50_000, 100), (90_000, 100)])
def test_open_interest_scales_the_rate(lots, percent):
    flat = (Tier(10**6 * USD, 50_000_000, 0, 10, 100_000_000),)
    engine = venue(free(tiers=flat, leverage_default=10, oi_lower_cap=20_000 * USD, oi_upper_cap=50_000 * USD))
    if lots:
        engine.submit(kind=Kind.SET_RULE, aux=Rule.OI_UPPER_CAP, value=0)
        interest(engine, lots)
        engine.submit(kind=Kind.SET_RULE, aux=Rule.OI_UPPER_CAP, value=50_000 * USD)
    assert most(engine) == 100_000 // percent


HUGE = PLAIN | {  # a lot of one coin at prices of 1e-8, in steps of ten million lots' worth
    "tick_value": 1, "lot_numerator": 10**7, "lot_denominator": 10**7, "price_max": 1_000, "position_max": 27 * 10**10,
    "size_max": 27 * 10**10, "tiers": ((10**12, 5_000_000, 0, 10),),
}  # fmt: skip


def seeds(mark, lots, accounts):
    """Pairs of accounts that hold so many lots against each other."""
    yield Command(Kind.SET_MARK, value=mark, time_ns=1)
    for account in range(accounts):
        yield Command(Kind.DEPOSIT, account=account, value=10**12)
        yield Command(Kind.SEED_POSITION, account=account, side=account % 2, size_lots=lots, value=mark)


@pytest.mark.parametrize(("size", "reason"), [(10**10, Reject.NONE), (10**10 + 1, Reject.INSUFFICIENT_MARGIN)])
def test_open_interest_beyond_what_any_one_could_hold(size, reason):
    """Four times 27e10 lots of 1e7 leave 64 bits; 4e11 units are open interest enough for a rate of 100 %."""
    pair = Pair(Setting("huge", VENUE, [HUGE | {"oi_lower_cap": 10**11, "oi_upper_cap": 4 * 10**11}]))
    for command in seeds(1, 27 * 10**10, 8):
        pair.apply(command)
    pair.apply(Command(Kind.DEPOSIT, account=9, value=10**10))
    pair.apply(Command(Kind.PLACE, account=9, order_id=1, price_ticks=1, size_lots=size))
    assert pair.reasons[reason] > 0 and bool(pair.reasons[Reject.INSUFFICIENT_MARGIN]) == bool(reason)


def test_maintenance_by_size_is_half_of_what_is_held_where_coins_leave_64_bits():
    """1e11 + 1 coins are 1e19 of a hundred millionth; they are worth 3e11 + 3, of which a half is asked, rounded up."""
    linear = {"tier_method": TierMethod.LINEAR, "maintenance_base": 10_000_000, "maintenance_slope": 1}
    linear |= {"initial_base": 100_000_000, "initial_slope": 1}
    pair = Pair(Setting("huge", VENUE, [HUGE | linear]))
    for command in seeds(3, 10**11 + 1, 2):
        pair.apply(command)
    pair.compare(len(pair.log))
    rows = pair.core.positions()
    assert rows["maintenance"][rows["lots"] != 0].tolist() == [15 * 10**10 + 2] * 2


def test_what_is_held_is_left_alone_but_nothing_more_is_let_in():
    flat = (Tier(10**6 * USD, 50_000_000, 0, 10, 100_000_000),)
    engine = venue(free(tiers=flat, leverage_default=10))
    assert order(engine, 9_000) == Reject.NONE
    interest(engine, 50_000)
    engine.submit(kind=Kind.SET_RULE, aux=Rule.OI_UPPER_CAP, value=50_000 * USD)
    engine.drain()
    assert order(engine, 1) == Reject.INSUFFICIENT_MARGIN
    assert Reject(engine.submit(kind=Kind.WITHDRAW, account=TRADER, value=1)) == Reject.INSUFFICIENT_MARGIN
    engine.submit(kind=Kind.SET_MARK, value=100 * USD)
    assert EventKind.LIQUIDATION_STARTED not in engine.drain()["kind"]


def test_isolated_positions_may_have_no_more_leverage_than_the_rate_allows():
    engine = venue(free())
    engine.submit(kind=Kind.SET_MARGIN_MODE, account=TRADER, aux=int(MarginMode.ISOLATED))
    assert order(engine, 1_000) == Reject.NONE
    assert order(engine, 1) == Reject.LEVERAGE_CAP  # 5 % is asked for, and 2 % would be held
    engine.submit(kind=Kind.CANCEL_ALL, account=TRADER, market=0)
    engine.submit(kind=Kind.SET_LEVERAGE, account=TRADER, value=20)
    assert order(engine, 2_000) == order(engine, 2_000, OTHER, 1) == Reject.NONE
    assert Reject(engine.submit(kind=Kind.SET_LEVERAGE, account=TRADER, value=21)) == Reject.LEVERAGE_CAP
    engine.submit(kind=Kind.MOVE_MARGIN, account=TRADER, value=3 * USD)
    assert Reject(engine.submit(kind=Kind.MOVE_MARGIN, account=TRADER, value=-3 * USD - 1)) != Reject.NONE
    assert Reject(engine.submit(kind=Kind.MOVE_MARGIN, account=TRADER, value=-3 * USD)) == Reject.NONE


def test_funding_caps_count_bare_rates():
    """BitMEX: |F| up to 75 % of 1 % - 0.5 %, whatever the fee of closing; the change up to 75 % of 0.5 %."""
    tier = (Tier(10**6 * USD, 5_000_000, 0, 50, 10_000_000),)
    spec = market(
        tiers=tier, funding_interval_ns=60 * 10**9, premium_period_ns=10**9, funding_cap_margin=750_000_000,
        close_fee_in_maintenance=500_000, premium_source=1, funding_formula=1,
    )  # fmt: skip
    engine = venue(spec)
    engine.submit(kind=Kind.SET_INDEX, value=90 * USD, time_ns=10**9)
    for second in (30, 61):
        engine.submit(kind=Kind.TICK, time_ns=second * 10**9)
    rates = engine.drain()
    assert rates["value"][rates["kind"] == EventKind.FUNDING_SETTLED][-1] == 3_750_000


def test_funding_caps_of_rates_that_are_linear_in_size():
    """Those of the smallest position: 75 % of 2 % - 0.8 %."""
    spec = market(
        tiers=(Tier(10**6 * USD, 5_000_000, 0, 50, 0),), tier_method=TierMethod.LINEAR, maintenance_base=8_000_000,
        initial_base=20_000_000, funding_interval_ns=60 * 10**9, premium_period_ns=10**9,
        funding_cap_margin=750_000_000, premium_source=1, funding_formula=1,
    )  # fmt: skip
    engine = venue(spec)
    engine.submit(kind=Kind.SET_INDEX, value=90 * USD, time_ns=10**9)
    for second in (30, 61):
        engine.submit(kind=Kind.TICK, time_ns=second * 10**9)
    rates = engine.drain()
    assert rates["value"][rates["kind"] == EventKind.FUNDING_SETTLED][-1] == 9_000_000


def test_the_formula_of_the_scale():
    at = formulas_margin.initial_at_interest
    assert at(500_000, 200_000_000, 28_123_456_789_123, 25 * 10**12, 60 * 10**12) == 135_697
    assert at(10**18, 1, 0, 0, 0) == 10**9
    assert at(10**18, 0, 1, 0, 10**18) == 1
    assert at(7, 500_000_000, 5, 5, 5) == 4
    assert at(7, 500_000_000, 6, 5, 5) == 7
    with pytest.raises(ValueError, match="not between 0 and 1"):
        at(1, RATE_ONE + 1, 0, 0, 0)
    assert at((1 << 63) - 1, RATE_ONE, 0, 0, 0) == (1 << 63) - 1  # never more than the notional
    with pytest.raises(OverflowError):
        at(1 << 63, RATE_ONE, 0, 0, 0)


def test_order_cost_and_rows_of_files():
    rows = [[1_000, 0.005, 100, "", 0.02], [1_000_000, 0.01, 50, 5, 0.05]]
    assert parse_tiers(rows) == TIERS
    with pytest.raises(ValueError, match="tier 1: its initial rate is less than its maintenance rate"):
        parse_tiers([[1_000, 0.005, 100, 0, 0.004]])
    steps = {"base": 200, "step": 150, "initial": 0.01, "maintenance": 0.005, "count": 3}
    terms = {"contract_kind": "inverse", "tier_method": "whole", "tick": 1, "lot": 1, "price_reference": 100}
    spec = parse_market("X", terms | {"steps": steps})
    assert [tier.initial for tier in spec.tiers] == [10_000_000, 15_000_000, 20_000_000, 25_000_000]
    book = dataclasses.replace(rulebook("bitmex", "2025-01-01"), markets=(free(),))
    assert [order_cost(book, "X", side="long", size=size, price=100, leverage=50) for size in (10, 20)] == [20, 100]


def test_rates_that_contradict_each_other_are_refused():
    falling = (dataclasses.replace(TIERS[0], initial=60_000_000), TIERS[1])
    low = (dataclasses.replace(TIERS[0], initial=4_000_000),)
    for spec, sentence in (
        (free(tiers=falling), "tier 2: its initial rate is less than that of the tier before"),
        (free(tiers=low), "tier 1: its initial rate is less than its maintenance, or more than 1"),
        (free(initial_base=1), "tier 1: it states an initial rate, and initial_base and initial_slope another"),
    ):
        with pytest.raises(ValueError, match=sentence):
            venue(spec)
