"""A tape of single orders that is cut: what stood there stands there, each order in its place."""

import numpy as np
from order_replay import bare_engine, play
from perpsim.core import EventKind, MarketState, Side
from perpsim.replay import tape_tools
from perpsim.replay.catalogue import Instrument
from perpsim.replay.readers.contract import Rows
from perpsim.replay.standing_orders import standing_orders
from perpsim.replay.tape import COLUMNS, MORE, SELL, Row, Tape, iter_batches, open_tape
from perpsim.replay.tape_writer import write

T = 1_700_000_000 * 10**9
ADD, REDUCE, DELETE, EXECUTE = Row.ORDER_ADD, Row.ORDER_REDUCE, Row.ORDER_DELETE, Row.ORDER_EXECUTE
ROWS = [
    (ADD, 100, 5, 1), (ADD, 100, 6, 2), (ADD | SELL, 102, 7, 3), (REDUCE, 100, 2, 1), (ADD, 100, 4, 5),
    (EXECUTE | SELL, 102, 3, 3), (DELETE, 100, 6, 2), (ADD, 99, 1, 6), (EXECUTE, 99, 1, 6), (ADD | SELL, 103, 2, 7),
]  # fmt: skip


def columns(rows):
    table = np.array(rows, np.int64)
    times = T + np.arange(len(rows)) * 10**9
    made = {"time_ns": times, "receive_ns": times, "code": table[:, 0], "price": table[:, 1], "value": table[:, 2]}
    return {name: np.ascontiguousarray((made | {"id": table[:, 3]})[name], kind) for name, kind in COLUMNS.items()}


def as_rows(batch):
    return Rows(**batch, file=None, line=np.arange(len(batch["code"])))


def queues(engine):
    return {(side, int(price)): engine.queue(0, side, int(price)) for side in Side for price, _ in engine.book(0, side)}


def test_a_cut_tape_has_the_queues_of_the_whole():
    batch = columns(ROWS)
    for at in range(1, len(ROWS)):
        parts = slice(at), slice(at, None)
        before, after = ({name: column[part] for name, column in batch.items()} for part in parts)
        stood = standing_orders([before], int(after["time_ns"][0]))
        whole, cut = bare_engine(400), bare_engine(400)
        play(whole, [as_rows(before)])
        play(cut, [as_rows(stood)])
        assert queues(cut) == queues(whole)
        events = [play(engine, [as_rows(after)]) for engine in (whole, cut)]
        assert not any((each["kind"] == EventKind.REJECTED).any() for each in events)
        assert queues(cut) == queues(whole)


def test_the_state_of_the_market_comes_before_its_orders():
    stood = standing_orders([columns([(Row.STATE, 0, MarketState.PRE_OPEN, 0), *ROWS])], T)
    assert stood["code"][0] == Row.STATE | MORE and stood["value"][0] == MarketState.PRE_OPEN
    assert (stood["code"] & MORE == 0).tolist() == [False] * (len(stood["code"]) - 1) + [True]


def test_the_program_cuts_such_tapes(tmp_path):
    facts = Instrument("venue", "MADE", "linear", "1", "1")
    write(Tape(facts, **columns(ROWS), quality={}), tmp_path / "whole")
    tape_tools.cut(tmp_path / "whole", tmp_path / "part", T + 6 * 10**9, T + 9 * 10**9)
    (found,) = iter_batches(open_tape(tmp_path / "part"))
    assert found["id"].tolist() == [1, 2, 3, 5, 2, 6, 6]
