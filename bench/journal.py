"""What does a journal add to a command, and how fast is it replayed?

Mix      PLACE and CANCEL by turns of one far-away limit order, the least that changes something
Sizes    batches of 1, 64 and 1,024 through `JournaledEngine.apply`; durable ones, which wait for the disk after each
         batch, fewer of them
Measured elapsed time of the calls with a journal, less that of the same calls without one; the disk is that of the
         folder for temporary files. CPU time a command of reading the journal, and of reading and applying it
Left out making the command arrays, reading the events, snapshots

No bar.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from perpsim.core import Engine
from perpsim.exchange.journal import FILE, Reader
from perpsim.exchange.recovery import JournaledEngine, replay

from .border import orders
from .crowd import VALUE_ONE, start_marks, venue
from .harness import Kind, Result, commands, expect, feed, main, timed

SMALL = {"count": 2_048, "durable": 16, "repeats": 1}
LARGE = {"count": 65_536, "durable": 96, "repeats": 5}
BATCHES = (1, 64, 1_024)


def new_engine() -> Engine:
    book = venue(1)
    return Engine(book, book.markets, 1)


def opening() -> np.ndarray:
    """A mark and money."""
    mark = commands(Kind.SET_MARK, 1, value=start_marks(venue(1))[0])
    return np.concatenate([mark, commands(Kind.DEPOSIT, 1, value=1_000_000 * VALUE_ONE)])


def elapsed(apply: Callable[[np.ndarray], np.ndarray], parts: list[np.ndarray]) -> float:
    """ns a command."""
    before = time.perf_counter()
    for part in parts:
        apply(part)
    return (time.perf_counter() - before) / sum(map(len, parts)) * 1e9


def added(folder: Path, rows: np.ndarray, batch: int, durable: bool) -> float:
    """ns a command that the journal adds."""
    parts = [rows[first : first + batch] for first in range(0, len(rows), batch)]
    bare = new_engine()
    feed(bare, opening())
    without = elapsed(bare.apply, parts)
    engine = JournaledEngine.create(new_engine(), folder, durable)
    engine.apply(opening())
    with_journal = elapsed(engine.apply, parts)
    engine.close()
    expect(engine.engine.digest() == bare.digest(), "a journal changes nothing")
    return with_journal - without


def measure(seed: int, count: int, durable: int, repeats: int) -> Result:
    """Nothing is drawn: the seed decides nothing."""
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as place:
        for repeat in range(repeats):
            for batch in BATCHES:
                folder = Path(place, f"fast-{batch}-{repeat}")
                cost = added(folder, orders(count), batch, durable=False)
                figures.setdefault(f"ns_added_fast_{batch}", []).append(cost)
                cost = added(Path(place, f"durable-{batch}-{repeat}"), orders(durable * batch), batch, durable=True)
                figures.setdefault(f"us_added_durable_{batch}", []).append(cost / 1e3)
            path = folder / FILE
            spent, entries = timed(lambda path=path: list(Reader(path)))
            figures.setdefault("ns_read_1024", []).append(spent / count * 1e9)
            spent, found = timed(replay, path)
            figures.setdefault("ns_replay_1024", []).append(spent / count * 1e9)
            expect(found.commands == count + 2 and len(entries) >= count // 1024, "all of it was replayed")
        size = path.stat().st_size
    return Result(
        figures, {"commands": count, "durable_batches": durable, "bytes": size, "repeats": repeats},
        found.engine.digest(),
    )  # fmt: skip


if __name__ == "__main__":
    main("journal", measure, SMALL, LARGE)
