"""`perpsim tape`: looking at stored tapes, cutting them, putting tapes of one market together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain, groupby
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from perpsim.replay.bars import PARTS, Part
from perpsim.replay.catalogue import Instrument, step
from perpsim.replay.counts import RowCounts, of_files, of_part
from perpsim.replay.errors import InputError
from perpsim.replay.gate import ranks
from perpsim.replay.keyframes import standing
from perpsim.replay.sorting import Run, between, joined, merged
from perpsim.replay.tape import (
    DAY_NS,
    MORE,
    ROW_MASK,
    SELL,
    SNAPSHOT,
    Batch,
    Row,
    StoredTape,
    describe,
    imports_of,
    iter_batches,
    open_eras,
    open_tape,
)
from perpsim.replay.tape_writer import PartWriter, facts_of, part_path, refuse_no_folder, refuse_other

SIDES = {  # of a row without and with SELL
    **dict.fromkeys((Row.LEVEL, Row.QUOTE), ("bid", "ask")),
    **dict.fromkeys((Row.ORDER_ADD, Row.ORDER_REDUCE, Row.ORDER_DELETE, Row.ORDER_EXECUTE), ("bid", "ask")),
    **dict.fromkeys((Row.TRADE, Row.OFF_BOOK, Row.LIQUIDATION), ("buy", "sell")),
}
HEADINGS = ("time", "receipt", "row", "side", "price", "value", "id", "")
Span = tuple[int, int]  # start_ns <= time < end_ns
EVER = 0, 2**63 - 1
QUOTE_DECIMALS, RATE_DECIMALS = 8, 9


def tapes_below(path: str | PathLike) -> list[StoredTape]:
    """The tapes of a store, one a market, or one for each tick and lot that it had. Sorted by venue, symbol and day."""
    path = Path(path)
    folders = sorted({file.parent.parent for file in path.rglob("part-*.parquet")}) if path.is_dir() else []
    if path in folders or len(folders) < 2:
        return open_eras(path)
    return [tape for folder in folders for tape in open_eras(folder)]


def info(path: str | PathLike) -> list[dict[str, Any]]:
    """What there is to know of each tape below a path without reading its rows."""
    return [
        {
            **tape.instrument.facts(),
            "rows": len(tape),
            "days": {part.day: part.rows for part in tape.parts},
            "bytes": sum(part.path.stat().st_size for part in tape.parts),
            "readers": list(tape.readers),
            "repairs": list(tape.repairs),
            "sources": [source._asdict() for source in tape.sources],
            "quality": tape.quality,
            "sha256": tape.sha256(),
        }
        for tape in tapes_below(path)
    ]


def told(facts: dict[str, Any]) -> Iterator[str]:
    """Lines of text about one tape."""
    yield f"{facts['venue']} {facts['symbol']}, {facts['kind']}, tick {facts['tick']}, lot {facts['lot']}" + (
        f", contract of {facts['contract_size']}" if facts["contract_size"] != "1" else ""
    )
    yield f"    {facts['rows']:,} rows in {facts['bytes'] / 1e6:,.1f} MB, name {facts['sha256'][:16]}"
    for day, rows in facts["days"].items():
        yield f"    {day}  {rows:>14,} rows"
    for source in facts["sources"]:
        yield f"    from {source['name']} ({source['size_bytes']:,} bytes, sha256 {source['sha256'][:16]})"
    readers, repairs = (", ".join(facts[key]) for key in ("readers", "repairs"))
    yield f"    read by {readers or 'unknown readers'}; repaired: {repairs or 'nothing'}"
    imports = list(imports_of(facts["quality"]))
    for quality in imports:
        if len(imports) > 1 and "day" in quality:
            yield f"    of {quality['day']}"
        yield from _counts(quality)
    for whole in of_files(facts["quality"]):
        yield f"    of the whole of {', '.join(whole['names'])}"
        yield from _counts(whole)


def _counts(quality: dict[str, Any]) -> Iterator[str]:
    for name, count in quality.get("counts", {}).items():
        yield f"        {name:<32}{count:>14,}"
    for rule, count in quality.get("dropped", {}).items():
        yield f"        {'dropped: ' + rule:<32}{count:>14,}"
    for name, values in quality.get("samples", {}).items():
        yield f"        {name:<32}" + ", ".join(f"{key} {value:,}" for key, value in values.items())


def head(path: str | PathLike, rows: int, start_ns: int | None = None) -> Iterator[tuple[str, ...]]:
    """The first rows of one tape, from a time on, in human units, under HEADINGS."""
    tape = open_tape(path, start_ns or 0)
    yield HEADINGS
    for batch in iter_batches(tape, start_ns):
        for row in zip(*(column[:rows].tolist() for column in batch.values()), strict=True):
            yield _readable(tape.instrument, dict(zip(batch, row, strict=True)))
            rows -= 1
        if rows <= 0:
            return


def cut(
    path: str | PathLike, out: str | PathLike, start_ns: int, end_ns: int, *, book: bool = True, replace: bool = False
) -> list[Path]:
    """Store the rows of start_ns <= time < end_ns of one tape below `out`.

    With book, what stands at start_ns comes first: book or orders, and the last prices. Otherwise the book begins with
    its next snapshot.
    """
    if start_ns >= end_ns:
        raise InputError("the start is not before the end; give a --from that is before --to")
    tape = open_tape(path, start_ns, end_ns)
    rows = iter_batches(tape, start_ns, end_ns)
    first = next(rows, None)
    if first is None:
        raise InputError("the tape has no rows of that time", tape.parts[0].path)
    begin = [standing(tape, start_ns)] if book and int(first["time_ns"][0]) > 0 else []
    batches = chain((each for each in begin if len(each["code"])), [first], rows)
    return _write(batches, [tape], out, replace, (start_ns, end_ns))


def merge(paths: Sequence[str | PathLike], out: str | PathLike, *, replace: bool = False) -> list[Path]:
    """Put tapes of one market together, row by row in the order of a tape, in bounded memory.

    Raises InputError for tapes of different markets or market facts, and for rows of the same source in two of them.
    """
    tapes = [open_tape(path) for path in paths]
    if len(tapes) < 2:
        raise InputError("there is nothing to merge; give at least two tapes")
    for tape, path in zip(tapes[1:], paths[1:], strict=True):
        if tape.instrument != tapes[0].instrument:
            ours, theirs = _told(tapes[0].instrument), _told(tape.instrument)
            raise InputError(f"is of {theirs}, but {paths[0]} is of {ours}; merge tapes of one market", path)
    _refuse_same_days(tapes)
    runs = [_StoredRun(tape) for tape in tapes]
    return _write(merged(between(runs, *EVER)), tapes, out, replace)


class _StoredRun(Run):
    """A stored tape as a sorted run. Rows are read forward; going back costs a look through the file."""

    def __init__(self, tape: StoredTape):
        super().__init__(None, 0, len(tape))
        self._tape = tape
        self._begin()

    def _begin(self) -> None:
        self._batches = iter_batches(self._tape)
        self._first = 0
        self._next()

    def _next(self) -> None:
        """The next batch of the tape, with the rank of each row's message; batches end with a message."""
        self._batch = next(self._batches)
        self._batch["rank"] = ranks(self._batch["code"])

    def find(self, time_ns: int) -> int:
        return 0 if time_ns <= 0 else self.rows

    def read(self, first: int, last: int) -> Batch:
        if first < self._first:
            self._begin()
        pieces = []
        while first < last:
            count = len(self._batch["code"])
            if first >= self._first + count:
                self._first += count
                self._next()
                continue
            end = min(last, self._first + count)
            span = slice(first - self._first, end - self._first)
            pieces.append({name: column[span] for name, column in self._batch.items()})
            first = end
        return joined(pieces or [{name: column[:0] for name, column in self._batch.items()}])


def _write(
    batches: Iterator[Batch], tapes: list[StoredTape], out: str | PathLike, replace: bool, span: Span = EVER
) -> list[Path]:
    """Store rows in order, those of a span, a file a day; what a day says of its making comes from that of the tapes.
    """
    refuse_no_folder(out)
    instrument = tapes[0].instrument
    with ExitStack() as opened:
        writers: list[PartWriter] = []
        for day, pieces in groupby(_by_day(batches), key=lambda piece: piece[0]):
            path = part_path(out, instrument, day)
            writer = PartWriter(path)
            opened.callback(writer.abandon)
            writers.append(writer)
            counts = RowCounts()
            for _, batch in pieces:
                writer.add(batch)
                counts.add(batch)
            facts = _facts_of_day(instrument, day, tapes)
            if not _whole(day, span):
                names = [source["name"] for source in facts["sources"]]
                facts["quality"] = {"day": day} | of_part(facts["quality"], counts, *span, names)
            writer.finish(facts)
            if not replace:
                refuse_other(path, {"rows_sha256": writer.rows_sha256})
        for writer in writers:
            writer.show()
        return [writer.path for writer in writers]


def _whole(day: str, span: Span) -> bool:
    start_ns = int(np.datetime64(day, "ns").astype(np.int64))
    return span[0] <= start_ns and start_ns + DAY_NS <= span[1]


def _by_day(batches: Iterator[Batch]) -> Iterator[tuple[str, Batch]]:
    for batch in batches:
        days, starts = np.unique(batch["time_ns"] // DAY_NS, return_index=True)
        for day, first, last in zip(days.tolist(), starts, [*starts[1:], len(batch["code"])], strict=True):
            yield str(np.datetime64(day, "D")), {name: column[first:last] for name, column in batch.items()}


def _facts_of_day(instrument: Instrument, day: str, tapes: list[StoredTape]) -> dict[str, Any]:
    made = [describe(part.path) for tape in tapes for part in tape.parts if part.day == day]
    sources = {tuple(source.items()): source for facts in made for source in facts["sources"]}
    qualities = [facts["quality"] for facts in made]
    facts = facts_of(
        instrument, day, qualities[0] if len(qualities) == 1 else {"imports": qualities}, [],
        *(sorted({name for facts in made for name in facts[key]}) for key in ("readers", "repairs")),
    )  # fmt: skip
    return facts | {"sources": list(sources.values())}


def _refuse_same_days(tapes: list[StoredTape]) -> None:
    files: set[Path] = set()
    seen: dict[tuple[str, str], Path] = {}
    for tape in tapes:
        for part in tape.parts:
            file = part.path.resolve()  # one folder may be written in several ways
            if file in files:
                raise InputError("is given twice; give each tape once", part.path)
            files.add(file)
            for source in describe(part.path)["sources"]:
                other = seen.setdefault((part.day, source["sha256"]), part.path)
                if other != part.path:
                    raise InputError(f"has rows of {source['name']}, as {other} has; leave one of them out", part.path)


def _readable(instrument: Instrument, row: dict[str, int]) -> tuple[str, ...]:
    kind = Row(row["code"] & ROW_MASK)
    notes = [name for bit, name in ((SNAPSHOT, "snapshot"), (MORE, "more")) if row["code"] & bit]
    side = SIDES.get(kind, ("", ""))[row["code"] & SELL != 0]
    price, value = _in_units(instrument, kind, row["price"], row["value"])
    times = (str(np.datetime64(row[name], "ns")) for name in ("time_ns", "receive_ns"))
    return (*times, kind.name.lower(), side, price, value, str(row["id"] or ""), " ".join(notes))


def _in_units(instrument: Instrument, kind: Row, price: int, value: int) -> tuple[str, str]:
    """Price and value as people write them; "" where the row has none."""
    if kind in (Row.MARK, Row.INDEX):
        return "", _decimal(value, 1, QUOTE_DECIMALS)
    if kind == Row.BAR:
        of, part = divmod(price, PARTS)
        told = f"{Row(of).name} {Part(part).name}".lower().replace("_", " ")
        return told, _decimal(value, 1, QUOTE_DECIMALS)
    if kind == Row.FUNDING:
        return f"due {np.datetime64(price, 'ns')}", _decimal(value, 1, RATE_DECIMALS)
    if kind == Row.STATE:
        return "", str(value)
    lots = _decimal(value, *step(instrument.lot))
    return ("" if kind == Row.OPEN_INTEREST else _decimal(price, *step(instrument.tick))), lots


def _decimal(count: int, units: int, decimals: int) -> str:
    """count steps of units / 10**decimals, exactly, all decimals shown."""
    sign, whole = ("-" if count < 0 else ""), abs(count) * units
    return f"{sign}{whole}" if not decimals else f"{sign}{whole // 10**decimals}.{whole % 10**decimals:0{decimals}d}"


def _told(instrument: Instrument) -> str:
    facts = instrument.facts()
    return f"{facts.pop('venue')} {facts.pop('symbol')} ({', '.join(facts.values())})"
