"""Multi-asset accounts: what collateral counts for, modes, conversion, oracles, and when accounts are looked at."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from perpsim.core import (
    CollateralOracle,
    Engine,
    EventKind,
    Flag,
    Kind,
    MarginMode,
    Reject,
    Rule,
    Side,
    SpotPrice,
    formulas_collateral,
)
from perpsim.exchange.collateral import Collateral, parse_collateral
from perpsim.exchange.contracts import contract
from perpsim.exchange.rules import Rulebook, parse_tiers, parse_value
from perpsim.exchange.units import RATE_ONE, VALUE_ONE, money, rate

TIERS = parse_tiers([[1_000_000, "0.005", 50], [100_000_000, "0.01", 20]])
COIN, BOOK = 0, 1
USD, BTC, SYNTH = 0, 1, 2
TERMS = (
    Collateral("USD", exchange_below=money(5_000)),
    Collateral(
        "BTC", price=money(50_000), bid_buffer=rate("0.05"), ask_buffer=rate("0.05"), exchange_bid=rate("0.025"),
        exchange_ask=rate("0.025"), cap=money(3), tiers=((money(1), 0), (money(3), rate("0.2"))),
    ),
    Collateral("SYNTH", price=VALUE_ONE, spot_market=BOOK, exchange_bid=rate("0.01")),
)  # fmt: skip
EXAMPLE = Path(__file__).parent.parent / "examples" / "collateral_oracle.py"


def book(**changes):
    markets = (
        contract("COIN-PERP", "0.1", "0.001", 100_000, tiers=TIERS),
        contract("SYNTH-USD", "0.0001", "1", 1, tiers=TIERS),
    )
    fields = {"name": "test", "date": "2025-10-10", "era": "", "markets": markets, "collateral": TERMS}
    return Rulebook(**fields | changes)


class Venue:
    """An engine with marks, an account 0 with money, and what its events were."""

    def __init__(self, accounts=4, **changes):
        self.engine = Engine(book(**changes), book().markets, accounts, audit=2)
        self.send(Kind.SET_MARK, market=BOOK, value=VALUE_ONE, flags=Flag.MORE)
        self.mark(100_000)

    def send(self, kind, **fields):
        return self.engine.submit(kind=kind, **{"time_ns": 1, **fields})

    def mark(self, price):
        return self.send(Kind.SET_MARK, market=COIN, value=money(price))

    def price(self, asset, price):
        return self.send(Kind.SET_COLLATERAL_PRICE, asset=asset, value=money(price))

    def hold(self, account=0, **balances):
        for asset, name in enumerate(("usd", "btc", "synth")):
            if balances.get(name):
                self.send(Kind.DEPOSIT, account=account, asset=asset, value=money(balances[name]))
        return self.send(Kind.SET_MARGIN_MODE, account=account, aux=MarginMode.MULTI)

    def long(self, lots, account=0):
        return self.send(
            Kind.SEED_POSITION, account=account, market=COIN, side=Side.BUY, size_lots=lots, value=money(100_000)
        )

    def drain(self):
        return self.engine.drain()

    def balance(self, asset, account=0):
        return int(self.engine.accounts()["balance"][account * 3 + asset])

    def liquidations(self):
        return sorted(
            int(e["account"]) for e in self.drain() if e["kind"] == EventKind.LIQUIDATION_STARTED
        )


def test_a_balance_counts_by_tiers_up_to_its_cap_and_at_the_bid():
    """2 BTC: one whole, one less a fifth; then 5 % less. A mark decides to the unit."""
    v = Venue()
    assert v.hold(btc=2) == 0
    assert v.long(1_000) == 0
    worth = 1.8 * 0.95 * 50_000  # 85,500; maintenance at m is 0.5 % of m
    edge = 100_000 - worth
    safe = int(np.ceil(edge / 0.995)) + 1  # worth + m - 100,000 >= 0.005 m
    v.mark(safe)
    assert v.liquidations() == []
    v.mark(safe - 2)
    assert v.liquidations() == [0]


def test_what_is_beyond_the_cap_counts_for_nothing():
    v = Venue()
    v.hold(btc=3)
    v.long(1_500)
    v.send(Kind.DEPOSIT, account=0, asset=BTC, value=money(20))
    worth = 2.6 * 0.95 * 50_000
    v.mark(int((150_000 - worth) / 1.5 / 0.995) - 5)
    assert v.liquidations() == [0]


def test_a_falling_collateral_price_liquidates_without_any_mark():
    v = Venue()
    v.hold(btc=1)
    v.long(400)
    v.mark(90_000)  # 47,500 - 4,000
    assert v.liquidations() == []
    v.price(BTC, 4_000)
    assert v.liquidations() == [0]


def test_marks_and_collateral_prices_of_one_instant_are_one_group():
    v = Venue()
    v.hold(btc=1)
    v.long(400)
    v.send(Kind.SET_COLLATERAL_PRICE, asset=BTC, value=money(2_000), flags=Flag.MORE)
    v.mark(110_000)  # the profit makes the loss of the collateral good
    assert v.liquidations() == []


def test_mode_switches_are_refused_with_their_reasons():
    v = Venue()
    without = Engine(book(collateral=()), book().markets, 1)
    assert without.submit(kind=Kind.SET_MARGIN_MODE, aux=2) == Reject.NOT_COLLATERAL
    v.send(Kind.SET_MARGIN_MODE, account=0, market=COIN, aux=MarginMode.ISOLATED)
    assert v.hold(usd=1_000) == Reject.NOT_CROSS
    v.send(Kind.SET_MARGIN_MODE, account=0, market=COIN, aux=MarginMode.CROSS)
    place = {"account": 0, "market": COIN, "order_id": 1, "side": Side.BUY, "price_ticks": 900_000, "size_lots": 1}
    assert v.send(Kind.PLACE, **place) == 0
    assert v.send(Kind.SET_MARGIN_MODE, account=0, aux=2) == Reject.ORDERS_OPEN
    v.send(Kind.CANCEL, account=0, market=COIN, order_id=1)
    assert v.send(Kind.SET_MARGIN_MODE, account=0, aux=2) == 0
    assert v.send(Kind.SET_MARGIN_MODE, account=0, market=COIN, aux=1) == Reject.NOT_CROSS
    assert v.send(Kind.SET_MARGIN_MODE, account=0, aux=3) == Reject.BAD_ENUM
    assert v.send(Kind.SET_MARGIN_MODE, account=0, aux=0) == 0


def test_nobody_enters_before_every_asset_has_a_price():
    terms = (*TERMS[:1], Collateral("BTC"), TERMS[2])
    engine = Engine(book(collateral=terms), book().markets, 1)
    assert engine.submit(kind=Kind.SET_MARGIN_MODE, aux=2) == Reject.NO_COLLATERAL_PRICE
    engine.submit(kind=Kind.SET_COLLATERAL_PRICE, asset=1, value=VALUE_ONE)
    assert engine.submit(kind=Kind.SET_MARGIN_MODE, aux=2) == 0


def test_debts_keep_an_account_in_the_mode():
    v = Venue()
    v.hold(btc=1)
    v.long(100)
    v.send(Kind.SET_MARKET_STATE, market=COIN, aux=5, value=money(99_000))  # settles: a debt of 100
    assert v.balance(USD) == -money(100)
    assert v.send(Kind.SET_MARGIN_MODE, account=0, aux=0) == Reject.DEBT
    assert v.send(Kind.WITHDRAW, account=0, asset=BTC, value=money(1)) == Reject.INSUFFICIENT_MARGIN
    assert v.send(Kind.WITHDRAW, account=0, asset=BTC, value=money("0.9")) == 0


def test_a_debt_beyond_its_limit_is_converted_at_the_next_mark_group():
    """5,000.01 / (1 - 2.5 %) of collateral, at its price; sums stay what they were."""
    v = Venue()
    v.hold(btc=1)
    v.long(100)
    v.send(Kind.SET_MARKET_STATE, market=COIN, aux=5, value=money("49999.9"))
    assert v.balance(USD) >= -1  # the settlement closes a mark group: converted at once
    sold = money(1) - v.balance(BTC)
    needed = formulas_collateral.conversion_value(money("5000.01"), rate("0.025"))
    assert abs(sold - needed // 50_000) <= 1
    accounts, house = v.engine.accounts(), v.engine.house["exchange"]
    assert int(accounts["balance"][house * 3 + BTC]) == sold
    assert int(accounts["balance"][accounts["asset"] == BTC].sum()) == money(1)


def test_without_positions_debts_are_converted_at_the_loan_to_value_limit():
    v = Venue(exchange_ltv=rate("0.95"))
    v.hold(btc=1)
    v.long(100)
    v.send(Kind.SET_MARKET_STATE, market=COIN, aux=5, value=money(60_000))  # owes 4,000, under its limit
    assert v.balance(USD) == -money(4_000)
    v.price(BTC, 4_300)
    assert v.balance(USD) == -money(4_000)
    v.price(BTC, "4210.6")
    assert v.balance(USD) == -money(4_000)
    v.send(Kind.SET_RULE, aux=Rule.EXCHANGE_LTV, value=rate("0.94"))
    v.price(BTC, "4210.7")
    assert v.balance(USD) >= 0


def test_a_liquidation_converts_everything_and_leaves_no_debt():
    v = Venue()
    v.send(Kind.DEPOSIT, account=v.engine.house["funds"][0], asset=USD, value=money(1_000_000))
    v.hold(btc=1, synth=2_000)
    v.long(1_000)
    v.mark(50_000)
    events = v.drain()
    assert {EventKind.AUTO_EXCHANGE, EventKind.TAKEOVER, EventKind.LIQUIDATION_ENDED} <= set(events["kind"].tolist())
    assert [v.balance(asset) for asset in (BTC, SYNTH)] == [0, 0]
    assert v.balance(USD) >= 0
    for asset in range(3):
        accounts = v.engine.accounts()
        rows = accounts[accounts["asset"] == asset]
        assert int(rows["balance"].sum()) == int(rows["deposited"].sum())


def test_a_forced_sale_goes_into_the_assets_own_book_and_lowers_its_price():
    v = Venue(collateral_oracle=CollateralOracle.VENUE_SPOT)
    v.send(Kind.DEPOSIT, account=3, asset=USD, value=money(100_000))
    for number, price in enumerate((9_000, 8_000)):
        v.send(
            Kind.PLACE, account=3, market=BOOK, order_id=number, side=Side.BUY, price_ticks=price, size_lots=1_000
        )
    v.hold(synth=10_000)
    v.long(150)
    v.mark(33_400)  # 10,000 - 9,990 is less than maintenance
    events = v.drain()
    prices = events[events["kind"] == EventKind.COLLATERAL_PRICE]["value"]
    assert list(prices) == [money("0.8")]
    assert (events["kind"] == EventKind.COLLATERAL_ORDER).sum() == 1


def test_oracles_and_floor():
    """Index, redemption, blend: the same inputs, other prices."""
    terms = (TERMS[0], Collateral("A", price=VALUE_ONE // 2, underlying=0, redemption_ratio=rate("0.9")))
    cases = {
        CollateralOracle.INDEX: "0.4", CollateralOracle.VENUE_SPOT: "0.4", CollateralOracle.REDEMPTION: "0.9",
        CollateralOracle.BLEND: "0.65",
    }  # fmt: skip
    for oracle, expected in cases.items():
        weights = {"blend_index": RATE_ONE // 2, "blend_redemption": RATE_ONE // 2}
        rules = book(collateral=terms, collateral_oracle=oracle, **weights)
        engine = Engine(rules, rules.markets, 1)
        engine.submit(kind=Kind.SET_COLLATERAL_PRICE, asset=1, value=money("0.4"))
        events = engine.drain()
        assert events["value"][events["kind"] == EventKind.COLLATERAL_PRICE].tolist() == [money(expected)]
    floored = book(collateral=(TERMS[0], Collateral("A", price=VALUE_ONE, floor=money("0.95"))))
    engine = Engine(floored, floored.markets, 1)
    engine.submit(kind=Kind.SET_COLLATERAL_PRICE, asset=1, value=money("0.4"))
    assert money("0.95") in engine.drain()["value"].tolist()


def test_a_blend_is_of_the_prices_that_there_are():
    """Index and redemption weigh as much: a coin that nothing redeems has the index price whole."""
    terms = (TERMS[0], Collateral("A", price=VALUE_ONE // 2))
    weights = {"blend_index": RATE_ONE // 2, "blend_redemption": RATE_ONE // 2}
    rules = book(collateral=terms, collateral_oracle=CollateralOracle.BLEND, **weights)
    engine = Engine(rules, rules.markets, 1)
    engine.submit(kind=Kind.SET_COLLATERAL_PRICE, asset=1, value=money("0.4"))
    assert shown(engine) == [(money("0.4"), money("0.5"))]


def test_a_blend_of_nothing_leaves_the_price_as_it_was():
    """Only the coin's own book counts. It is 0.8 to 0.9 for a while; without a bid it says nothing."""
    terms = (TERMS[0], Collateral("A", price=VALUE_ONE // 2, spot_market=BOOK))
    rules = book(collateral=terms, collateral_oracle=CollateralOracle.BLEND, blend_spot=RATE_ONE)
    engine = Engine(rules, rules.markets, 1)
    engine.submit(kind=Kind.SET_RULE, aux=Rule.COLLATERAL_SPOT_PRICE, value=SpotPrice.MID)
    engine.submit(kind=Kind.SET_COLLATERAL_PRICE, asset=1, value=money("0.4"))
    assert shown(engine) == []
    for side, price in ((Side.BUY, 8_000), (Side.SELL, 9_000)):
        engine.submit(kind=Kind.TAPE_LEVEL, market=BOOK, side=side, price_ticks=price, size_lots=1)
    engine.submit(kind=Kind.SET_COLLATERAL_PRICE, asset=1, value=money("0.4"))
    assert shown(engine) == [(money("0.85"), money("0.5"))]
    engine.submit(kind=Kind.TAPE_LEVEL, market=BOOK, side=Side.BUY, price_ticks=8_000, size_lots=0)
    engine.submit(kind=Kind.SET_COLLATERAL_PRICE, asset=1, value=money("0.3"))
    assert shown(engine) == []


def shown(engine):
    """Prices of collateral that have changed, and what they were before."""
    events = engine.drain()
    return [(int(e["value"]), int(e["aux"])) for e in events[events["kind"] == EventKind.COLLATERAL_PRICE]]


def test_prices_that_hurt_nobody_cost_no_look():
    v = Venue(accounts=300)
    for account in range(300):
        v.hold(account, btc=1)
        v.long(50 + account, account)
    v.mark(100_001)
    looks = v.engine.statistics()["looks"]
    for step in range(1, 30):
        v.mark(100_000 - step)
        v.price(BTC, 50_000 - step)
    assert v.engine.statistics()["looks"] == looks


def test_a_snapshot_keeps_watches_and_prices():
    v = Venue()
    v.hold(btc=1)
    v.long(400)
    v.mark(99_000)
    v.price(BTC, 45_000)
    restored = Engine.restore(v.engine.snapshot())
    assert restored.snapshot() == v.engine.snapshot()
    for engine in (v.engine, restored):
        engine.drain()
        engine.submit(kind=Kind.SET_COLLATERAL_PRICE, asset=BTC, value=money(1_000))
    assert restored.drain().tolist() == v.engine.drain().tolist()
    assert restored.state_hash() == v.engine.state_hash()


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ((Collateral("A"), Collateral("B", bid_buffer=RATE_ONE)), "bid_buffer"),
        ((Collateral("A"), Collateral("B", underlying=1)), "before it"),
        ((Collateral("A"), Collateral("B", tiers=((5, 0), (4, 0)))), "must rise"),
        ((Collateral("A"), Collateral("B", tiers=((5, 9), (6, 8)))), "must not fall"),
        ((Collateral("A"), Collateral("B", spot_market=7)), "numbers of markets"),
        ((Collateral("A", spot_market=1), Collateral("B")), "in asset 0"),
    ],
)
def test_terms_that_do_not_fit_are_refused(terms, says):
    rules = book(collateral=terms)
    with pytest.raises(ValueError, match=says):
        Engine(rules, rules.markets, 1)


def test_terms_are_read_from_a_rulebook():
    rows = [{"symbol": "USDT", "exchange_below": 5_000}, {"symbol": "BTC", "haircuts": [[10, "0.1"]], "price": 9}]
    usdt, btc = parse_value("collateral", rows)[1]
    assert usdt.exchange_below == money(5_000)
    assert (btc.tiers, btc.price) == (((money(10), rate("0.1")),), money(9))
    for rows, says in (([{"price": 1}], "symbol"), ([{"symbol": "A", "x": 1}], "not a term"), ("A", "list")):
        with pytest.raises(ValueError, match=says):
            parse_collateral(rows)


def test_formulas_by_hand():
    assert formulas_collateral.bid_rate(100, rate("0.055")) == 94
    assert formulas_collateral.ask_rate(100, rate("0.055")) == 106
    assert formulas_collateral.conversion_value(975, rate("0.025")) == 1_000
    with pytest.raises(OverflowError):
        formulas_collateral.conversion_value(2**62, rate("0.9"))
    with pytest.raises(ValueError, match="haircut"):
        formulas_collateral.conversion_value(1, RATE_ONE)


def test_the_example_of_10_october():
    """An own book as the oracle liquidates those whom the index spares; the sales make it worse."""
    spec = importlib.util.spec_from_file_location("collateral_oracle", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    results = {name: example.run(name) for name in example.ORACLES}
    assert results["index"]["liquidated"] == results["redemption"]["liquidated"] == 0
    assert results["venue-spot, floor 0.95"]["liquidated"] == 0
    assert 0 < results["blend, half and half"]["liquidated"] < results["venue-spot"]["liquidated"] == 25
    assert results["venue-spot"]["last"] == 0.6567 < results["index"]["last"]
    assert results["venue-spot"]["sold"] == 500_000
