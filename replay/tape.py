"""The tape: one market's recorded rows in order of time, in memory as columns and at rest as Parquet.

A row is a price level, a trade, a mark and so on: see Row. Exchange times order the tape; at equal times trades come
first, then books, then marks, then the order of the file. The rows of one message stand together under one time, every
one but the last with the MORE bit.

At rest a tape is `root/venue=V/market=M/day=YYYY-MM-DD/part-0.parquet`, a file for each UTC day. Row groups end with a
message and are small enough to start at any minute; what stands there is beside them (keyframes.py). A file appears
whole or not at all, and the same tape gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from perpsim.replay.catalogue import Instrument
from perpsim.replay.errors import InputError


class Row(IntEnum):
    """What a row is: the low four bits of `code`."""

    LEVEL = 1  # price: ticks; value: lots that the level holds from now on, 0 removes it; id: of the last update
    TRADE = 2  # price: ticks; value: lots; id: of the trade
    MARK = 3  # price: 0; value: 1e-8 of the quote
    INDEX = 4  # price: 0; value: 1e-8 of the quote
    FUNDING = 5  # price: ns of the next funding; value: rate in 1e-9
    OFF_BOOK = 6  # as TRADE, but the print never touched the book
    LIQUIDATION = 7  # price: ticks; value: lots; with SELL a long was closed
    OPEN_INTEREST = 8  # price: 0; value: lots
    ORDER_ADD = 9  # price: ticks; value: lots; id: of the order, as in the three that follow
    ORDER_REDUCE = 10  # price: ticks; value: lots taken off; the order keeps its place
    ORDER_DELETE = 11  # price: ticks; value: lots that it had
    ORDER_EXECUTE = 12  # price: ticks; value: lots executed
    STATE = 13  # value: MarketState
    QUOTE = 14  # price: ticks; value: lots; the best bid, or with SELL the best ask
    BAR = 15  # of MARK or INDEX prices, price: which and what of it (bars.py); value: 1e-8 of the quote


ROW_MASK = 15
SELL = 16  # ask for a level, quote or resting order; a taker or liquidated order that sold; clear: bid, bought
MORE = 32  # the next row belongs to the same message
SNAPSHOT = 64  # it stood already; of levels: a whole book, what the message does not name is gone

COLUMNS = {
    "time_ns": np.dtype("<i8"),  # of the exchange's transaction
    "receive_ns": np.dtype("<i8"),  # by the recorder's clock
    "code": np.dtype("u1"),  # Row, SELL, MORE, SNAPSHOT
    "price": np.dtype("<i8"),
    "value": np.dtype("<i8"),
    "id": np.dtype("<i8"),  # 0 where the venue gives none
}
DAY_NS = 86_400_000_000_000

FORMAT = 2
ROW_GROUP_ROWS = 65_536
SCHEMA = pa.schema([pa.field(name, pa.from_numpy_dtype(dtype), nullable=False) for name, dtype in COLUMNS.items()])
METADATA_KEY = b"perpsim.tape"
AHEAD = 2  # row groups decoded before they are asked for

Batch = dict[str, np.ndarray]


class Source(NamedTuple):
    """A file that a tape was made from, as it lay on the disk."""

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, eq=False)
class Tape:
    """One market's rows; the columns (see COLUMNS) have one length, n. quality holds the reader's counts."""

    instrument: Instrument
    time_ns: np.ndarray
    receive_ns: np.ndarray
    code: np.ndarray
    price: np.ndarray
    value: np.ndarray
    id: np.ndarray
    quality: dict
    sources: tuple[Source, ...] = ()

    @property
    def venue(self) -> str:
        return self.instrument.venue

    @property
    def market(self) -> str:
        return self.instrument.symbol

    def columns(self) -> Batch:
        return {name: getattr(self, name) for name in COLUMNS}

    def sha256(self) -> str:
        """Names the rows and the instrument, whatever files they came from or are kept in."""
        return _tape_sha256(self.instrument, [(day, RowsDigest().add(rows).hex()) for day, rows in by_day(self)])

    def __len__(self) -> int:
        return len(self.time_ns)


class Part(NamedTuple):
    """One day of a stored tape."""

    path: Path
    day: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class StoredTape:
    """A tape at rest: what its files say of themselves. quality is as in Tape, or {"imports": [...]} of several.

    readers and repairs are those of all its days, in order of name.
    """

    instrument: Instrument
    parts: tuple[Part, ...]
    quality: dict
    sources: tuple[Source, ...]
    readers: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()

    def sha256(self) -> str:
        """As Tape.sha256, without reading the rows."""
        return _tape_sha256(self.instrument, [(part.day, part.sha256) for part in self.parts])

    def load(self) -> Tape:
        """All rows in memory; raises InputError when they are not the rows once written."""
        columns = {name: np.empty(len(self), dtype) for name, dtype in COLUMNS.items()}
        done = 0
        for batch in iter_batches(self):
            for name, column in batch.items():
                columns[name][done : done + len(column)] = column
            done += len(batch["code"])
        tape = Tape(self.instrument, **columns, quality=self.quality, sources=self.sources)
        if tape.sha256() != self.sha256():
            raise InputError("the rows differ from their checksum; import the recording again", self.parts[0].path)
        return tape

    def __len__(self) -> int:
        return sum(part.rows for part in self.parts)


def open_tape(path: str | os.PathLike, start_ns: int = 0, end_ns: int = 2**63 - 1) -> StoredTape:
    """A stored tape: one of its files, or a folder that holds the days of one market.

    Where a market had another tick or lot on other days, the days with those that held from start_ns to end_ns. Raises
    InputError for what is missing, unreadable, foreign, of several markets or of a newer format.
    """
    tapes = open_eras(path)
    if len(tapes) == 1:
        return tapes[0]
    if len({(tape.instrument.venue, tape.instrument.symbol) for tape in tapes}) > 1:
        names = ", ".join(sorted({f"{tape.instrument.venue} {tape.instrument.symbol}" for tape in tapes}))
        raise InputError(f"holds tapes of several instruments ({names}); name the folder of one", path)
    asked = [tape for tape in tapes if any(_in_span(part.day, start_ns, end_ns) for part in tape.parts)]
    if len(asked) == 1:
        return asked[0]
    told = "; ".join(f"{_days(tape)}: {_steps(tape.instrument)}" for tape in asked or tapes)
    fix = "name the folder of a day, or store the days of one by `perpsim tape slice --from --to` and name that store"
    raise InputError(f"holds days of one market with different facts ({told}); {fix}", path)


def open_eras(path: str | os.PathLike) -> list[StoredTape]:
    """What a file or folder holds: a tape for each instrument, in order of its first day."""
    path = Path(path)
    files = sorted(path.rglob("part-*.parquet")) if path.is_dir() else [path]
    if not files:
        raise InputError("holds no tape; import a recording into it first", path)
    eras: dict[Instrument, list[tuple[Path, dict]]] = {}
    for file in files:
        facts = describe(file)
        eras.setdefault(Instrument(**facts["instrument"]), []).append((file, facts))
    return sorted((_opened(*era) for era in eras.items()), key=lambda tape: tape.parts[0].day)


def _in_span(day: str, start_ns: int, end_ns: int) -> bool:
    day_ns = int(np.datetime64(day, "ns").astype(np.int64))
    return day_ns < end_ns and start_ns < day_ns + DAY_NS


def _days(tape: StoredTape) -> str:
    first, last = tape.parts[0].day, tape.parts[-1].day
    return first if first == last else f"{first} to {last}"


def _steps(instrument: Instrument) -> str:
    facts = instrument.facts()
    return f"{facts['kind']}, tick {facts['tick']}, lot {facts['lot']}, contract size {facts['contract_size']}"


def _opened(instrument: Instrument, files: list[tuple[Path, dict]]) -> StoredTape:
    described = [facts for _, facts in files]
    parts = [Part(file, facts["day"], facts["rows"], facts["rows_sha256"]) for file, facts in files]
    # Tapes that were written at once say the same of all their days; others name the day of which they say it.
    qualities = list({json.dumps(facts["quality"]): facts["quality"] for facts in described}.values())
    sources = dict.fromkeys(Source(**source) for facts in described for source in facts["sources"])
    return StoredTape(
        instrument,
        tuple(sorted(parts, key=lambda part: part.day)),
        qualities[0] if len(qualities) == 1 else {"imports": qualities},
        tuple(sources),
        *(tuple(sorted({name for facts in described for name in facts[key]})) for key in ("readers", "repairs")),
    )


def imports_of(quality: dict) -> Iterator[dict]:
    """The quality of each import that rows came by; tapes that were merged may have been merged of such."""
    if "imports" not in quality:
        yield quality
    for each in quality.get("imports", []):
        yield from imports_of(each)


def iter_batches(
    path: str | os.PathLike | StoredTape,
    start_ns: int | None = None,
    end_ns: int | None = None,
    rows: int | None = None,
) -> Iterator[Batch]:
    """The columns of a stored tape in order, batch by batch, times in start_ns <= time < end_ns.

    A batch is a row group (some 65,536 rows, ending with a message), or at most `rows` rows. One thread decodes ahead
    of the reader; reading touches only the row groups of the time asked for. Raises InputError as open_tape does.
    """
    stored = path if isinstance(path, StoredTape) else open_tape(path)
    pieces = chain.from_iterable(row_groups(part, start_ns, end_ns) for part in stored.parts)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="perpsim-tape") as pool:
        waiting = [pool.submit(next, pieces, None) for _ in range(AHEAD)]
        try:
            while (batch := waiting.pop(0).result()) is not None:
                waiting.append(pool.submit(next, pieces, None))
                if rows is None:
                    yield batch
                    continue
                for first in range(0, len(batch["code"]), rows):
                    yield {name: column[first : first + rows] for name, column in batch.items()}
        finally:
            for future in waiting:
                future.cancel()


def batches_of(tape: Tape | StoredTape, start_ns: int | None = None, end_ns: int | None = None) -> Iterator[Batch]:
    """As iter_batches, of a tape wherever it is."""
    if isinstance(tape, StoredTape):
        yield from iter_batches(tape, start_ns, end_ns)
        return
    span = time_span(tape.time_ns, start_ns, end_ns)
    if span.start < span.stop:
        yield {name: column[span] for name, column in tape.columns().items()}


def row_groups(part: Part, start_ns: int | None, end_ns: int | None, first: int = 0) -> Iterator[Batch]:
    """The row groups of a day, from the group `first` on, that overlap the time asked for, cut to it."""
    try:
        with pq.ParquetFile(part.path, page_checksum_verification=True) as file:
            for index in range(first, file.num_row_groups):
                times = file.metadata.row_group(index).column(0).statistics
                late = end_ns is not None and times.min >= end_ns
                if late or (start_ns is not None and times.max < start_ns):
                    continue
                batch = cut(file.read_row_group(index, list(COLUMNS), use_threads=False), start_ns, end_ns)
                if len(batch["code"]):
                    yield batch
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"is damaged ({error}); import the recording again", part.path) from error


def cut(table: pa.Table, start_ns: int | None = None, end_ns: int | None = None) -> Batch:
    """NumPy views of a table, of the rows in the time asked for; a message has one time, so it is never cut."""
    columns = {name: _to_numpy(table.column(name), dtype) for name, dtype in COLUMNS.items()}
    span = time_span(columns["time_ns"], start_ns, end_ns)
    return {name: column[span] for name, column in columns.items()}


def time_span(time_ns: np.ndarray, start_ns: int | None, end_ns: int | None) -> slice:
    """The rows of a time, of sorted times."""
    first = 0 if start_ns is None else int(np.searchsorted(time_ns, start_ns))
    last = len(time_ns) if end_ns is None else int(np.searchsorted(time_ns, end_ns))
    return slice(first, last)


def _to_numpy(column: pa.ChunkedArray, dtype: np.dtype) -> np.ndarray:
    """A view of a column. Arrow's own to_numpy would import pandas where that is installed, for a third of a second."""
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return np.frombuffer(array.buffers()[1], dtype, len(array), array.offset * dtype.itemsize)


def to_arrow(column: np.ndarray, kind: pa.DataType) -> pa.Array:
    """A view of a column; pa.array would import pandas where that is installed, for a third of a second."""
    return pa.Array.from_buffers(kind, len(column), [None, pa.py_buffer(np.ascontiguousarray(column))])


def by_day(tape: Tape) -> Iterator[tuple[str, Batch]]:
    """(UTC day, its rows) for each day that has rows."""
    columns = tape.columns()
    days, starts = np.unique(tape.time_ns // DAY_NS, return_index=True)
    for day, (first, last) in zip(days.tolist(), pairwise([*starts.tolist(), len(tape)]), strict=True):
        name = datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")
        yield name, {key: column[first:last] for key, column in columns.items()}


class RowsDigest:
    """Names rows, however they are cut into batches: a SHA-256 of each column, and one of those."""

    def __init__(self):
        self._columns = {name: hashlib.sha256() for name in COLUMNS}
        self._rows = 0

    def add(self, batch: Batch) -> RowsDigest:
        """The next rows."""
        for name, dtype in COLUMNS.items():
            self._columns[name].update(np.ascontiguousarray(batch[name], dtype))
        self._rows += len(batch["code"])
        return self

    def hex(self) -> str:
        """The name of the rows so far."""
        said = [(name, COLUMNS[name].str, digest.hexdigest()) for name, digest in self._columns.items()]
        return hashlib.sha256(json.dumps([self._rows, said]).encode()).hexdigest()


def _tape_sha256(instrument: Instrument, days: list[tuple[str, str]]) -> str:
    return hashlib.sha256(json.dumps([instrument.facts(), days]).encode()).hexdigest()


def describe(path: Path) -> dict:
    """The facts in a file's metadata, after checking that this release can read its rows."""
    try:
        with pq.ParquetFile(path) as file:
            schema, rows, said = file.schema_arrow, file.metadata.num_rows, file.metadata.metadata or {}
    except FileNotFoundError as error:
        raise InputError("does not exist; check the path, or import a recording first", path) from error
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:  # names of columns may be any bytes
        raise InputError(f"cannot be read as Parquet ({error}); import the recording again", path) from error
    text = said.get(METADATA_KEY)
    if text is None:
        raise InputError("is Parquet but no tape; import its source with a reader", path)
    facts = _facts(text, path)
    for field in SCHEMA:
        if field.name not in schema.names or schema.field(field.name).type != field.type:
            raise InputError(f"lacks the column {field.name} of type {field.type}; import the recording again", path)
    if rows != facts["rows"]:
        raise InputError(f"has {rows} rows where {facts['rows']} were written; import the recording again", path)
    return facts


def _facts(text: bytes, path: Path) -> dict:
    """What a file says of itself. Raises InputError where that is damaged."""
    try:
        facts = json.loads(text)
        form = int(facts["format"])
        if form != FORMAT:
            fix = "update perpsim" if form > FORMAT else "import the recording again"
            raise InputError(f"is a tape of format {form}, this release reads {FORMAT}; {fix}", path)
        hash(Instrument(**facts["instrument"]))
        for source in facts["sources"]:
            hash(Source(**source))
        hash((facts["day"], facts["rows"], facts["rows_sha256"], json.dumps(facts["quality"])))
        hash((*facts["readers"], *facts["repairs"]))
    except InputError:
        raise
    except (ValueError, TypeError, LookupError) as error:
        raise InputError(f"is damaged in what it says of itself ({error}); import the recording again", path) from error
    return facts
