"""The audit finds damage of every kind: at once where it looks at everything, within its rotation where it does not.

The state hash kept up to date is the one of the whole state, and the same for the same content.
"""

import numpy as np
import pytest
from perpsim.core import COMMAND, EVENT, Engine, EventKind, Flag, InvariantError, Kind, MarginMode, Side, Tif, testing
from stream_settings import MARKET, SECOND, VENUE

ONE = 100_000_000
NOW = 1_700_000_000 * SECOND
ACCOUNTS, MARK = 12, 1_000
pytestmark = pytest.mark.unshadowed("these states are damaged by hand, which no other way of running them is")
DAMAGES = [  # (pool, field, change); the first three need nothing but the totals
    ("wallet", "balance", 1), ("wallet", "balance", -7), ("wallet", "deposited", 1), ("wallet", "realised", 1),
    ("wallet", "fees", -1), ("position", "lots", 1), ("position", "cost", -1), ("position", "isolated_margin", 1),
    ("position", "trigger_value", 40 * ONE), ("position", "trigger_value", -40 * ONE), ("position", "bid_value", 1),
    ("position", "ask_value", -1), ("position", "open_loss", 1), ("position", "resting_orders", 1),
    ("order", "size_lots", 1), ("order", "price_ticks", 1), ("order", "next", 1), ("order", "position_next", 1),
    ("level", "lots", -1), ("level", "world_lots", 1), ("recorded", "recorded", -10**6),
    ("recorded", "consumed", 10**6), ("recorded", "where", 1), ("index", "entry", 1),
    ("index", "entry", 1 << 40), ("market", "longs_lots", 1),
    ("market", "best_bid", -1), ("market", "mark_ticks", 1), ("market", "basis_sum", 1),
    ("market", "longs_bound", -10**15),
    ("ladder", "bits", 1 << 62), ("timer", "time_ns", -3 * SECOND),
]  # fmt: skip
DEEP_DAMAGES = [("tier", "deduction", 1), ("free", "orders", 0), ("state", "waiting", 1)]


def venue(audit: int) -> Engine:
    """Customers with positions both ways, orders of every kind, and recorded levels behind them."""
    free = {"band_up": 0, "band_down": 0, "min_notional": 0, "max_orders": 50}
    timed = {"mark_period_ns": SECOND, "basis_samples": 5}
    engine = Engine(VENUE, [MARKET | free | timed], ACCOUNTS, audit=audit)
    engine.submit(kind=Kind.TICK, time_ns=NOW)
    for account in range(ACCOUNTS):
        engine.submit(kind=Kind.DEPOSIT, account=account, value=10_000 * ONE)
    engine.submit(kind=Kind.SET_INDEX, market=0, value=MARK * MARKET["tick_value"])
    engine.submit(kind=Kind.SET_MARK, market=0, value=MARK * MARKET["tick_value"])
    for account in range(0, ACCOUNTS - 2):
        if account % 3 == 0:
            engine.submit(kind=Kind.SET_MARGIN_MODE, account=account, market=0, aux=MarginMode.ISOLATED)
        side = account % 2
        assert not engine.submit(
            kind=Kind.SEED_POSITION, account=account, market=0, side=side, size_lots=6_000,
            value=MARK * MARKET["tick_value"],
        )  # fmt: skip
        for number in range(3):
            price = MARK - 5 - number - account % 4 if side == Side.BUY else MARK + 5 + number + account % 4
            engine.submit(
                kind=Kind.PLACE, account=account, market=0, order_id=number, side=side, price_ticks=price, size_lots=50,
                tif=Tif.GTD if number == 2 else Tif.GTC, expire_ns=NOW + 900 * SECOND * (number == 2),
            )  # fmt: skip
        engine.submit(
            kind=Kind.PLACE, account=account, market=0, order_id=9, side=1 - side, size_lots=50, trigger_ticks=MARK + (
                -100 if side == Side.BUY else 100), flags=Flag.STOP | Flag.MARKET | Flag.REDUCE_ONLY,
        )  # fmt: skip
    for price in range(1, 9):
        for side, at in ((Side.BUY, MARK - price - 2), (Side.SELL, MARK + price + 2)):
            more = Flag.MORE if price < 8 or side == Side.BUY else 0
            engine.submit(kind=Kind.TAPE_LEVEL, market=0, side=side, price_ticks=at, size_lots=500 + price, flags=more)
    engine.submit(kind=Kind.PLACE, account=1, market=0, order_id=20, side=Side.BUY, price_ticks=MARK + 4, size_lots=30)
    engine.submit(kind=Kind.CANCEL, account=1, market=0, order_id=0)
    engine.submit(kind=Kind.SET_MARK, market=0, value=MARK * MARKET["tick_value"] + 1)
    assert EventKind.REJECTED not in engine.drain()["kind"]
    engine.check()
    return engine


def busy(engine: Engine, rounds: int) -> None:
    """Orders come and go until the rotation has been through everything so many times."""
    commands = np.zeros(256, COMMAND)
    commands["kind"] = np.tile([Kind.PLACE, Kind.CANCEL], 128)
    commands["account"], commands["order_id"] = ACCOUNTS - 1, np.repeat(np.arange(128), 2)
    commands["price_ticks"], commands["size_lots"] = MARK - 300, 1
    commands["side"] = Side.BUY
    until = engine.audited_rounds() + rounds
    for _ in range(10_000):
        engine.apply(commands)
        if engine.audited_rounds() >= until:
            return
    raise AssertionError("the rotation does not come round")


def damage(engine: Engine, pool: str, field: str, change: int) -> None:
    slots = testing.py_slots(engine, pool)
    if field == "trigger_value":
        slots = [slot for slot, row in enumerate(engine.positions()) if row["lots"] > 0 and row["isolated_margin"]]
    if pool == "order" and field in ("next", "position_next"):
        slots = slots[:1]
    if pool == "timer":
        slots = slots[-1:]
    testing.py_damage(engine, pool, field, slots[len(slots) // 2] if pool != "tier" else 1, change)


def bid(engine: Engine, number: int, price: int) -> None:
    engine.submit(
        kind=Kind.PLACE, account=11, market=0, order_id=number, side=Side.BUY, price_ticks=price, size_lots=2
    )  # fmt: skip


def test_without_events_there_are_no_last_ones():
    engine = venue(0)
    assert len(engine.last_events(0)) == 0
    engine.drain()
    engine.submit(kind=Kind.TICK, time_ns=NOW + 1)
    assert len(engine.drain()) == 0
    assert engine.last_events().tolist() == [] and engine.last_events().dtype == EVENT


def test_nothing_is_wrong_with_the_venue():
    engine = venue(1)
    busy(engine, 3)
    engine.check()


@pytest.mark.parametrize(("pool", "field", "change"), DAMAGES + DEEP_DAMAGES)
def test_a_whole_audit_finds_it_at_once(pool, field, change):
    engine = venue(2)
    damage(engine, pool, field, change)
    with pytest.raises(InvariantError) as raised:
        engine.submit(kind=Kind.TICK, time_ns=NOW + 1)
    assert engine.broken == str(raised.value)
    assert engine.suspects["kind"].tolist() == [Kind.TICK]
    with pytest.raises(RuntimeError, match="has stopped"):
        engine.submit(kind=Kind.TICK)


@pytest.mark.parametrize(("pool", "field", "change"), DAMAGES)
def test_the_rotation_finds_it_within_a_round(pool, field, change):
    engine = venue(1)
    busy(engine, 1)
    damage(engine, pool, field, change)
    with pytest.raises(InvariantError) as raised:
        busy(engine, 2)
    assert engine.broken == str(raised.value)
    assert len(engine.suspects) == 256
    assert len(engine.last_events()) == 256  # of the batch at hand


@pytest.mark.parametrize(("pool", "field", "change"), DAMAGES[:8])
def test_damage_of_an_account_at_work_is_found_in_its_batch(pool, field, change):
    engine = venue(1)
    busy(engine, 1)
    account = 4 if pool == "wallet" else int(engine.positions()["account"][-1])
    slots = testing.py_slots(engine, "position")
    testing.py_damage(engine, pool, field, account if pool == "wallet" else slots[0], change)
    commands = np.zeros(2_000, COMMAND)
    commands["kind"], commands["account"], commands["value"] = Kind.DEPOSIT, np.arange(2_000) % ACCOUNTS, ONE
    with pytest.raises(InvariantError):
        engine.apply(commands)


@pytest.mark.parametrize("audit", [1, 2])
def test_a_trigger_that_is_too_late_is_found(audit):
    """Margin leaves an isolated position without its trigger being set anew; all sums are right."""
    engine = venue(audit)
    if audit == 1:
        busy(engine, 1)
    slot = next(slot for slot, row in enumerate(engine.positions()) if row["lots"] > 0 and row["isolated_margin"])
    testing.py_damage(engine, "position", "isolated_margin", slot, -50 * ONE)
    testing.py_damage(engine, "wallet", "balance", int(engine.positions()["account"][slot]), 50 * ONE)
    with pytest.raises(InvariantError, match="short of its triggers"):
        busy(engine, 2)


def test_without_an_audit_nothing_is_looked_at():
    engine = venue(0)
    testing.py_damage(engine, "wallet", "balance", 0, 1)
    engine.submit(kind=Kind.TICK, time_ns=NOW + 1)
    assert engine.broken is None
    with pytest.raises(InvariantError, match="M1"):
        engine.check()


def test_an_audit_has_three_levels():
    with pytest.raises(ValueError, match="audit is 0, 1 or 2"):
        Engine(VENUE, [MARKET], 1, audit=3)


# The state hash


@pytest.mark.parametrize("audit", [0, 1, 2])
def test_the_hash_is_kept_up_to_date(audit):
    kept, fresh = venue(audit), venue(audit)
    kept.state_hash()
    for engine in (kept, fresh):
        busy(engine, 0) if audit else None
        engine.submit(kind=Kind.PLACE, account=2, market=0, order_id=70, side=Side.SELL, price_ticks=900, size_lots=40)
        engine.submit(kind=Kind.AMEND, account=0, market=0, order_id=1, price_ticks=MARK - 20, size_lots=20)
        engine.submit(kind=Kind.SET_LEVERAGE, account=11, market=0, value=3)
        engine.submit(kind=Kind.TAPE_TRADE, market=0, side=Side.SELL, price_ticks=MARK - 4, size_lots=700)
        engine.submit(kind=Kind.SET_MARK, market=0, value=700 * MARKET["tick_value"])
    assert kept.state_hashes() == fresh.state_hashes()
    assert kept.digest() == fresh.digest()
    kept.check()


def test_a_restored_engine_has_the_same_hash():
    engine = venue(1)
    before = engine.state_hashes()
    again = Engine.restore(engine.snapshot())
    assert again.state_hashes() == before
    for each in (engine, again):
        each.submit(kind=Kind.CANCEL_ALL, account=3, market=0)
    assert again.state_hash() == engine.state_hash()
    again.check()


def test_the_history_of_the_slots_does_not_show():
    """The same orders in other slots: one engine has placed and cancelled others before."""
    plain, used = venue(0), venue(0)
    for number in range(100, 140):
        used.submit(kind=Kind.PLACE, account=11, market=0, order_id=number, side=Side.BUY, price_ticks=700, size_lots=1)
    for number in range(139, 99, -1):
        used.submit(kind=Kind.CANCEL, account=11, market=0, order_id=number)
    for engine in (plain, used):
        for number in range(40, 60):
            bid(engine, number, 800 + number % 7)
    assert plain.state_hashes()["orders"] == used.state_hashes()["orders"]
    assert plain.state_hashes()["accounts"] == used.state_hashes()["accounts"]


@pytest.mark.parametrize(
    ("part", "pool", "field"),
    [
        ("accounts", "wallet", "balance"),
        ("positions", "position", "cost"),
        ("orders", "level", "lots"),
        ("recorded", "recorded", "recorded"),
    ],
)
def test_each_part_shows_its_own(part, pool, field):
    engine, other = venue(0), venue(0)
    damage(other, pool, field, 1)
    ours, theirs = engine.state_hashes(), other.state_hashes()
    assert {name for name in ours if ours[name] != theirs[name]} == {part}


def test_the_order_of_a_queue_shows():
    engines = [venue(0), venue(0)]
    for engine, numbers in zip(engines, ((50, 51), (51, 50)), strict=True):
        for number in numbers:
            bid(engine, number, 800)
    ours, theirs = (engine.state_hashes() for engine in engines)
    assert {name for name in ours if ours[name] != theirs[name]} == {"orders"}
