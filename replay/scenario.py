"""Scenario files: one TOML says what is replayed, by which rules, for whom, and what is done to it.

    [run]          name, seed, start, end, interval, depth, audit, trail
    [venue]        rulebook, date, rules, adl, markets
    [[tape]]       recording, files or store; queue model, walk, where mark and funding come from
    [fund]         initial
    [[population]] accounts and their distributions
    [[shock]]      points of a path
    [[strategy]]   a bot
    [load]         the queue in front of the venue, for bots whose latency is `load`

Unknown keys and impossible values are refused with the key's full name. Numbers may be written as integers, floats or
text; a float means its shortest decimal text. Money is in the settlement asset, sizes in base units, times in seconds.
"""

from __future__ import annotations

import datetime
import difflib
import hashlib
import re
import tomllib
from dataclasses import dataclass, replace
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from perpsim.replay.errors import InputError

Number = int | float | str
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
Moment = datetime.datetime | int | float  # a date with its zone, or seconds after the tape's first row
TABLES = ("tape", "population", "shock", "strategy")  # may be written as one table where there is one


class Table(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A table of a scenario file; its fields are the keys."""


class Run(Table):
    """What is run, when, and how often it is sampled."""

    name: str = ""
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    start: Moment | None = None  # of the accounts; rows before it only build the book
    warm_up: Number = 600  # seconds of rows before a stated start, on top of what stands there; averages need them
    end: Moment | None = None
    interval: Number = 1  # seconds between two rows of series.parquet
    depth: Annotated[int, Meta(ge=1, le=10_000)] = 10  # basis points around the mid in which depth is counted
    audit: Literal["off", "batch", "event"] = "batch"  # when invariants are checked
    trail: Count = 100_000  # events and rows between two points of trail.parquet at least; 0: none


class Venue(Table):
    """The rulebook, and what the scenario changes in it."""

    rulebook: str
    date: datetime.date
    rules: dict[str, Any] = {}  # venue-wide, or of every market
    adl: str = ""  # file.py:function or module:function that decides where adl_policy is "user"
    markets: dict[str, dict[str, Any]] = {}  # by symbol


class Facts(Table):
    """Tick and lot of a market that the catalogue does not know (see replay.catalogue.Instrument)."""

    venue: str
    symbol: str
    tick: str
    lot: str
    kind: Literal["linear", "inverse", "spot"] = "linear"
    contract_size: str = "1"


class Impact(Table):
    """What simulated takers leave on recorded prices: coefficient * volatility * sqrt(flow / volume), decaying."""

    volatility: Number  # of the day's return, 0.03 is 3 %
    volume: Number  # of the day, in base units (contracts of inverse markets)
    coefficient: Number = 0.5
    beta: Number = 0.6  # the move of a step's flow decays by k ** -beta, k steps later
    permanent: Share = 0.0  # of the law, for the net flow
    memory: Number = 600  # seconds, then only the permanent part is left
    step: Number = 1  # seconds
    index_share: Share = 0.0  # of the move that recorded indices follow


class Synthetic(Table):
    """The book of a recording that has trades only: level k of a side holds depth * (1 + slope * k)."""

    depth: Number  # of the best level, in base units (inverse: in the quote)
    levels: Annotated[int, Meta(ge=1, le=10_000)]  # a side, a tick apart
    slope: Number = 0  # share of the depth that each level is larger than the one before
    spread: Annotated[int, Meta(ge=1, le=10_000)] = 1  # ticks from the best bid to the best ask


class Beyond(Table):
    """What stands behind the last recorded level of a side: level n holds depth * (1 + slope * n), a tick a level."""

    depth: Number  # of the first of them, in base units (inverse: in the quote)
    ticks: Annotated[int, Meta(ge=1, le=10_000_000)]  # how many
    slope: Number = 0  # share of the depth that each level is larger than the one before


class TapeSource(Table):
    """Where a market's recording is, and how it is replayed. One of recording, files and store."""

    recording: str = ""  # that ships with the package
    files: list[str] = []  # raw, in their order
    store: str = ""  # folder of an imported tape
    reader: str = ""  # of files; without one, the files tell
    instrument: Facts | None = None  # of files
    market: str = ""  # symbol in the rulebook; without it, the recording's own
    queue_model: Literal["behind-first", "proportional", "power", "log", "front-first"] = "behind-first"
    queue_power: Annotated[int, Meta(ge=1, le=3)] = 3  # of the power model
    impact: Impact | None = None
    synthetic: Synthetic | None = None  # for a recording without a book
    beyond: Beyond | None = None  # for takers who have eaten all that is recorded; None: they meet nothing
    resilience_half_life: Number = 0  # seconds in which half of what takers ate comes back; 0: only as history says
    resilience_updates: Annotated[int, Meta(ge=0, le=10_000)] = 0  # or the same in changes of the best quotes
    walk: Literal["deeper", "drop"] = "deeper"
    attribution: str = ""  # of forced orders: "record", or "against:" and the folder of a run that did
    mark: Literal["computed", "taped"] = "computed"
    index_from_prints: Number = 0  # seconds between index prices made of the recording's prints; 0: it is recorded
    bars: Literal["close", "open", "open-low-high-close", "open-high-low-close"] | None = None  # None: close
    funding: Literal["computed", "taped"] = "taped"


class Fund(Table):
    """The insurance fund of every group."""

    initial: Number = 0


class Size(Table):
    """Equity of the accounts, up to a factor: lognormal, the richest `tail` of them Pareto."""

    sigma: Annotated[float, Meta(ge=0, le=10)] = 1.6  # standard deviation of ln(equity)
    tail: Annotated[float, Meta(ge=0, lt=1)] = 0.0  # share of the accounts in the Pareto tail
    alpha: Annotated[float, Meta(gt=0, le=100)] = 1.5  # exponent of the tail


class Leverage(Table):
    """One part of the leverage mixture."""

    leverage: Annotated[int, Meta(ge=1, le=65_535)]
    weight: Annotated[float, Meta(gt=0)]
    name: str = ""  # the cohort's label; without it "20x"


class Entry(Table):
    """Entry prices around the first mark: ln(entry / mark) is normal."""

    spread: Annotated[float, Meta(ge=0, le=2)] = 0.05  # standard deviation at leverage 1
    turnover: Annotated[float, Meta(ge=0, le=2)] = 0.5  # positions of leverage L are L ** -turnover as far away
    mean: Annotated[float, Meta(ge=-1, le=1)] = 0.0  # of ln(entry / mark) at leverage 1


class Population(Table):
    """Accounts with one position each; longs and shorts both sum to the open interest."""

    accounts: Annotated[int, Meta(ge=2, le=100_000_000)]
    open_interest: Number  # base units
    leverage: Annotated[list[Leverage], Meta(min_length=1)]
    market: str = ""
    name: str = ""  # goes before the cohort's label
    long_share: Annotated[float, Meta(gt=0, lt=1)] = 0.5  # of the accounts
    isolated_share: Share = 0.0
    correlation: Annotated[float, Meta(ge=-1, le=1)] = 0.0  # of equity and leverage
    cushion: Annotated[float, Meta(ge=0, le=10)] = 0.0  # deposit beyond what is needed: up to this share of it
    size: Size = Size()
    entry: Entry = Entry()


class Shock(Table):
    """A path by which recorded prices and index are multiplied: (seconds after the start, factor), linear between."""

    points: Annotated[list[tuple[Number, Number]], Meta(min_length=1)]
    market: str = ""  # without it, every market
    step: Number = 1  # seconds between two changes


class Distribution(Table):
    """How long something takes, drawn anew each time: quantiles, or a lognormal by its median and sigma or p99."""

    quantiles: list[tuple[Number, Number]] | None = None  # (probability, seconds), from 0 to 1, linear between
    median: Number | None = None  # seconds
    sigma: Number | None = None  # standard deviation of the logarithm
    p99: Number | None = None  # seconds


class SpikeTimes(Table):
    """Times at which everything takes longer."""

    every: Number  # seconds from one to the next, on average
    length: Number  # seconds
    extra: Number  # seconds that every message takes longer


class ConstantLatency(Table, tag_field="model", tag="constant"):
    """Always the same."""

    feed: Number = 0  # seconds; public messages
    entry: Number = 0  # requests on their way to the venue
    response: Number | None = None  # news of the bot's own account; without it as the feed


class TapeLatency(Table, tag_field="model", tag="tape"):
    """As long as the recorder waited for the recorded messages."""

    offset: Number = 0  # seconds added to the recorder's clock; "auto": so many that the smallest latency is `smallest`
    smallest: Number = 0.001  # seconds
    entry_multiple: Number = 1  # of the feed's latency of the last message
    response_multiple: Number = 1


class SampledLatency(Table, tag_field="model", tag="sampled"):
    """Drawn."""

    feed: Number | Distribution
    entry: Number | Distribution
    response: Number | Distribution | None = None  # without it as the feed, with draws of its own
    spikes: SpikeTimes | None = None


class LoadLatency(Table, tag_field="model", tag="load"):
    """Requests stand in the venue's queue, which [load] describes; the way there is another model."""

    network: ConstantLatency | TapeLatency | SampledLatency = ConstantLatency()


class Load(Table):
    """The queue in front of the venue."""

    service: Number | Distribution  # seconds that a request takes
    depth: Annotated[int, Meta(ge=1, le=10_000_000)]  # requests in the queue beyond which new ones are turned away
    recorded: Annotated[int, Meta(ge=0, le=10_000)] = 1  # requests that one recorded message stands for
    beyond: Literal["reject", "unknown"] = "reject"  # what a request beyond the depth is told
    taken: Share = 0.5  # of those told "unknown" that are taken all the same
    exempt: tuple[Literal["cancel", "close"], ...] = ("cancel", "close")  # never turned away
    conflate: Number = 0  # seconds between two publications of the feed; 0: at once


class Bot(Table):
    """A strategy: file.py:Class, its account and its distance from the venue."""

    use: str
    deposit: Number
    name: str = ""
    parameters: dict[str, Any] = {}
    leverage: Annotated[int, Meta(ge=1, le=65_535)] | None = None
    margin_mode: Literal["cross", "isolated"] = "cross"
    feed_latency: Number = 0  # seconds from the venue to the bot
    order_latency: Number = 0  # seconds from the bot to the venue
    latency: ConstantLatency | TapeLatency | SampledLatency | LoadLatency | None = None  # in place of the two above


class Scenario(Table):
    """A whole file."""

    venue: Venue
    tape: Annotated[list[TapeSource], Meta(min_length=1)]
    run: Run = Run()
    fund: Fund = Fund()
    population: list[Population] = []
    shock: list[Shock] = []
    strategy: list[Bot] = []
    load: Load | None = None


@dataclass(frozen=True)
class ScenarioFile:
    """A scenario and where it came from: relative paths in it start at `base`."""

    scenario: Scenario
    path: Path
    base: Path
    text: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text).hexdigest()

    def resolve(self, name: str) -> Path:
        """A path of the file, made absolute."""
        return (self.base / Path(name).expanduser()).resolve()

    def audited(self, level: str) -> ScenarioFile:
        """The same with another level of audit; no result depends on it."""
        run = msgspec.structs.replace(self.scenario.run, audit=str(level))
        return replace(self, scenario=msgspec.structs.replace(self.scenario, run=run))

    def wrong(self, key: str, message: str) -> InputError:
        """The error to raise for a value that turned out to be impossible."""
        return InputError(f"key {key}: {message}", self.path)


def load(path: str | PathLike, base: str | PathLike | None = None) -> ScenarioFile:
    """Read a scenario file. Raises InputError, naming the key, for anything but a possible scenario.

    base  folder in which relative paths start; without it, that of the file
    """
    path = Path(path)
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be opened ({error.strerror}); check the path", path) from error
    return parse(text, path, path.resolve().parent if base is None else Path(base))


def parse(text: bytes, path: Path, base: Path) -> ScenarioFile:
    """As `load`, from bytes at hand; `path` is for messages."""
    try:
        tables = tomllib.loads(text.decode())
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 text ({error.reason} at byte {error.start})", path) from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"is not valid TOML: {error}", path) from error
    for name in TABLES:
        if isinstance(tables.get(name), dict):
            tables[name] = [tables[name]]
    try:
        scenario = msgspec.convert(tables, Scenario)
    except msgspec.ValidationError as error:
        raise InputError(_sentence(str(error), tables), path) from error
    file = ScenarioFile(scenario, path, base, text)
    _check(file)
    return file


def shipped(name: str) -> ScenarioFile:
    """A scenario that comes with the package."""
    path = Path(str(resources.files("perpsim.replay") / "scenarios" / f"{name}.toml"))
    return load(path)


def _check(file: ScenarioFile) -> None:
    """What one field alone does not show."""
    for index, tape in enumerate(file.scenario.tape):
        given = [name for name in ("recording", "files", "store") if getattr(tape, name)]
        if len(given) != 1:
            found = f"not {' and '.join(given)}" if given else "none is there"
            raise file.wrong(f"tape[{index}]", f"exactly one of recording, files and store is needed; {found}")
    for key in ("start", "end"):
        moment = getattr(file.scenario.run, key)
        if isinstance(moment, datetime.datetime) and moment.tzinfo is None:
            raise file.wrong(f"run.{key}", f"{moment.isoformat()} has no time zone; add one, such as Z for UTC")


def _sentence(message: str, tables: dict) -> str:
    """A msgspec complaint as one sentence with the key's name."""
    text, _, place = message.partition(" - at ")
    key = place.strip("`").removeprefix("$").removeprefix(".").replace("[...]", "")
    unknown = re.match(r"Object contains unknown field `(.*)`", text)
    if unknown:
        return _unknown_key(key, unknown.group(1))
    missing = re.match(r"Object missing required field `(.*)`", text)
    if missing:
        return f"key {_join(key, missing.group(1))} is missing; add it"
    return f"key {key}: {_value_at(tables, key)!r} is impossible: {text[0].lower()}{text[1:].replace('`', '')}"


def _unknown_key(place: str, name: str) -> str:
    table: Any = Scenario
    before = ""
    for part in re.sub(r"\[\d*\]", "", place).split("."):
        table = KNOWN.get(f"{before}.{part}", KNOWN.get(part, table))
        before = part
    tables = table if isinstance(table, tuple) else (table,)
    known = list(dict.fromkeys(field.name for each in tables for field in msgspec.structs.fields(each)))
    close = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
    return f"key {_join(place, name)} is unknown; {hint}"


LATENCIES = (ConstantLatency, TapeLatency, SampledLatency, LoadLatency)
KNOWN = {
    "run": Run, "venue": Venue, "tape": TapeSource, "instrument": Facts, "synthetic": Synthetic, "tape.beyond": Beyond,
    "fund": Fund, "population": Population,
    "leverage": Leverage, "size": Size, "entry": Entry, "shock": Shock, "strategy": Bot,
    "load": Load, "spikes": SpikeTimes, "latency": LATENCIES, "network": LATENCIES, "service": Distribution,
    "feed": Distribution, "response": Distribution, "latency.entry": Distribution, "network.entry": Distribution,
}  # fmt: skip


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _value_at(tables: dict, key: str) -> Any:
    """What the file says under a key, for the message."""
    value: Any = tables
    for part in re.findall(r"[^.\[\]]+", key):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, ValueError, TypeError):
            return UNSET
    return "" if isinstance(value, UnsetType) else value
