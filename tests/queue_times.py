"""`python -m tests.queue_times`: how long small orders wait in the shipped recording, by queue model.

Every two seconds an order of one lot joins each side at the best price and some ticks behind it. It is withdrawn where
it has not filled after a minute. The recording tells levels and trades, no orders, so there is no truth beside it: what
the models say of single orders is held against one in `tests/queue_truth.py`. The table is that of docs/QUEUE.md.
"""

import sys
from collections.abc import Iterator

import numpy as np
from perpsim.core import QueueModel, Side
from perpsim.replay.tape import COLUMNS, MORE, ROW_MASK, SELL, SNAPSHOT, Row, Tape

from tests.queue_truth import SECOND_NS, Batch, Placed, Waits, waits
from tests.tape_commands import shipped_tape

EVERY_NS = 2 * SECOND_NS
PATIENCE_NS = 60 * SECOND_NS
BEHIND = (0, 1, 5, 20)  # ticks behind the best price
MODELS = (
    QueueModel.BEHIND_FIRST, QueueModel.PROPORTIONAL, QueueModel.POWER, QueueModel.LOG, QueueModel.FRONT_FIRST
)  # fmt: skip


def rows_of_book(tape: Tape) -> Batch:
    """Levels and trades."""
    kind = tape.code & ROW_MASK
    kept = (kind == Row.LEVEL) | (kind == Row.TRADE)
    return {name: getattr(tape, name)[kept] for name in COLUMNS}


def bests(rows: Batch) -> Iterator[tuple[int, dict[int, int], dict[int, int]]]:
    """(time, bids, asks) after each depth message; the books are changed in place."""
    books: tuple[dict[int, int], dict[int, int]] = ({}, {})
    columns = (rows[name].tolist() for name in ("time_ns", "code", "price", "value"))
    inside = False
    for time_ns, code, price, value in zip(*columns, strict=True):
        if code & ROW_MASK != Row.LEVEL:
            continue
        if code & SNAPSHOT and not inside:
            books[0].clear()
            books[1].clear()
        book = books[int(code & SELL != 0)]
        if value:
            book[price] = value
        else:
            book.pop(price, None)
        inside = code & MORE != 0
        if not inside:
            yield time_ns, *books


def placements(rows: Batch, every_ns: int = EVERY_NS) -> list[Placed]:
    """Orders at all places, side by side, after the messages of an instant; from the first instant on that is due."""
    placed: list[Placed] = []
    due_ns = 0
    found: list[Placed] = []
    last_ns = 0
    for time_ns, bids, asks in bests(rows):
        if found and time_ns > last_ns:
            placed += found
            found = []
        if time_ns >= due_ns or found:  # of an instant with several messages the last counts
            due_ns = time_ns + every_ns if not found else due_ns
            found, last_ns = around(time_ns, bids, asks), time_ns
    return placed


def around(time_ns: int, bids: dict[int, int], asks: dict[int, int]) -> list[Placed]:
    """An order at each place of both sides, behind what stands there."""
    places = [(Side.BUY, bids, max(bids), -1), (Side.SELL, asks, min(asks), 1)]
    return [
        Placed(time_ns, int(side), best + away * ticks, book.get(best + away * ticks, 0), time_ns + PATIENCE_NS)
        for ticks in BEHIND
        for side, book, best, away in places
    ]


def measure(tape: Tape, every_ns: int = EVERY_NS) -> tuple[list[Placed], list[Waits]]:
    """The orders, and what became of them under each model, the most pessimistic first."""
    rows = rows_of_book(tape)
    placed = placements(rows, every_ns)
    names = [model.name.lower().replace("_", "-") for model in MODELS]
    return placed, [waits(name, rows, placed, model) for name, model in zip(names, MODELS, strict=True)]


def cell(waited_ns: np.ndarray) -> str:
    """Orders filled, and quartiles of how long they had waited, in seconds."""
    filled = waited_ns[waited_ns >= 0]
    if not len(filled):
        return "0"
    return f"{len(filled)}: " + ", ".join(f"{value / SECOND_NS:.1f}" for value in np.percentile(filled, (25, 50, 75)))


def table(placed: list[Placed], found: list[Waits]) -> str:
    """A row a model, a column a place: how many orders filled, and the quartiles of their waits."""
    each = len(placed) // len(BEHIND)
    place = np.tile(np.repeat(np.arange(len(BEHIND)), 2), len(placed) // (2 * len(BEHIND)))
    ahead = [np.median([order.ahead for order, at in zip(placed, place, strict=True) if at == column])
             for column in range(len(BEHIND))]  # fmt: skip
    heads = [f"{ticks} behind" if ticks else "best price" for ticks in BEHIND]
    lines = [
        f"| filled of {each}, and quartiles of the wait, s | " + " | ".join(heads) + " |",
        "|---|" + "---|" * len(BEHIND),
        *("| " + " | ".join([run.name, *(cell(run.wait_ns[place == at]) for at in range(len(BEHIND)))]) + " |"
          for run in found),
        "| lots before the median order | " + " | ".join(f"{lots:g}" for lots in ahead) + " |",
    ]  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table(*measure(shipped_tape())) + "\n")
