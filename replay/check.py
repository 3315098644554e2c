"""`perpsim check`: one quality card a market, of raw files or of stored tapes. Nothing is repaired or written.

Raw files are read as an import reads them, but whatever an import would refuse is recorded, left out, and read on.
Their rows, or those of a tape, then pass the modules of `replay/quality` in order of time. Sorted rows wait in a folder
of temporary files, so memory does not grow with the recording.
"""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from perpsim.replay import validate
from perpsim.replay.catalogue import Instrument
from perpsim.replay.counts import of_files
from perpsim.replay.errors import InputError
from perpsim.replay.import_plan import Given, Unit, plan
from perpsim.replay.importing import CARD_ONLY, parse
from perpsim.replay.quality.book import BookWatch
from perpsim.replay.quality.frozen import Frozen
from perpsim.replay.quality.ids import Twice, holes
from perpsim.replay.quality.latency import Latency
from perpsim.replay.quality.spans import Spans
from perpsim.replay.quality.suspects import Suspects
from perpsim.replay.readers import READERS
from perpsim.replay.readers.contract import Rowless
from perpsim.replay.readers.findings import RULES, SUSPICIONS, Findings
from perpsim.replay.sorting import between, merged
from perpsim.replay.tape import Batch, RowsDigest, StoredTape, Tape, imports_of, row_groups
from perpsim.replay.tape_tools import tapes_below

SILENCE_NS = 60_000_000_000
# Beyond these shares a replay would be unsound: a bot would see prices that nobody could trade at.
CROSSED_MAX = 0.01  # of the time of the book
FROZEN_MAX = 0.01  # of the whole time
DIFFERING_MAX = 0.01  # of the levels that snapshots can be compared at
OFF_QUOTE_MAX = 0.5  # of the prints; books that are told every 100 ms miss many quotes between
JUDGED_MIN = 20  # shares of fewer levels or prints say nothing
Card = dict[str, Any]
Progress = Callable[[str, int, int], None]  # (what is being done, done, total)


def check(
    paths: Sequence[str | PathLike],
    given: Given | None = None,
    silence_ns: int = SILENCE_NS,
    progress: Progress | None = None,
) -> list[Card]:
    """The cards of all markets in raw files, or in stores; raises InputError for what cannot be read at all."""
    progress = progress or (lambda what, done, total: None)
    stored = [_is_stored(Path(path)) for path in paths]
    if any(stored) and not all(stored):
        raise InputError("stores and raw files cannot be checked together; give one or the other")
    cards = []
    if all(stored):
        tapes = [tape for path in paths for tape in tapes_below(path)]
        for number, tape in enumerate(tapes, 1):
            cards.append(_of_tape(tape, silence_ns))
            progress("checking", number, len(tapes))
        return cards
    markets: dict[Instrument, list[Unit]] = defaultdict(list)  # one of another tick has a card of its own
    units = plan(paths, given)
    for unit in units:
        markets[unit.instrument].append(unit)
    done = 0
    for _, each in sorted(markets.items(), key=lambda market: (market[0].venue, market[0].symbol)):
        cards.append(_of_files(each, silence_ns))
        done += len(each)
        progress("checking", done, len(units))
    return cards


def _is_stored(path: Path) -> bool:
    return path.suffix == ".parquet" or (path.is_dir() and next(path.rglob("part-*.parquet"), None) is not None)


def _of_files(units: list[Unit], silence_ns: int) -> Card:
    findings, runs = Findings(record=True), []
    with tempfile.TemporaryDirectory(prefix="perpsim-check-") as work:
        for number, unit in enumerate(units):
            folder = Path(work) / str(number)
            folder.mkdir()
            suspects = Suspects(unit.reader)
            done = parse(unit, folder, suspects.add)
            runs += done.runs
            findings.add(done.findings)
            findings.add(suspects.close())
        names = [file.name for unit in units for file in unit.files]
        readers = sorted({unit.reader for unit in units})
        batches = merged(between(runs, 0, 2**63 - 1))
        return _card(units[0].instrument, (names, readers, ()), batches, findings, silence_ns)


def _of_tape(tape: StoredTape, silence_ns: int) -> Card:
    findings = Findings()
    for quality in imports_of(tape.quality):
        findings.counts.update(quality.get("counts", {}))
    of_whole: Counter[str] = Counter()
    for whole in of_files(tape.quality):
        of_whole.update(whole["counts"])
    about = [part.path.name for part in tape.parts], list(tape.readers), tape.repairs
    card = _card(tape.instrument, about, _proved(tape), findings, silence_ns)
    return card | {"counts_of_files": dict(sorted(of_whole.items()))}


def _proved(tape: StoredTape) -> Iterator[Batch]:
    """The rows of a tape. Raises InputError where they are not what was once written, or not what a tape promises."""
    for part in tape.parts:
        digest = RowsDigest()
        for batch in row_groups(part, None, None):
            validate.check(Tape(tape.instrument, **batch, quality={}))
            digest.add(batch)
            yield batch
        if digest.hex() != part.sha256:
            raise InputError("the rows differ from their checksum; import the recording again", part.path)


def _card(
    instrument: Instrument,
    about: tuple[Sequence[str], Sequence[str], Sequence[str]],
    batches: Iterable[Batch],
    findings: Findings,
    silence_ns: int,
) -> Card:
    """about: names of files, readers, rules that were repaired."""
    spans, latency, twice, book, frozen = Spans(silence_ns), Latency(), Twice(), BookWatch(), Frozen(silence_ns)
    for batch in batches:
        if len(batch["code"]):
            for each in (spans, latency, twice, book, frozen):
                each.add(batch)
    files, readers, repairs = about
    unchanged = findings.quality()["samples"].get("depth_band_unchanged_ns")
    card = {
        "market": instrument.facts(),
        "files": list(files),
        "readers": list(readers),
        "spans": spans.facts(),
        "rules": {rule: findings.dropped[rule] for rule in RULES if findings.dropped[rule]},
        "suspicions": {name: findings.suspected[name] for name in SUSPICIONS if findings.suspected[name]},
        "findings": [each._asdict() for each in sorted(findings.found, key=lambda each: each[1:])],
        "latency": latency.facts(),
        "prints_twice": twice.count,
        **holes(findings),
        "book": book.close(),
        "frozen": frozen.close(),
        "bars": _bars(findings),
        "depth_band_unchanged_ns": unchanged["max"] if unchanged else None,
        "counts": dict(sorted(findings.counts.items())),
        "counts_of_files": {},  # of a tape that has some of their rows only
        "repairs": list(repairs),
    }
    unsound = list(_unsound(card))
    return card | {"sound": not unsound, "unsound": unsound}


def _bars(findings: Findings) -> dict[str, dict]:
    """Prices that are bars: how many, and how far their lows and highs lie beyond open and close, in millionths."""
    samples = findings.quality()["samples"]
    return {
        kind: {"n": findings.counts[f"{kind}_bars"], "reach_ppm": samples.get(f"{kind}_bar_reach_ppm")}
        for kind in ("mark", "index")
        if findings.counts[f"{kind}_bars"]
    }


def _unsound(card: Card) -> Iterator[str]:
    """Why a replay of these rows would be unsound, a sentence each."""
    if card["spans"]["first_ns"] is None:
        only = all(isinstance(READERS[name], Rowless) for name in card["readers"])
        said = CARD_ONLY if only and not card["rules"] else "there is not one row"
        yield f"{said}: there is nothing to replay; give trades or a book of the market"
    for rule, count in card["rules"].items():
        yield f"{rule} {count:,}: {RULES[rule]}; an import refuses the recording"
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
    span_ns = card["spans"]["last_ns"] - card["spans"]["first_ns"]
    if (frozen_ns := card["frozen"]["ns"]) > FROZEN_MAX * span_ns:
        yield f"feeds stand still for {_share(frozen_ns, span_ns)} of the time while others go on"
    left_out = "update-gap" in card["repairs"]  # then a snapshot shows what was missing, as was said
    if book["levels_compared"] >= JUDGED_MIN and not left_out:
        share = _share(book["levels_differing"], book["levels_compared"])
        if book["levels_differing"] > DIFFERING_MAX * book["levels_compared"]:
            yield f"{share} of the levels differ from the snapshots: updates are missing"
    if book["prints"] >= JUDGED_MIN and book["off_quote_prints"] > OFF_QUOTE_MAX * book["prints"]:
        share = _share(book["off_quote_prints"], book["prints"])
        yield f"{share} of the prints lie outside the quotes around them: they are not of one market, or of one clock"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %"
