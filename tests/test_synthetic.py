"""Recordings that have trades only: the stated book around their prints, and how results say so."""

import json
from fractions import Fraction

import numpy as np
import pyarrow.parquet as pq
import pytest
from order_replay import bare_engine
from perpsim.core import COMMAND, EventKind, Kernel, Kind, Side, Tif
from perpsim.exchange.journal import FILE
from perpsim.replay import outcomes
from perpsim.replay.errors import InputError
from perpsim.replay.labels import KEY
from perpsim.replay.outcomes import Journaling
from perpsim.replay.plan import make_plan
from perpsim.replay.realism import card, text
from perpsim.replay.runner import Runner
from perpsim.replay.scenario import parse
from perpsim.replay.story import tell
from perpsim.replay.synthetic import Book, Shape
from perpsim.replay.tape import COLUMNS, MORE, ROW_MASK, SELL, Row
from small_tape import SECOND, START_NS, Recording, quiet_market

FOREVER = 1 << 62
SCENARIO = """
[run]
seed = 5
interval = 1
[venue]
rulebook = "binance-usdm"
date = 2025-10-10
[tape]
store = "{store}"
{keys}
"""
STATED = 'synthetic = { depth = 0.02, slope = "0.25", levels = 12, spread = 3 }'
PEOPLE = """
[fund]
initial = 10_000
[population]
accounts = 60
open_interest = 1
leverage = [{ leverage = 40, weight = 1 }]
[shock]
points = [[0, 1], [5, 1], [20, 0.95]]
"""


def prints(count: int, seed: int = 1, price: int = 10_000) -> Recording:
    """Trades at a walking price, several at a time at times, with an index beside them and leaps at times."""
    draw = np.random.Generator(np.random.Philox(key=seed))
    recording, at = Recording().index(0, price / 10), 0.0
    for number in range(count):
        at += float(draw.choice((0, 0, 0.02, 0.1)))
        step = draw.choice((-40, -3, -1, 0, 1, 3, 40), p=(0.01, 0.1, 0.2, 0.38, 0.2, 0.1, 0.01))
        price = max(2, price + int(step))
        recording.trade(at, int(draw.integers(2)), price, int(draw.integers(1, 60)))
        if number % 5 == 0:
            recording.index(at, price / 10)
    return recording


def scenario(tmp_path, recording: Recording, keys: str = STATED, rest: str = ""):
    recording.store(tmp_path / "store")
    made = (SCENARIO.format(store=tmp_path / "store", keys=keys) + rest).encode()
    return parse(made, tmp_path / "scenario.toml", tmp_path)


def stated_book(shape: Shape, ask: int) -> dict[tuple[int, int], int]:
    """(side, price) -> lots."""
    book = {}
    for level in range(shape.levels):
        lots = int(shape.depth * (1 + shape.slope * level))
        book[Side.BUY, ask - shape.spread - level] = lots
        book[Side.SELL, ask + level] = lots
    return {place: lots for place, lots in book.items() if place[1] >= 1}


def rows_of(batches) -> list[tuple[int, ...]]:
    columns = zip(*([each[name] for name in COLUMNS] for each in batches), strict=True)
    joined = [np.concatenate(parts) for parts in columns]
    return list(zip(*(column.tolist() for column in joined), strict=True))


@pytest.mark.parametrize("shape", [
    Shape(Fraction(20), Fraction(1, 4), 12, 3), Shape(Fraction(7), Fraction(0), 50, 1),
    Shape(Fraction(5, 2), Fraction(3, 7), 1, 2),
])  # fmt: skip
def test_after_each_time_the_book_stands_as_stated_around_its_last_print(shape):
    columns = prints(1_500, price=120).tape().columns()
    book, made = Book(shape, FOREVER), {}
    standing: dict[tuple[int, int], int] = {}
    in_message, named, unchanged = False, 0, 0
    for time_ns, _, code, price, value, _ in rows_of(book.around(iter([columns]))):
        if code & ROW_MASK != Row.LEVEL:
            assert not in_message
            continue
        in_message = bool(code & MORE)
        side = Side.SELL if code & SELL else Side.BUY
        before = standing.get((side, price), 0)
        named += 1
        unchanged += value == before
        standing[side, price] = value
        if not value:
            del standing[side, price]
        if not in_message:
            made[time_ns] = dict(standing)
    trades = (columns["code"] & ROW_MASK) == Row.TRADE
    last = {int(time_ns): number for number, time_ns in enumerate(columns["time_ns"]) if trades[number]}
    assert made.keys() == last.keys()
    assert unchanged <= 2 * len(made) < named  # of levels that did not change only the best ones are named
    for time_ns, number in last.items():
        sold = columns["code"][number] & SELL
        assert made[time_ns] == stated_book(shape, int(columns["price"][number]) + (shape.spread if sold else 0))


def test_the_rows_do_not_depend_on_how_a_recording_is_cut(monkeypatch):
    columns = prints(700, seed=2).tape().columns()
    shape = Shape(Fraction(20), Fraction(1, 10), 30, 2)
    whole = Book(shape, FOREVER)
    rows = rows_of(whole.around(iter([columns])))
    for piece, most, size in ((1, 1, 1), (3, 50, 7), (64, 300, 100), (1 << 15, 1 << 19, 250)):
        monkeypatch.setattr("perpsim.replay.synthetic.PIECE", piece)
        monkeypatch.setattr("perpsim.replay.synthetic.MADE_MAX", most)
        parts = ({name: column[at : at + size] for name, column in columns.items()} for at in range(0, 2_000, size))
        book = Book(shape, FOREVER)
        assert rows_of(book.around(parts)) == rows
        assert (book.rows, book.prints) == (whole.rows, whole.prints)


def test_recorded_rows_stay_as_they_were_and_in_order():
    columns = prints(400, seed=3).tape().columns()
    made = rows_of(Book(Shape(Fraction(9), Fraction(0), 5, 1), FOREVER).around(iter([columns])))
    assert [row for row in made if row[2] & ROW_MASK != Row.LEVEL] == rows_of([columns])
    times = [row[0] for row in made]
    assert times == sorted(times)


def test_prints_are_told_by_where_they_met_the_book():
    recording = Recording().trade(1, 0, 1_000, 5)  # the first meets nothing yet
    recording.trade(2, 0, 1_004, 5).trade(3, 1, 1_003, 5)  # ask 1000: four levels up; bid 1003 under ask 1004
    recording.trade(4, 1, 1_004, 5)  # above the bid: inside
    recording.trade(5, 0, 1_020, 5).trade(5, 0, 1_006, 5)  # ask 1005: beyond ten levels; the second level
    book = Book(Shape(Fraction(9), Fraction(0), 10, 1), START_NS + 5 * SECOND)
    list(book.around(iter([recording.trade(6, 0, 1_006, 1).tape().columns()])))
    assert book.prints == [3, 1, 1]


def test_a_print_eats_the_ask_and_an_order_behind_it_waits_for_what_was_stated_before_it():
    """An order at the best bid stands behind the stated lots; prints of as many lots later it is filled."""
    recording = Recording().trade(1, 1, 1_000, 1)  # bid 1000
    for second in range(2, 8):
        recording.trade(second, 1, 1_000, 4)
    maker = order(Side.BUY, 1_000, 6, START_NS + SECOND)
    engine, events = played(recording, Shape(Fraction(10), Fraction(0), 5, 1), maker)
    fills = events[(events["kind"] == EventKind.TRADE)]
    # 4 and 4 of the ten before it, then 2 more and two of its own, then four
    assert list(zip((fills["time_ns"] - START_NS) // SECOND, fills["size_lots"], strict=True)) == [(4, 2), (5, 4)]
    assert engine.book(0, Side.BUY)[0].tolist() == [1_000, 10]


def test_what_takers_eat_of_it_stays_eaten_until_prints_repay_it():
    recording = Recording().trade(1, 0, 1_000, 1).trade(4, 0, 1_000, 6).trade(6, 0, 1_000, 6)
    taker = order(Side.BUY, 1_001, 15, START_NS + 2 * SECOND)
    engine, _ = played(recording, Shape(Fraction(10), Fraction(0), 5, 1), taker, until=3)
    assert engine.book(0, Side.SELL)[:2].tolist() == [[1_001, 5], [1_002, 10]]
    engine, _ = played(recording, Shape(Fraction(10), Fraction(0), 5, 1), taker, until=5)
    # six lots of history find the level eaten: they walk on; the level has four eaten lots left to repay
    assert engine.book(0, Side.SELL)[:2].tolist() == [[1_000, 6], [1_002, 9]]


def order(side: int, price: int, lots: int, time_ns: int) -> np.ndarray:
    made = np.zeros(1, COMMAND)
    made["kind"], made["time_ns"], made["order_id"], made["side"] = Kind.PLACE, time_ns, 7, side
    made["price_ticks"], made["size_lots"], made["tif"] = price, lots, Tif.GTC
    return made


def played(recording: Recording, shape: Shape, commands: np.ndarray, until: float = 1_000):
    engine = bare_engine(4_000)
    begin = np.zeros(2, COMMAND)
    begin["kind"], begin["time_ns"], begin["value"] = (Kind.DEPOSIT, Kind.SET_MARK), START_NS, (10**16, 10**11)
    engine.apply(begin)
    kernel = Kernel([engine])
    stream = kernel.add_stream(0, 0)
    kernel.schedule(commands)
    events = []
    batches = Book(shape, FOREVER).around(iter([recording.tape().columns()]))
    while True:
        kernel.run(START_NS + round(until * SECOND))
        events.append(engine.drain().copy())
        assert not (events[-1]["kind"] == EventKind.REJECTED).any(), events[-1]
        if kernel.hungry < 0:
            return engine, np.concatenate(events)
        if (batch := next(batches, None)) is None:
            kernel.finish(stream)
        else:
            kernel.feed(stream, batch)


# scenarios and results


def test_a_tape_without_a_book_is_refused_with_the_key_to_write(tmp_path):
    with pytest.raises(
        InputError, match=r"the recording of BTCUSDT has no book; state .* key tape\[0\].synthetic, such as"
    ):
        make_plan(scenario(tmp_path, prints(20), keys=""))


def test_a_tape_with_a_book_takes_no_synthetic_one(tmp_path):
    with pytest.raises(
        InputError, match=r"key tape\[0\].synthetic: the recording of BTCUSDT has a book; take the key out"
    ):
        make_plan(scenario(tmp_path, quiet_market()))


@pytest.mark.parametrize(("stated", "sentence"), [
    ("depth = 0.0001, levels = 5", "less than one lot"),
    ("depth = 1e9, slope = 1e9, levels = 5", "more lots than can be counted"),
    ("depth = -1, levels = 5", "zero or more"),
    ("depth = 1, levels = 5, slope = 'steep'", "no number"),
    ("depth = 1, levels = 0", "levels: 0 is impossible"),
    ("depth = 1", "levels is missing"),
    ("depth = 1, levels = 5, spread = 0", "spread: 0 is impossible"),
    ("depth = 1, levels = 5, halfspread = 2", "spread"),
])  # fmt: skip
def test_impossible_books_are_refused(tmp_path, stated, sentence):
    with pytest.raises(InputError, match=sentence):
        make_plan(scenario(tmp_path, prints(20), keys=f"synthetic = {{ {stated} }}"))


def test_every_result_says_that_the_book_was_stated(tmp_path):
    folder = tmp_path / "out"
    summary = outcomes.run(scenario(tmp_path, prints(900), rest=PEOPLE), folder)
    (label,) = summary["labels"]
    assert label.startswith("BTCUSDT: the book is synthetic, not recorded: 12 levels a side")
    book = summary["markets"]["BTCUSDT"]["tape"]["book"]
    assert (book["kind"], book["depth"], book["spread"]) == ("synthetic", "0.02", 3)
    assert sum(book["prints"].values()) > 800
    assert book["rows"] + summary["markets"]["BTCUSDT"]["tape"]["rows"] >= summary["rows"] > book["rows"]
    for name in ("accounts", "events", "series", "trail"):
        assert json.loads(pq.read_schema(folder / f"{name}.parquet").metadata[KEY]) == [label]
    assert f"ASSUMED  {label}" in tell(summary)
    assert "of them of a synthetic book" in tell(summary)
    shown = card.card(folder)
    assert shown["labels"] == [label]
    assert f"ASSUMED  {label}" in text.tell(shown)
    assert summary["liquidations"] > 0
    assert outcomes.verify(folder) == []


def test_a_recorded_book_is_called_that_and_nothing_is_assumed(tmp_path):
    folder = tmp_path / "out"
    summary = outcomes.run(scenario(tmp_path, quiet_market(), keys=""), folder)
    assert summary["labels"] == []
    assert summary["markets"]["BTCUSDT"]["tape"]["book"] == {"kind": "recorded"}
    assert KEY not in (pq.read_schema(folder / "accounts.parquet").metadata or {})
    assert "ASSUMED" not in tell(summary)


def test_files_and_store_and_journal_give_one_digest(tmp_path):
    file = scenario(tmp_path, prints(900), rest=PEOPLE)
    plan = make_plan(file)
    digest = Runner(plan).run().engine.digest()
    journal = Journaling(tmp_path / "journal")
    assert outcomes.run(file, tmp_path / "out", journal=journal)["digest"] == digest
    assert outcomes.play(tmp_path / "journal" / FILE).engine.digest() == digest


def test_a_run_from_the_middle_has_the_book_of_the_whole(tmp_path):
    recording = prints(900)
    middle = "[run]\nseed = 5\ninterval = 1\nstart = 20\nwarm_up = 5\n"
    quotes = []
    for head in ("[run]\nseed = 5\ninterval = 1\n", middle):
        file = scenario(tmp_path / str(len(quotes)), recording)
        file = parse(file.text.replace(b"[run]\nseed = 5\ninterval = 1\n", head.encode()), file.path, file.base)
        runner = Runner(make_plan(file))
        runner.run()
        quotes.append([runner.engine.book(0, side).tolist() for side in Side])
    assert quotes[0] == quotes[1]


def test_damaged_prints_change_the_digest(tmp_path):
    """One print moved by a tick is another recording, another book, another digest."""
    digests = set()
    for number, price in enumerate((10_000, 10_001)):
        recording = prints(100)
        recording.trade(100, 0, price, 1)
        file = scenario(tmp_path / str(number), recording)
        digests.add(Runner(make_plan(file)).run().engine.digest())
    assert len(digests) == 2
