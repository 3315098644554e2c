"""How long does an import take, beside merely reading the same file with pyarrow.csv?

Mix      one day of one market each, made up like the vendors' files, gzip -6: Tardis.dev trades and book updates
         (some six levels a message, a snapshot of 400 first), Binance Vision trades
Measured `tardis_trades`, `tardis_book`, `vision_trades`: wall clock of an import (parse, check, sort, write, force to
         the disk) over that of `pyarrow.csv.read_csv` of the same file just before it, both with all processors
         `..._cpu`: the same of CPU time; `..._rows_per_s`: of the import
Left out starting Python; the disk for reading, as the files are in the page cache
Checked  the stored rows are as many, and add up to the same prices and sizes, as the rows that were written

Bar: at most 3.
"""

from __future__ import annotations

import gzip
import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
from perpsim.replay.importing import import_files
from perpsim.replay.tape import ROW_MASK, Row, StoredTape, iter_batches, open_tape

from .harness import Result, expect, main

SMALL = {"rows": 20_000, "repeats": 1}
LARGE = {"rows": 2_000_000, "repeats": 5}
START_MS = 1_672_531_200_000  # 2023-01-01
DAY_MS = 86_400_000
TICKS, LOTS = 10, 1_000  # in a unit
TARDIS = "exchange,symbol,timestamp,local_timestamp,"


def walk(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(time in ms, price in ticks, size in lots, whether sold) of rows spread over a day; sizes have a long tail."""
    time_ms = START_MS + np.sort(rng.integers(0, DAY_MS, rows))
    price = 300_000 + np.cumsum(rng.integers(-3, 4, rows)).clip(-200_000, 200_000)
    size = np.exp(rng.normal(3, 2, rows)).astype(np.int64).clip(1, 10**7)
    return time_ms, price, size, rng.random(rows) < 0.5


def decimal(units: int, scale: int) -> str:
    """A number as venues print it."""
    return f"{units / scale:.{len(str(scale)) - 1}f}"


def tardis_trades(rng: np.random.Generator, rows: int) -> tuple[str, str, list[str]]:
    """(name, header, lines) of a file."""
    columns = [column.tolist() for column in (*walk(rng, rows), rng.integers(2_000, 90_000, rows))]
    lines = [
        f"binance-futures,BTCUSDT,{ms}000,{ms * 1000 + delay},{10**9 + number},{'sell' if sold else 'buy'},"
        f"{decimal(price, TICKS)},{decimal(size, LOTS)}\n"
        for number, (ms, price, size, sold, delay) in enumerate(zip(*columns, strict=True))
    ]
    return "binance-futures_trades_2023-01-01_BTCUSDT.csv.gz", f"{TARDIS}id,side,price,amount\n", lines


def tardis_book(rng: np.random.Generator, rows: int) -> tuple[str, str, list[str]]:
    """As tardis_trades; some six rows a message."""
    time_ms, price, size, sold = walk(rng, rows)
    message = np.sort(rng.integers(0, max(1, rows // 6), rows))
    message[:400] = 0
    time_ms = time_ms[message * 6 % rows]
    time_ms = np.maximum.accumulate(time_ms)
    size[rng.random(rows) < 0.3] = 0
    size[:400] += 1
    columns = [column.tolist() for column in (time_ms, price, size, sold, message)]
    lines = [
        f"binance-futures,BTCUSDT,{ms}000,{ms * 1000 + 3_000 + of % 1000},{'false' if number >= 400 else 'true'},"
        f"{'ask' if ask else 'bid'},{decimal(ticks, TICKS)},{decimal(lots, LOTS)}\n"
        for number, (ms, ticks, lots, ask, of) in enumerate(zip(*columns, strict=True))
    ]
    name = "binance-futures_incremental_book_L2_2023-01-01_BTCUSDT.csv.gz"
    return name, f"{TARDIS}is_snapshot,side,price,amount\n", lines


def vision_trades(rng: np.random.Generator, rows: int) -> tuple[str, str, list[str]]:
    """As tardis_trades."""
    columns = [column.tolist() for column in walk(rng, rows)]
    lines = [
        f"{10**9 + number},{decimal(price, TICKS)},{decimal(size, LOTS)},{decimal(price * size, TICKS * LOTS)},{ms},"
        f"{'true' if sold else 'false'}\n"
        for number, (ms, price, size, sold) in enumerate(zip(*columns, strict=True))
    ]
    return "BTCUSDT-trades-2023-01-01.csv.gz", "id,price,qty,quote_qty,time,is_buyer_maker\n", lines


FORMATS = {"tardis_trades": tardis_trades, "tardis_book": tardis_book, "vision_trades": vision_trades}


def made(folder: Path, format: str, rng: np.random.Generator, rows: int) -> Path:
    """A file of that format."""
    name, header, lines = FORMATS[format](rng, rows)
    path = folder / name
    with gzip.open(path, "wb", compresslevel=6) as file:
        file.write((header + "".join(lines)).encode())
    return path


def sums(stored: StoredTape) -> tuple[int, int, int]:
    """Rows of prints and levels, their prices and their sizes."""
    rows = price = value = 0
    for batch in iter_batches(stored):
        kept = (batch["code"] & ROW_MASK == Row.TRADE) | (batch["code"] & ROW_MASK == Row.LEVEL)
        rows += int(kept.sum())
        price += int(batch["price"][kept].sum())
        value += int(batch["value"][kept].sum())
    return rows, price, value


def wanted(format: str, rng: np.random.Generator, rows: int) -> tuple[int, int, int]:
    """What `sums` must find, from the lines themselves."""
    _, header, lines = FORMATS[format](rng, rows)
    names = header.strip().split(",")
    price, size = names.index("price"), next(names.index(name) for name in ("amount", "qty") if name in names)
    cells = [line.split(",") for line in lines]
    ticks = sum(round(float(row[price]) * TICKS) for row in cells)
    return rows, ticks, sum(round(float(row[size]) * LOTS) for row in cells)


def seconds(function: Callable, *arguments: Any, **named: Any) -> np.ndarray:
    """Wall clock and CPU seconds, of all threads."""
    before = time.perf_counter(), time.process_time()
    function(*arguments, **named)
    return np.array([time.perf_counter() - before[0], time.process_time() - before[1]])


def measure(seed: int, rows: int, repeats: int) -> Result:
    """Every format, `repeats` times, reading and importing by turns."""
    figures: dict[str, list[float]] = {}
    stored = []
    with tempfile.TemporaryDirectory() as folder:
        for number, format in enumerate(FORMATS):
            path = made(Path(folder), format, np.random.default_rng([seed, number]), rows)
            root = Path(folder) / format
            wall, cpu, rates = [], [], []
            for _ in range(repeats):
                read = seconds(pyarrow.csv.read_csv, path)
                done = seconds(import_files, path, root, replace=True)
                wall.append(done[0] / read[0])
                cpu.append(done[1] / read[1])
                rates.append(rows / done[0] / 1e6)
            figures |= {format: wall, f"{format}_cpu": cpu, f"{format}_million_rows_per_s": rates}
            stored.append(open_tape(root))
            expect(
                sums(stored[-1]) == wanted(format, np.random.default_rng([seed, number]), rows),
                f"the rows of {format} are stored as they were written",
            )
        digest = hashlib.sha256("".join(each.sha256() for each in stored).encode()).hexdigest()
    return Result(figures, {"rows": rows, "repeats": repeats}, digest)


if __name__ == "__main__":
    main("importing", measure, SMALL, LARGE)
