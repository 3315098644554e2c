"""From a scenario file to what a run needs: rulebook with changes, markets with their tapes, times, bots.

Everything a file can get wrong that needs more than the file to see is refused here, before anything runs.
"""

from __future__ import annotations

import dataclasses
import datetime
import importlib
import importlib.util
import inspect
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from perpsim.core import AdlPolicy
from perpsim.exchange import Rulebook, Strategy, rulebook
from perpsim.exchange.adl import Policy
from perpsim.exchange.contracts import BUILT
from perpsim.exchange.rules import MARKET_FIELDS, VENUE_FIELDS, parse_value
from perpsim.replay.errors import InputError
from perpsim.replay.latency import choose
from perpsim.replay.latency.choose import Choice
from perpsim.replay.latency.sequencer import Rules
from perpsim.replay.market_plan import MarketPlan, Progress, market_plan
from perpsim.replay.place import Place
from perpsim.replay.scenario import Bot, ScenarioFile


@dataclass(frozen=True, eq=False)
class BotPlan:
    """A strategy, made and waiting for its desk."""

    strategy: Strategy
    settings: Bot
    name: str
    source: Path  # the file of its class
    latency: Choice


@dataclass(frozen=True, eq=False)
class AdlPlan:
    """A user's own ADL policy."""

    policy: Policy
    name: str  # as the scenario names it
    source: Path  # its file


@dataclass(frozen=True, eq=False)
class Plan:
    """All that a run needs."""

    file: ScenarioFile
    rulebook: Rulebook  # with the scenario's changes, without the tape's settings
    base_fingerprint: str  # of the rulebook before the changes
    changes: dict[str, Any]
    markets: tuple[MarketPlan, ...]
    bots: tuple[BotPlan, ...]
    adl: AdlPlan | None
    start_ns: int | None  # None: as soon as there is a book and a mark
    end_ns: int
    interval_ns: int
    load: Rules | None = None  # the venue's queue, where there is one

    def market_number(self, symbol: str, key: str) -> int:
        """Engine number of a market by its symbol; the only one where none is named."""
        symbols = [market.spec.symbol for market in self.markets]
        if not symbol and len(symbols) == 1:
            return 0
        if symbol not in symbols:
            what = f"{symbol!r} is no market of this scenario" if symbol else "name one market"
            raise self.file.wrong(key, f"{what}; its tapes are of {', '.join(symbols)}")
        return symbols.index(symbol)

    @property
    def accounts(self) -> int:
        """Customers of the venue: the populations, then the bots."""
        return sum(each.accounts for each in self.file.scenario.population) + len(self.bots)


def make_plan(file: ScenarioFile, progress: Progress | None = None) -> Plan:
    """Read rulebook and recordings, make the bots. Raises InputError for what cannot be."""
    scenario = file.scenario
    base, book, changes = _rulebook(file)
    markets: list[MarketPlan] = []
    for number, source in enumerate(scenario.tape):
        markets.append(market_plan(Place(file, f"tape[{number}]"), source, book, progress))
        if markets[-1].spec.symbol in [each.spec.symbol for each in markets[:-1]]:
            raise file.wrong(f"tape[{number}]", f"{markets[-1].spec.symbol} has a tape already")
    markets = _one_coin(file, book, markets)
    first_ns, last_ns = min(each.first_ns for each in markets), max(each.last_ns for each in markets)
    start_ns, end_ns = (_moment(file, key, first_ns) for key in ("start", "end"))
    if start_ns is not None and end_ns is not None and start_ns >= end_ns:
        raise file.wrong("run.start, run.end", f"{iso(start_ns)} is not before {iso(end_ns)}; swap them")
    if not first_ns <= (start_ns or first_ns) < (end_ns or last_ns) <= last_ns:
        raise file.wrong("run.start, run.end", f"the recording lasts from {iso(first_ns)} to {iso(last_ns)}")
    if start_ns is not None:
        since_ns = start_ns - Place(file, "run.warm_up").ns(scenario.run.warm_up)
        markets = [dataclasses.replace(each, since_ns=max(since_ns, each.first_ns)) for each in markets]
    return Plan(
        file=file,
        rulebook=book,
        base_fingerprint=base.fingerprint,
        changes=changes,
        markets=tuple(markets),
        bots=tuple(_bot(file, f"strategy[{number}]", bot, markets) for number, bot in enumerate(scenario.strategy)),
        adl=_adl(file, book),
        start_ns=start_ns,
        end_ns=end_ns or last_ns,
        interval_ns=Place(file, "run.interval").positive_ns(scenario.run.interval),
        load=choose.load_rules(file),
    )


def _one_coin(file: ScenarioFile, book: Rulebook, markets: list[MarketPlan]) -> list[MarketPlan]:
    """Markets that settle in one coin, which is asset 0 of the run: deposits and the fund are in it."""
    coins = {each.spec.asset for each in markets}
    if book.collateral or coins == {0}:
        return markets
    if len(coins) > 1:
        raise file.wrong("tape", "the markets settle in different coins; a run has markets of one coin")
    return [dataclasses.replace(each, spec=dataclasses.replace(each.spec, asset=0)) for each in markets]


def _rulebook(file: ScenarioFile) -> tuple[Rulebook, Rulebook, dict[str, Any]]:
    """(as published, as changed, the changes by key)."""
    venue = file.scenario.venue
    try:
        base = rulebook(venue.rulebook, venue.date)
    except KeyError as error:
        raise file.wrong("venue.rulebook", error.args[0]) from error
    except ValueError as error:
        raise file.wrong("venue.date", str(error)) from error
    changes: dict[str, Any] = {}
    for key, value in venue.rules.items():
        _check_rule(file, f"venue.rules.{key}", key, value, VENUE_FIELDS | MARKET_FIELDS)
        changes[key] = value
    known = [spec.symbol for spec in base.markets]
    for symbol, rules in venue.markets.items():
        if symbol not in known:
            raise file.wrong(f"venue.markets.{symbol}", f"{base.name} has no such market; known: {', '.join(known)}")
        for key, value in rules.items():
            _check_rule(file, f"venue.markets.{symbol}.{key}", key, value, MARKET_FIELDS)
            changes[f"{symbol}.{key}"] = value
    try:
        return base, rulebook(venue.rulebook, venue.date, changes), changes
    except ValueError as error:
        raise file.wrong("venue.rules", str(error)) from error


def _check_rule(file: ScenarioFile, place: str, key: str, value: Any, fields: frozenset[str]) -> None:
    """Refuse a change that is none, or that stands in a wrong place, by the key's full name."""
    if key in BUILT:
        return  # the contract itself; it is checked with the others when the market is built
    try:
        name, _ = parse_value(key, value)
    except (ValueError, TypeError, KeyError) as error:
        raise file.wrong(place, str(error)) from error
    if name not in fields:
        raise file.wrong(place, "is a rule of the whole venue; put it under venue.rules")


def _moment(file: ScenarioFile, name: str, first_ns: int) -> int | None:
    moment = getattr(file.scenario.run, name)
    if moment is None:
        return None
    if isinstance(moment, datetime.datetime):
        seconds = moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        return seconds // datetime.timedelta(microseconds=1) * 1000
    return first_ns + Place(file, f"run.{name}").ns(moment)


def _bot(file: ScenarioFile, key: str, bot: Bot, markets: list[MarketPlan]) -> BotPlan:
    """Import a strategy's class and make it. Raises InputError where that is impossible."""
    where, name, made = _named(file, f"{key}.use", bot.use, "file.py:Class")
    if not (isinstance(made, type) and issubclass(made, Strategy)):
        raise file.wrong(f"{key}.use", f"{where} has no Strategy class named {name}")
    try:
        strategy = made(**bot.parameters)
    except (TypeError, ValueError) as error:
        raise file.wrong(f"{key}.parameters", f"{name} does not take them: {error}") from error
    latency = choose.choose(file, key, bot, [choose.Market(each.spec.symbol, each.chunks) for each in markets])
    return BotPlan(strategy, bot, bot.name or name, Path(inspect.getfile(made)), latency)


def _adl(file: ScenarioFile, book: Rulebook) -> AdlPlan | None:
    """The function that decides about ADL, where the rules leave it to one."""
    use, key = file.scenario.venue.adl, "venue.adl"
    if book.adl_policy != AdlPolicy.USER:
        if use:
            raise file.wrong(key, 'is asked only under adl_policy = "user"; set that in venue.rules')
        return None
    if not use:
        raise file.wrong(key, 'adl_policy is "user"; name the function that decides, as file.py:function')
    where, name, policy = _named(file, key, use, "file.py:function")
    if not inspect.isfunction(policy):
        raise file.wrong(key, f"{where} has no function named {name}")
    return AdlPlan(policy, use, Path(inspect.getfile(policy)))


def _named(file: ScenarioFile, key: str, use: str, form: str) -> tuple[str, str, Any]:
    """(file or module, name, what has that name there, None where nothing has)."""
    where, colon, name = use.rpartition(":")
    if not colon or not name.isidentifier():
        raise file.wrong(key, f"{use!r} is not of the form {form}")
    return where, name, getattr(_module(file, key, where), name, None)


def _module(file: ScenarioFile, key: str, where: str) -> Any:
    try:
        if not where.endswith(".py"):
            return importlib.import_module(where)
        path = file.resolve(where)
        if not path.is_file():
            raise file.wrong(key, f"{path} does not exist")
        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))  # a bot may import files beside it
        spec = importlib.util.spec_from_file_location(f"perpsim_strategy_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses of the file look themselves up here
        spec.loader.exec_module(module)
        return module
    except InputError:
        raise
    except Exception as error:
        raise file.wrong(key, f"{where} cannot be imported: {type(error).__name__}: {error}") from error


def iso(time_ns: int) -> str:
    """A time as ISO 8601 text in UTC, as many decimals as it needs."""
    text = str(np.datetime64(time_ns, "ns"))
    return f"{text.rstrip('0').rstrip('.')}Z" if "." in text else f"{text}Z"
