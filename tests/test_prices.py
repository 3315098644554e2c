"""Index, marks and funding: the numbers that can be stated without a random stream."""

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from model.averages import ONE, exp_decay
from perpsim.core import (
    Engine,
    EventKind,
    Flag,
    FundingFormula,
    IndexMethod,
    Kind,
    MarkMethod,
    PremiumAverage,
    PremiumSource,
    Reject,
    Rule,
    formulas_prices,
)
from stream_settings import BINANCE_PRICES, DERIBIT_PRICES, MARKET, OKX_PRICES, RATE_ONE, SECOND, VENUE

START = 1_700_000_000 * SECOND
PRICE = 100 * 10**8


def venue(**rules: object) -> Engine:
    engine = Engine(VENUE, [MARKET | rules], 4)
    engine.submit(kind=Kind.TICK, time_ns=START)
    engine.drain()
    return engine


def source(engine: Engine, number: int, price: int, at: int = START) -> int:
    return engine.submit(kind=Kind.SET_SOURCE, aux=number, value=price, time_ns=at)


@pytest.mark.parametrize("t", [1, 10**6, 3 * SECOND, 150 * SECOND, 149 * SECOND + 7, 3_000 * SECOND])
def test_the_decay_is_that_of_the_exponential_function(t):
    tau = 150 * SECOND
    with localcontext() as context:
        context.prec = 40
        exact = (-Decimal(t) / Decimal(tau)).exp()
    assert abs(Fraction(exp_decay(t, tau), ONE) - Fraction(exact)) < Fraction(exact) / 10**15 + Fraction(1, 2**61)


def test_an_average_is_the_quotient_of_its_sums():
    num = den = Decimal(0)
    samples = [(5 * 10**15, 3 * SECOND), (-(10**16), SECOND), (7, 400 * SECOND), (10**14, 3 * SECOND)]
    with localcontext() as context:
        context.prec = 40
        for x, step in samples:
            decay = (-Decimal(step) / Decimal(150 * SECOND)).exp()
            num, den = num * decay + x * Decimal(step), den * decay + step
        average = Fraction(num / den)
    found = Fraction(formulas_prices.exponential_average(samples, 150 * SECOND), 2**32)
    assert abs(found - average) < abs(average) / 10**12


def test_a_source_beyond_the_band_counts_as_its_edge():
    engine = venue(**OKX_PRICES)
    for number, price in enumerate((PRICE, PRICE, PRICE, 2 * PRICE)):
        assert source(engine, number, price) == Reject.NONE
    weights = OKX_PRICES["sources"]
    edge = PRICE + PRICE // 50
    held = (sum(weights[:3]) * PRICE + weights[3] * edge) // sum(weights)
    assert engine.market(0)["index"] == held


def test_several_sources_beyond_the_band_make_the_index_the_median():
    engine = venue(**BINANCE_PRICES)
    for number, price in enumerate((PRICE, PRICE * 9 // 10, PRICE, PRICE * 11 // 10)):
        source(engine, number, price)
    engine.submit(kind=Kind.TICK, time_ns=START + SECOND)
    assert engine.market(0)["index"] == PRICE


def test_without_a_valid_source_the_index_stays_and_is_said_to_be_lost():
    engine = venue(**OKX_PRICES | {"source_stale_ns": 0})
    source(engine, 0, PRICE)
    engine.drain()
    source(engine, 0, 0)
    lost = [event for event in engine.drain() if event["kind"] == EventKind.INDEX_LOST]
    assert [(event["value"], event["aux"]) for event in lost] == [(PRICE, 1)]
    assert engine.market(0)["index"] == PRICE
    assert source(engine, 4, PRICE) == Reject.UNKNOWN_SOURCE
    assert source(engine, 0, -1) == Reject.BAD_VALUE


def test_continuous_funding_accrues_by_the_nanosecond_and_is_booked_at_the_stamp():
    """Premium 0.1 %, damper 0.025 %: a rate of 0.075 % per 8 h from the first sample on."""
    rules = DERIBIT_PRICES | {"mark_method": 0, "mark_period_ns": 0, "funding_inner": 250_000, "funding_cap": 5_000_000}
    engine = venue(**rules)
    for account, side in ((0, 0), (1, 1)):
        engine.submit(kind=Kind.DEPOSIT, account=account, value=10**12)
        engine.submit(kind=Kind.SET_MARK, value=PRICE)
        engine.submit(kind=Kind.SEED_POSITION, account=account, side=side, size_lots=500, value=PRICE)
    engine.submit(kind=Kind.SET_INDEX, value=PRICE)
    engine.submit(kind=Kind.SET_MARK, value=PRICE + PRICE // 1000)
    stamp = (START // (5 * SECOND) + 2) * 5 * SECOND
    value, rate = 5 * (PRICE + PRICE // 1000), 1_000_000 - 250_000
    equity = {}
    for ns in (0, 1, SECOND // 2):
        engine.submit(kind=Kind.TICK, time_ns=stamp - 3 * SECOND + ns)
        equity[ns] = int(engine.accounts()["equity"][0])
    per_8h = value * rate // 10**9
    assert equity[0] - equity[SECOND // 2] == pytest.approx(per_8h / 8 / 3600 / 2, abs=1)
    engine.drain()
    engine.submit(kind=Kind.TICK, time_ns=stamp)
    paid = [event for event in engine.drain() if event["kind"] == EventKind.FUNDING_PAYMENT]
    assert [event["account"] for event in paid] == [1, 0]
    before, booked = int(engine.accounts()["equity"][0]), -paid[1]["value"]
    assert booked == pytest.approx(per_8h * 5 / 8 / 3600, abs=1) and 0 <= booked + -paid[0]["value"] <= 1
    assert engine.positions()["accrued"].tolist() == [0] * len(engine.positions())
    engine.submit(kind=Kind.SET_FUNDING, value=0)
    assert int(engine.accounts()["equity"][0]) == before
    engine.check()


def test_a_premium_timer_that_was_moved_takes_no_sample_at_its_old_instant():
    """Every 10 s, then every 25 s: the premium is 10 % at 10 s and 1 % at 25 s, and the interval ends at 40 s."""
    engine = venue(
        premium_period_ns=10 * SECOND, funding_interval_ns=60 * SECOND, premium_source=PremiumSource.MARK,
        premium_average=PremiumAverage.EQUAL, funding_formula=FundingFormula.PLAIN, funding_cap=RATE_ONE,
    )  # fmt: skip
    engine.submit(kind=Kind.SET_INDEX, value=PRICE)
    engine.submit(kind=Kind.SET_MARK, value=PRICE * 11 // 10)
    rule = {"aux": Rule.PREMIUM_PERIOD, "value": 25 * SECOND, "time_ns": START + SECOND}
    assert engine.submit(kind=Kind.SET_RULE, **rule) == Reject.NONE
    engine.submit(kind=Kind.SET_MARK, value=PRICE * 101 // 100, time_ns=START + 15 * SECOND)
    engine.drain()
    engine.submit(kind=Kind.TICK, time_ns=START + 40 * SECOND)
    settled = [event for event in engine.drain() if event["kind"] == EventKind.FUNDING_SETTLED]
    assert [event["value"] for event in settled] == [RATE_ONE // 100]


def test_a_fair_mark_without_funding_to_come_is_the_index():
    """40 of 60 s are left, so of a rate of 1.5 % a basis of 1 %; where no interval is any more, none."""
    engine = venue(mark_method=MarkMethod.FUNDING_BASIS, funding_interval_ns=60 * SECOND, mark_unit=1)
    engine.submit(kind=Kind.SET_INDEX, value=PRICE)
    engine.submit(kind=Kind.SET_FUNDING, value=RATE_ONE * 3 // 200, flags=Flag.MORE)
    engine.submit(kind=Kind.SET_INDEX, value=PRICE)
    assert engine.market(0)["mark"] == PRICE + PRICE // 100
    assert engine.submit(kind=Kind.SET_RULE, aux=Rule.FUNDING_INTERVAL, value=0) == Reject.NONE
    engine.submit(kind=Kind.SET_INDEX, value=PRICE)
    assert engine.market(0)["mark"] == PRICE


def test_an_index_that_is_given_from_now_on_is_not_lost():
    """While all sources are lost the mark is the last price, 95; the index of 100 counts again with the rule."""
    rules = {"source_stale_ns": 0, "last_price_protection": 1, "mark_method": MarkMethod.ORACLE}
    engine = venue(**OKX_PRICES | rules | {"mark_period_ns": SECOND})
    source(engine, 0, PRICE)
    engine.submit(kind=Kind.TAPE_TRADE, price_ticks=950, size_lots=1)
    source(engine, 0, 0)
    engine.submit(kind=Kind.TICK, time_ns=START + SECOND)
    assert engine.market(0)["mark"] == PRICE * 95 // 100
    assert engine.submit(kind=Kind.SET_RULE, aux=Rule.INDEX_METHOD, value=IndexMethod.GIVEN) == Reject.NONE
    engine.submit(kind=Kind.TICK, time_ns=START + 2 * SECOND)
    assert engine.market(0)["mark"] == PRICE


def test_formulas_that_do_not_fit_say_so():
    with pytest.raises(OverflowError, match="64 bits"):
        formulas_prices.impact_notional(1 << 62, 100)
    with pytest.raises(ValueError, match="as many"):
        formulas_prices.mean_by_weight([1, 2], [1])
    assert formulas_prices.funding_index_step(1 << 62, 1 << 62, 1 << 62, 2, 4) == 1 << 61
    with pytest.raises(OverflowError, match="64 bits"):
        formulas_prices.funding_index_step(1 << 62, 1 << 62, 1, 16, 1)  # 2**128, which is 0 in 128 bits
    assert formulas_prices.median([]) is None and formulas_prices.robust_mark(0, 0, 0) is None


COIN = 10**8
COMPOSITE = {
    "mark_method": MarkMethod.COMPOSITE, "mark_period_ns": SECOND, "mark_window_ns": 60 * SECOND, "tick_value": COIN,
    "price_max": 1_000, "lot_denominator": 1, "mark_cash": 1_000 * COIN, "mark_scaling": 200_000_000,
    "mark_slippage": 100_000_000, "mark_risk_short": 300_000_000, "mark_risk_long": 400_000_000,
}  # fmt: skip


def level(engine: Engine, side: int, price: int, lots: int) -> None:
    engine.submit(kind=Kind.TAPE_LEVEL, side=side, price_ticks=price, size_lots=lots)


def test_a_composite_mark_of_the_book_waits_for_a_book_that_holds_the_volume():
    engine = venue(**COMPOSITE, mark_weight_book=10**9)
    level(engine, 0, 125, 10)
    level(engine, 1, 200, 10)
    engine.submit(kind=Kind.TICK, time_ns=START + SECOND)
    assert engine.market(0)["mark"] == 0
    level(engine, 0, 125, 100)  # 1,000 of margin at 8 % buy 100 at 125; at 10 % they buy 50 at 200
    level(engine, 1, 200, 50)
    engine.submit(kind=Kind.TICK, time_ns=START + 2 * SECOND)
    assert engine.market(0)["mark"] == 162 * COIN + COIN // 2
    level(engine, 1, 200, 49)
    engine.submit(kind=Kind.TICK, time_ns=START + 3 * SECOND)
    assert engine.market(0)["mark"] == 162 * COIN + COIN // 2  # the book's last price still stands


def test_a_composite_mark_weighs_fresh_sources():
    engine = venue(
        **COMPOSITE, mark_weight_trades=300_000_000, mark_weight_index=100_000_000, mark_stale_trades_ns=2 * SECOND,
        mark_decay=500_000_000, mark_decay_power=1,
    )  # fmt: skip
    engine.submit(kind=Kind.SET_INDEX, value=100 * COIN)
    for price, lots, at in ((200, 10, 0), (140, 30, 30)):
        engine.submit(
            kind=Kind.TAPE_TRADE, price_ticks=price, size_lots=lots, time_ns=START + at * SECOND + SECOND // 2
        )
    engine.submit(kind=Kind.TICK, time_ns=START + 31 * SECOND)
    old, young = (Fraction(1) - Fraction(age, 120) for age in (Fraction(61, 2), Fraction(1, 2)))
    trades = (200 * 10 * old + 140 * 30 * young) / (10 * old + 30 * young)
    assert abs(Fraction(engine.market(0)["mark"], COIN) - (3 * trades + 100) / 4) < Fraction(2, COIN)
    engine.submit(kind=Kind.TICK, time_ns=START + 33 * SECOND)
    assert engine.market(0)["mark"] == 100 * COIN  # the trades are stale


class TestFormulas:
    def test_an_index_by_weight(self):
        """Half of the weight is reached at 30; where nothing weighs there is no price."""
        assert formulas_prices.median_by_weight([40, 10, 30], [4, 1, 5]) == 30
        assert formulas_prices.median_by_weight([40, 10, 30], [6, 1, 5]) == 30
        assert formulas_prices.median_by_weight([40, 10, 30], [7, 1, 5]) == 40
        assert formulas_prices.median_by_weight([40, 10], [0, 0]) is None

    def test_a_mark_inside_bounds_around_the_index(self):
        marks = [formulas_prices.bounded(mark, 1_000, 50_000_000, 20_000_000) for mark in (940, 990, 1_030)]
        assert marks == [950, 990, 1_020]
        with pytest.raises(OverflowError, match="64 bits"):
            formulas_prices.bounded(1, 1 << 62, 0, 4 * 10**9)

    def test_the_premium_of_both_sides(self):
        """max(0, bid - reference) - max(0, reference - ask), of the index."""
        assert formulas_prices.premium(1_010, 1_020, 1_000, 1_000) == 10_000_000
        assert formulas_prices.premium(980, 990, 1_000, 1_000) == -10_000_000
        assert formulas_prices.premium(990, 1_010, 1_000, 1_000) == 0

    @pytest.mark.parametrize("trade", [(1 << 30, 1, 0), (1, (1 << 38) + 1, 0), (1, 1, 11), (-1, 1, 0)])
    def test_trades_that_cannot_be_weighed(self, trade):
        assert formulas_prices.mean_of_trades([(5, 1, 0)], 10, 100, 0, 1) == 5
        with pytest.raises(ValueError, match="out of range"):
            formulas_prices.mean_of_trades([trade], 10, 100, 0, 1)
        with pytest.raises(ValueError, match="more than 128"):
            formulas_prices.mean_of_trades([(5, 1, 0)] * 129, 10, 100, 0, 1)

    def test_without_a_margin_rate_no_volume_is_bought(self):
        assert formulas_prices.volume_in_book(1_000, 200_000_000, 100_000_000, 400_000_000, 5) == 2_000
        assert formulas_prices.volume_in_book(1_000, 0, 100_000_000, 400_000_000, 5) == 0
        assert formulas_prices.volume_in_book(1_000, 200_000_000, 100_000_000, 400_000_000, 0) == 0
