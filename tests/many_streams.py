"""Millions of random commands through core and twin, on every processor: `make differential`.

Streams are numbered: seed and setting name one, and the same stream comes again whatever the number of processes. The
first stream on which the two disagree ends the run: it is cut down, saved in tests/corpus/ and the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context

from differential import Mismatch, check_doors, run_stream, save, shrink
from model import Command
from model.wire import EventKind, Reject
from stream_settings import BY_NAME, SETTINGS

STREAM = 1_500  # commands of a stream: long enough for venues to fall into odd states, short enough to leave them
EVERY = 25  # commands from one comparison of all that is derived to the next; what is stored is compared after each


@dataclass
class Outcome:
    """What came of one stream."""

    setting: str
    seed: int
    commands: int = 0
    kinds: Counter = field(default_factory=Counter)
    reasons: Counter = field(default_factory=Counter)
    error: str = ""
    log: list[Command] = field(default_factory=list)  # of a stream that failed


def one_stream(job: tuple[str, int]) -> Outcome:
    name, seed = job
    outcome = Outcome(name, seed)
    try:
        pair = run_stream(BY_NAME[name], seed, STREAM, EVERY)
        check_doors(BY_NAME[name], pair)
    except Mismatch as error:
        outcome.error, outcome.log = str(error), error.log
        return outcome
    outcome.commands, outcome.kinds, outcome.reasons = len(pair.log), pair.kinds, pair.reasons
    return outcome


def jobs(first_seed: int, commands: int) -> Iterator[tuple[str, int]]:
    """Every setting in turn, seed after seed, until the streams hold so many commands."""
    for number in range(-(-commands // STREAM)):
        yield SETTINGS[number % len(SETTINGS)].name, first_seed + number // len(SETTINGS)


def report_failure(outcome: Outcome) -> None:
    print(f"\n{outcome.error}\ncutting it down ...", flush=True)
    few = shrink(BY_NAME[outcome.setting], outcome.log)
    story = outcome.error.split("\n")[0][:200]
    path = save(BY_NAME[outcome.setting], few, f"found-{outcome.setting}-{outcome.seed}", story)
    print(f"setting {outcome.setting}, seed {outcome.seed}: {len(few)} commands are left of it in {path}")


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Progress:
    """A line that is rewritten on a terminal, and repeated once a minute elsewhere."""

    def __init__(self, total: int) -> None:
        self.total, self.started = total, time.monotonic()
        self.terminal = sys.stderr.isatty()
        self.shown = self.started

    def show(self, done: int) -> None:
        now = time.monotonic()
        if now - self.shown < (0.5 if self.terminal else 60):
            return
        self.shown = now
        rate = done / (now - self.started)
        left = clock(max(0, self.total - done) / rate)
        line = f"{done:,} of {self.total:,} commands, {rate:,.0f} a second, {left} left"
        print(f"\r{line}  " if self.terminal else line, end="" if self.terminal else "\n", file=sys.stderr, flush=True)


def names(numbers: type) -> dict[int, str]:
    return {number: name for name, number in vars(numbers).items() if not name.startswith("_")}


def table(title: str, counts: Counter, numbers: type) -> None:
    print(f"\n{title}")
    for number, name in sorted(names(numbers).items()):
        if number:
            print(f"  {name:24s} {counts[number]:>12,}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare core and twin on random command streams.")
    parser.add_argument("--commands", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1_000, help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    options = parser.parse_args()
    total, kinds, reasons = 0, Counter(), Counter()
    progress = Progress(options.commands)
    with get_context("spawn").Pool(options.jobs, maxtasksperchild=500) as pool:
        for outcome in pool.imap_unordered(one_stream, jobs(options.seed, options.commands), chunksize=4):
            if outcome.error:
                pool.terminate()
                report_failure(outcome)
                return 1
            total += outcome.commands
            kinds.update(outcome.kinds)
            reasons.update(outcome.reasons)
            progress.show(total)
    seconds = time.monotonic() - progress.started
    table("events", kinds, EventKind)
    table("reasons of refusals and cancellations", reasons, Reject)
    print(
        f"\n{total:,} commands, {sum(kinds.values()):,} events, no mismatch\n{len(SETTINGS)} settings, seeds from "
        f"{options.seed}, {options.jobs} processes, {clock(seconds)} minutes, {total / seconds:,.0f} commands a second"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
