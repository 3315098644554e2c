"""Which depth updates of a Binance capture can be trusted: ids joined end to end, and to a snapshot.

Futures updates name the last id of the one before (`pu`); a spot update starts at the id after it. An unbroken row of
updates is a run. A run counts from the update that a REST snapshot joins: the first with `u >= lastUpdateId`
(spot: `u > lastUpdateId`), if no update between the two is missing. All before it in the run is left out. The line of a
snapshot lies behind updates that it precedes, as it had to be asked for: so a run waits for one, within limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from perpsim.replay.readers.contract import Findings, Rows
from perpsim.replay.readers.update_ids import out_of_joint
from perpsim.replay.tape import COLUMNS

WAITING_ROWS = 2_000_000  # of a run without a snapshot; the oldest are let go
SNAPSHOTS = 64  # that wait for a run


class Updates(NamedTuple):
    """m depth updates in the order of a file, int64[m]; `starts`, int64[m + 1], is where each one's rows begin."""

    previous: np.ndarray
    final: np.ndarray
    time_ns: np.ndarray
    line: np.ndarray
    starts: np.ndarray
    rows: Rows

    def part(self, first: int, last: int) -> Updates:
        """Updates first to last, without the last."""
        columns = [column[first:last] for column in self[:4]]
        return Updates(*columns, self.starts[first : last + 1], self.rows)

    def levels(self) -> Rows:
        """The rows of these updates."""
        span = slice(int(self.starts[0]), int(self.starts[-1]))
        return self.rows._replace(**{name: getattr(self.rows, name)[span] for name in (*COLUMNS, "line")})


class Snapshot(NamedTuple):
    """A whole book as of an id. time_ns is 0 where the venue does not say it."""

    final: int
    time_ns: int
    line: int
    rows: Rows


class Chain:
    """Follows the updates from run to run and yields the rows of the book, snapshots before the updates they seed."""

    def __init__(self, futures: bool, findings: Findings):
        self._side = "left" if futures else "right"
        self._findings = findings
        self.updates = 0  # so far
        self.seeds = 0
        self._last: int | None = None  # id of the last update
        self._sound = False  # the run is joined to a snapshot
        self._waiting: list[Updates] = []  # of a run that is not
        self._snapshots: list[Snapshot] = []  # that may join a run yet
        self.first_snapshot: Snapshot | None = None
        self.first_id: int | None = None
        self._book_ns = 0

    def feed(self, snapshots: list[Snapshot], updates: Updates | None) -> Iterator[Rows]:
        """The next messages of a file; yields what can be trusted by now."""
        self._snapshots += snapshots
        if self.first_snapshot is None and snapshots:
            self.first_snapshot = snapshots[0]
        if updates is not None:
            updates = self._forward(updates)
            if self.first_id is None and len(updates.final):
                self.first_id = int(updates.previous[0])
            self.updates += len(updates.final)
            ends = np.append(self._last if self._last is not None else updates.previous[:1], updates.final[:-1])
            broken = updates.previous != ends
            starts = np.flatnonzero(broken | (np.arange(len(broken)) == 0)).tolist()
            ids = updates.previous + 1, updates.final, updates.previous
            named = out_of_joint(*ids, self._last) if broken.any() else broken
            for first, last in pairwise([*starts, len(broken)]):
                if broken[first]:
                    self._break(updates, first, int(ends[first]), not named[first])
                yield from self._run(updates.part(first, last))
        elif not self._sound:
            yield from self._seed()
        self._forget()

    def close(self) -> None:
        """No more messages will come."""
        self._findings.count("snapshots", self.seeds)
        self._findings.count("redundant_snapshots", len(self._snapshots))
        self._left_out(sum(len(each.final) for each in self._waiting))

    def _run(self, updates: Updates) -> Iterator[Rows]:
        """More updates of the run."""
        self._last = int(updates.final[-1])
        if self._sound:
            yield self._said(updates)
            return
        self._waiting.append(updates)
        while len(self._waiting) > 1 and sum(int(each.starts[-1] - each.starts[0]) for each in self._waiting) > (
            WAITING_ROWS
        ):
            self._left_out(len(self._waiting.pop(0).final))
        yield from self._seed()

    def _seed(self) -> Iterator[Rows]:
        """Join what waits to the snapshot that keeps most of it, if there is one."""
        if not self._waiting:
            return
        start = int(self._waiting[0].previous[0])
        final = np.concatenate([each.final for each in self._waiting])
        joins = []
        for number, snapshot in enumerate(self._snapshots):
            update = int(np.searchsorted(final, snapshot.final, side=self._side))
            if start <= snapshot.final and update < len(final):
                joins.append((update, number))
        if not joins:
            return
        update, number = min(joins)
        waiting, self._waiting = self._waiting, []
        self._sound, self.seeds = True, self.seeds + 1
        self._left_out(update)
        snapshot = self._snapshots.pop(number)
        for updates in waiting:
            count = len(updates.final)
            if update < count:
                kept = updates.part(max(0, update), count)
                if snapshot is not None:
                    yield self._stamped(snapshot, int(kept.time_ns[0]))
                    snapshot = None
                yield self._said(kept)
            update -= count

    def _said(self, updates: Updates) -> Rows:
        self._book_ns = max(self._book_ns, int(updates.time_ns.max()))
        return updates.levels()

    def _stamped(self, snapshot: Snapshot, update_ns: int) -> Rows:
        """The snapshot's rows right before the update that it seeds; a spot snapshot has no time of its own."""
        time_ns = min(max(snapshot.time_ns or update_ns, self._book_ns), max(update_ns, self._book_ns))
        return snapshot.rows._replace(time_ns=np.full(len(snapshot.rows.code), time_ns))

    def _break(self, updates: Updates, at: int, ended: int, before: bool) -> None:
        """The run ends before an update that does not follow: a gap, once there was a book. before: the update before
        it is the wrong one."""
        self._left_out(sum(len(each.final) for each in self._waiting))
        self._waiting.clear()
        self._sound = False
        if not self.seeds:
            return
        self._findings.count("gaps")
        line = int(updates.line[at - before])
        earlier, later = ("this one", "the next") if before else ("the one before", "this one")
        fix = "check that no file is missing in between, or " if line < 100 else ""
        self._findings.refuse(
            "update-gap",
            np.ones(1, bool),
            updates.rows.file,
            np.array([line]),
            lambda i: (
                f"the depth updates break: {later} follows id {updates.previous[at]}, {earlier} ended at id {ended}; "
                f"{fix}repair by update-gap to leave the book out until the next snapshot"
            ),
        )

    def _forward(self, updates: Updates) -> Updates:
        """Ids never fall, not even after a lost connection: a fall is another file's turn, or a line come twice."""
        before = np.maximum.accumulate(np.append(-1 if self._last is None else self._last, updates.final))[:-1]
        back = updates.final <= before
        if not back.any():
            return updates
        keep = self._findings.refuse(
            "id-back",
            back,
            updates.rows.file,
            updates.line,
            lambda i: (
                f"the depth update ids run back from {before[i]} to {updates.final[i]}; give the files in the order of "
                "recording, each once"
            ),
        )
        counts = np.diff(updates.starts)
        rows = np.repeat(keep, counts)
        columns = {name: getattr(updates.rows, name)[rows] for name in (*COLUMNS, "line")}
        starts = np.append(0, np.cumsum(counts[keep]))
        return Updates(*(column[keep] for column in updates[:4]), starts, updates.rows._replace(**columns))

    def _left_out(self, count: int) -> None:
        self._findings.count("depth_after_gap" if self.seeds > self._sound else "depth_before_snapshot", count)

    def _forget(self) -> None:
        """Snapshots that the run has passed can join nothing any more."""
        if self._last is None:
            return
        passed = self._last if self._sound else int(self._waiting[0].previous[0]) if self._waiting else -1
        kept = [each for each in self._snapshots if each.final >= passed][-SNAPSHOTS:]
        self._findings.count("redundant_snapshots", len(self._snapshots) - len(kept))
        self._snapshots = kept
