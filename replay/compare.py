"""What is the first thing in which two runs differ? Read from their folders, or found while one is run again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from perpsim.core import EVENT, EventKind, Reject
from perpsim.replay import trail
from perpsim.replay.errors import InputError
from perpsim.replay.plan import iso
from perpsim.replay.trail import Point

EVENTS = "events.parquet"
Rerun = Callable[[Path, "Window"], None]  # runs a folder's scenario again and gives the events to a sink


@dataclass(frozen=True)
class Difference:
    """The first event in which two runs differ; None on the side that has ended before."""

    ours: np.void | None
    theirs: np.void | None


class Window:
    """A sink that keeps the events after one and up to another, and ends the run when it has them."""

    def __init__(self, after: int, until: int):
        self.after, self.until = after, until
        self.parts: list[np.ndarray] = []

    def add(self, events: np.ndarray) -> None:
        """Take events, in order."""
        wanted = events[(events["sequence"] > self.after) & (events["sequence"] <= self.until)]
        if len(wanted):
            self.parts.append(wanted.copy())
        if events["sequence"][-1] >= self.until:
            raise Enough

    def events(self) -> np.ndarray:
        """What was kept."""
        return np.concatenate(self.parts) if self.parts else np.empty(0, EVENT)


class Enough(Exception):
    """The sink has what it wants."""


class Beside:
    """A sink that compares a run's events with stored ones as they come, and keeps the first difference."""

    def __init__(self, stored: Iterator[np.ndarray]):
        self.stored = stored
        self.rest = np.empty(0, EVENT)
        self.first: Difference | None = None

    def add(self, events: np.ndarray) -> None:
        """Take events, in order."""
        while len(events) and self.first is None:
            if not len(self.rest):
                self.rest = next(self.stored, self.rest)
            count = min(len(events), len(self.rest))
            self.first = first_event(self.rest[: count or 1], events[: count or 1])  # count 0: what is stored has ended
            self.rest, events = self.rest[count:], events[count:]

    def close(self) -> Difference | None:
        """The first difference, after the last event: what is stored may go on."""
        if self.first is None:
            rest = self.rest if len(self.rest) else next(self.stored, self.rest)
            self.first = first_event(rest, rest[:0])
        return self.first


def stored_events(path: Path, after: int) -> Iterator[np.ndarray]:
    """The events of a file behind event number `after`, a row group at a time."""
    try:
        file = pq.ParquetFile(path)
        for number in range(file.num_row_groups):
            if file.metadata.row_group(number).num_rows <= after:
                after -= file.metadata.row_group(number).num_rows
                continue
            table = file.read_row_group(number)
            events = np.empty(table.num_rows, EVENT)
            for name in EVENT.names:
                events[name] = table.column(name).to_numpy()
            yield events[after:]
            after = 0
    except (pa.ArrowInvalid, KeyError) as error:
        raise InputError("is damaged; run the scenario again", path) from error


def first_event(ours: np.ndarray, theirs: np.ndarray) -> Difference | None:
    """The first difference of two stretches of events."""
    count = min(len(ours), len(theirs))
    unequal = np.flatnonzero(ours[:count] != theirs[:count])
    at = int(unequal[0]) if len(unequal) else count
    if at == len(ours) == len(theirs):
        return None
    return Difference(ours[at] if at < len(ours) else None, theirs[at] if at < len(theirs) else None)


def compare(ours: Path, theirs: Path, rerun: Rerun) -> list[str]:
    """Lines about the first difference of two results; none where they are the same run."""
    mine, other = trail.read(ours), trail.read(theirs)
    if mine and other and mine[-1] == other[-1]:
        return changed_since(ours, theirs)
    lines = []
    found = trail.differences(mine, other)
    after, until = 0, None
    for before, one, another in found:
        after, until = before.event if before else 0, max(one.event, another.event)
        if one.digest == another.digest:
            lines += tell_points(before, one, another, events_differ=False)
            after, until = one.event, None
    event = search(ours, theirs, after, until, rerun) if not found or until else None
    if found and until:
        lines += tell_points(*found[-1], event is not None)
    return lines + tell_event(event)


def changed_since(ours: Path, theirs: Path) -> list[str]:
    """Of two results of the same run: stored events that are not those of the run, in files that are there."""
    if not all((folder / EVENTS).is_file() for folder in (ours, theirs)):
        return []  # the digests at the end of both trails are of all events
    if (found := beside(ours, theirs, 0)) is None:
        return []
    return [f"the same run by its trail, but {EVENTS} of one was changed afterwards", *tell_event(found)]


def tell_points(before: Point | None, ours: Point, theirs: Point, events_differ: bool) -> list[str]:
    """Between which points two runs part, and what of the state differs behind them."""
    same = f"event {before.event}, {iso(before.time_ns)}" if before else "the start"
    lines = [f"the same up to {same}; not at {iso(ours.time_ns)}, events {ours.event} and {theirs.event}"]
    differ = [part for part in ours.state if ours.state[part] != theirs.state.get(part)]
    if not events_differ:
        what = "the tape rows" if ours.digest != theirs.digest else "the state"
        lines.append(f"the events between are the same, {what} not")
    lines.append(f"state then: {', '.join(differ)} differ" if differ else "state then: the same")
    return lines


def beside(ours: Path, theirs: Path, after: int) -> Difference | None:
    """The first difference of two stored streams of events."""
    sink = Beside(stored_events(ours / EVENTS, after))
    for events in stored_events(theirs / EVENTS, after):
        sink.add(events)
        if sink.first:
            return sink.first
    return sink.close()


def search(ours: Path, theirs: Path, after: int, until: int | None, rerun: Rerun) -> Difference | None:
    """The first event that differs behind one that does not."""
    if (ours / EVENTS).is_file() and (theirs / EVENTS).is_file():
        return beside(ours, theirs, after)
    windows = []
    for folder in (ours, theirs):
        windows.append(Window(after, until or 1 << 62))
        rerun(folder, windows[-1])
    return first_event(windows[0].events(), windows[1].events())


def tell_event(found: Difference | None) -> list[str]:
    """Both events, field by field; a star marks what differs."""
    if found is None:
        return []
    event = found.ours if found.ours is not None else found.theirs
    lines = [f"first difference: event {event['sequence']} at {iso(int(event['time_ns']))}"]
    for name in EVENT.names:
        mine, other = (None if side is None else shown(name, side) for side in (found.ours, found.theirs))
        if mine != other or mine not in (0, -1, None):
            lines.append(f"{'*' if mine != other else ' '} {name}: {'-' if mine is None else mine}"
                         f"{'' if mine == other else f' | {chr(45) if other is None else other}'}")  # fmt: skip
    return lines


def shown(name: str, event: np.void) -> Any:
    """A field as a person reads it."""
    value = int(event[name])
    if name == "kind":
        return EventKind(value).name
    if name == "reason" and value in Reject.__members__.values():
        return Reject(value).name if value else 0
    return value
