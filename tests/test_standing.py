"""What stands at a time of a tape: by the rows before it, by keyframes, and for a run that starts there."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from order_replay import bare_engine, play
from perpsim.core import EventKind, MarketState, Side
from perpsim.replay import keyframes, tape_tools, tape_writer
from perpsim.replay.catalogue import Instrument
from perpsim.replay.keyframes import NAME, standing
from perpsim.replay.plan import make_plan
from perpsim.replay.readers.contract import Rows
from perpsim.replay.runner import Runner
from perpsim.replay.scenario import parse
from perpsim.replay.standing import Standing
from perpsim.replay.tape import COLUMNS, DAY_NS, MORE, ROW_MASK, SELL, SNAPSHOT, Row, Tape, iter_batches, open_tape
from perpsim.replay.tape_writer import write
from perpsim.replay.validate import check
from tape_commands import shipped_tape

SECOND = 10**9
T = 1_700_000_000 * SECOND
MIDNIGHT_NS = 1_680_652_800 * SECOND
ADD, REDUCE, DELETE, EXECUTE = Row.ORDER_ADD, Row.ORDER_REDUCE, Row.ORDER_DELETE, Row.ORDER_EXECUTE
ROWS = [
    (ADD, 100, 5, 1), (ADD, 100, 6, 2), (ADD | SELL, 102, 7, 3), (REDUCE, 100, 2, 1), (ADD, 100, 4, 5),
    (EXECUTE | SELL, 102, 3, 3), (DELETE, 100, 6, 2), (ADD, 99, 1, 6), (EXECUTE, 99, 1, 6), (ADD | SELL, 103, 2, 7),
]  # fmt: skip
FACTS = Instrument("venue", "MADE", "linear", "1", "1")


def columns(rows, start_ns=T, step_ns=SECOND):
    table = np.array(rows, np.int64)
    times = start_ns + np.arange(len(rows)) * step_ns
    made = {"time_ns": times, "receive_ns": times, "code": table[:, 0], "price": table[:, 1], "value": table[:, 2]}
    return {name: np.ascontiguousarray((made | {"id": table[:, 3]})[name], kind) for name, kind in COLUMNS.items()}


def as_rows(batch):
    return Rows(**batch, file=None, line=np.arange(len(batch["code"])))


def queues(engine):
    return {(side, int(price)): engine.queue(0, side, int(price)) for side in Side for price, _ in engine.book(0, side)}


def lines(batch) -> list[tuple[int, ...]]:
    return list(zip(*(column.tolist() for column in batch.values()), strict=True))


# single orders


def test_a_cut_tape_has_the_queues_of_the_whole():
    batch = columns(ROWS)
    for at in range(1, len(ROWS)):
        parts = slice(at), slice(at, None)
        before, after = ({name: column[part] for name, column in batch.items()} for part in parts)
        stood = Standing().add(before).messages(int(after["time_ns"][0]))
        whole, cut = bare_engine(400), bare_engine(400)
        play(whole, [as_rows(before)])
        play(cut, [as_rows(stood)])
        assert queues(cut) == queues(whole)
        events = [play(engine, [as_rows(after)]) for engine in (whole, cut)]
        assert not any((each["kind"] == EventKind.REJECTED).any() for each in events)
        assert queues(cut) == queues(whole)


def test_the_state_of_the_market_comes_before_its_orders():
    stood = Standing().add(columns([(Row.STATE, 0, MarketState.PRE_OPEN, 0), *ROWS])).messages(T + 10**12)
    assert stood["code"][0] == Row.STATE | SNAPSHOT and stood["value"][0] == MarketState.PRE_OPEN
    assert (stood["code"][1:] & MORE == 0).tolist() == [False] * (len(stood["code"]) - 2) + [True]


def test_the_program_cuts_such_tapes(tmp_path):
    write(Tape(FACTS, **columns(ROWS), quality={}), tmp_path / "whole")
    tape_tools.cut(tmp_path / "whole", tmp_path / "part", T + 6 * SECOND, T + 9 * SECOND)
    (found,) = iter_batches(open_tape(tmp_path / "part"))
    assert found["id"].tolist() == [1, 2, 3, 5, 2, 6, 6]


# keyframes


@pytest.fixture
def dense(monkeypatch):
    """Short row groups, and a keyframe at nearly each."""
    monkeypatch.setattr(tape_writer, "ROW_GROUP_ROWS", 64)
    monkeypatch.setattr(keyframes, "APART_NS", 2 * SECOND)


def random_levels(seed: int, days: int, snapshots: bool) -> Tape:
    """Messages of levels and prices over some days; a whole book at the first row and perhaps later."""
    draw = np.random.default_rng(seed)
    rows, at = [], T // DAY_NS * DAY_NS + DAY_NS // 2
    for number in range(400 * days):
        at += int(draw.integers(0, DAY_NS // 400))
        whole = number == 0 or (snapshots and draw.random() < 0.005)
        count = int(draw.integers(1, 30 if whole else 4))
        for place in range(count):
            side = SELL if draw.random() < 0.5 else 0
            code = Row.LEVEL | side | (SNAPSHOT if whole else 0) | (MORE if place < count - 1 else 0)
            rows.append((at, code, int(draw.integers(1, 60)), int(draw.integers(0, 3)), number))
        if draw.random() < 0.1:
            rows.append((at, int(draw.choice([Row.MARK, Row.INDEX, Row.STATE])), 0, int(draw.integers(1, 3)), 0))
        if draw.random() < 0.05:
            rows.append((at, int(Row.FUNDING), at + int(draw.integers(1, DAY_NS)), 7, 0))
        if draw.random() < 0.2:
            rows.append((at, int(Row.TRADE), 30, 1, 0))
    table = np.array(rows, np.int64)
    made = dict(zip(("time_ns", "code", "price", "value", "id"), table.T, strict=True)) | {"receive_ns": table[:, 0]}
    return Tape(FACTS, **{name: np.ascontiguousarray(made[name], kind) for name, kind in COLUMNS.items()}, quality={})


def random_orders(seed: int) -> Tape:
    """Orders that come and go over three days; many stay over midnight."""
    draw = np.random.default_rng(seed)
    alive: dict[int, list[int]] = {}
    rows = []
    for number in range(1, 1_500):
        if len(alive) < 5 or draw.random() < 0.45:
            alive[number] = [SELL if draw.random() < 0.5 else 0, int(draw.integers(1, 60)), int(draw.integers(1, 9))]
            rows.append((ADD | alive[number][0], *alive[number][1:], number))
            continue
        name = int(draw.choice(list(alive)))
        side, price, lots = alive[name]
        taken = int(draw.integers(1, lots + 1))
        kind = DELETE if taken == lots and draw.random() < 0.7 else (REDUCE if draw.random() < 0.5 else EXECUTE)
        rows.append((kind | side, price, taken, name))
        alive[name][2] -= taken
        if alive[name][2] == 0:
            del alive[name]
    return Tape(FACTS, **columns(rows, T, 3 * DAY_NS // 1_500), quality={})


@pytest.mark.usefixtures("dense")
@pytest.mark.parametrize("tape", [random_levels(1, 3, True), random_levels(2, 4, False), random_orders(3)])
def test_keyframes_say_what_the_rows_say(tape, tmp_path):
    write(tape, tmp_path)
    stored = open_tape(tmp_path)
    assert len(stored.parts) >= 3 and len(list(tmp_path.rglob(NAME))) >= 2
    times = np.random.default_rng(4).choice(tape.time_ns, 60).tolist()
    times += [time + 1 for time in times[:20]] + [int(tape.time_ns[0]), int(tape.time_ns[-1]) + 1]
    for time_ns in times:
        assert lines(standing(stored, time_ns)) == lines(standing(tape, time_ns)), time_ns
    for path in tmp_path.rglob(NAME):
        path.unlink()
    for time_ns in times[:10]:
        assert lines(standing(stored, time_ns)) == lines(standing(tape, time_ns)), time_ns


@pytest.mark.usefixtures("dense")
def test_damaged_and_foreign_keyframes_are_not_used(tmp_path):
    tape = random_levels(5, 1, False)
    write(tape, tmp_path / "a")
    write(random_levels(6, 1, False), tmp_path / "b")
    path, other = (next((tmp_path / name).rglob(NAME)) for name in "ab")
    stored, whole = open_tape(tmp_path / "a"), path.read_bytes()
    at = int(tape.time_ns[-50])
    expected = lines(standing(tape, at))
    draw = np.random.default_rng(7)
    for damaged in (b"", whole[:-1], whole[: len(whole) // 2], other.read_bytes(), *(
        whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :]
        for place in draw.integers(0, len(whole), 60).tolist()
    )):  # fmt: skip
        path.write_bytes(damaged)
        assert lines(standing(stored, at)) == expected
    write(tape, tmp_path / "a", replace=True)
    assert path.read_bytes() == whole


@pytest.mark.usefixtures("dense")
def test_only_the_rows_since_a_keyframe_are_read(tmp_path, monkeypatch):
    tape = random_levels(8, 3, False)
    write(tape, tmp_path)
    stored, read = open_tape(tmp_path), []
    plain = pq.ParquetFile.read_row_group

    def counted(self, group, *args, **options):
        table = plain(self, group, *args, **options)
        read.append(len(table))
        return table

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    standing(stored, int(tape.time_ns[-100]))
    assert sum(read) < len(tape) / 3
    read.clear()
    next(iter_batches(stored, int(tape.time_ns[-100])))
    assert len(read) <= 3 and max(read) <= 64


# a run that starts in the middle

SCENARIO = """
[run]
start = 2023-04-05T00:04:00Z
end = 2023-04-05T00:06:00Z
warm_up = WARM
[venue]
rulebook = "binance-usdm"
date = 2025-10-10
[tape]
WHERE
"""


def at_start(where: str, warm_up: float):
    """(the book at the start, rows since the warm-up, the digest at the end)."""
    text = SCENARIO.replace("WHERE", where).replace("WARM", str(warm_up))
    runner = Runner(make_plan(parse(text.encode(), Path("test.toml"), Path.cwd())))
    books = []
    opening = runner._opening
    runner._opening = lambda: books.append([runner.engine.book(0, side) for side in Side]) or opening()
    return books, runner.run()


def test_a_run_from_the_middle_has_the_book_of_the_whole(tmp_path):
    recording = 'recording = "btcusdt-2023-04-04"'
    tape = shipped_tape()
    write(tape, tmp_path)
    expected, whole = at_start(recording, 100_000)
    assert whole.rows == np.count_nonzero(tape.time_ns <= MIDNIGHT_NS + 360 * SECOND)
    for warm_up in (0, 0.05, 60):
        books, part = at_start(recording, warm_up)
        since = MIDNIGHT_NS + 240 * SECOND - int(warm_up * SECOND)
        inside = np.count_nonzero((tape.time_ns >= since) & (tape.time_ns <= MIDNIGHT_NS + 360 * SECOND))
        assert part.rows == inside + len(standing(tape, since)["code"])
        assert all(np.array_equal(a, b) for a, b in zip(books[0], expected[0], strict=True)), warm_up
        assert part.engine.market(0)["mark"] == whole.engine.market(0)["mark"]
        _, stored = at_start(f'store = "{tmp_path}"', warm_up)
        assert stored.engine.digest() == part.engine.digest()


def test_what_stands_is_a_tape(tmp_path):
    tape = shipped_tape()
    stood = standing(tape, MIDNIGHT_NS + 10 * SECOND)
    check(Tape(tape.instrument, **stood, quality={}))
    kinds = stood["code"] & ROW_MASK
    assert (kinds == Row.LEVEL).sum() > 1_000 and kinds[-3:].tolist() == [Row.INDEX, Row.MARK, Row.FUNDING]
    later = standing(tape, int(stood["price"][-1]))
    assert (later["code"][-1] & ROW_MASK) != Row.FUNDING, "its payment is over"
