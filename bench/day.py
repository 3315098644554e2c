"""Does a day of 100 million rows replay in bounded memory?

Mix      the shipped recording (USD-M BTCUSDT, 514 s) over and over from midnight to midnight, its clocks shifted and
         run at the pace that makes 100 million levels and trades of 24 hours; each round starts with its snapshot
Measured `seconds`, `million_rows_per_s`: the stored day (Parquet, decoded while it runs) through the kernel into a book
         under the rulebook of 2023-04-04, its timers running, in a process of its own; wall clock
         `peak_mib`: the most that this process ever had resident; `peak_mib_of_a_tenth`: the same for 2.4 hours
         `seconds_of_run`, `peak_mib_of_run`: `perpsim run` of the same day, with results each minute
         `seconds_to_write`: making the rows and storing them, a round at a time
Left out accounts, bots, watchers
Checked  all rows were taken, and the engine's book at the end is the recorded one, both sides, all levels

Bar: below 1024 MiB, and no more than 64 MiB above a tenth of the day.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from perpsim.core import Side
from perpsim.replay import outcomes
from perpsim.replay.scenario import load
from perpsim.replay.tape import COLUMNS, MORE, ROW_MASK, Batch, Row, Tape, open_tape
from perpsim.replay.tape_writer import PartWriter, facts_of, part_path

from .harness import ROOT, Result, expect, main
from .replay import book_rows, import_pair, recorded_book, run

SMALL = {"rows": 1_000_000, "hours": 1}
LARGE = {"rows": 100_000_000, "hours": 24}
HOUR_NS = 3_600_000_000_000
FUNDING_NS = 8 * HOUR_NS
MIDNIGHT_NS = 1_680_566_400_000_000_000  # 2023-04-04
CHILD = "import sys; from bench import day; getattr(day, sys.argv[1])(sys.argv[2])"
SCENARIO = """
[run]
interval = 60
[venue]
rulebook = "binance-usdm"
date = 2023-04-04
[tape]
store = "day"
funding = "computed"
"""


def whole_messages(tape: Tape) -> Batch:
    """The rows of a tape up to its last whole depth message."""
    last = int(np.flatnonzero((tape.code & ROW_MASK == Row.LEVEL) & (tape.code & MORE == 0))[-1]) + 1
    return {name: getattr(tape, name)[:last] for name in COLUMNS}


def rounds(recorded: Batch, count: int, span_ns: int) -> Iterator[Batch]:
    """The rows so often, in so much time from midnight on."""
    since_ns = recorded["time_ns"] - recorded["time_ns"][0]
    later_ns = recorded["receive_ns"] - recorded["time_ns"]
    length_ns = int(since_ns[-1]) + 1
    funding = recorded["code"] & ROW_MASK == Row.FUNDING
    for number in range(count):
        start_ns = number * span_ns // count
        room_ns = (number + 1) * span_ns // count - start_ns
        time_ns = MIDNIGHT_NS + start_ns + (since_ns * (room_ns / length_ns)).astype(np.int64)
        next_ns = (time_ns // FUNDING_NS + 1) * FUNDING_NS
        changed = {"receive_ns": time_ns + later_ns, "price": np.where(funding, next_ns, recorded["price"])}
        yield recorded | {"time_ns": time_ns} | changed


def store(tape: Tape, root: Path, rows: int, hours: float) -> int:
    """Write at least so many levels and trades; returns how many rows there are in all."""
    recorded = whole_messages(tape)
    count = -(-rows // book_rows(recorded["code"]))
    writer = PartWriter(part_path(root, tape.instrument, "2023-04-04"))
    for batch in rounds(recorded, count, round(hours * HOUR_NS)):
        writer.add(batch)
    writer.finish(facts_of(tape.instrument, "2023-04-04", {}, tape.sources))
    writer.show()
    return count * len(recorded["code"])


def peak_mib() -> float:
    """The most that this process had resident. Of a child getrusage tells what its parent had, if that was more."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def replayed(folder: str) -> None:
    """Run by a child: what came of a store as JSON."""
    stored = open_tape(folder)
    before = time.perf_counter()
    engine, rows = run(stored)
    seconds = time.perf_counter() - before
    books = [sorted(engine.book(0, side).tolist()) for side in (Side.BUY, Side.SELL)]
    sys.stdout.write(json.dumps([rows, seconds, peak_mib(), engine.digest(), books]))


def commanded(folder: str) -> None:
    """Run by a child: `perpsim run` of the scenario in a folder."""
    before = time.perf_counter()
    summary = outcomes.run(load(Path(folder) / "day.toml"), Path(folder) / "out", lambda *_: None, None)
    sys.stdout.write(json.dumps([summary["rows"], time.perf_counter() - before, peak_mib()]))


def child(function: Callable[[str], None], folder: Path) -> list:
    """What a function prints in a process of its own."""
    command = [sys.executable, "-c", CHILD, function.__name__, str(folder)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    return json.loads(done.stdout)


def measure(seed: int, rows: int, hours: float) -> Result:
    """The recording is what it is: the seed decides nothing."""
    with tempfile.TemporaryDirectory() as folder:
        tape = import_pair(f"{folder}/import")
        book = [sorted(map(list, side.items())) for side in recorded_book(tape)]
        store(tape, Path(folder) / "tenth", rows // 10, hours / 10)
        tenth = child(replayed, Path(folder) / "tenth")
        before = time.perf_counter()
        total = store(tape, Path(folder) / "day", rows, hours)
        written = time.perf_counter() - before
        size = sum(path.stat().st_size for path in (Path(folder) / "day").rglob("*.parquet"))
        taken, seconds, peak, digest, found = child(replayed, Path(folder) / "day")
        (Path(folder) / "day.toml").write_text(SCENARIO)
        run_rows, run_seconds, run_peak = child(commanded, Path(folder))
    expect(taken == total, "every row is taken")
    expect(found == book, "the book is the recorded one")
    expect(peak < 1024 and peak < tenth[2] + 64, f"memory is bounded: {tenth[2]} MiB for a tenth, {peak} MiB in all")
    expect(run_rows > 0.99 * total and run_peak < 1024, "perpsim run takes them too")  # but those of funding
    figures = {"seconds": seconds, "million_rows_per_s": total / seconds / 1e6, "peak_mib": peak,
               "peak_mib_of_a_tenth": tenth[2], "seconds_to_write": written, "seconds_of_run": run_seconds,
               "peak_mib_of_run": run_peak}  # fmt: skip
    details = {"rows": total, "hours": hours, "bytes_stored": size}
    return Result({name: [value] for name, value in figures.items()}, details, digest)


if __name__ == "__main__":
    main("day", measure, SMALL, LARGE)
