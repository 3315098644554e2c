"""What every question shares: sizes, repeats, the clock, the machine's name, the one line of JSON.

A question is a module with `SMALL` and `LARGE` (what is measured, as keyword arguments) and `measure(seed, **size)`,
which returns a `Result`. Small sizes run as tests, so they also check that the answer is right; large ones are for
figures. `python -m bench.NAME [--small] [--seed N]` prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from perpsim.core import COMMAND, Engine, EventKind, Kind, Reject

ROOT = Path(__file__).resolve().parent.parent
SEED = 20260101
BATCH = 65_536  # commands in one call of `apply` where the batch is not the question


class Result(NamedTuple):
    """What a question found."""

    figures: dict[str, list[float]]  # what was asked for, one value a repeat; the unit is in the name
    details: dict[str, Any]  # what is needed to judge the figures
    digest: str  # of the engine, so that a wrong answer can not look fast


def clock() -> float:
    """CPU seconds of this thread: other jobs on the machine do not count, but they still cool the caches."""
    return time.thread_time()


def timed(function: Callable, *arguments: Any) -> tuple[float, Any]:
    """CPU seconds that a call took, and what it returned."""
    before = clock()
    answer = function(*arguments)
    return clock() - before, answer


def commands(kind: Kind, count: int, **columns: Any) -> np.ndarray:
    """`count` COMMAND rows of one kind; a column is an array or one value for all."""
    rows = np.zeros(count, COMMAND)
    rows["kind"] = kind
    for name, column in columns.items():
        rows[name] = column
    return rows


def feed(engine: Engine, rows: np.ndarray, batch: int = BATCH) -> None:
    """Apply commands in batches, and stop at the first that is refused."""
    for first in range(0, len(rows), batch):
        expect_taken(engine.apply(rows[first : first + batch]))


def expect_taken(events: np.ndarray) -> None:
    refused = events["reason"][events["kind"] == EventKind.REJECTED]
    if len(refused):
        raise SystemExit(f"{len(refused)} commands were refused, the first for {Reject(refused[0]).name}")


def expect(holds: bool, what: str) -> None:
    """A wrong answer is no figure."""
    if not holds:
        raise SystemExit(f"wrong outcome: {what}")


def rows_of(table: np.ndarray, *names: str) -> Iterator[tuple]:
    """The named columns as Python values, row by row."""
    return zip(*(table[name].tolist() for name in names), strict=True)


def of_kind(events: np.ndarray, kind: EventKind) -> np.ndarray:
    return events[events["kind"] == kind]


def rounded(value: float) -> float:
    """Four significant digits: more would be noise."""
    return float(f"{value:.4g}")


def main(name: str, measure: Callable[..., Result], small: dict[str, Any], large: dict[str, Any]) -> None:
    """The command line of one question."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.{name}")
    parser.add_argument("--small", action="store_true", help="the size that runs as a test")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    figures, details, digest = measure(options.seed, **(small if options.small else large))
    line = {
        "question": name,
        "size": "small" if options.small else "large",
        "seed": options.seed,
        "median": {figure: rounded(statistics.median(values)) for figure, values in figures.items()},
        "range": {figure: [rounded(min(values)), rounded(max(values))] for figure, values in figures.items()},
        "details": details,
        "engine_digest": digest,
    }
    print(json.dumps(line))
