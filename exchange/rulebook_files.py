"""Reading rulebooks: `rulebooks/<venue>.toml`, one file a venue, in eras.

    title = "…"                       what the venue is called
    [[era]]
    from = "2025-09-18"               the first day of the era; it lasts until the next one
    [era.venue]                       rules of the whole venue
    [era.market]                      rules of every market
    [era.contract.BTCUSDT]            rules of one market; they go before those of every market
    key = { value = …, source = "…", sure = "…" }

An era states what changes with it. Without `value` it says more about a value of an earlier era. Words of `sure`:

    stated       read in the venue's own text
    live         read in a captured response of the venue
    copied       the venue's text, read in a copy elsewhere
    third-party  somebody else's account of the venue's rule
    inferred     follows from what is known, or is generally known; no text at hand says it
    unknown      no source says it; the value is our choice
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

from .contracts import BUILT, parse_market
from .rules import VENUE_FIELDS, Rulebook, Stated, parse_value, refuse_strangers

SURE = ("stated", "live", "copied", "third-party", "inferred", "unknown")
UNCERTAIN = SURE[3:]
EVERY = "*"  # scope of the rules of every market; that of the venue's is ""
CHANGED = "changed"  # what stands for SURE where a caller changed a rule

Merged = dict[str, dict[str, Stated]]  # scope -> key -> value in force


def names() -> list[str]:
    """The rulebooks that ship with the package."""
    folder = resources.files("perpsim.exchange.rulebooks")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def read(name: str) -> dict[str, Any]:
    """A rulebook's file as it is. Raises KeyError with the known names."""
    if name not in names():
        raise KeyError(f"no rulebook {name!r}; known: {', '.join(names())}")
    return tomllib.loads((resources.files("perpsim.exchange.rulebooks") / f"{name}.toml").read_text("utf-8"))


def eras(book: Mapping[str, Any]) -> list[str]:
    """First days of a file's eras, in their order."""
    return [str(era["from"]) for era in book["era"]]


def rulebook(name: str, date: str | datetime.date, changes: Mapping[str, Any] | None = None) -> Rulebook:
    """The rulebook of a venue as it was on `date` (ISO).

    changes  rules to be put in the place of the venue's, written as in the files: "rule" or "SYMBOL.rule"; a rule of
             markets without a symbol is changed in every market

    Raises KeyError or ValueError with what is known.
    """
    book = read(name)
    day = parse_day(date)
    past = [era for era in book["era"] if datetime.date.fromisoformat(str(era["from"])) <= day]
    if not past:
        raise ValueError(f"{name} has no rules before {eras(book)[0]}")
    rules = merge(past)
    for key, value in (changes or {}).items():
        put(rules, key, value)
    venue = dict(parse_value(key, stated.value) for key, stated in rules[""].items())
    refuse_strangers(venue, VENUE_FIELDS, name)
    markets = tuple(parse_market(symbol, of_market(rules, symbol)) for symbol in symbols(rules))
    sources = {f"{scope}.{key}" if scope else key: stated for scope, key, stated in each(rules)}
    era = str(past[-1]["from"])
    return Rulebook(name=name, date=day.isoformat(), era=era, markets=markets, sources=sources, **venue)


def parse_day(date: str | datetime.date) -> datetime.date:
    """A date of the form YYYY-MM-DD. Raises ValueError."""
    try:
        return datetime.date.fromisoformat(str(date))
    except ValueError:
        raise ValueError(f"date {date!r} is not of the form YYYY-MM-DD") from None


def merge(past: list[dict[str, Any]]) -> Merged:
    """What is in force after these eras: later ones change single values."""
    rules: Merged = {"": {}, EVERY: {}}
    for era in past:
        begins = str(era["from"])
        for scope, table in tables(era):
            known = rules.setdefault(scope, {})
            for key, value in table.items():
                known[key] = state(key, value, begins, known.get(key))
    return rules


def tables(era: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(scope, keys) of an era."""
    yield "", era.get("venue", {})
    yield EVERY, era.get("market", {})
    yield from era.get("contract", {}).items()


def state(key: str, value: Any, era: str, before: Stated | None) -> Stated:
    """One entry of a file. Without a value of its own it keeps the one of the era before."""
    if not isinstance(value, dict):
        return Stated(value, "", "", era)
    if "value" not in value and before is None:
        raise ValueError(f"{key}: the era of {era} says nothing of its value, and no era before it does")
    kept = value.get("value", before.value if before else None)
    return Stated(kept, value.get("source", ""), value.get("sure", ""), era)


def put(rules: Merged, name: str, value: Any) -> None:
    """Change a rule: of one market, of the venue, or of every market."""
    symbol, _, key = name.rpartition(".")
    changed = Stated(value, "changed by the caller", CHANGED, "")
    if symbol:
        if symbol not in symbols(rules):
            raise ValueError(f"{name}: there is no market {symbol!r}; known: {', '.join(symbols(rules))}")
        rules[symbol][key] = changed
    elif key not in BUILT and parse_value(key, value)[0] in VENUE_FIELDS:
        rules[""][key] = changed
    else:
        for scope in symbols(rules):
            rules[scope][key] = changed


def symbols(rules: Merged) -> list[str]:
    """The markets, in the file's order."""
    return [scope for scope in rules if scope not in ("", EVERY)]


def of_market(rules: Merged, symbol: str) -> dict[str, Any]:
    """A market's values, its own and those of every market."""
    return {key: stated.value for key, stated in (rules[EVERY] | rules[symbol]).items()}


def each(rules: Merged) -> Iterator[tuple[str, str, Stated]]:
    """(scope, key, what is stated), in the file's order."""
    for scope, table in rules.items():
        for key, stated in table.items():
            yield scope, key, stated
