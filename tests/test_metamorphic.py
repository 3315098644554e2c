"""Two runs of which one can be worked out from the other: what must not matter does not matter.

Random streams, as in the comparison of core and twin; the twin only steers them. Each test changes a stream (or the
venue) in one way and says what the events and the state have to be then, exactly.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

import numpy as np
import pytest
from differential import apply_all, as_array, new_twin
from perpsim.core import COMMAND, EVENT, Engine, EventKind, Flag, Kernel, Kind, Stop, Watch
from stream_settings import BY_NAME, MARKET, SECOND, SETTINGS, VENUE, Setting
from streams import START_NS, Stream
from test_regressions import PLAIN
from test_runner import CRASH, run

COMMANDS = 500
HOUR = 3_600 * SECOND  # whole intervals of every timer
OWN_TIMES = {EventKind.FUNDING_RATE, EventKind.WITHDRAW_GATE}  # their aux or value holds a time
PRICES = {  # fields that hold a price of the market, 1e-8 of the quote
    EventKind.MARK: ("value", "aux"), EventKind.INDEX: ("value",), EventKind.POSITION_SEEDED: ("value",),
    EventKind.LIQUIDATION_ORDER: ("value", "aux"), EventKind.FUNDING_SETTLED: ("aux",),
}  # fmt: skip
given_marks = [  # and values that are proportional to the price
    setting for setting in SETTINGS
    if not any(market["mark_method"] or market.get("contract_kind") for market in setting.markets)
    and "collateral" not in setting.venue
]  # fmt: skip
each_setting = pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
pytestmark = pytest.mark.unshadowed("each stream is run in two ways already; shadow.py runs those of other tests")


def stream(setting: Setting, seed: int = 1, count: int = COMMANDS) -> np.ndarray:
    """Commands of a seed, without whatever would stop an engine."""
    twin = new_twin(setting)
    words, told = Stream(seed, setting, twin), []
    while len(told) < count:
        for c in words.next():
            told.append(dataclasses.replace(c))
            twin.apply(c)
    return as_array(told)


def played(setting: Setting, commands: np.ndarray, **changes) -> tuple[Engine, np.ndarray]:
    setting = dataclasses.replace(setting, **changes)
    engine = Engine(setting.venue, setting.markets, setting.accounts, assets=setting.assets, audit=0)
    events = apply_all(engine, commands).copy()
    engine.check()
    return engine, events


def same(found: np.ndarray, wanted: np.ndarray) -> None:
    """Arrays of EVENT, field by field."""
    assert found["kind"].tolist() == wanted["kind"].tolist()
    for name in EVENT.names:
        differing = np.flatnonzero(found[name] != wanted[name])
        assert not len(differing), (name, found[differing[0]], wanted[differing[0]])


def without(events: np.ndarray, *kinds: EventKind) -> np.ndarray:
    """The other events, numbered anew."""
    rest = events[~np.isin(events["kind"], kinds)].copy()
    rest["sequence"] = np.arange(len(rest))
    return rest


@each_setting
def test_time_has_no_origin(setting):
    commands = stream(setting)
    later = commands.copy()
    for name in ("time_ns", "expire_ns"):
        later[name][commands[name] > START_NS // 2] += HOUR
    one, before = played(setting, commands)
    other, after = played(setting, later)
    moved = before.copy()
    moved["time_ns"] += np.where(moved["time_ns"] > 0, HOUR, 0)
    for name in ("value", "aux", "order_id"):
        times = np.isin(moved["kind"], list(OWN_TIMES)) & (moved[name] > START_NS // 2)
        moved[name][times] += HOUR
    same(after, moved)
    assert np.array_equal(one.accounts(), other.accounts())


@each_setting
def test_a_command_that_means_nothing_changes_nothing(setting):
    commands = stream(setting)
    nothing = np.zeros(1, COMMAND)  # no kind of command: refused before anything is looked at
    rng = random.Random(3)
    singly = np.split(commands, len(commands))
    pieces = [piece for c in singly for piece in ([nothing, c] if rng.random() < 0.3 else [c])]
    one, before = played(setting, commands)
    other, after = played(setting, np.concatenate(pieces))
    refused, also = ((events["kind"] == EventKind.REJECTED) & (events["aux"] == 0) for events in (after, before))
    assert refused.sum() > also.sum() + 100
    same(without(after[~refused]), without(before[~also]))
    assert np.array_equal(one.accounts(), other.accounts())


@each_setting
def test_a_deposit_in_two_parts_is_the_same_deposit(setting):
    commands = stream(setting)
    pieces = []
    for c in np.split(commands, len(commands)):
        if c["kind"][0] == Kind.DEPOSIT and c["value"][0] > 1:
            first, second = c.copy(), c.copy()
            first["value"] = c["value"] // 3 + 1
            second["value"] = c["value"] - first["value"]
            pieces += [first, second] if second["value"][0] else [c]
        else:
            pieces.append(c)
    assert len(pieces) > len(commands)
    one, before = played(setting, commands)
    other, after = played(setting, np.concatenate(pieces))
    kinds = EventKind.DEPOSIT, EventKind.REJECTED  # a refused deposit is refused twice
    same(without(after, *kinds), without(before, *kinds))
    assert np.array_equal(one.accounts(), other.accounts())


@each_setting
def test_accounts_are_only_numbers(setting):
    """Each account gets a greater number, in the same order, with unused ones between; the house follows at the end."""
    commands, room = stream(setting), setting.accounts * 3 + 1
    names = np.arange(setting.accounts) * 3 + 1
    engine = Engine(setting.venue, setting.markets, setting.accounts, assets=setting.assets)
    houses = len(engine.accounts()) // setting.assets - setting.accounts
    names = np.concatenate([names, room + np.arange(houses)]).astype(np.int32)

    def renamed(accounts: np.ndarray) -> np.ndarray:
        known = (accounts >= 0) & (accounts < len(names))
        beyond = accounts + (room - setting.accounts) * (accounts > 0)
        return np.where(known, names[np.where(known, accounts, 0)], beyond)

    others = commands.copy()
    def regrouped(array: np.ndarray, kind: int) -> None:
        """An account's self-trade group is its own number at first, so groups are renamed with the accounts."""
        groups = (array["kind"] == kind) & (array["value"] >= 0) & (array["value"] < setting.accounts)
        array["value"][groups] = names[array["value"][groups]]

    others["account"] = renamed(commands["account"])
    regrouped(others, Kind.SET_ACCOUNT)
    one, before = played(setting, commands)
    other, after = played(setting, others, accounts=room)
    wanted = before.copy()
    regrouped(wanted, EventKind.ACCOUNT)
    wanted["account"], wanted["maker_account"] = renamed(before["account"]), renamed(before["maker_account"])
    same(after, wanted)
    of_one, of_other = one.accounts(), other.accounts()
    for number, name in enumerate(names):
        for field in ("balance", "equity", "fees", "funding", "realised"):
            left, right = of_one[of_one["account"] == number], of_other[of_other["account"] == name]
            assert left[field].tolist() == right[field].tolist()


def test_in_a_calm_market_not_even_their_order_matters():
    calm = dict.fromkeys(("mark", "jump", "edge", "seed", "crowd", "rule", "state", "account", "garbage"), 0)
    setting = dataclasses.replace(BY_NAME["orders"], weights=BY_NAME["orders"].weights | calm)
    commands = stream(setting, count=1_500)
    names = np.random.default_rng(2).permutation(setting.accounts).astype(np.int32)
    names = np.concatenate([names, np.arange(setting.accounts, setting.accounts + 40, dtype=np.int32)])
    others = commands.copy()
    others["account"] = names[commands["account"]]
    _, before = played(setting, commands)
    _, after = played(setting, others)
    assert (before["kind"] == EventKind.TRADE).sum() > 50
    assert not (before["kind"] == EventKind.LIQUIDATION_STARTED).any()
    wanted = before.copy()
    for name in ("account", "maker_account"):
        wanted[name] = np.where(before[name] >= 0, names[before[name]], before[name])
    same(after, wanted)


@pytest.mark.parametrize("setting", given_marks, ids=lambda setting: setting.name)
def test_the_unit_of_the_coin_does_not_matter(setting):
    """Prices ten times higher and lots of a tenth of the coins: the same ticks, lots and money.

    Without shocks and impact: those cut a mark to a whole unit, which is coarser for the cheap coin.
    """
    commands = stream(setting)
    commands = commands[commands["kind"] != Kind.SET_SHOCK]
    dear = commands.copy()
    priced = np.isin(commands["kind"], [Kind.SET_MARK, Kind.SET_INDEX, Kind.SEED_POSITION, Kind.SET_MARKET_STATE])
    within = priced & (commands["value"] > 0) & (commands["value"] < 2**58)
    dear["value"][within] *= 10
    cheap = [market | {"impact_factor": 0} for market in setting.markets]
    markets = [
        market | {"tick_value": market["tick_value"] * 10, "lot_denominator": market["lot_denominator"] * 10}
        for market in cheap
    ]
    one, before = played(setting, commands, markets=cheap)
    other, after = played(setting, dear, markets=markets)
    wanted = before.copy()
    for kind, fields in PRICES.items():
        for name in fields:
            wanted[name][before["kind"] == kind] *= 10
    same(after, wanted)
    assert np.array_equal(one.accounts(), other.accounts())


def mirrored_orders(seed: int, top: int) -> tuple[np.ndarray, np.ndarray]:
    """Orders of rich accounts around the middle of [1, top], and the same with sides and prices turned over."""
    rng = np.random.default_rng(seed)
    count, middle = 800, (top + 1) // 2
    one = np.zeros(count + 9, COMMAND)
    one["kind"][:8], one["account"][:8], one["value"][:8] = Kind.DEPOSIT, np.arange(8), 10**15
    one["time_ns"] = START_NS + np.arange(count + 9)
    one["kind"][8], one["value"][8] = Kind.SET_MARK, middle * MARKET["tick_value"]
    rest = one[9:]
    rest["kind"] = rng.choice([Kind.PLACE, Kind.CANCEL, Kind.AMEND, Kind.SET_MARK], count, p=[0.7, 0.1, 0.15, 0.05])
    rest["account"], rest["side"] = rng.integers(0, 8, count), rng.integers(0, 2, count)
    rest["price_ticks"] = middle + rng.integers(-6, 7, count)
    rest["size_lots"] = rng.integers(1, 30, count)
    place = rest["kind"] == Kind.PLACE
    rest["order_id"] = np.where(place, np.arange(count), rng.integers(0, count, count))
    rest["tif"] = np.where(place, rng.choice([0, 0, 0, 1, 2], count), 0)
    rest["stp_mode"] = np.where(place, rng.integers(0, 4, count), 0)
    rest["flags"][place] = rng.choice([0, 0, 0, Flag.MARKET, Flag.POST_ONLY, Flag.REDUCE_ONLY], place.sum())
    stops = place & (rng.random(count) < 0.15) & (rest["flags"] == 0)
    rest["flags"][stops] = rng.choice([Flag.STOP, Flag.TAKE_PROFIT], stops.sum())
    rest["trigger_ticks"][stops] = middle + rng.integers(-8, 9, stops.sum())
    marks = rest["kind"] == Kind.SET_MARK
    rest["value"][marks] = rest["price_ticks"][marks] * MARKET["tick_value"]
    other = one.copy()
    orders = np.isin(other["kind"], [Kind.PLACE, Kind.CANCEL, Kind.AMEND])
    other["side"][orders] ^= 1
    for name in ("price_ticks", "trigger_ticks"):
        other[name][orders & (one[name] > 0)] = top + 1 - one[name][orders & (one[name] > 0)]
    marks = other["kind"] == Kind.SET_MARK
    other["value"][marks] = (top + 1) * MARKET["tick_value"] - one["value"][marks]
    return one, other


@pytest.mark.parametrize("seed", range(4))
def test_long_and_short_are_mirror_images(seed):
    """Free of fees and rich, so that nothing hangs on the notional: what one gains the other's image gains as well."""
    top = 1_999
    setting = Setting("mirror", VENUE, [PLAIN | {"price_max": top}], accounts=8)
    commands, image = mirrored_orders(seed, top)
    one, before = played(setting, commands)
    other, after = played(setting, image)
    assert (before["kind"] == EventKind.TRADE).sum() > 100
    assert (before["kind"] == EventKind.TRIGGERED).sum() > 5
    for name in ("kind", "account", "maker_account", "order_id", "maker_order_id", "size_lots", "reason", "fee"):
        assert np.array_equal(before[name], after[name]), name
    trades = before["kind"] == EventKind.TRADE
    assert np.array_equal(after["price_ticks"][trades], top + 1 - before["price_ticks"][trades])
    assert np.array_equal(after["side"][trades], 1 - before["side"][trades])
    assert np.array_equal(one.accounts()["equity"][:8], other.accounts()["equity"][:8])
    rows, image_rows = (np.sort(e.positions()[["account", "lots"]]) for e in (one, other))
    customers = rows["account"] < 8
    assert np.array_equal(rows["lots"][customers], -image_rows["lots"][image_rows["account"] < 8])


class TestTheFuture:
    """T3: what has not happened yet changes nothing that has."""

    @each_setting
    def test_of_a_stream(self, setting):
        commands = stream(setting)
        _, everything = played(setting, commands)
        for count in (1, 50, COMMANDS // 2):
            _, early = played(setting, commands[:count])
            same(early, everything[: len(early)])

    def test_of_a_run(self):
        _, long = run(CRASH.replace("start = 1", "start = 1\nend = 150"))
        _, short = run(CRASH.replace("start = 1", "start = 1\nend = 75"))
        early, everything = np.concatenate(short.chunks), np.concatenate(long.chunks)
        assert 1_000 < len(early) < len(everything)
        same(early, everything[: len(early)])


def watched(look: Callable[[Kernel], None]) -> str:
    """The digest of prints and orders in a kernel that somebody looks at."""
    engine = Engine(VENUE, [MARKET], 2, audit=0)
    kernel = Kernel([engine])
    number = kernel.add_stream(0, 0)
    look(kernel)
    count = 400
    rng = np.random.default_rng(5)
    kernel.feed(number, {
        "time_ns": START_NS + np.arange(count) * SECOND,
        "code": rng.choice(np.array([1, 2, 3, 17, 18], np.uint8), count),
        "price": 1_000 + rng.integers(-5, 6, count), "value": rng.integers(1, 9, count),
    })  # fmt: skip
    kernel.finish(number)
    commands = np.zeros(300, COMMAND)
    commands["kind"], commands["time_ns"] = Kind.PLACE, START_NS + rng.integers(1, count, 300) * SECOND
    commands["account"], commands["order_id"] = rng.integers(0, 2, 300), np.arange(300)
    commands["price_ticks"], commands["size_lots"] = 1_000 + rng.integers(-5, 6, 300), 9
    commands["side"] = rng.integers(0, 2, 300)
    commands["kind"][:2], commands["value"][:2], commands["time_ns"][:2] = Kind.DEPOSIT, 10**13, START_NS
    kernel.schedule(commands)
    while kernel.run() != Stop.UNTIL:
        engine.accounts(), engine.book(0, 0), engine.digest(), engine.check(), engine.snapshot()
    assert (engine.drain()["kind"] == EventKind.TRADE).any()
    return engine.digest()


def test_who_only_looks_changes_nothing():
    """D5: whatever is watched, however often the state is read."""
    unseen = watched(lambda kernel: None)
    assert watched(lambda kernel: kernel.watch_market(0, 0, Watch.TRADE | Watch.QUOTE | Watch.MARK)) == unseen
    assert watched(lambda kernel: kernel.watch_account(0, 1)) == unseen


def test_a_bot_that_only_listens_changes_nothing(tmp_path):
    (tmp_path / "bots.py").write_text(
        "from perpsim.exchange import Strategy\n"
        "class Idle(Strategy):\n    pass\n"
        "class Listener(Strategy):\n"
        "    def on_start(self):\n        self.heard = []\n"
        "    def on_book(self, told):\n        self.heard.append(told)\n"
        "    on_trade = on_mark = on_funding = on_book\n"
    )
    digests = set()
    for name in ("Idle", "Listener"):
        bot = f'[[strategy]]\nuse = "bots.py:{name}"\ndeposit = 100\n'
        outcome, _ = run(CRASH.replace("start = 1", "start = 1\nend = 60") + bot, tmp_path)
        digests.add(outcome.engine.digest())
        heard = getattr(outcome.plan.bots[0].strategy, "heard", [])
    assert len(digests) == 1 and len(heard) > 100
