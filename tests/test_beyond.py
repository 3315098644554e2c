"""Beyond the recorded depth: who goes there, what is found, what is taken, and how results say so."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from perpsim.core import (
    Engine,
    EventKind,
    Flag,
    InvariantError,
    Kind,
    MarketState,
    ReduceLimit,
    Reject,
    Side,
    TapeOrder,
    Tif,
)
from perpsim.replay import outcomes
from perpsim.replay.errors import InputError
from perpsim.replay.plan import make_plan
from perpsim.replay.runner import Runner
from perpsim.replay.scenario import parse
from perpsim.replay.story import tell
from small_tape import Recording
from test_regressions import NOW, SECOND, Desk
from test_snapshot import PIECES, joined, pieces

ROOM = {"size_max": 10_000, "queue_model": 0}
STATED = ROOM | {"beyond_lots": 10, "beyond_slope": 500_000_000, "beyond_ticks": 6}


def desk_of(market=STATED, **venue) -> Desk:
    """Bids of 20 lots at 990 and 5 at 985, an ask far away."""
    desk = Desk(market=market, **venue)
    desk.do(Kind.TAPE_LEVEL, side=Side.BUY, price_ticks=990, size_lots=20, flags=Flag.MORE)
    desk.do(Kind.TAPE_LEVEL, side=Side.BUY, price_ticks=985, size_lots=5)
    desk.do(Kind.TAPE_LEVEL, side=Side.SELL, price_ticks=1_010, size_lots=20)
    return desk


def fills(desk: Desk) -> list[tuple[int, int, bool]]:
    """(price, lots, whether it was from behind the recorded depth)."""
    trades = desk.of(EventKind.TRADE)
    flags = trades["reason"] == Reject.BY_BEYOND_DEPTH
    return list(zip(trades["price_ticks"].tolist(), trades["size_lots"].tolist(), flags.tolist(), strict=True))


def test_without_a_statement_there_is_nothing():
    desk = desk_of(ROOM)
    desk.sell(0, 40)
    assert fills(desk) == [(990, 20, False), (985, 5, False)]
    assert desk.of(EventKind.CANCELLED)["size_lots"].tolist() == [15]


def test_a_taker_goes_on_level_by_level_and_each_fill_says_so():
    desk = desk_of()
    desk.sell(0, 45)
    assert fills(desk) == [(990, 20, False), (985, 5, False), (984, 10, True), (983, 10, True)]  # 10, then 10.5 down
    desk.sell(1, 30)  # 983 is empty, then 11, 11.5 and 12 down
    assert fills(desk) == [(982, 11, True), (981, 11, True), (980, 8, True)]


def test_it_ends_where_the_statement_ends():
    desk = desk_of()
    desk.sell(0, 200)
    assert fills(desk)[2:] == [(984 - n, 10 + n // 2, True) for n in range(6)]
    assert desk.of(EventKind.CANCELLED)["size_lots"].tolist() == [200 - 25 - (10 + 10 + 11 + 11 + 12 + 12)]
    desk.sell(1, 1)
    assert fills(desk) == []


def test_a_limit_holds_there_too():
    desk = desk_of()
    desk.sell(0, 60, price=983)
    assert fills(desk)[2:] == [(984, 10, True), (983, 10, True)]
    assert desk.engine.book(0, Side.SELL)[0].tolist() == [983, 15]


def test_account_orders_come_first_at_their_price_and_in_between():
    desk = desk_of()
    desk.buy(1, 3, 984)
    desk.buy(2, 4, 982)
    desk.sell(0, 25 + 3 + 20 + 4 + 2)
    assert fills(desk)[2:] == [(984, 3, False), (984, 10, True), (983, 10, True), (982, 4, False), (982, 2, True)]


@pytest.mark.parametrize(
    ("command", "again"),
    [
        ({"kind": Kind.TAPE_LEVEL, "side": Side.BUY, "price_ticks": 990, "size_lots": 20}, [984, 983]),
        ({"kind": Kind.TAPE_LEVEL, "side": Side.BUY, "price_ticks": 980, "size_lots": 1}, [979, 978]),
        ({"kind": Kind.TAPE_LEVEL, "side": Side.BUY, "price_ticks": 970, "size_lots": 0}, [984, 983]),
        ({"kind": Kind.TAPE_LEVEL, "side": Side.SELL, "price_ticks": 1_010, "size_lots": 30}, [982, 981]),
        ({"kind": Kind.TAPE_TRADE, "side": Side.SELL, "price_ticks": 985, "size_lots": 1}, [982, 981]),
        ({"kind": Kind.TICK, "time_ns": NOW + 3_600 * SECOND}, [982, 981]),
    ],
)
def test_what_is_taken_stays_taken_until_a_depth_message_names_that_side(command, again):
    desk = desk_of()
    desk.sell(0, 45)
    desk.do(**command)
    desk.sell(1, 40)
    assert [price for price, _, flag in fills(desk) if flag][:2] == again


def test_a_whole_book_tells_both_sides_anew():
    desk = desk_of()
    desk.sell(0, 45)
    desk.do(
        Kind.TAPE_LEVEL, side=Side.SELL, price_ticks=1_010, size_lots=20, flags=Flag.SNAPSHOT
    )  # no bids at all: nothing is known of that side
    desk.sell(1, 5)
    assert fills(desk) == []


def test_nobody_goes_there_before_all_that_is_recorded_is_eaten():
    desk = desk_of()
    desk.sell(0, 24)
    desk.sell(1, 2)
    assert fills(desk) == [(985, 1, False), (984, 1, True)]


def test_fill_or_kill_and_post_only_know_of_it():
    desk = desk_of()
    assert desk.sell(0, 25 + 67, price=900, tif=Tif.FOK) == Reject.NOT_FILLABLE
    assert desk.sell(0, 46, price=983, tif=Tif.FOK) == Reject.NOT_FILLABLE
    assert desk.sell(0, 45, price=983, tif=Tif.FOK) == Reject.NONE
    assert len(fills(desk)) == 4
    assert desk.sell(1, 1, price=982, flags=Flag.POST_ONLY) == Reject.WOULD_TAKE
    assert desk.sell(1, 1, price=983, flags=Flag.POST_ONLY) == Reject.NONE


def test_quotes_and_depth_show_recorded_lots_only():
    desk = desk_of()
    desk.sell(0, 30)
    assert desk.engine.book(0, Side.BUY).tolist() == []
    assert desk.engine.market(0)["best_bid_ticks"] == -1


def test_history_that_walks_deeper_ends_where_its_recording_does():
    desk = desk_of()
    desk.sell(0, 25)
    desk.do(Kind.TAPE_TRADE, side=Side.SELL, price_ticks=990, size_lots=20)
    assert desk.of(EventKind.TAPE_UNFILLED)["size_lots"].tolist() == [20]
    desk.sell(1, 1)
    assert fills(desk) == [(984, 1, True)]


def test_a_shock_moves_it_with_the_recording():
    desk = desk_of()
    desk.sell(0, 30)
    desk.do(Kind.SET_SHOCK, value=900_000_000)
    shift = desk.engine.market(0)["shift_ticks"]
    assert shift < -50
    desk.sell(1, 6)
    assert fills(desk) == [(984 + shift, 5, True), (983 + shift, 1, True)]


def test_it_ends_at_the_end_of_the_grid():
    desk = Desk(market=STATED)
    desk.do(Kind.TAPE_LEVEL, side=Side.BUY, price_ticks=3, size_lots=5)
    desk.sell(0, 100, price=1)
    assert fills(desk) == [(3, 5, False), (2, 10, True), (1, 10, True)]


def test_nothing_recorded_is_no_edge():
    desk = Desk(market=STATED)
    desk.sell(0, 5)
    assert fills(desk) == []


def test_single_recorded_orders_have_no_depth_to_go_beyond():
    desk = Desk(market=STATED)
    desk.do(Kind.TAPE_ORDER, aux=TapeOrder.ADD, side=Side.BUY, price_ticks=990, size_lots=5, order_id=9)
    desk.sell(0, 8)
    assert fills(desk) == [(990, 5, False)]


def test_forced_orders_go_there():
    desk = desk_of(STATED | {"beyond_lots": 500}, reduce_limit=ReduceLimit.NONE)
    desk.seed(0, 100)
    desk.do(Kind.WITHDRAW, account=0, value=9_990 * 10**8)
    desk.mark(900)
    assert desk.of(EventKind.LIQUIDATION_ORDER)["size_lots"].sum() > 25
    assert (984, True) in [(price, flag) for price, _, flag in fills(desk)]


def test_a_snapshot_keeps_what_was_taken():
    desk = desk_of()
    desk.sell(0, 47)
    copy = Engine.restore(desk.engine.snapshot())
    assert copy.state_hash() == desk.engine.state_hash()
    desk.sell(1, 30)
    before = desk.engine.digest()
    fresh = Desk.__new__(Desk)
    fresh.engine, fresh.last_id = copy, desk.last_id - 1
    fresh.sell(1, 30)
    assert copy.digest() == before
    assert copy.state_hash() == desk.engine.state_hash()


@pytest.mark.parametrize(
    ("edge", "level", "fits"),
    [(985, 2, True), (985, 5, True), (985, 7, False), (985, -1, False), (984, 2, False), (990, 2, False)],
)
def test_what_cannot_have_been_taken_is_found(edge, level, fits):
    """Of 47 lots 25 are recorded; behind 985 are 10, 10 (of 10.5) and 2 of the next, of six levels that are stated."""
    desk = desk_of()
    number = PIECES.index("markets")
    before = np.frombuffer(pieces(desk.engine.snapshot())[number], np.int64)
    desk.sell(0, 47)
    whole = desk.engine.snapshot()
    parts = pieces(whole)
    words = np.frombuffer(parts[number], np.int64).copy()
    (at,) = np.flatnonzero((before == -1) & (words == 985))
    assert words[at : at + 6].tolist() == [985, -1, 2, 0, 2, 0]  # edges, levels taken whole, lots of the next
    words[at], words[at + 2] = edge, level
    engine = Engine.restore(joined(whole, [*parts[:number], words.tobytes(), *parts[number + 1 :]]))
    if fits:
        engine.check()
    else:
        with pytest.raises(InvariantError):
            engine.check()


def test_a_market_that_does_not_match_gives_nothing():
    desk = desk_of()
    desk.state(MarketState.PRE_OPEN)
    desk.sell(0, 40, price=900)
    assert fills(desk) == []


# scenarios

SCENARIO = """
[run]
seed = 5
interval = 1
[venue]
rulebook = "binance-usdm"
date = 2025-10-10
[venue.rules]
band_down = 0
market_bound = 0
[tape]
store = "store"
{keys}
[fund]
initial = 10_000
[population]
accounts = 60
open_interest = 3
leverage = [{{ leverage = 40, weight = 1 }}]
[shock]
points = [[0, 1], [5, 1], [20, 0.93]]
"""


def scenario(tmp_path, keys: str):
    recording = Recording()
    recording.book(0, {10_000 - n: 5 for n in range(5)}, {10_001 + n: 5 for n in range(5)}, snapshot=True)
    for second in range(60):
        recording.index(second, 1_000)
        recording.trade(second + 0.5, second % 2, 10_000, 1)
    recording.store(tmp_path / "store")
    return parse(SCENARIO.format(keys=keys).encode(), tmp_path / "scenario.toml", tmp_path)


def test_results_count_these_fills_by_account_and_market(tmp_path):
    keys = 'beyond = { depth = 0.01, slope = "0.5", ticks = 300 }'
    summary = outcomes.run(scenario(tmp_path, keys), tmp_path / "out")
    far = summary["markets"]["BTCUSDT"]["beyond_depth"]
    events = pq.read_table(tmp_path / "out/events.parquet").to_pydict()
    marked = [n for n, reason in enumerate(events["reason"]) if reason == Reject.BY_BEYOND_DEPTH]
    assert far["fills"] == len(marked) > 10
    assert {events["kind"][n] for n in marked} == {EventKind.TRADE}
    assert float(far["volume"]) == pytest.approx(sum(events["size_lots"][n] for n in marked) / 1_000)
    accounts = pq.read_table(tmp_path / "out/accounts.parquet").to_pydict()
    by_account = np.bincount([events["account"][n] for n in marked], minlength=len(accounts["account"]))
    assert accounts["beyond_depth_fills"] == by_account.tolist()
    assert sum(accounts["beyond_depth_notional"]) == round(float(far["notional"]) * 10**8)
    (label,) = summary["labels"]
    assert label.startswith("BTCUSDT: beyond the recorded depth 300 levels are stated, 0.01 at the first")
    assert f"{far['fills']:,} fills" in tell(summary)
    assert outcomes.verify(tmp_path / "out") == []


def test_without_the_key_there_are_none(tmp_path):
    summary = outcomes.run(scenario(tmp_path, ""), tmp_path / "out")
    assert summary["markets"]["BTCUSDT"]["beyond_depth"] == {"fills": 0, "volume": "0", "notional": "0"}
    assert summary["labels"] == []


@pytest.mark.parametrize(
    ("stated", "sentence"),
    [
        ("depth = 0.0001, ticks = 3", "less than one lot"),
        ("depth = 1e7, slope = 1e6, ticks = 1000", "more lots than can be counted"),
        ("depth = 1", "ticks is missing"),
        ("depth = 1, ticks = 0", "ticks: 0 is impossible"),
        ("depth = 1, tick = 3", "unknown; did you mean ticks"),
    ],
)
def test_impossible_statements_are_refused(tmp_path, stated, sentence):
    with pytest.raises(InputError, match=sentence):
        make_plan(scenario(tmp_path, f"beyond = {{ {stated} }}"))


BOT = """
from perpsim.exchange import Strategy


class Seller(Strategy):
    def on_start(self):
        self.fills = []
        self.sell(160)

    def on_fill(self, fill):
        self.fills.append((fill.size_lots, fill.beyond))
"""


def test_a_bot_is_told_which_of_its_fills_no_recording_shows(tmp_path):
    (tmp_path / "bot.py").write_text(BOT)
    file = scenario(
        tmp_path, 'beyond = { depth = 0.1, ticks = 300 }\n[strategy]\nuse = "bot.py:Seller"\ndeposit = 1000'
    )
    runner = Runner(make_plan(file))
    runner.run()
    fills = runner.host.seats[0].bot.strategy.fills
    assert [flag for _, flag in fills] == [False] * 5 + [True] * 2
    assert sum(lots for lots, _ in fills) == 160
