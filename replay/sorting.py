"""External sorting of tape rows: any number of them in bounded memory.

A `Sorter` takes rows in the order of a file and leaves sorted runs, in memory or in a folder. `merged` puts runs
together. Both keep the order in which rows came where time and rank are equal, so what comes out does not depend on
where one run ends and the next begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from perpsim.replay.tape import COLUMNS, Batch, Row

RANKED = COLUMNS | {"rank": np.dtype("u1")}
SORT_ROWS = 1 << 20  # sorted at a time; three quarters of them are written, so that a stream in near order is one run
MERGE_ROWS = 1 << 20  # in all buffers of a merge
READ_ROWS_MIN, READ_ROWS_MAX = 1 << 11, 1 << 17  # of one run at a time

# Place of each kind of row at equal times: prints before the book that they have changed, prices last.
RANKS = np.ones(16, np.uint8)
RANKS[[Row.TRADE, Row.OFF_BOOK, Row.LIQUIDATION]] = 0
RANKS[[Row.MARK, Row.INDEX, Row.FUNDING, Row.OPEN_INTEREST, Row.BAR]] = 2


class Run:
    """Rows sorted by time and rank: a file a column in a folder, `number` of it, or arrays."""

    def __init__(self, folder: Path | None, number: int, rows: int = 0):
        self.folder, self.number, self.rows = folder, number, rows
        self._kept: list[Batch] = []
        self._columns: Batch | None = None

    def append(self, batch: Batch) -> None:
        """Rows that follow those that are there."""
        if self.folder is None:
            self._kept.append(batch)
        else:
            for name in RANKED:
                with self._path(name).open("ab") as file:
                    file.write(np.ascontiguousarray(batch[name]))
        self.rows += len(batch["time_ns"])

    def read(self, first: int, last: int) -> Batch:
        """Rows first to last, without the last."""
        if self.folder is None:
            if self._columns is None:
                self._columns = joined(self._kept)
                self._kept.clear()
            return {name: self._columns[name][first:last] for name in RANKED}
        return {
            name: np.fromfile(self._path(name), dtype, last - first, offset=first * dtype.itemsize)
            for name, dtype in RANKED.items()
        }

    def find(self, time_ns: int) -> int:
        """Number of rows before a time."""
        if self.folder is None:
            return int(np.searchsorted(self.read(0, self.rows)["time_ns"], time_ns))
        low, high = 0, self.rows
        while low < high:
            middle = (low + high) // 2
            if self._time(middle) < time_ns:
                low = middle + 1
            else:
                high = middle
        return low

    def whole(self) -> bool:
        """Whether the files have the rows that they should have."""
        sizes = [(self._path(name), dtype.itemsize) for name, dtype in RANKED.items()]
        return all(path.exists() and path.stat().st_size == self.rows * size for path, size in sizes)

    def _time(self, row: int) -> int:
        return int(np.fromfile(self._path("time_ns"), RANKED["time_ns"], 1, offset=row * 8)[0])

    def _path(self, name: str) -> Path:
        return self.folder / f"{self.number}.{name}"


class Sorter:
    """Takes batches in the order of a file, with a column `rank`; `close` returns the runs."""

    def __init__(self, folder: Path | None = None):
        self._folder = folder
        self._runs: list[Run] = []
        self._last: tuple[int, int] | None = None  # time and rank at the end of the run that is written
        self._held: list[Batch] = []
        self._held_rows = 0

    def add(self, batch: Batch) -> None:
        """The next rows."""
        self._held.append(batch)
        self._held_rows += len(batch["time_ns"])
        if self._held_rows >= SORT_ROWS:
            self._flush(SORT_ROWS // 4)

    def close(self) -> list[Run]:
        """No more rows will come."""
        if self._held_rows:
            self._flush(0)
        return self._runs

    def _flush(self, keep: int) -> None:
        """Write what is held, but for some rows at its end; a new run begins where they are not after the last."""
        batch = in_order(joined(self._held))
        done = self._held_rows - keep
        first = int(batch["time_ns"][0]), int(batch["rank"][0])
        if self._last is None or first < self._last:
            self._runs.append(Run(self._folder, len(self._runs)))
        self._runs[-1].append({name: column[:done] for name, column in batch.items()})
        self._last = int(batch["time_ns"][done - 1]), int(batch["rank"][done - 1])
        self._held = [{name: column[done:].copy() for name, column in batch.items()}] if keep else []
        self._held_rows = keep


class Slice(NamedTuple):
    """Rows first to last of a run, without the last."""

    run: Run
    first: int
    last: int


def between(runs: Sequence[Run], start_ns: int, end_ns: int) -> list[Slice]:
    """What the runs have of a span of time, in their order."""
    found = [Slice(run, run.find(start_ns), run.find(end_ns)) for run in runs]
    return [each for each in found if each.first < each.last]


def merged(slices: Sequence[Slice]) -> Iterator[Batch]:
    """The rows of all slices, sorted; at equal time and rank in the order of the slices. Batches have no `rank`."""
    step = min(READ_ROWS_MAX, max(READ_ROWS_MIN, MERGE_ROWS // max(1, len(slices))))
    cursors = [_Cursor(each, step) for each in slices]
    while cursors:
        now = min(cursor.head_ns for cursor in cursors)
        for cursor in cursors:
            if cursor.head_ns <= now:
                cursor.fill()
        until = min((cursor.known_ns for cursor in cursors if cursor.more), default=None)
        pieces = [piece for cursor in cursors if (piece := cursor.take(until)) is not None]
        if pieces:
            batch = pieces[0] if len(pieces) == 1 else in_order(joined(pieces))
            yield {name: batch[name] for name in COLUMNS}
        else:  # everything that is known has one time, and there may be more of it
            for cursor in cursors:
                if cursor.more and cursor.known_ns == until:
                    cursor.fill(further=True)
        cursors = [cursor for cursor in cursors if cursor.more or cursor.held]


class _Cursor:
    """How far a slice is merged: `held` rows are in memory, `more` says whether others follow."""

    def __init__(self, place: Slice, step: int):
        self._run, self._at, self._last = place
        self._step = step
        self._batch: Batch = self._run.read(self._at, self._at)
        self.head_ns = int(self._run.read(self._at, self._at + 1)["time_ns"][0])

    @property
    def held(self) -> int:
        return len(self._batch["time_ns"])

    @property
    def more(self) -> bool:
        return self._at < self._last

    @property
    def known_ns(self) -> int:
        """All rows before this time are in memory."""
        return int(self._batch["time_ns"][-1]) if self.held else self.head_ns

    def fill(self, further: bool = False) -> None:
        """Read on, unless rows are held and not further ones are asked for."""
        if self.more and (further or not self.held):
            end = min(self._last, self._at + self._step)
            batch = self._run.read(self._at, end)
            self._batch = joined([self._batch, batch]) if self.held else batch
            self._at = end

    def take(self, until_ns: int | None) -> Batch | None:
        """The rows before a time, which are held no longer."""
        times = self._batch["time_ns"]
        count = len(times) if until_ns is None else int(np.searchsorted(times, until_ns))
        if not count:
            return None
        taken = {name: column[:count] for name, column in self._batch.items()}
        self._batch = {name: column[count:] for name, column in self._batch.items()}
        if self.held:
            self.head_ns = int(self._batch["time_ns"][0])
        elif self.more:
            self.head_ns = int(self._run.read(self._at, self._at + 1)["time_ns"][0])
        return taken


def joined(batches: Sequence[Batch]) -> Batch:
    """Batches one after the other; there is at least one."""
    if len(batches) == 1:
        return batches[0]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def in_order(batch: Batch) -> Batch:
    """The rows by time and rank, else in the order in which they stand."""
    time_ns, rank = batch["time_ns"], batch["rank"]
    step = np.diff(time_ns)
    if (step > 0).all() or not ((step < 0).any() or ((step == 0) & (rank[1:] < rank[:-1])).any()):
        return batch
    order = np.argsort((time_ns - time_ns.min()) * 4 + rank, kind="stable")
    return {name: column[order] for name, column in batch.items()}
