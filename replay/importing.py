"""From raw files to a store: read, sort, cut into days, write; in parallel, in bounded memory, to be gone on with.

    read    each unit (a file, or a recording of several) by one worker: parsed, checked, sorted into runs below
            STORE/.importing/KEY, where KEY names whatever decides the rows; unit.json says that it is done
    write   each day of a market by one worker: merged from the runs, written beside its place, moved into it

After a kill the units and days that are done are found and kept. What comes out is the same to the byte, however many
workers there are and however often it was gone on with: a day's file names the sources that have rows in it, and no
other.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from multiprocessing import active_children, get_context
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from perpsim.replay.catalogue import Instrument
from perpsim.replay.counts import RowCounts, of_part
from perpsim.replay.errors import InputError
from perpsim.replay.gate import Gate
from perpsim.replay.import_plan import Given, Unit, plan
from perpsim.replay.readers import READERS
from perpsim.replay.readers.contract import Rowless, Rows
from perpsim.replay.readers.findings import Findings
from perpsim.replay.sorting import Run, Sorter, between, joined, merged
from perpsim.replay.tape import DAY_NS, Tape, describe
from perpsim.replay.tape_writer import PartWriter, facts_of, part_path, refuse_no_folder, refuse_other

WORK = ".importing"
BOOT = Path("/proc/sys/kernel/random/boot_id")  # what was not forced to the disk is trusted until the machine stops
CARD_ONLY = "files of this kind serve the quality card only"

Progress = Callable[[str, int, int], None]  # (what is being done, done, total)


@dataclass(frozen=True)
class Read:
    """A unit that is read: its sorted runs, its rows by day (since 1970) and kind, what was found in it."""

    unit: Unit
    runs: list[Run]
    days: dict[int, RowCounts]
    findings: Findings


@dataclass(frozen=True)
class Day:
    """A day of a market, ready to be written: the units with rows in it, in order."""

    instrument: Instrument
    number: int
    units: list[Read]

    @property
    def name(self) -> str:
        return datetime.fromtimestamp(self.number * 86_400, UTC).strftime("%Y-%m-%d")

    def facts(self) -> dict[str, Any]:
        """What its file will say of itself, besides its rows."""
        return facts_of(
            self.instrument,
            self.name,
            self._quality(),
            [source for each in self.units for source in each.unit.sources],
            sorted({each.unit.reader for each in self.units}),
            sorted({repair for each in self.units for repair in each.unit.repairs}),
        )

    def _quality(self) -> dict[str, Any]:
        """What was counted on this day; of units that have rows of other days, too, apart what is of all of them."""
        findings, files = Findings(), []
        start_ns = self.number * DAY_NS
        for each in self.units:
            if len(each.days) == 1:
                findings.add(each.findings)
                continue
            names = [source.name for source in each.unit.sources]
            rows = each.days[self.number]
            told = of_part(each.findings.quality(), rows, start_ns, start_ns + DAY_NS, names)
            findings.counts.update(told["counts"])
            files += told.get("files", [])
        return {"day": self.name} | findings.quality() | ({"files": files} if files else {})


def import_files(
    paths: Sequence[str | PathLike] | str | PathLike,
    store: str | PathLike,
    given: Given | None = None,
    *,
    repairs: Sequence[str] = (),
    workers: int | None = None,
    replace: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Import files, folders and archives into a store; returns the files of its days, sorted.

    given    what the files do not say of themselves; also which days to import
    repairs  rules (see findings.RULES) whose breaches are dropped, and recorded on the tape, rather than refused
    workers  processes; without it, one a processor
    replace  days that hold another recording are replaced; otherwise they are refused before anything is written

    Raises InputError for what cannot be imported, with file and line.
    """
    given = given or Given()
    progress = progress or (lambda what, done, total: None)
    Findings(repairs)  # refuses unknown rules
    refuse_no_folder(store)
    units = plan(paths, given, repairs)
    with _work(Path(store)) as work, _workers(workers, units) as each_of:
        total = sum(unit.bytes for unit in units)
        done, read = 0, []
        for facts in each_of(_read_unit, [(unit, str(work / unit.key)) for unit in units]):
            unit = units[len(read)]
            read.append(_restored(unit, work / unit.key, facts))
            done += unit.bytes
            progress("reading the recording", done, total)
        days = [day for day in _days(read) if _inside(day, given)]
        if not days:
            raise _no_day(read)
        written = [part_path(store, day.instrument, day.name) for day in days]
        _refuse_two_eras(days, written)
        wanted = [day.facts() for day in days]
        if not replace:
            for path, facts in zip(written, wanted, strict=True):
                refuse_other(path, _naming(facts))
        todo = [
            (day, path) for day, path, facts in zip(days, written, wanted, strict=True) if not _stored(path, facts)
        ]
        for number, _ in enumerate(each_of(_write_day, todo), 1):
            progress("writing", number, len(todo))
    return sorted(written)


def read(
    paths: Sequence[str | PathLike] | str | PathLike,
    given: Given | None = None,
    *,
    repairs: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Tape:
    """The tape of one market's files, in memory. Raises InputError as import_files does, and for several markets."""
    units = plan(paths, given, repairs)
    instruments = sorted({unit.instrument.symbol for unit in units})
    if len(instruments) > 1:
        raise InputError(f"the files are of several markets ({', '.join(instruments)}); give those of one")
    if len({unit.instrument for unit in units}) > 1:
        raise InputError(f"the files are of days on which {instruments[0]} had other ticks or lots; give those of one")
    runs, findings = [], Findings(repairs)
    total = sum(unit.bytes for unit in units)
    for number, unit in enumerate(units, 1):
        done = parse(unit, None)
        runs += done.runs
        findings.add(done.findings)
        if progress:
            progress(sum(each.bytes for each in units[:number]), total)
    if not runs:
        raise _nothing(units[0])
    return Tape(
        units[0].instrument,
        **joined(list(merged(between(runs, 0, 2**63 - 1)))),
        quality=findings.quality(),
        sources=tuple(source for unit in units for source in unit.sources),
    )


# Reading


def parse(unit: Unit, folder: Path | None, watch: Callable[[Rows], None] | None = None) -> Read:
    """Read a unit into sorted runs, in memory or in a folder.

    With watch, which is shown all rows as the reader yields them, findings are recorded and nothing is refused."""
    findings = Findings(unit.repairs, watch is not None)
    gate, sorter = Gate(findings), Sorter(folder)
    days: dict[int, RowCounts] = defaultdict(RowCounts)
    for rows in READERS[unit.reader].rows(unit.files, unit.instrument, findings):
        if watch:
            watch(rows)
        batch = gate.check(rows)
        if len(batch["code"]):
            sorter.add(batch)
            number = batch["time_ns"] // DAY_NS
            for day in np.unique(number).tolist():
                own = number == day
                days[day].add({name: batch[name][own] for name in ("code", "price")})
    return Read(unit, sorter.close(), dict(sorted(days.items())), findings)


def _read_unit(unit: Unit, folder_name: str) -> dict[str, Any]:
    """Worker: what unit.json says, after the unit was read, now or before."""
    folder = Path(folder_name)
    said = folder / "unit.json"
    if said.exists():
        facts = json.loads(said.read_text())
        if facts["boot"] == _boot() and all(run.whole() for run in _restored(unit, folder, facts).runs):
            return facts
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    done = parse(unit, folder)
    if not done.runs and not isinstance(READERS[unit.reader], Rowless):
        raise _nothing(unit)
    facts = {
        "boot": _boot(),
        "rows": [run.rows for run in done.runs],
        "days": {day: rows.rows for day, rows in done.days.items()},
        "findings": done.findings.facts(),
    }
    unfinished = folder / "unit.json.unfinished"
    unfinished.write_text(json.dumps(facts))
    os.replace(unfinished, said)
    return facts


def _restored(unit: Unit, folder: Path, facts: dict[str, Any]) -> Read:
    runs = [Run(folder, number, rows) for number, rows in enumerate(facts["rows"])]
    days = {int(day): RowCounts(rows) for day, rows in facts["days"].items()}
    return Read(unit, runs, days, Findings.restored(facts["findings"]))


def _nothing(unit: Unit) -> InputError:
    return InputError("has no rows to put on a tape; check that it is the file that you mean", unit.files[0].place)


def _no_day(read: list[Read]) -> InputError:
    """Nothing is left to write: no rows at all, which readers for the card may have, or none of the days asked for."""
    if any(each.days for each in read):
        return InputError("none of the files has rows of the days asked for; widen --from and --to")
    place = read[0].unit.files[0].place
    return InputError(f"there is nothing to put on a tape: {CARD_ONLY}; give trades or a book with them", place)


def _boot() -> str:
    return BOOT.read_text().strip() if BOOT.exists() else ""


# Writing


def _days(read: list[Read]) -> Iterator[Day]:
    markets: dict[Instrument, list[Read]] = {}
    for each in read:
        markets.setdefault(each.unit.instrument, []).append(each)
    for instrument, units in markets.items():
        for number in sorted({number for each in units for number in each.days}):
            yield Day(instrument, number, [each for each in units if number in each.days])


def _refuse_two_eras(days: list[Day], paths: list[Path]) -> None:
    """Raise InputError for a day that has rows of files with different facts of the market."""
    seen: dict[Path, Day] = {}
    for day, path in zip(days, paths, strict=True):
        if (other := seen.setdefault(path, day)) is not day:
            files = " and ".join(each.units[0].unit.files[0].name for each in (other, day))
            raise InputError(
                f"the rows of {day.name} come from files with different ticks or lots ({files}); import one of them "
                "alone, or give --tick and --lot",
                path,
            )


def _inside(day: Day, given: Given) -> bool:
    at = date.fromisoformat(day.name)
    return not (given.first is not None and at < given.first) and not (given.last is not None and at > given.last)


def _naming(facts: dict[str, Any]) -> dict[str, Any]:
    """Of a day's facts, those that decide its rows; readers, so that they may be improved, and quality do not."""
    return {name: facts[name] for name in ("instrument", "sources", "repairs")}


def _stored(path: Path, facts: dict[str, Any]) -> bool:
    """Whether a day is stored already, to the byte."""
    if not path.exists():
        return False
    try:
        stored = describe(path)
    except InputError:
        return False
    return all(stored[name] == json.loads(json.dumps(value)) for name, value in facts.items())


def _write_day(day: Day, path: Path) -> None:
    """Worker: merge a day and put it into its place."""
    start_ns = day.number * DAY_NS
    runs = [run for each in day.units for run in each.runs]
    writer = PartWriter(path)
    try:
        for batch in merged(between(runs, start_ns, start_ns + DAY_NS)):
            writer.add(batch)
        writer.finish(day.facts())
        writer.show()
    finally:
        writer.abandon()


# Around both


@contextmanager
def _work(store: Path) -> Iterator[Path]:
    """The folder of what is half done; it goes when all is done, and stays for the next time when it is not."""
    made = not store.exists()
    work = store / WORK
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError("another import writes into it; wait until it is done", store) from error
        try:
            yield work
        except InputError as error:
            if isinstance(error.__cause__, BrokenProcessPool):
                raise
            shutil.rmtree(work)
            if made:
                with suppress(OSError):
                    store.rmdir()
            raise
        shutil.rmtree(work)


@contextmanager
def _workers(workers: int | None, units: list[Unit]) -> Iterator[Callable[..., Iterator[Any]]]:
    """Something like starmap, in that many processes; in this one where that is enough."""
    count = workers or os.cpu_count() or 1
    if count < 1:
        raise InputError(f"{workers} workers cannot import; give at least one")
    if count == 1:
        yield lambda function, calls: (function(*call) for call in calls)
        return
    pool = ProcessPoolExecutor(count, get_context("forkserver"), signal.signal, (signal.SIGINT, signal.SIG_DFL))
    try:

        def each_of(function: Callable[..., Any], calls: list[tuple]) -> Iterator[Any]:
            if len(calls) == 1:
                yield function(*calls[0])
                return
            waiting: list[Future] = [pool.submit(function, *call) for call in calls]
            for future in waiting:
                yield future.result()

        yield each_of
    except BrokenProcessPool as error:
        raise InputError("a worker was killed, perhaps for want of memory; give fewer --workers, and go on") from error
    except (KeyboardInterrupt, SystemExit):
        for worker in active_children():  # what they have not finished is done again the next time
            worker.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
