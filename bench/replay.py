"""How fast does a recording run through the engine when nobody trades, and how fast is it imported?

Mix      the shipped recording (USD-M BTCUSDT, 514 s, a thousand levels a side): levels 96 %, trades 4 %, and a mark, an
         index and a funding row a second; laid end to end in time until there are 10 million levels and trades, each
         round starting with its snapshot
Measured `million_rows_per_s`: from the stored tape (Parquet, decoding included, one thread ahead of the reader) through
         the kernel into a book under the rulebook of 2023-04-04, its timers running; wall clock, for two threads share
         the work, and `ns_cpu_per_row` is what both burn; a row is a level or a trade
         `thousand_messages_per_s`: raw capture to stored tape, `read` and `write`, a message being a line of the file;
         CPU time of both threads, of which one decompresses
Left out accounts, bots, watchers; downloading; the disk, as the store is read from the page cache
Checked  the engine's book at the end is the one that the rows add up to, both sides, all levels; all rows were taken

Bar: at least 8 million rows a second, aim 15; at least 60,000 messages a second, aim 150,000.
"""

from __future__ import annotations

import gzip
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from perpsim.core import Engine, Kernel, Side, Stop
from perpsim.exchange import rulebook
from perpsim.replay import importing
from perpsim.replay.tape import COLUMNS, MORE, ROW_MASK, SELL, SNAPSHOT, Row, StoredTape, Tape, iter_batches, open_tape
from perpsim.replay.tape_writer import write as write_tape

from .harness import ROOT, Result, expect, main

SMALL = {"rows": 1, "repeats": 1, "imports": 1}
LARGE = {"rows": 10_000_000, "repeats": 7, "imports": 5}
PAIR = [ROOT / "replay" / "recordings" / f"btcusdt_{day}.dat.gz" for day in ("20230404", "20230405")]
SECOND_NS = 1_000_000_000


def import_pair(root: str) -> Tape:
    tape = importing.read(PAIR)
    write_tape(tape, root, replace=True)
    return tape


def end_to_end(tape: Tape, rows: int) -> Tape:
    """The tape up to its last whole depth message, as often as `rows` levels and trades need."""
    kinds = tape.code & ROW_MASK
    last = int(np.flatnonzero((kinds == Row.LEVEL) & (tape.code & MORE == 0))[-1]) + 1
    rounds = -(-rows // book_rows(tape.code[:last]))
    period_ns = (int(tape.time_ns[last - 1] - tape.time_ns[0]) // SECOND_NS + 2) * SECOND_NS
    columns = {name: np.tile(getattr(tape, name)[:last], rounds) for name in COLUMNS}
    shift = np.repeat(np.arange(rounds) * period_ns, last)
    columns["time_ns"] += shift
    columns["receive_ns"] += shift
    columns["price"] += np.where(columns["code"] & ROW_MASK == Row.FUNDING, shift, 0)  # the time of the next funding
    return replace(tape, **columns)


def book_rows(code: np.ndarray) -> int:
    """How many rows are levels and trades."""
    return int(((code & ROW_MASK == Row.LEVEL) | (code & ROW_MASK == Row.TRADE)).sum())


def run(stored: StoredTape) -> tuple[Engine, int]:
    """A venue after the whole tape, and the rows that its kernel counted."""
    book = rulebook("binance-usdm", "2023-04-04")
    engine = Engine(book, [book.market("BTCUSDT").with_given_index()], 1)
    kernel = Kernel([engine])
    stream = kernel.add_stream(0, 0)
    batches = iter_batches(stored)
    while (stop := kernel.run()) != Stop.UNTIL:
        if stop == Stop.DATA and (batch := next(batches, None)) is not None:
            kernel.feed(stream, batch)
        elif stop == Stop.DATA:
            kernel.finish(stream)
        engine.drain()
    return engine, kernel.rows


def recorded_book(tape: Tape) -> tuple[dict[int, int], dict[int, int]]:
    """Bids and asks (price: lots) that the tape's levels add up to, from its last snapshot on."""
    levels = np.flatnonzero(tape.code & ROW_MASK == Row.LEVEL)
    starts = levels[(tape.code[levels] & SNAPSHOT != 0) & (np.roll(tape.code[levels], 1) & SNAPSHOT == 0)]
    books: tuple[dict[int, int], dict[int, int]] = ({}, {})
    levels = levels[levels >= starts[-1]]
    columns = (column[levels].tolist() for column in (tape.code, tape.price, tape.value))
    for code, price, lots in zip(*columns, strict=True):
        books[code & SELL != 0][price] = lots
    return tuple({price: lots for price, lots in book.items() if lots} for book in books)


def measure(seed: int, rows: int, repeats: int, imports: int) -> Result:
    """The recording is what it is: the seed decides nothing."""
    with tempfile.TemporaryDirectory() as folder:
        import_seconds = []
        for _ in range(imports):
            cpu_before = time.process_time()
            tape = import_pair(f"{folder}/import")
            import_seconds.append(time.process_time() - cpu_before)
        tape = end_to_end(tape, rows)
        write_tape(tape, Path(folder) / "long")
        stored = open_tape(Path(folder) / "long")
        wall, cpu = [], []
        for _ in range(repeats):
            before, cpu_before = time.perf_counter(), time.process_time()
            engine, taken = run(stored)
            wall.append(time.perf_counter() - before)
            cpu.append(time.process_time() - cpu_before)
            expect(taken == len(tape), "every row is taken")
    for side, levels in zip((Side.BUY, Side.SELL), recorded_book(tape), strict=True):
        expect(dict(engine.book(0, side).tolist()) == levels, "the book is the recorded one")
    messages = sum(gzip.decompress(path.read_bytes()).count(b"\n") for path in PAIR)
    count = book_rows(tape.code)
    figures = {
        "million_rows_per_s": [count / seconds / 1e6 for seconds in wall],
        "ns_cpu_per_row": [seconds / count * 1e9 for seconds in cpu],
        "thousand_messages_per_s": [messages / seconds / 1e3 for seconds in import_seconds],
    }
    details = {"rows": count, "messages": messages, "repeats": repeats, "imports": imports}
    return Result(figures, details, engine.digest())


if __name__ == "__main__":
    main("replay", measure, SMALL, LARGE)
