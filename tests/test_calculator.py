"""The calculator against engines that run: what it says is what happens."""

import dataclasses
import itertools
import json
import random
import subprocess
import sys
from decimal import Decimal

import pytest
from perpsim.core import (
    AdlPolicy,
    ContractKind,
    Engine,
    EventKind,
    Kind,
    MarginMode,
    Reject,
    Side,
    TierMethod,
    ValueRounding,
    questions,
)
from perpsim.exchange import calculator, contract, rulebook
from perpsim.exchange.calculator import Account
from perpsim.exchange.rulebook_files import names
from perpsim.exchange.rules import Rulebook, parse_tiers

ONE = 100_000_000
BINANCE = "binance-usdm", "2025-10-10"


def book(*specs, **rules):
    return Rulebook(name="test", date="2025-01-01", era="2025-01-01", markets=specs, **rules)


def random_tiers(chance):
    """Marginal tiers whose deductions are whole numbers."""
    caps = sorted(chance.sample(range(1, 60), chance.randint(1, 4)))
    rates = sorted(chance.sample(range(1, 30), len(caps)))
    rows = zip(caps, rates, strict=True)
    return parse_tiers([[cap * 5_000, rate / 200, max(1, 200 // (2 * rate))] for cap, rate in rows])


def worth_of_a_lot(spec, mark):
    """Units of money that a lot is worth, nearly."""
    return max(1, abs(spec.value_at(1_000, mark)) // 1_000)


def tier_rules(chance, tiers, methods):
    """Tiers, a way in which they are meant, and perhaps the fee of closing in maintenance."""
    linear = {"maintenance_base": chance.randint(0, 20) * 10**6, "maintenance_slope": chance.randint(0, 5_000)}
    method = chance.choice(methods)
    if method != TierMethod.MARGINAL:
        tiers = tuple(dataclasses.replace(tier, deduction=0) for tier in tiers)
    fee = {"close_fee_in_maintenance": chance.choice([0, 550_000])}
    return {"tiers": tiers, "tier_method": method, **fee, **(linear if method == TierMethod.LINEAR else {})}


def random_book(chance):
    fees = {"taker_fee": 500_000, "maker_fee": 200_000}
    specs = []
    for name in ("AAA", "BBB", "CCC"):
        rules = tier_rules(chance, random_tiers(chance), (TierMethod.MARGINAL, TierMethod.WHOLE))
        specs.append(contract(name, "0.01", "0.001", 1_000, **fees, **rules))
    return book(*specs)


def random_account(chance, rules, mode):
    account = Account(rules, balance=chance.randint(500, 20_000))
    for spec in rules.markets[: 1 if mode == "isolated" else chance.randint(1, 3)]:
        entry = chance.randint(50_000, 150_000)
        mark = entry + chance.randint(-3_000, 3_000)
        own = {"margin": f"{chance.randint(10**6, 10**10) / 1e4:.4f}"} if mode == "isolated" else {}
        account.hold(
            spec.symbol, chance.choice(["long", "short"]), f"{chance.randint(1, 90_000) / 1000:.3f}",
            f"{entry / 100:.2f}", mark=f"{mark / 100:.2f}", mode=mode, **own,
        )  # fmt: skip
    return account


def coin_account(chance, mode):
    """An account in inverse contracts of 100 USD, the coin being worth some 10,000."""
    caps = sorted(chance.sample(range(1, 60), chance.randint(1, 4)))
    rates = sorted(chance.sample(range(1, 30), len(caps)))
    rows = [[cap, m / 200, 1] for cap, m in zip(caps, rates, strict=True)]
    kinds = {"contract_kind": ContractKind.INVERSE, "value_rounding": chance.choice(list(ValueRounding))}
    meant = tier_rules(chance, parse_tiers(rows), list(TierMethod))
    rules = book(contract("XBT", "0.5", 100, 10_000, **kinds, **meant))
    entry = chance.randint(16_000, 24_000)
    own = {"margin": f"{chance.randint(10**3, 10**6) / 1e5:.5f}"} if mode == "isolated" else {}
    account = Account(rules, balance=f"{chance.randint(10, 20_000) / 1000}")
    side, mark = chance.choice(["long", "short"]), entry + chance.randint(-400, 400)
    return account.hold("XBT", side, chance.randint(1, 60_000) * 100, entry / 2, mark=mark / 2, mode=mode, **own)


def liquidated(account, market, mark):
    """Whether a mark, after which an engine of its own looks, starts a liquidation there."""
    engine = Engine.restore(account.engine().snapshot())
    engine.drain()
    assert engine.submit(kind=Kind.SET_MARK, market=account.number(market), value=mark) == 0
    events = engine.drain()
    return bool((events["kind"] == EventKind.LIQUIDATION_STARTED).any())


@pytest.mark.parametrize("mode", ["cross", "isolated"])
@pytest.mark.parametrize("coin", [False, True], ids=["linear", "inverse"])
@pytest.mark.parametrize("seed", range(30))
def test_one_unit_beyond_the_liquidation_price_liquidates(seed, coin, mode):
    chance = random.Random(f"{seed} {mode}")
    account = coin_account(chance, mode) if coin else random_account(chance, random_book(chance), mode)
    for name, held in account.holdings.items():
        price, spec = account.liquidation_price(name), account.book.market(name)
        away = -1 if held.side == Side.BUY else 1
        edge = (spec.price_max if away > 0 else spec.price_min) * spec.tick_value
        if price is None:
            assert liquidated(account, name, held.mark) == liquidated(account, name, edge)
            continue
        safe = int(price * ONE)
        assert not liquidated(account, name, safe)
        assert liquidated(account, name, safe + away)
        if (safe - held.mark) * away >= 0:  # the mark is on the safe side: so is everything between
            assert not liquidated(account, name, (safe + held.mark) // 2)
            assert not liquidated(account, name, chance.randint(*sorted((safe, held.mark))))


@pytest.mark.parametrize("mode", ["cross", "isolated"])
def test_two_legs_of_one_market(mode):
    account = Account(rulebook(*BINANCE), balance=5_000, hedge=True)
    account.hold("BTCUSDT", "long", 2, 60_000, mark=61_000, mode=mode, leverage=20)
    account.hold("BTCUSDT", "short", "0.5", 62_000, mark=61_000, mode=mode, leverage=20)
    assert (account.unrealised("BTCUSDT:long"), account.unrealised("BTCUSDT:short")) == (2_000, 500)
    assert account.equity("BTCUSDT:short") == (7_500 if mode == "cross" else 2_050)
    long, short = account.liquidation_price("BTCUSDT:long"), account.liquidation_price("BTCUSDT:short")
    assert liquidated(account, "BTCUSDT:long", int(long * ONE) - 1)
    assert not liquidated(account, "BTCUSDT:long", int(long * ONE))
    assert short is None if mode == "cross" else liquidated(account, "BTCUSDT:short", int(short * ONE) + 1)
    with pytest.raises(ValueError, match="both legs of BTCUSDT have one mark"):
        Account(account.book, hedge=True).hold("BTCUSDT", "long", 1, 9_000).hold("BTCUSDT", "short", 1, 8_000)
    with pytest.raises(ValueError, match="no position in BTCUSDT"):
        account.liquidation_price("BTCUSDT")


@pytest.mark.parametrize("venue", names())
def test_under_every_rulebook(venue):
    """The same, for each market that ships, at sizes that reach into its tiers."""
    chance, rules = random.Random(venue), rulebook(venue, "2026-05-01")
    found = 0
    for spec in rules.markets:
        mark = spec.price_max * spec.tick_value // 8
        for mode, share in itertools.product(("cross", "isolated"), (0.001, 0.3, 0.9)):
            lots = max(1, int(share * min(spec.position_max, 2 * 10**6 * ONE // worth_of_a_lot(spec, mark))))
            margin = f"{int(lots * worth_of_a_lot(spec, mark) / chance.uniform(2, 30)) / ONE:.8f}"
            account = Account(rules, balance=margin if mode == "cross" else 0)
            account.hold(
                spec.symbol, chance.choice(["long", "short"]), lots * spec.lot, f"{mark / ONE:.8f}", mode=mode,
                margin=None if mode == "cross" else margin,
            )  # fmt: skip
            price, held = account.liquidation_price(spec.symbol), account.holdings[spec.symbol]
            if price is not None:
                found += 1
                away = -1 if held.side == Side.BUY else 1
                assert not liquidated(account, spec.symbol, int(price * ONE))
                assert liquidated(account, spec.symbol, int(price * ONE) + away)
    assert found > len(rules.markets)


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_left_at_the_bankruptcy_price(seed):
    chance = random.Random(seed)
    account = random_account(chance, random_book(chance), chance.choice(["cross", "isolated"]))
    name, held = next(iter(account.holdings.items()))
    price = account.bankruptcy_price(name)
    if price is not None:
        beyond = int(price * ONE) + (-1 if held.side == Side.BUY else 1)
        assert account.at(name, int(price * ONE))[1] >= 0 > account.at(name, beyond)[1]


def test_of_one_position_the_bankruptcy_price_is_that_of_the_takeover():
    account = Account(rulebook(*BINANCE)).hold("BTCUSDT", "long", 2, 60_000, mode="isolated", leverage=20)
    beyond = account.liquidation_price("BTCUSDT") - Decimal("0.00000001")
    engine = Engine.restore(account.engine().snapshot())
    engine.submit(kind=Kind.DEPOSIT, account=engine.house["funds"][0], value=10**7 * ONE)
    engine.submit(kind=Kind.SET_MARK, value=int(beyond * ONE))
    events = engine.drain()
    taken = events[events["kind"] == EventKind.TAKEOVER][0]
    assert taken["value"] == 2 * account.bankruptcy_price("BTCUSDT") * ONE == 2 * 57_000 * ONE


def test_margins_and_profit():
    account = Account(rulebook(*BINANCE), balance=1_000)
    account.hold("BTCUSDT", "long", "0.1", 60_000, mark=61_000, leverage=25).hold("ETHUSDT", "short", 1, 4_000)
    assert account.unrealised("BTCUSDT") == 100
    assert account.initial_margin("BTCUSDT") == 244  # 6,100 / 25
    assert account.equity("BTCUSDT") == account.equity("ETHUSDT") == 1_100
    assert account.maintenance_margin("BTCUSDT") == Decimal("24.4") + 16
    assert account.available("BTCUSDT") == 1_100 - 244 - 200
    assert (account.value("ETHUSDT"), account.margin("ETHUSDT")) == (4_000, 0)
    assert account.tier("BTCUSDT").leverage_max == 125
    assert account.funding_payment("BTCUSDT", "0.0001") == Decimal("0.61")
    assert account.funding_payment("ETHUSDT", "0.0001") == Decimal("-0.4")


@pytest.mark.parametrize("policy", [AdlPolicy.BINANCE, AdlPolicy.BITMEX, AdlPolicy.BYBIT, AdlPolicy.HYPERLIQUID])
def test_adl_takes_the_queue_from_its_front(policy):
    chance, spec = random.Random(int(policy)), rulebook(*BINANCE).market("BTCUSDT")
    engine = Engine(book(spec, adl_policy=policy), [spec], 9)
    engine.submit(kind=Kind.SET_MARK, value=60_000 * ONE)
    for account in range(9):  # the first is long and will be bankrupt; the others are short
        leverage, lots = (20, 3_000) if account == 0 else (chance.randint(1, 100), 400)
        short = {"side": Side.SELL if account else Side.BUY, "value": chance.randint(59_000, 61_000) * ONE}
        modes = {"account": account, "kind": Kind.SET_MARGIN_MODE, "aux": int(MarginMode.ISOLATED)}
        for command in (
            {"kind": Kind.DEPOSIT, "value": 200_000 * ONE}, modes, {"kind": Kind.SET_LEVERAGE, "value": leverage},
            {"kind": Kind.SEED_POSITION, "size_lots": lots, **short},
        ):  # fmt: skip
            assert engine.submit(**{"account": account, **command}) == 0
    before = Engine.restore(engine.snapshot(), audit=0)
    engine.drain()
    engine.submit(kind=Kind.SET_MARK, value=50_000 * ONE)
    events = engine.drain()
    hit = list(events[events["kind"] == EventKind.ADL]["account"])
    queue = questions.adl_queue(at_mark(before, 50_000), 0, False)
    assert len(hit) == 8
    assert hit == [account for account, leg, score in queue]
    assert [score for *_, score in queue] == sorted((score for *_, score in queue), reverse=True)


def at_mark(engine, mark):
    """An engine whose long has so much margin that a mark liquidates nobody."""
    engine.submit(kind=Kind.DEPOSIT, account=0, value=10_000_000 * ONE)
    assert engine.submit(kind=Kind.MOVE_MARGIN, account=0, value=5_000_000 * ONE) == 0
    assert engine.submit(kind=Kind.SET_MARK, value=mark * ONE) == 0
    return engine


@pytest.mark.parametrize("seed", range(20))
def test_the_largest_size_is_taken_and_one_more_lot_is_not(seed):
    chance = random.Random(seed)
    rules = random_book(chance)
    rules = dataclasses.replace(
        rules, markets=tuple(dataclasses.replace(m, min_notional=chance.choice([0, 50 * ONE])) for m in rules.markets)
    )
    leverage = chance.randint(1, rules.markets[0].tiers[0].leverage_max)
    order = {"side": chance.choice(["long", "short"]), "price": chance.randint(900, 1_100), "leverage": leverage}
    balance = chance.choice([1, 50, 1_000, 10_000_000])
    size, reason = calculator.largest_size(rules, "AAA", balance=balance, mark=1_000, **order)
    assert reason != Reject.NONE
    engine = Engine(rules, rules.markets[:1], 1)
    for command in (
        {"kind": Kind.SET_MARK, "value": 1_000 * ONE},
        {"kind": Kind.DEPOSIT, "value": balance * ONE},
        {"kind": Kind.SET_LEVERAGE, "value": leverage},
    ):
        assert engine.submit(**command) == 0
    side = Side.BUY if order["side"] == "long" else Side.SELL
    place = {"kind": Kind.PLACE, "side": side, "price_ticks": order["price"] * 100, "order_id": 1}
    assert engine.submit(size_lots=int(size * 1_000) + 1, **place) == reason
    if size:
        cost = calculator.order_cost(rules, "AAA", size=size, mark=1_000, **order)
        assert cost <= balance
        assert engine.submit(size_lots=int(size * 1_000), **place) == 0


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"side": "up"}, "side 'up' is not one of"),
        ({"size": "0.0001"}, "size 0.0001 is not a multiple of 0.001"),
        ({"size": 0}, "size 0 is not above 0"),
        ({"size": 10**9}, "or more than BTCUSDT can hold"),
        ({"entry": -1}, "entry -1 is lower or higher than BTCUSDT can have"),
        ({"mark": 10**9}, "mark 1000000000 is lower or higher"),
        ({"leverage": 0}, "leverage 0 is not a whole number"),
        ({"mode": "both"}, "margin mode 'both' is not one of"),
        ({"margin": 5}, "margin is of an isolated position"),
        ({"leverage": 200}, "refuses the leverage 200: LEVERAGE_CAP"),
    ],
)
def test_what_cannot_be_asked(wrong, sentence):
    position = {"side": "long", "size": 1, "entry": 60_000} | wrong
    with pytest.raises(ValueError, match=sentence):
        Account(rulebook(*BINANCE)).hold("BTCUSDT", **position).equity("BTCUSDT")


def test_other_markets():
    account = Account(rulebook(*BINANCE)).hold("BTCUSDT", "long", 1, 60_000)
    with pytest.raises(ValueError, match="no position in ETHUSDT"):
        account.liquidation_price("ETHUSDT")
    with pytest.raises(KeyError, match="has no market"):
        account.liquidation_price("XYZ")
    with pytest.raises(ValueError, match="a position in BTCUSDT already"):
        account.hold("BTCUSDT", "long", 1, 60_000)
    with pytest.raises(ValueError, match="the venue refuses the order: PRICE_BAND"):
        calculator.order_cost(
            rulebook(*BINANCE), "BTCUSDT", side="buy", size=1, price=90_000, mark=60_000, leverage=5
        )


def calc(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "perpsim.replay", "calc", *map(str, arguments)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


WHERE = ("--venue", "binance-usdm", "--market", "BTCUSDT", "--date", "2025-10-10", "--side", "long")
LONG = (*WHERE, "--size", "1.5", "--entry", "60000")


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("liquidation-price", *LONG, "--leverage", "20"), "57252.93132329"),
        (("liquidation-price", *LONG, "--balance", "90000"), "none: no mark does it"),
        (("liquidation-price", *LONG, "--balance", "5000", "--position", "ETHUSDT:short:10:3000:2900"),
         "56325.62814071"),
        (("bankruptcy-price", *LONG, "--leverage", "20"), "57000"),
        (("maintenance-margin", *LONG), "400"),
        (("initial-margin", *LONG, "--leverage", "30"), "3000"),
        (("unrealised-pnl", *LONG, "--mark", "60100.5"), "150.75"),
        (("funding-payment", *WHERE, "--size", "1", "--mark", "60000", "--rate", "0.0001"), "6"),
        (("order-cost", *WHERE, "--size", "1", "--price", "60000", "--leverage", "20"), "3030"),
        (("largest-size", *WHERE, "--price", "60000", "--balance", "5000"), "1.65"),
    ],
)  # fmt: skip
def test_the_command(arguments, answer):
    done = calc(*arguments, "--json")
    facts = json.loads(done.stdout)
    assert (done.returncode, facts["question"], facts["answer"]) == (0, arguments[0], answer)
    assert {"formula", "venue", "rules", "market"} < set(facts)
    text = calc(*arguments)
    assert [line[25:] for line in text.stdout.splitlines()] == [str(value) for value in facts.values()]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("liquidation-price", *LONG[:-1], "x"), "entry 'x' is not a finite number"),
        (("liquidation-price", *LONG, "--position", "ETHUSDT:long"), "position 'ETHUSDT:long' is not MARKET:SIDE"),
        (("order-cost", *WHERE, "--size", "1", "--price", "60000.05"), "price 60000.05 is not a multiple of 0.1"),
        (("funding-payment", "--venue", "nowhere", *WHERE[2:], "--size", 1, "--mark", 1, "--rate", 0), "no rulebook"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(arguments, sentence):
    done = calc(*arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert sentence in done.stderr


def test_isolated_and_cross_positions_side_by_side():
    account = Account(rulebook(*BINANCE), balance=700)
    account.hold("ETHUSDT", "long", 1, 4_000, mark=3_500).hold("BTCUSDT", "short", 1, 60_000, mode="isolated")
    assert (account.equity("ETHUSDT"), account.equity("BTCUSDT")) == (200, 3_000)
    assert account.engine().accounts()["balance"][0] == 700 * ONE
    rows = {int(row["lots"]): row for row in account.engine().positions() if row["account"] == 0}
    assert (rows[1_000]["mode"], rows[-1_000]["mode"]) == (MarginMode.CROSS, MarginMode.ISOLATED)
