"""What an import will read: which reader takes which file, whose rows they are, and what one worker reads at a time."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from os import PathLike
from pathlib import Path

from perpsim.replay import catalogue
from perpsim.replay.catalogue import Instrument
from perpsim.replay.errors import InputError
from perpsim.replay.readers import READERS
from perpsim.replay.readers.contract import ManyMarkets, Market, Reader, SourceFile, sources
from perpsim.replay.tape import FORMAT, Source

UNIT_FORMAT = 2  # of what is kept of a file that is read


@dataclass(frozen=True)
class Given:
    """What the user says of a recording, where its files do not: all fields may be None.

    first, last  days (inclusive, UTC); files that name a day outside are not read
    """

    reader: str | None = None
    venue: str | None = None
    symbol: str | None = None
    tick: str | None = None
    lot: str | None = None
    kind: str | None = None
    contract_size: str | None = None
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Unit:
    """What one worker reads in one go: a file, or all files of a recording whose reader joins them."""

    reader: str
    files: tuple[SourceFile, ...]
    sources: tuple[Source, ...]
    instrument: Instrument
    repairs: tuple[str, ...]

    @property
    def key(self) -> str:
        """Names everything that decides the rows."""
        rows = [FORMAT, UNIT_FORMAT, self.reader, self.instrument.facts(), self.repairs]
        facts = [*rows, [each.sha256 for each in self.sources]]
        members = [each.member for each in self.files]
        return hashlib.sha256(json.dumps([facts, members]).encode()).hexdigest()[:32]

    @property
    def bytes(self) -> int:
        """On the disk."""
        return sum(each.size_bytes for each in self.sources)


def plan(
    paths: Sequence[str | PathLike] | str | PathLike, given: Given | None = None, repairs: Iterable[str] = ()
) -> list[Unit]:
    """The units of an import, in an order that does not depend on that of the paths (but of joined recordings).

    Raises InputError for files that no reader takes, for markets whose facts nobody knows, for files given twice.
    """
    given = given or Given()
    if given.reader is not None and given.reader not in READERS:
        raise InputError(f"no reader {given.reader!r}; known: {', '.join(READERS)}")
    if given.first is not None and given.last is not None and given.first > given.last:
        raise InputError(f"the first day, {given.first}, is after the last, {given.last}; give a --from before --to")
    found = sources(paths)
    by_market: dict[tuple[str, str, str], list[tuple[SourceFile, Market]]] = defaultdict(list)
    for file in found:
        reader = _reader(file, given.reader)
        for market in _markets(reader, file, given):
            if _wanted(market.day, given):
                by_market[market.venue, market.symbol, reader.name].append((file, market))
    if not by_market:
        raise InputError("none of the files is of the days asked for; widen --from and --to")
    known = _Disk()
    instruments: dict[tuple[str, str], Instrument] = {}
    days: dict[tuple[str, str], str] = {}
    for (venue, symbol, name), files in by_market.items():
        named = [market.day for _, market in files if market.day]
        before = days.get((venue, symbol), "")
        days[venue, symbol] = min([*named, before or named[0]]) if named else before
        facts = _file_facts(READERS[name], files)
        if facts is not None:
            first = instruments.setdefault((venue, symbol), replace(facts, venue=venue, symbol=symbol))
            if first != replace(facts, venue=venue, symbol=symbol):
                raise InputError(f"says another tick or lot of {symbol} than the other files", files[0][0].place)
    units = []
    for (venue, symbol, name), files in sorted(by_market.items()):
        market_days = {file: market.day for file, market in files}
        if READERS[name].joined:
            groups = [[file for file, _ in files]]
        else:
            groups = [[file] for file, _ in sorted(files, key=lambda each: (each[1].day or "", each[0].name))]
        for group in groups:
            day = min((market_days[file] for file in group if market_days[file]), default=days[venue, symbol])
            instrument = _instrument((venue, symbol), day, instruments.get((venue, symbol)), given)
            told = tuple(known.source(file) for file in group)
            units.append(Unit(name, tuple(group), told, instrument, tuple(sorted(set(repairs)))))
    _refuse_twice(units)
    return units


class _Disk:
    """Files as they lie on the disk; an archive with many members is hashed once."""

    def __init__(self):
        self._known: dict[Path, tuple[str, int]] = {}

    def source(self, file: SourceFile) -> Source:
        if file.path not in self._known:
            with file.path.open("rb") as raw:
                digest = hashlib.file_digest(raw, "sha256").hexdigest()
                self._known[file.path] = digest, raw.tell()
        name = file.path.name if file.member is None else f"{file.path.name}/{file.member}"
        return Source(name, *self._known[file.path])


def _reader(file: SourceFile, name: str | None) -> Reader:
    file.head()  # refuses what is empty or damaged before it is said to be of no format
    if name is not None:
        return READERS[name]
    found = [reader for reader in READERS.values() if reader.recognises(file)]
    if len(found) != 1:
        what = "may be of several formats" if found else "is of no format that is known"
        names = ", ".join(each.name for each in found or READERS.values())
        raise InputError(f"{what}; take it out, or name its reader ({names})", file.place)
    return found[0]


def _wanted(day: str | None, given: Given) -> bool:
    """Whether a file may have rows of the days asked for: some venues cut their days at another hour than UTC."""
    if day is None:
        return True
    try:
        at = date.fromisoformat(day)
    except ValueError:  # a month
        return True
    early = given.first is not None and at < given.first - timedelta(days=1)
    late = given.last is not None and at > given.last + timedelta(days=1)
    return not early and not late


def _markets(reader: Reader, file: SourceFile, given: Given) -> list[Market]:
    """Whose rows a file holds: those asked for, where it holds many; else one, as given where it does not say."""
    if isinstance(reader, ManyMarkets):
        found = reader.markets(file)
        asked = [
            market
            for market in found
            if given.symbol in (None, market.symbol) and given.venue in (None, market.venue)
        ]
        if not asked:
            names = ", ".join(sorted({market.symbol for market in found})[:20])
            raise InputError(f"holds no rows of {given.symbol or given.venue}; it has {names}", file.place)
        return asked
    market = reader.market(file)
    market = market._replace(venue=given.venue or market.venue, symbol=given.symbol or market.symbol)
    if not market.venue or not market.symbol:
        raise InputError("does not say of which market it is; give --venue and --market", file.place)
    return [market]


def _file_facts(reader: Reader, files: list[tuple[SourceFile, Market]]) -> Instrument | None:
    for file, market in files:
        facts = reader.instrument(file, market) if isinstance(reader, ManyMarkets) else reader.instrument(file)
        if facts is not None:
            return facts
    return None


def _instrument(market: tuple[str, str], day: str, from_file: Instrument | None, given: Given) -> Instrument:
    """The facts of a market: those given, else those of its files, else those of the catalogue on a day, of a file."""
    changes = {name: getattr(given, name) for name in ("kind", "tick", "lot", "contract_size")}
    changes = {name: value for name, value in changes.items() if value is not None}
    if from_file is None and not {"tick", "lot"} <= set(changes):
        known = catalogue.instrument(*market, day or None)
    else:
        known = from_file or Instrument(*market, "linear", "1", "1")
    return Instrument(**(asdict(known) | changes))


def _refuse_twice(units: list[Unit]) -> None:
    seen: dict[tuple[str, str | None], SourceFile] = {}
    for unit in units:
        for file, source in zip(unit.files, unit.sources, strict=True):
            other = seen.setdefault((source.sha256, file.member), file)
            if other is not file:
                raise InputError(f"is the same file as {other.place}; give it once", file.place)
