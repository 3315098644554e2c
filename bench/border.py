"""What does it cost to hand a command over to the engine, one at a time and in batches?

Mix      TICK without a time, which the engine takes note of and no more: what is left is the border itself;
         and PLACE and CANCEL by turns of one far-away limit order, the least that changes something
Sizes    batches of 1, 8, 64 and 1,024 through `Engine.apply`, each batch an array that is there already; and
         `Engine.submit`, one call a command, with a `drain` each 1,024
Measured CPU time of the calls, the returned event arrays being let go at once
Left out making the command arrays, reading the events

No bar.
"""

from __future__ import annotations

import numpy as np
from perpsim.core import COMMAND, Engine, Kind, Side

from .crowd import VALUE_ONE, start_marks, venue
from .harness import Result, clock, commands, expect, feed, main

SMALL = {"count": 4_096, "repeats": 1}
LARGE = {"count": 65_536, "repeats": 7}
BATCHES = (1, 8, 64, 1_024)
DRAIN = 1_024


def prepared() -> Engine:
    book = venue(1)
    engine = Engine(book, book.markets, 1)
    feed(engine, commands(Kind.SET_MARK, 1, value=start_marks(book)[0]))
    feed(engine, commands(Kind.DEPOSIT, 1, value=1_000_000 * VALUE_ONE))
    return engine


def ticks(count: int) -> np.ndarray:
    return commands(Kind.TICK, count)


def orders(count: int) -> np.ndarray:
    rows = commands(Kind.PLACE, count, order_id=1, side=Side.BUY, price_ticks=1_000, size_lots=1)
    rows["kind"][1::2] = Kind.CANCEL
    return rows


def applied(engine: Engine, rows: np.ndarray, batch: int) -> float:
    """ns a command in `apply`."""
    parts = [rows[first : first + batch] for first in range(0, len(rows), batch)]
    apply = engine.apply
    events = engine.statistics()["events"]
    before = clock()
    for part in parts:
        apply(part)
    spent = clock() - before
    expect_answered(engine, rows, events)
    return spent / len(rows) * 1e9


def submitted(engine: Engine, rows: np.ndarray) -> float:
    """ns a command in `submit` and `drain`."""
    calls = [{name: int(row[name]) for name in COMMAND.names if row[name]} for row in rows]
    submit = engine.submit
    events = engine.statistics()["events"]
    before = clock()
    for number, call in enumerate(calls, 1):
        submit(**call)
        if number % DRAIN == 0:
            engine.drain()
    spent = clock() - before
    expect_answered(engine, rows, events)
    return spent / len(rows) * 1e9


def expect_answered(engine: Engine, rows: np.ndarray, events: int) -> None:
    """A tick leaves no event, an order's placing and its cancelling one each, a refusal would be another."""
    answers = 0 if rows["kind"][0] == Kind.TICK else len(rows)
    expect(engine.statistics()["events"] == events + answers, "each command is answered once")
    expect(engine.statistics()["live_orders"] == 0, "no order is left")


def measure(seed: int, count: int, repeats: int) -> Result:
    """Nothing is drawn: the seed decides nothing."""
    figures = {}
    for name, rows in (("tick", ticks(count)), ("order", orders(count))):
        for batch in BATCHES:
            engine = prepared()
            figures[f"ns_per_{name}_apply_{batch}"] = [applied(engine, rows, batch) for _ in range(repeats)]
        engine = prepared()
        figures[f"ns_per_{name}_submit"] = [submitted(engine, rows) for _ in range(repeats)]
    return Result(figures, {"commands": count, "repeats": repeats}, engine.digest())


if __name__ == "__main__":
    main("border", measure, SMALL, LARGE)
