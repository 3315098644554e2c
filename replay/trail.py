"""The trail of a run: digest and state hash at samples, at least so many events and rows apart.

Two runs that have the same digest at a point have had the same events and rows up to it; so the first point at which
they differ is found by bisection, and what differs lies between it and the point before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from perpsim.core import Engine
from perpsim.replay.errors import InputError
from perpsim.replay.tables import write_table

TRAIL = "trail.parquet"


@dataclass(frozen=True)
class Point:
    """Where a run stood at a time."""

    event: int  # sequence of the last event
    rows: int  # tape rows so far
    time_ns: int
    digest: str
    state: dict[str, int]  # parts of the state hash


class Trail:
    """Takes points of an engine. `every`: events and rows between two of them; 0: no trail."""

    def __init__(self, engine: Engine, every: int):
        self.engine, self.every = engine, every
        self.points: list[Point] = []

    def sample(self, time_ns: int, rows: int, last: bool = False) -> None:
        """Take a point if it is time for one; the last one always."""
        event = self.engine.statistics()["events"]
        due = not self.points or event + rows >= self.points[-1].event + self.points[-1].rows + self.every
        if self.every and (due or last):
            self.points.append(Point(event, rows, time_ns, self.engine.digest(), self.engine.state_hashes()))


def write(path: Path, points: list[Point], metadata: Mapping[bytes, bytes] | None = None) -> None:
    """Write a trail as a table."""
    numbers = [(name, np.array([getattr(point, name) for point in points], np.int64)) for name in ("event", "rows")]
    parts = list(points[0].state) if points else []
    write_table(
        path,
        [
            *((name, "", column) for name, column in numbers),
            ("time_ns", "ns since the epoch, UTC", np.array([point.time_ns for point in points], np.int64)),
            ("digest", "of all events and tape rows so far", [point.digest for point in points]),
            *((part, "state hash", np.array([point.state[part] for point in points], np.uint64)) for part in parts),
        ],
        metadata,
    )


def read(folder: Path) -> list[Point]:
    """The trail of a result; empty where there is none. Raises InputError where it cannot be read."""
    path = folder / TRAIL
    if not path.is_file():
        return []
    try:
        rows = pq.read_table(path).to_pylist()
        return [
            Point(row.pop("event"), row.pop("rows"), row.pop("time_ns"), row.pop("digest"), state=row) for row in rows
        ]
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        raise InputError("is damaged; run the scenario again", path) from error


Parting = tuple[Point | None, Point, Point]  # last point before that is the same, first of ours and theirs that differ


def differences(ours: list[Point], theirs: list[Point]) -> list[Parting]:
    """Where two runs part, among points of equal times: in the state under equal digests, then in the digest.

    None, one or both. The digest is found by bisection.
    """
    other = {point.time_ns: point for point in theirs}
    pairs = [(point, other[point.time_ns]) for point in ours if point.time_ns in other]
    low, high = 0, len(pairs)
    while low < high:
        middle = (low + high) // 2
        if pairs[middle][0].digest == pairs[middle][1].digest:
            low = middle + 1
        else:
            high = middle
    silent = next((i for i, (a, b) in enumerate(pairs[:low]) if a.state != b.state), low)
    found = [at for at in dict.fromkeys([silent, low]) if at < len(pairs)]
    return [(pairs[at - 1][0] if at else None, *pairs[at]) for at in found]
