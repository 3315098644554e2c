"""`perpsim check`: one quality card a market, of raw files or of stored tapes. Nothing is repaired or written.

Raw files are read as an import reads them, but whatever an import would refuse is recorded, left out, and read on.
Their rows, or those of a tape, then pass the modules of `replay/quality` in order of time.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from perpsim.replay.catalogue import Instrument
from perpsim.replay.errors import InputError
from perpsim.replay.import_plan import Given, Unit, plan
from perpsim.replay.importing import parse
from perpsim.replay.quality.book import BookWatch
from perpsim.replay.quality.ids import Twice, holes
from perpsim.replay.quality.latency import Latency
from perpsim.replay.quality.spans import Spans
from perpsim.replay.readers.findings import RULES, Findings
from perpsim.replay.sorting import between, merged
from perpsim.replay.tape import Batch, StoredTape, iter_batches
from perpsim.replay.tape_tools import tapes_below

SILENCE_NS = 60_000_000_000
# Beyond these shares a replay would be unsound: a bot would see prices that nobody could trade at.
CROSSED_MAX = 0.01  # of the time of the book
DIFFERING_MAX = 0.01  # of the levels that snapshots can be compared at
OFF_QUOTE_MAX = 0.05  # of the prints
Card = dict[str, Any]


def check(paths: Sequence[str | PathLike], given: Given | None = None, silence_ns: int = SILENCE_NS) -> list[Card]:
    """The cards of all markets in raw files, or in stores; raises InputError for what cannot be read at all."""
    stored = [_stored(Path(path)) for path in paths]
    if any(stored) and not all(stored):
        raise InputError("stores and raw files cannot be checked together; give one or the other")
    if all(stored):
        return [_of_tape(tape, silence_ns) for path in paths for tape in tapes_below(path)]
    markets: dict[tuple[str, str], list[Unit]] = defaultdict(list)
    for unit in plan(paths, given):
        markets[unit.instrument.venue, unit.instrument.symbol].append(unit)
    return [_of_files(units, silence_ns) for _, units in sorted(markets.items())]


def _stored(path: Path) -> bool:
    return path.suffix == ".parquet" or (path.is_dir() and next(path.rglob("part-*.parquet"), None) is not None)


def _of_files(units: list[Unit], silence_ns: int) -> Card:
    findings, runs = Findings(record=True), []
    with tempfile.TemporaryDirectory(prefix="perpsim-check-") as work:
        for number, unit in enumerate(units):
            folder = Path(work) / str(number)
            folder.mkdir()
            done = parse(unit, folder, record=True)
            runs += done.runs
            findings.add(done.findings)
        return _card(units[0].instrument, merged(between(runs, 0, 2**63 - 1)), findings, (), silence_ns)


def _of_tape(tape: StoredTape, silence_ns: int) -> Card:
    findings = Findings()
    for quality in tape.quality.get("imports", [tape.quality]):
        findings.counts.update(quality.get("counts", {}))
    return _card(tape.instrument, iter_batches(tape), findings, tape.repairs, silence_ns)


def _card(
    instrument: Instrument, batches: Iterable[Batch], findings: Findings, repairs: Sequence[str], silence_ns: int
) -> Card:
    spans, latency, twice, book = Spans(silence_ns), Latency(), Twice(), BookWatch()
    for batch in batches:
        if len(batch["code"]):
            for each in (spans, latency, twice, book):
                each.add(batch)
    unchanged = findings.quality()["samples"].get("depth_band_unchanged_ns")
    card = {
        "market": instrument.facts(),
        "spans": spans.facts(),
        "found": {rule: findings.dropped[rule] for rule in RULES if findings.dropped[rule]},
        "places": [each._asdict() for each in findings.found],
        "latency": latency.facts(),
        "prints_twice": twice.count,
        **holes(findings),
        "book": book.close(),
        "frozen_ns": unchanged["max"] if unchanged else None,
        "counts": dict(sorted(findings.counts.items())),
        "repairs": list(repairs),
    }
    return card | {"unsound": list(_unsound(card))}


def _unsound(card: Card) -> Iterator[str]:
    """Why a replay of these rows would be unsound, a sentence each."""
    for rule, count in card["found"].items():
        yield f"{count:,} times {RULES[rule]} ({rule}): an import refuses the recording"
    if card["prints_twice"]:
        yield f"{card['prints_twice']:,} prints stand there twice: their volume would be traded again"
    if (book := card["book"]) is None:
        return
    if book["unknown_orders"]:
        yield f"{book['unknown_orders']:,} events are of orders that do not rest: the queues are not those of the venue"
    if book["negative_sizes"]:
        yield f"{book['negative_sizes']:,} events take more lots off an order than it has"
    if book["crossed_ns"] > CROSSED_MAX * book["book_ns"]:
        yield f"the book stands crossed for {_share(book['crossed_ns'], book['book_ns'])} of its time"
    if book["levels_differing"] > DIFFERING_MAX * book["levels_compared"]:
        share = _share(book["levels_differing"], book["levels_compared"])
        yield f"{share} of the levels differ from the snapshots: updates are missing"
    if book["off_quote_prints"] > OFF_QUOTE_MAX * book["prints"]:
        yield f"{_share(book['off_quote_prints'], book['prints'])} of the prints lie outside the quotes around them"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %"
