"""From one tape of a scenario to a market: the recording, the rules that its settings change, what is stated of it.

A setting of the tape is a key of scenario.TapeSource and a function here, which refuses what cannot be.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
from perpsim.core import Attribution, MarkMethod, QueueModel, TapeWalk
from perpsim.exchange import MarketSpec, Rulebook
from perpsim.exchange.recorded_book import RESILIENCE_STEPS, beyond, impact, resilience
from perpsim.replay import attribution, bars, importing, synthetic
from perpsim.replay.catalogue import Instrument
from perpsim.replay.contents import Contents, contents
from perpsim.replay.import_plan import Given
from perpsim.replay.keyframes import standing
from perpsim.replay.place import Place
from perpsim.replay.readers import READERS
from perpsim.replay.scenario import TapeSource
from perpsim.replay.tape import MORE, ROW_MASK, Batch, Row, StoredTape, Tape, batches_of, open_tape

RECORDINGS = {"btcusdt-2023-04-04": ("btcusdt_20230404.dat.gz", "btcusdt_20230405.dat.gz")}

Progress = Callable[[str, int, int], None]  # (what is being done, done, total)


@dataclass(frozen=True, eq=False)
class MarketPlan:
    """One market: its rules as the engine gets them, and its recording."""

    spec: MarketSpec
    tape: Tape | StoredTape
    settings: TapeSource
    first_ns: int
    last_ns: int
    flows: attribution.Flows | None = None  # of the run that it is compared with
    since_ns: int | None = None  # what stands then, and the rows from then on; None: all rows
    shape: synthetic.Shape | None = None  # of the book that is put around the prints; None: the book is recorded
    index_period_ns: int = 0  # of an index made of the recording's prints; 0: the index is recorded
    bars: tuple[tuple[Row, int], ...] = ()  # (Row.MARK or Row.INDEX, their number) where these prices are bars only

    def chunks(self) -> Iterator[Batch]:
        """The recording's columns in order: bars as prices, without taped funding where that is computed."""
        series = [kind for kind, _ in self.bars]
        begin = [] if self.since_ns is None else [standing(self.tape, self.since_ns)]
        for batch in chain(begin, batches_of(self.tape, self.since_ns)):
            batch = bars.driven(batch, self.path, series)
            yield without_funding(batch) if self.settings.funding == "computed" else batch

    @property
    def path(self) -> str:
        """How bars are walked through."""
        return self.settings.bars or "close"


def without_funding(batch: Batch) -> Batch:
    """A chunk without its FUNDING rows."""
    return without(batch, (batch["code"] & ROW_MASK) == Row.FUNDING)


def without(batch: Batch, gone: np.ndarray) -> Batch:
    """A chunk without some rows; a message that ended with one of them ends with the last that is left of it."""
    if not gone.any():
        return batch
    ends = (batch["code"] & MORE) == 0
    message = (np.cumsum(ends) - ends)[~gone]
    left = {name: column[~gone] for name, column in batch.items()}
    left["code"][np.append(message[1:] != message[:-1], ends[-1])[: len(message)]] &= 0xFF ^ MORE
    return left


def market_plan(place: Place, source: TapeSource, book: Rulebook, progress: Progress | None = None) -> MarketPlan:
    """The market of a tape at its place. Raises InputError for settings that its recording or rules do not suit."""
    tape = _tape(place, source, progress)
    try:
        spec = book.market(source.market or tape.instrument.symbol)
    except KeyError as error:
        raise place.under("market").wrong(error.args[0]) from error
    _check_instrument(place, tape.instrument, spec)
    changes: dict[str, Any] = {
        "queue_model": QueueModel[source.queue_model.replace("-", "_").upper()],
        "tape_walk": TapeWalk[source.walk.upper()],
        "queue_power": source.queue_power,
    }
    changes |= _resilience(place, source) | _impact(place, source, tape.instrument)
    changes |= _beyond(place, source, spec)
    if source.mark == "taped":
        changes |= {"mark_method": MarkMethod.GIVEN, "mark_period_ns": 0}
    if source.funding == "taped":
        changes |= {"premium_period_ns": 0}  # the venue's own estimate is on the tape
    if isinstance(tape, Tape):
        first_ns, last_ns = int(tape.time_ns[0]), int(tape.time_ns[-1])
    else:
        first_ns, last_ns = _stored_span(tape)
    changes["attribution"], flows = _attribution(place.under("attribution"), source, spec.symbol, tape)
    spec = dataclasses.replace(spec.with_given_index(), **changes)
    found = contents(tape)
    return MarketPlan(
        spec, tape, source, first_ns, last_ns, flows,
        shape=_shape(place, source, found.has_book, spec),
        index_period_ns=_index_period_ns(place, source, found),
        bars=_bars(place, source, found),
    )  # fmt: skip


def _index_period_ns(place: Place, source: TapeSource, found: Contents) -> int:
    """How often prints become an index. Raises InputError where there is an index, or nothing to make one of."""
    place = place.under("index_from_prints")
    period_ns = place.ns(source.index_from_prints)
    if period_ns and (found.rows[Row.INDEX] or found.bars[Row.INDEX]):
        raise place.wrong("the recording has an index; take the key out")
    if period_ns and not found.rows[Row.TRADE]:
        raise place.wrong("the recording has no trades; import an index beside it")
    return period_ns


def _bars(place: Place, source: TapeSource, found: Contents) -> tuple[tuple[Row, int], ...]:
    """The prices that come from bars: those that the recording has in no other form, and that are asked for."""
    if source.bars and not found.bars:
        raise place.under("bars").wrong("the recording has no bars of mark or index; take the key out")
    asked = [Row.INDEX] + [Row.MARK] * (source.mark == "taped")
    return tuple((kind, found.bars[kind]) for kind in asked if found.bars[kind] and not found.rows[kind])


def _shape(place: Place, source: TapeSource, recorded: bool, spec: MarketSpec) -> synthetic.Shape | None:
    """The stated book of a recording without one. Raises InputError where it is missing, or not wanted."""
    stated = source.synthetic
    if stated is None:
        if recorded:
            return None
        message = (
            f"the recording of {spec.symbol} has no book; state the one to trade in with the key "
            f"{place.key}.synthetic, such as synthetic = {{ depth = 100, slope = 0.1, levels = 50, spread = 1 }}"
        )
        raise place.wrong(message)
    if recorded:
        raise place.under("synthetic").wrong(f"the recording of {spec.symbol} has a book; take the key out")
    depth = Fraction(place.under("synthetic.depth").decimal(stated.depth)) / spec.lot
    slope = Fraction(place.under("synthetic.slope").decimal(stated.slope))
    if depth < 1:
        raise place.under("synthetic.depth").wrong(f"is less than one lot, {float(spec.lot):g}")
    if depth * (1 + slope * stated.levels) > synthetic.LOTS_MAX:
        raise place.under("synthetic").wrong("the outermost level would hold more lots than can be counted")
    return synthetic.Shape(depth, slope, stated.levels, stated.spread)


def _attribution(
    place: Place, source: TapeSource, symbol: str, tape: Tape | StoredTape
) -> tuple[int, attribution.Flows | None]:
    """What forced orders trade with, and the flows that they are compared with."""
    try:
        mode = attribution.mode_of(source.attribution)
    except KeyError as error:
        raise place.wrong(f'{source.attribution!r} is impossible; "record", or "against:" and a folder') from error
    if mode != Attribution.AGAINST:
        return mode, None
    flows = attribution.read(place.file, place.key, source.attribution, symbol)
    flows.refuse_other_recording(place.file, tape.sha256())
    return mode, flows


def _resilience(place: Place, source: TapeSource) -> dict[str, int]:
    """The rules of a half-life, in time or in updates."""
    half_life_ns = place.under("resilience_half_life").ns(source.resilience_half_life)
    if half_life_ns and source.resilience_updates:
        raise place.wrong("has resilience_half_life and resilience_updates; state one of them")
    if half_life_ns and half_life_ns < RESILIENCE_STEPS:
        raise place.under("resilience_half_life").wrong(f"is below {RESILIENCE_STEPS} ns; state seconds")
    return resilience(half_life_ns, source.resilience_updates)


def _beyond(place: Place, source: TapeSource, spec: MarketSpec) -> dict[str, int]:
    """The rules of what stands behind the recorded depth, if the scenario states it."""
    if source.beyond is None:
        return {}
    depth, slope = (
        Fraction(place.under(f"beyond.{name}").decimal(getattr(source.beyond, name))) for name in ("depth", "slope")
    )
    try:
        return beyond(depth / spec.lot, slope, source.beyond.ticks)
    except ValueError as error:
        raise place.under("beyond").wrong(str(error)) from error


def _impact(place: Place, source: TapeSource, instrument: Instrument) -> dict[str, Any]:
    """The rules of a lasting impact, if the scenario states one."""
    if source.impact is None:
        return {}
    stated, names = source.impact, ("coefficient", "volatility", "beta", "permanent", "memory")
    numbers = {name: place.under(f"impact.{name}").decimal(getattr(stated, name)) for name in names}
    volume = place.under("impact.volume").decimal(stated.volume)
    index_share = place.under("impact.index_share").decimal(stated.index_share)
    if numbers["volatility"] <= 0:
        raise place.under("impact.volatility").wrong("must be above zero")
    if volume <= 0 or max(numbers["permanent"], index_share) > 1:
        raise place.under("impact").wrong("volume must be above zero, permanent and index_share at most one")
    try:
        return impact(
            **numbers,
            volume_lots=volume / Decimal(instrument.lot),
            step_ns=place.under("impact.step").positive_ns(stated.step),
            index_share=int(index_share * 10**9),
        )
    except ValueError as error:
        raise place.under("impact").wrong(str(error)) from error


def _tape(place: Place, source: TapeSource, progress: Progress | None) -> Tape | StoredTape:
    """The recording: opened where it is imported, else read into memory."""
    if source.store:
        return open_tape(place.file.resolve(source.store))
    if source.recording and source.recording not in RECORDINGS:
        known = ", ".join(RECORDINGS)
        raise place.under("recording").wrong(f"{source.recording!r} does not ship with perpsim; known: {known}")
    if source.recording:
        folder = resources.files("perpsim.replay.recordings")
        paths = [Path(str(folder / name)) for name in RECORDINGS[source.recording]]
    else:
        paths = [place.file.resolve(name) for name in source.files]
    if source.reader and source.reader not in READERS:
        raise place.under("reader").wrong(f"no reader {source.reader!r}; known: {', '.join(READERS)}")
    given = Given(reader=source.reader or None)
    if source.instrument:
        given = Given(source.reader or None, **msgspec.structs.asdict(source.instrument))

    def read_so_far(done: int, total: int) -> None:
        if progress:
            progress("reading the recording", done, total)

    return importing.read(paths, given, progress=read_so_far)


def _check_instrument(place: Place, instrument: Instrument, spec: MarketSpec) -> None:
    """The recording's grid must be the rulebook's: prices and sizes of both are counted in the same steps."""
    kinds = ["an inverse" if inverse else "a linear" for inverse in (instrument.kind == "inverse", spec.inverse)]
    if kinds[0] != kinds[1]:
        message = f"{instrument.symbol} is {kinds[0]} contract; {spec.symbol} of the rulebook is {kinds[1]} one"
        raise place.wrong(message)
    contract = Fraction(instrument.contract_size if spec.inverse else 1)  # lots of inverse recordings are contracts
    for name, ours, unit in (("tick", spec.tick, Fraction(1)), ("lot", spec.lot, contract)):
        theirs = Fraction(getattr(instrument, name)) * unit
        if ours != theirs:
            message = f"the recording's {name} is {float(theirs):g}, that of {spec.symbol} is {float(ours):g}"
            raise place.wrong(message)


def _stored_span(tape: StoredTape) -> tuple[int, int]:
    """First and last time of a stored tape, from its files' statistics."""
    times = []
    for path, last in ((tape.parts[0].path, False), (tape.parts[-1].path, True)):
        with pq.ParquetFile(path) as stored:
            groups = stored.metadata
            statistics = groups.row_group(groups.num_row_groups - 1 if last else 0).column(0).statistics
            times.append(statistics.max if last else statistics.min)
    return int(times[0]), int(times[1])
