"""Lines that are suspicious, though an import takes them: what stands apart from all other lines of its file.

A print far from those around it, a level far from the market, a row received late or on another day than its file's:
each may be true. What many lines have is no odd line but how the file is (a slow feed, files cut by another clock, bids
at a cent); then it is only counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from perpsim.replay.gate import CLOCK_NS_MAX, TIME_NS_MAX, TIME_NS_MIN
from perpsim.replay.readers import READERS
from perpsim.replay.readers.findings import SUSPICIONS, Finding, Findings
from perpsim.replay.tape import DAY_NS, ROW_MASK, SNAPSHOT, Row

if TYPE_CHECKING:
    from perpsim.replay.readers.contract import Rows, SourceFile

LATE_NS = 1_000_000_000
FAR_PRINT = 2  # times the prints before and after it, or the share of them
FAR_LEVEL = 10  # times the market's price, or the share of it
ODD, ODD_MAX = 100, 20  # at most so many of a file: one line to so many rows, and in all
FAR_MAX = 1_000  # prices far from the market, and levels of a block, that are looked at
LONE_MAX = 2  # of a file; where there are more, somebody quotes far away
MEDIAN_MIN = 100  # levels that tell the price of the market


class Suspects:
    """Takes the rows of a reader's files as they are read, before anything is refused."""

    def __init__(self, reader: str):
        self._reader = READERS[reader]
        self._findings = Findings(record=True)
        self._file: SourceFile | None = None

    def add(self, rows: Rows) -> None:
        """The next rows."""
        if not len(rows.line):
            return
        if rows.file != self._file:
            self._decide()
            self._begin(rows.file)
        self._rows += len(rows.line)
        kind = rows.code & ROW_MASK
        self._prints(rows, np.flatnonzero((kind == Row.TRADE) & (rows.price > 0)))
        self._levels(rows, (kind == Row.LEVEL) & ((rows.code & SNAPSHOT) == 0) & (rows.price > 0))
        away_ns = np.abs(rows.receive_ns - rows.time_ns)
        late = (away_ns >= LATE_NS) & (away_ns < CLOCK_NS_MAX)  # what lies beyond is refused
        self._note("late", rows.line, late, lambda i: f"sent and received {away_ns[i] / 1e9:,.3f} s apart")
        if self._day_ns is not None:
            known = (rows.receive_ns >= TIME_NS_MIN) & (rows.receive_ns <= TIME_NS_MAX)
            other = known & ((rows.receive_ns < self._day_ns) | (rows.receive_ns >= self._day_ns + DAY_NS))
            said = "not on the day that the file is of"
            self._note("other-day", rows.line, other, lambda i: f"received {_time(rows.receive_ns[i])}, {said}")

    def close(self) -> Findings:
        """What was suspicious in all files."""
        self._decide()
        return self._findings

    def _begin(self, file: SourceFile) -> None:
        day = self._reader.market(file).day
        self._file, self._rows = file, 0
        self._day_ns = None if day is None else int(np.datetime64(day, "ns").astype(np.int64))
        self._before = np.zeros(0, np.int64), np.zeros(0, np.int64)  # prices and lines of the last two prints
        self._market = 0.0  # price of the last block that had one
        self._far: dict[int, list[Finding]] = {}  # by price, of levels far from the market
        self._noted: dict[str, list[Finding]] = {name: [] for name in SUSPICIONS}
        self._counts = dict.fromkeys(SUSPICIONS, 0)

    def _prints(self, rows: Rows, prints: np.ndarray) -> None:
        """Each print against those beside it; the last one waits for the next block."""
        if not len(prints):
            return
        known = len(self._before[0]) > 1  # the first of those before has been decided
        columns = zip(self._before, (rows.price[prints], rows.line[prints]), strict=True)
        price, line = (np.concatenate(each) for each in columns)
        self._before = price[-2:], line[-2:]
        if len(price) > 1:
            before, after = np.append(price[1], price[:-2]), price[1:]
            far = _far(price[:-1], before, after)
            far[0] &= not known
            said = "ticks, the prints beside it"
            self._note("far-print", line[:-1], far, lambda i: f"{price[i]:,} {said} {before[i]:,} and {after[i]:,}")

    def _last_print(self) -> None:
        price, line = self._before
        if len(price) > 1:
            far = _far(price[1:], price[:1], price[:1])
            self._note("far-print", line[1:], far, lambda i: f"{price[1]:,} ticks, the print before it {price[0]:,}")

    def _levels(self, rows: Rows, levels: np.ndarray) -> None:
        if not levels.any():
            return
        if levels.sum() >= MEDIAN_MIN or not self._market:
            self._market = float(np.median(rows.price[levels]))
        if len(self._far) > FAR_MAX:
            return
        far = levels & ((rows.price > FAR_LEVEL * self._market) | (rows.price * FAR_LEVEL < self._market))
        for index in np.flatnonzero(far)[:FAR_MAX].tolist():
            price, line = int(rows.price[index]), int(rows.line[index])
            self._far.setdefault(price, []).append(Finding(
                "far-level", self._file.place, line, f"a level at {price:,} ticks, the market at {self._market:,.0f}",
            ))  # fmt: skip

    def _lone_levels(self) -> None:
        """Far prices that come once: an order far away comes and goes."""
        lone = [found[0] for found in self._far.values() if len(found) == 1]
        if len(lone) > LONE_MAX:
            self._findings.count("levels_far_away", len(lone))
            lone = []
        self._noted["far-level"], self._counts["far-level"] = lone, len(lone)

    def _note(self, name: str, line: np.ndarray, bad: np.ndarray, sentence: Callable[[int], str]) -> None:
        """What is odd; lines of several rows are told once."""
        if not bad.any():
            return
        found = np.flatnonzero(bad)
        found = found[np.append(True, np.diff(line[found]) != 0)]
        self._counts[name] += len(found)
        room = max(0, ODD_MAX - len(self._noted[name]))
        for index in found[:room].tolist():
            self._noted[name].append(Finding(name, self._file.place, int(line[index]), sentence(index)))

    def _decide(self) -> None:
        """The file is whole: odd lines are told, habits counted."""
        if self._file is None:
            return
        self._last_print()
        self._lone_levels()
        for name, count in self._counts.items():
            if count and count * ODD <= self._rows and count <= ODD_MAX:
                self._findings.suspected[name] += count
                self._findings.found += self._noted[name]
            elif count:
                self._findings.count(f"lines_{name.replace('-', '_')}", count)


def _far(price: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """bool[n]: which prices lie far from both of their neighbours, on one side."""
    high = price >= FAR_PRINT * np.maximum(before, after)
    return high | (price * FAR_PRINT <= np.minimum(before, after))


def _time(ns: int) -> str:
    return str(np.datetime64(int(ns), "ns").astype("datetime64[ms]")).replace("T", " ")
