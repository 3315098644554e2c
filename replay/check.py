"""The quality card of a recording: what is in it, what is wrong with it, whether a replay would be sound.

Files are read by their readers and the gate as an import reads them, but nothing is refused: each thing that is wrong
is recorded with its file and line and left out, and reading goes on. A recording with any finding is unsound: an import
refuses it, unless a rule is repaired by name. Of a stored tape the card says what its import has counted and repaired,
after its rows were held against their checksums.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from perpsim.replay import validate
from perpsim.replay.gate import Gate
from perpsim.replay.import_plan import Given, Unit, plan
from perpsim.replay.readers import READERS
from perpsim.replay.readers.findings import RULES, Findings
from perpsim.replay.tape import ROW_MASK, Batch, Row, iter_batches, open_tape

SILENCE_NS = 60_000_000_000  # a pause that is listed
SILENCES_MAX = 100  # listed of a market; the rest is only counted
ROWS_AT_ONCE = 50_000_000  # a larger store is not loaded whole to prove its shape
SHOWN = 5  # findings of a rule that the text shows; --json has them all
Progress = Callable[[str, int, int], None]


@dataclass
class Card:
    """One market of one format: counts, samples and findings of all its files."""

    venue: str
    symbol: str
    reader: str
    files: list[str] = field(default_factory=list)
    findings: Findings = field(default_factory=lambda: Findings(record=True))
    rows: Counter[str] = field(default_factory=Counter)
    first_ns: int | None = None
    last_ns: int | None = None
    silences: list[tuple[int, int]] = field(default_factory=list)  # (from, to) of pauses between rows
    silent: int = 0
    repairs: tuple[str, ...] = ()  # of a stored tape

    @property
    def sound(self) -> bool:
        """Whether an import would take it as it is."""
        return not self.findings.dropped

    def add(self, batch: Batch) -> None:
        """Take in rows in the order of the file, whole messages."""
        times, code = batch["time_ns"], batch["code"]
        if not len(code):
            return
        for kind, count in enumerate(np.bincount(code & ROW_MASK, minlength=16).tolist()):
            if count:
                self.rows[Row(kind).name.lower().replace("_", "-")] += count
        latest = np.maximum.accumulate(times if self.last_ns is None else np.append(self.last_ns, times))
        pauses = np.flatnonzero(np.diff(latest) > SILENCE_NS)
        self.silent += len(pauses)
        room = SILENCES_MAX - len(self.silences)
        self.silences += [(int(latest[at]), int(latest[at + 1])) for at in pauses[:room].tolist()]
        first = int(times.min())
        self.first_ns = first if self.first_ns is None else min(first, self.first_ns)
        self.last_ns = int(latest[-1])

    def facts(self) -> dict[str, Any]:
        """As plain data, findings by rule."""
        return {
            "venue": self.venue, "symbol": self.symbol, "reader": self.reader, "files": self.files,
            "sound": self.sound, "rows": dict(self.rows), "first_ns": self.first_ns, "last_ns": self.last_ns,
            "silences": self.silent, "silences_ns": self.silences, "repairs": list(self.repairs),
            "findings": [each._asdict() for each in self.findings.found],
        } | self.findings.quality()  # fmt: skip

    def text(self) -> str:
        """The card as a person reads it."""
        lines = [f"{self.venue} {self.symbol}  ({self.reader}, {len(self.files)} files)"]
        lines.append(f"  span      {_iso(self.first_ns)} to {_iso(self.last_ns)}")
        rows = ", ".join(f"{count:,} {name}" for name, count in sorted(self.rows.items()))
        lines.append(f"  rows      {rows or 'none'}")
        worst = max(self.silences, key=lambda pause: pause[1] - pause[0], default=None)
        if worst:
            longest = f"the longest {(worst[1] - worst[0]) / 1e9:,.0f} s from {_iso(worst[0])}"
            lines.append(f"  silences  {self.silent} of over a minute, {longest}")
        quality = self.findings.quality()
        for name, told in quality["samples"].items():
            shown = ", ".join(f"{key} {value:,}" for key, value in told.items())
            lines.append(f"  {name:9} {shown}")
        for name, count in quality["counts"].items():
            if not name.startswith("rows."):
                lines.append(f"  count     {name}: {count:,}")
        for rule, count in quality["dropped"].items():
            lines.append(f"  FINDING   {rule}: {count:,} ({RULES[rule]})")
            of_rule = [each for each in self.findings.found if each.rule == rule]
            lines += [f"    {each.place}:{each.line}: {each.sentence}" for each in of_rule[:SHOWN]]
        if self.repairs:
            lines.append(f"  repaired  {', '.join(self.repairs)}")
        refused = "NOT SOUND: an import refuses this, unless these rules are repaired by name"
        lines.append(f"  {'sound' if self.sound else refused}")
        return "\n".join(lines)


def check(
    paths: Sequence[str | PathLike], given: Given | None = None, progress: Progress | None = None
) -> list[Card]:
    """The cards of files, folders and archives, or of one store. Raises InputError for what no reader takes."""
    if len(paths) == 1 and Path(paths[0]).is_dir():
        markets = sorted({part.parents[1] for part in Path(paths[0]).rglob("part-*.parquet")})
        if markets:
            return [_of_store(folder) for folder in markets]
    units = plan(paths, given)
    cards: dict[tuple[str, str, str], Card] = {}
    for number, unit in enumerate(units, 1):
        name = unit.instrument.venue, unit.instrument.symbol, unit.reader
        _read(unit, cards.setdefault(name, Card(*name)))
        if progress:
            progress("checking", number, len(units))
    return list(cards.values())


def _read(unit: Unit, card: Card) -> None:
    card.files += [file.name for file in unit.files]
    gate = Gate(card.findings)
    for rows in READERS[unit.reader].rows(unit.files, unit.instrument, card.findings):
        card.add(gate.check(rows))


def _of_store(folder: Path) -> Card:
    """Raises InputError where rows are not what was once written."""
    stored = open_tape(folder)
    card = Card(stored.instrument.venue, stored.instrument.symbol, "tape", [part.path.name for part in stored.parts])
    for batch in iter_batches(stored):
        card.add(batch)
    if len(stored) <= ROWS_AT_ONCE:
        validate.check(stored.load())
    imports = stored.quality.get("imports", [stored.quality])
    for each in imports:
        card.findings.counts.update(each.get("counts", {}))
    card.repairs = tuple(sorted({rule for each in imports for rule in each.get("dropped", {})}))
    return card


def _iso(time_ns: int | None) -> str:
    if time_ns is None:
        return "never"
    second = datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{second}.{time_ns // 10**6 % 1000:03}"
