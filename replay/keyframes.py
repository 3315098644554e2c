"""Keyframes: what stands at some places of a stored day, so that a replay may start there.

They are in `_book-0.parquet` beside the day's rows: a row group is what the rows of the day up to a place changed (see
Standing.changes), the last one what the whole day did. They follow from the rows and can be left out or deleted: then
the rows themselves are read.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from perpsim.replay.standing import Standing
from perpsim.replay.tape import COLUMNS, Batch, Part, StoredTape, Tape, batches_of, cut, row_groups, to_arrow

KEYFRAMES_KEY = b"perpsim.keyframes"
FORMAT = 1
APART_NS = 60 * 10**9  # at least, from one keyframe to the next
NAME = "_book-0.parquet"  # readers of a folder of Parquet files pass over names that begin so


class KeyframeWriter:
    """Sees a day's row groups as they are written. Nothing is kept of a day that has no place for a keyframe."""

    def __init__(self, part: Path, schema: pa.Schema, options: dict):
        self._path, self._unfinished = part.with_name(NAME), part.with_name(f".{NAME}.unfinished")
        self._schema, self._options = schema, options
        self._standing = Standing()
        self._groups = 0
        self._due_ns: int | None = None
        self._places: list[tuple[int, int]] = []  # (groups before it, time of the last row before it)
        self._writer: pq.ParquetWriter | None = None

    def add(self, group: Batch) -> None:
        """The next row group of the day."""
        first_ns = int(group["time_ns"][0])
        if self._due_ns is None:
            self._due_ns = first_ns + APART_NS
        elif first_ns >= self._due_ns:
            self._write()
            self._due_ns = first_ns + APART_NS
        self._standing.add(group)
        self._groups += 1

    def finish(self, rows_sha256: str) -> None:
        """The day is over."""
        if self._writer is None:
            return
        self._write()
        said = {"format": FORMAT, "rows_sha256": rows_sha256, "places": self._places}
        self._writer.add_key_value_metadata({KEYFRAMES_KEY: json.dumps(said).encode()})
        self._writer.close()
        with self._unfinished.open("rb") as file:
            os.fsync(file.fileno())

    def show(self) -> None:
        """Put the finished file in its place; an older one of other rows goes."""
        if self._writer is None:
            self._path.unlink(missing_ok=True)
        else:
            os.replace(self._unfinished, self._path)

    def abandon(self) -> None:
        """Leave nothing unfinished."""
        if self._writer is not None:
            with suppress(OSError, pa.ArrowException):
                self._writer.close()
        self._unfinished.unlink(missing_ok=True)

    def _write(self) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._unfinished, self._schema, **self._options)
        changes = self._standing.changes()
        arrays = [to_arrow(changes[field.name], field.type) for field in self._schema]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema), row_group_size=1 << 30)
        self._places.append((self._groups, self._standing.last_ns))


def standing(tape: Tape | StoredTape, time_ns: int) -> Batch:
    """What stands before a time, as messages of that time. Of a stored tape only the rows since a keyframe are read."""
    found = Standing()
    if isinstance(tape, Tape):
        for batch in batches_of(tape, None, time_ns):
            found.add(batch)
        return found.messages(time_ns)
    for part in tape.parts:
        keyframe, group = _before(part, time_ns)
        if keyframe is not None:
            found.add(keyframe)
        for batch in row_groups(part, None, time_ns, group):
            found.add(batch)
    return found.messages(time_ns)


def _before(part: Part, time_ns: int) -> tuple[Batch | None, int]:
    """The last keyframe of a day of which every row is before a time, and the row group after it."""
    path = part.path.with_name(NAME)
    broken = (OSError, pa.ArrowException, ValueError, LookupError, TypeError)
    with suppress(*broken), pq.ParquetFile(path, page_checksum_verification=True) as file:
        said = json.loads((file.metadata.metadata or {})[KEYFRAMES_KEY])
        if (said["format"], said["rows_sha256"]) == (FORMAT, part.sha256):
            past = [number for number, (_, last_ns) in enumerate(said["places"]) if last_ns < time_ns]
            if past:
                table = file.read_row_group(past[-1], list(COLUMNS), use_threads=False)
                return cut(table), int(said["places"][past[-1]][0])
    return None, 0
