"""The index of triggers finds exactly whom a full scan finds, after each of many mark groups.

One crowd for each case in which health is not a sum of functions that fall in one direction: jump tiers, hedged legs,
maintenance of orders, products of two prices, funding that accrues. `risk_scan.py` computes the scan.
"""

import random

import pytest
import risk_scan
from model.wire import VALUE_ONE, Kind
from perpsim.core import MarginMode
from risk_scan import EIGHT_HOURS, Crowd, maintenance_at, value_at
from stream_settings import ACCRUING, INVERSE, LEAPS, MARKET, SECOND, SLOPED

pytestmark = pytest.mark.unshadowed("the scan is the comparison; the streams of test_differential.py go the other ways")
ACCOUNTS, GROUPS = 120, 60
WIDE = MARKET | {"max_orders": 40, "leverage_default": 50, "taker_fee": 0, "maker_fee": 0, "min_notional": 0}
EDGES = [cap for cap, *_ in LEAPS["tiers"][:3]]


def lots_worth(market: dict, money: float) -> int:
    """Lots whose notional is about so much at the first mark."""
    return max(1, int(money * 1_000 // abs(value_at(market, 1_000, 100 * VALUE_ONE))))


def size_near_an_edge(rng: random.Random, market: dict) -> int:
    """Signed lots, often just below or above a tier's edge."""
    money = rng.choice(EDGES) * rng.choice((rng.uniform(0.97, 1.01), rng.uniform(0.2, 1.3)))
    return lots_worth(market, money) * rng.choice((1, -1))


def slack(rng: random.Random, needed: int) -> int:
    """Health beyond maintenance: mostly little of it."""
    return int(needed * rng.choice((0.02, 0.2, 1, 4)) * rng.random())


def fill(crowd: Crowd, account: int, lots: dict[int, int]) -> None:
    """Cross positions, and a deposit in each asset that leaves little slack."""
    needed: dict[int, int] = {}
    for number, size in lots.items():
        market = crowd.markets[number]
        notional = abs(value_at(market, size, crowd.marks[number]))
        needed[market["asset"]] = needed.get(market["asset"], 0) + maintenance_at(market, notional) + 2
    for asset, amount in needed.items():
        crowd.do(Kind.DEPOSIT, account=account, asset=asset, value=amount + slack(crowd.rng, amount))
    for number, size in lots.items():
        crowd.seed(account, number, size)


def leaping(rng: random.Random) -> Crowd:
    """Whole-position tiers, linear and inverse, and rates that rise with size; some positions isolated."""
    markets = [WIDE | LEAPS, INVERSE | LEAPS | {"leverage_default": 50}, WIDE | LEAPS, INVERSE | SLOPED, WIDE]
    crowd = Crowd(rng, markets, ACCOUNTS)
    for account in range(ACCOUNTS):
        if account % 6 == 0:
            number = rng.randrange(3)
            crowd.do(Kind.SET_MARGIN_MODE, account=account, market=number, aux=MarginMode.ISOLATED)
            crowd.do(Kind.DEPOSIT, account=account, value=10**13)
            size = size_near_an_edge(rng, markets[number])
            notional = abs(value_at(markets[number], size, crowd.marks[number]))
            missing = maintenance_at(markets[number], notional) - notional // 50
            crowd.seed(account, number, size, aux=max(0, missing) + slack(rng, notional // 100) + 3)
        else:
            chosen = rng.sample(range(len(markets)), rng.choice((1, 1, 2, 3)))
            fill(crowd, account, {number: size_near_an_edge(rng, markets[number]) for number in chosen})
    return crowd


def hedged(rng: random.Random) -> Crowd:
    """Long and short legs of one market, each with a maintenance of its own."""
    markets = [WIDE | LEAPS, INVERSE | LEAPS | {"leverage_default": 50}, WIDE]
    crowd = Crowd(rng, markets, ACCOUNTS)
    for account in range(ACCOUNTS):
        crowd.do(Kind.SET_POSITION_MODE, account=account, market=0xFFFF, aux=1)
        needed, legs = 4, []
        for number in rng.sample(range(3), rng.choice((1, 1, 2))):
            long = abs(size_near_an_edge(rng, markets[number]))
            short = int(long * rng.choice((1, rng.uniform(0.8, 1.2), rng.uniform(0.1, 2)))) or 1
            for size in (long, -short):
                notional = abs(value_at(markets[number], size, crowd.marks[number]))
                needed += maintenance_at(markets[number], notional)
                legs.append((number, size))
        crowd.do(Kind.DEPOSIT, account=account, value=needed + slack(rng, needed))
        for number, size in legs:
            crowd.seed(account, number, size)
    return crowd


def ordering(rng: random.Random) -> Crowd:
    """Open orders ask for maintenance, also where there is no position; they come and go between the groups."""
    markets = [WIDE | LEAPS | {"order_maintenance": 1}, WIDE | {"order_maintenance": 1}, WIDE]
    crowd = Crowd(rng, markets, ACCOUNTS)
    for account in range(ACCOUNTS):
        chosen = rng.sample(range(3), rng.choice((1, 1, 2)))
        fill(crowd, account, {number: size_near_an_edge(rng, markets[number]) for number in chosen})
    return crowd


def orders_come_and_go(crowd: Crowd) -> None:
    """Far from the mark, so that none fills; as many as the margin allows."""
    rng, submit = crowd.rng, crowd.engine.submit
    for _ in range(12):
        account, number, side = rng.randrange(ACCOUNTS), rng.randrange(3), rng.randrange(2)
        price = int(crowd.marks[number] * (0.96 if side == 0 else 1.04)) // WIDE["tick_value"]
        submit(
            kind=Kind.PLACE, account=account, market=number, side=side, price_ticks=price,
            size_lots=rng.choice((1, 5, 40, 200)), order_id=crowd.engine.statistics()["events"] + 1,
        )  # fmt: skip
    if rng.random() < 0.3:
        submit(kind=Kind.CANCEL_ALL, account=rng.randrange(ACCOUNTS), market=0xFFFF)
    crowd.engine.drain()


COINS = [
    {"tiers": [(10**9 * VALUE_ONE, 0)]},
    {"bid_buffer": 20_000_000, "ask_buffer": 30_000_000, "price": 100 * VALUE_ONE,
     "tiers": [(2 * VALUE_ONE, 50_000_000), (1_000 * VALUE_ONE, 200_000_000)]},
    {"price": 20 * VALUE_ONE, "ask_buffer": 10_000_000, "tiers": [(10**6 * VALUE_ONE, 100_000_000)]},
]  # fmt: skip


def of_two_prices(rng: random.Random) -> Crowd:
    """Multi-asset accounts: profit in a coin, valued in asset 0; linear and inverse contracts."""
    small = WIDE | {"lot_denominator": 10_000}
    markets = [WIDE, small | {"asset": 1}, INVERSE | {"asset": 1, "leverage_default": 50}, small | LEAPS | {"asset": 2}]
    crowd = Crowd(rng, markets, ACCOUNTS, collateral=COINS, assets=3)
    for account in range(ACCOUNTS):
        for asset in range(3):
            crowd.do(Kind.DEPOSIT, account=account, asset=asset, value=1)
        crowd.do(Kind.SET_MARGIN_MODE, account=account, market=0, aux=MarginMode.MULTI)
        for number in rng.sample(range(4), rng.choice((1, 2, 3))):
            asset = markets[number]["asset"]
            money = rng.uniform(50, 3_000) * VALUE_ONE * VALUE_ONE // crowd.assets[asset].price
            crowd.seed(account, number, lots_worth(markets[number], money) * rng.choice((1, -1)))
        health = -crowd.scan()[account, 0, 0xFFFF]
        paid = rng.choice((0, 0, 1, 2))
        covered = (health + slack(rng, health)) * (1.3 if paid else 1)  # coins count for less
        amount = int(covered * VALUE_ONE // crowd.assets[paid].price) + 10
        crowd.do(Kind.DEPOSIT, account=account, asset=paid, value=max(amount, 10))
    return crowd


def accruing(rng: random.Random) -> Crowd:
    """Funding accrues, so that equity falls although no mark moves; in one market it does not."""
    rules = ACCRUING | {"premium_period_ns": 0, "funding_interval_ns": 0}
    markets = [WIDE | rules, INVERSE | rules | {"leverage_default": 50}, WIDE | LEAPS | rules, WIDE]
    crowd = Crowd(rng, markets, ACCOUNTS)
    for account in range(ACCOUNTS):
        chosen = rng.sample(range(4), rng.choice((1, 1, 2, 3)))
        fill(crowd, account, {number: size_near_an_edge(rng, markets[number]) for number in chosen})
    return crowd


def time_passes(crowd: Crowd) -> None:
    """Up to an hour, at rates that change sign."""
    rng = crowd.rng
    crowd.now += int(rng.choice((1, SECOND, 60 * SECOND, EIGHT_HOURS // 8)) * rng.random()) + 1
    crowd.do(Kind.TICK, time_ns=crowd.now)
    if rng.random() < 0.3:
        number, rate = rng.randrange(4), int(rng.choice((100_000, 5_000_000, 50_000_000)) * rng.uniform(-1, 1))
        crowd.accruals[number].change(crowd.now, rate=rate)
        crowd.engine.submit(kind=Kind.SET_FUNDING, market=number, value=rate)
    crowd.engine.drain()


CASES = {
    "jump-tiers": (leaping, None), "hedged-legs": (hedged, None), "orders": (ordering, orders_come_and_go),
    "two-prices": (of_two_prices, None), "accruing": (accruing, time_passes),
}  # fmt: skip


def run(case: str, seed: int, groups: int = GROUPS) -> Crowd:
    """A crowd through a walk of all its marks (and collateral prices), compared after every group."""
    make, between = CASES[case]
    rng = random.Random(f"{case} {seed}")
    crowd = make(rng)
    crowd.step({number: mark for number, mark in enumerate(crowd.marks)})
    for _ in range(groups):
        if between:
            between(crowd)
        moved = rng.sample(range(len(crowd.markets)), rng.randrange(1, len(crowd.markets) + 1))
        prices = {}
        if crowd.assets and rng.random() < 0.6:
            reach = rng.choice((0.001, 0.01, 0.05))
            asset = rng.randrange(1, len(crowd.assets))
            prices = {asset: int(crowd.assets[asset].price * (1 + rng.uniform(-reach, reach)))}
            moved = rng.choice((moved, []))
        crowd.step({number: crowd.walk(number) for number in moved}, prices)
    return crowd


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", CASES)
def test_whom_the_triggers_find_is_whom_a_scan_finds(case, seed):
    crowd = run(case, seed)
    assert crowd.found >= 15, "a walk that hurts nobody shows nothing"
    assert crowd.spared >= 5 * GROUPS, "nor does one that spares nobody"
    looks = crowd.engine.statistics()["looks"]
    assert looks < ACCOUNTS * GROUPS / 2, "the index looks at almost everybody"


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_same_in_many_more_runs(case):
    for seed in range(100, 140):
        run(case, seed)


@pytest.mark.parametrize("case", CASES)
def test_a_scan_by_other_rules_is_told_from_the_engine(case, monkeypatch):
    """The comparison must be able to fail: with maintenance a tenth higher, somebody is found by one side alone."""
    right = risk_scan.maintenance_at
    monkeypatch.setattr(risk_scan, "maintenance_at", lambda market, notional: right(market, notional) * 11 // 10)
    with pytest.raises(AssertionError, match="missed"):
        run(case, 0)


def test_funding_takes_them_one_after_the_other_within_a_band():
    """Longs and shorts of little slack; parts of a basis point accrue between decisions, and their marks stay."""
    rng = random.Random(1)
    rules = ACCRUING | {"premium_period_ns": 0, "funding_interval_ns": 0}
    crowd = Crowd(rng, [WIDE | rules, INVERSE | rules | {"leverage_default": 50}, WIDE], ACCOUNTS)
    for account in range(ACCOUNTS):
        for number in rng.sample(range(2), rng.choice((1, 2))):
            size = lots_worth(crowd.markets[number], rng.uniform(300, 3_000) * VALUE_ONE) * rng.choice((1, -1))
            notional = abs(value_at(crowd.markets[number], size, crowd.marks[number]))
            needed = maintenance_at(crowd.markets[number], notional) + 2 + int(notional * rng.uniform(0, 0.0008))
            crowd.do(Kind.DEPOSIT, account=account, value=needed)
            crowd.seed(account, number, size)
    for number, rate in enumerate((1_000_000, -1_500_000)):
        crowd.accruals[number].change(crowd.now, rate=rate)
        crowd.do(Kind.SET_FUNDING, market=number, value=rate)
    for group in range(120):
        crowd.now += EIGHT_HOURS // 200
        crowd.do(Kind.TICK, time_ns=crowd.now)
        if group == 60:
            for number in range(2):  # the other sides pay from now on
                crowd.accruals[number].change(crowd.now, rate=-3 * crowd.accruals[number].rate)
                crowd.do(Kind.SET_FUNDING, market=number, value=crowd.accruals[number].rate)
        crowd.step({2: crowd.marks[2]})
    assert crowd.found >= 30 and crowd.spared >= 500


def test_only_funding_kills():
    """A long at 50x pays 2 % of its value in 8 h at a rate of 2 %; its mark never moves."""
    rules = ACCRUING | {"premium_period_ns": 0, "funding_interval_ns": 0, "tiers": ((10**13, 5_000_000, 0, 100),)}
    crowd = Crowd(random.Random(0), [WIDE | rules, WIDE], 3)
    for account, size in ((0, 1_000), (1, -1_000)):
        crowd.do(Kind.DEPOSIT, account=account, value=20 * VALUE_ONE)
        crowd.seed(account, 0, size)
    crowd.accruals[0].change(crowd.now, rate=20_000_000)
    crowd.do(Kind.SET_FUNDING, market=0, value=20_000_000)
    found_at = []
    for minute in range(1, 8 * 60):
        crowd.now += 60 * SECOND
        crowd.do(Kind.TICK, time_ns=crowd.now)
        crowd.engine.drain()
        crowd.step({1: crowd.marks[1]})  # a decision; the position's own mark is not part of it
        if crowd.found > len(found_at):
            found_at.append(minute)
    assert found_at == [361]  # 20 less maintenance of 5 leaves 15, of 20 in eight hours: gone after six
    rows = crowd.engine.accounts()["equity"]
    assert rows[0] + rows[1] == pytest.approx(40 * VALUE_ONE, abs=2)
