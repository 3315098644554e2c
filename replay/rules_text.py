"""Rulebooks for a reader: a venue's rules at a date with their sources, and what differs between two of them.

Rates are shown in percent, times in the largest unit that fits. Two signs stand before values that are not sure:
`~` inferred, or somebody else's account; `?` no source says it, the value is our choice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from perpsim.exchange.rulebook_files import EVERY, SURE, UNCERTAIN, eras, merge, names, parse_day, read, rulebook
from perpsim.exchange.rulebook_files import symbols as symbols_of
from perpsim.exchange.rules import RATES, SECONDS, Stated
from perpsim.exchange.units import decimal_text, exact
from perpsim.replay.errors import InputError

UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
NAME_WIDTH, VALUE_WIDTH, SURE_WIDTH = 26, 24, 12
LEGEND = "~ inferred, or somebody else's account   ? no source says it: our choice"

Rules = dict[str, dict[str, Stated]]  # scope -> key -> value in force


def answer(
    venue: str | None, date: str | None, market: str | None, other: tuple[str | None, str | None], machine: bool
) -> str:
    """What `perpsim rules` prints.

    other    (date, venue) to compare with, None what stays the same
    machine  as JSON
    """
    if venue is None:
        if date or market or any(other):
            raise InputError(f"name a venue; known: {', '.join(names())}")
        return dumped(listing()) if machine else tell_list()
    if any(other):
        names_of, found = compare(venue, date, market, *other)
        if machine:
            return dumped({"from": names_of[0], "to": names_of[1], "changes": found})
        return tell_difference(names_of, found)
    return dumped(as_json(venue, date, market)) if machine else tell(venue, date, market)


def dumped(data: Any) -> str:
    return json.dumps(data, indent=2, default=str)


def rules_at(venue: str, date: str | None, market: str | None = None) -> tuple[str, Rules]:
    """(date, rules) of a venue, with one market only where one is named: its own and those of every market.

    Without a date, the last era. Raises InputError for a venue, a date or a market that there is not.
    """
    try:
        book = read(venue)
        date = date or eras(book)[-1]
        day = parse_day(date)
        rulebook(venue, day)  # what cannot be a rulebook is not printed as one
    except (KeyError, ValueError) as error:
        raise InputError(error.args[0]) from error
    rules = merge([era for era in book["era"] if parse_day(era["from"]) <= day])
    if market is None:
        return str(date), rules
    if market not in symbols_of(rules):
        raise InputError(f"{venue} has no market {market!r} on {date}; known: {', '.join(symbols_of(rules))}")
    return str(date), {market: rules[EVERY] | rules[market]}


def listing() -> list[dict[str, Any]]:
    """Every rulebook that ships: its name, title, eras, markets, and how many values are how sure."""
    found = []
    for name in names():
        book = read(name)
        rules = merge(book["era"])
        stated = [each for table in rules.values() for each in table.values() if each.sure]
        found.append(
            {
                "name": name,
                "title": book["title"],
                "eras": eras(book),
                "markets": symbols_of(rules),
                "values": len(stated),
                "sure": {word: sum(each.sure == word for each in stated) for word in SURE},
            }
        )
    return found


def tell_list() -> str:
    """The rulebooks as text."""
    lines = []
    for book in listing():
        unsure = sum(book["sure"][word] for word in UNCERTAIN)
        lines += [
            f"{book['name']:16}{book['title']}",
            f"{'':16}eras     {', '.join(book['eras'])}",
            f"{'':16}markets  {', '.join(book['markets'])}",
            f"{'':16}values   {book['values']}, {unsure} of them not sure",
        ]
    return "\n".join(lines)


def as_json(venue: str, date: str | None, market: str | None = None) -> dict[str, Any]:
    """A venue's rules as plain data: what the files say of each value, and the fingerprint of all."""
    date, rules = rules_at(venue, date, market)
    book = rulebook(venue, date)
    values = [
        {"scope": scope or "venue", "rule": key, "value": each.value, "source": each.source, "sure": each.sure,
         "era": each.era}
        for scope, table in rules.items() for key, each in table.items()
    ]  # fmt: skip
    return {"venue": venue, "date": date, "era": book.era, "fingerprint": book.fingerprint, "rules": values}


def tell(venue: str, date: str | None, market: str | None = None) -> str:
    """A venue's rules as text."""
    date, rules = rules_at(venue, date, market)
    book = rulebook(venue, date)
    lines = [f"{read(venue)['title']} ({venue}) on {date}, era of {book.era}, fingerprint {book.fingerprint}", LEGEND]
    for scope, table in rules.items():
        if table:
            lines += ["", heading(scope)]
        for key, each in table.items():
            lines += row(key, each)
    return "\n".join(lines)


def heading(scope: str) -> str:
    return {"": "the venue", EVERY: "every market"}.get(scope, scope)


def row(key: str, each: Stated) -> Iterator[str]:
    """A value with its sign, its source and how sure it is; tables follow below."""
    wide = isinstance(each.value, list)
    text = f"{len(each.value)} rows" if wide else show(key, each.value)
    source = f"{each.source} [{each.era}]" if each.source else f"[{each.era}]"
    yield f"{sign(each)} {key:<{NAME_WIDTH}}{text:<{VALUE_WIDTH}}{each.sure:<{SURE_WIDTH}}{source}".rstrip()
    if wide:
        yield from (f"    {line}" for line in table_lines(key, each.value))


def sign(each: Stated) -> str:
    """What stands before a value: how far it is to be trusted."""
    return "?" if each.sure == "unknown" else "~" if each.sure in UNCERTAIN else " "


def show(key: str, value: Any) -> str:
    """A value in a reader's units."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {grouped(exact(number))}" for name, number in value.items())
    if isinstance(value, list):
        return "; ".join(table_lines(key, value))
    if isinstance(value, bool | str) or not isinstance(value, int | float):
        return str(value)
    if key in RATES:
        return f"{decimal_text(exact(value) * 100)} %"
    if key in SECONDS:
        return duration(exact(value))
    return grouped(exact(value))


def duration(seconds: Fraction) -> str:
    """A time in the largest unit of which it is a whole number."""
    for length, unit in UNITS:
        if seconds and (seconds / length).denominator == 1:
            return f"{seconds / length} {unit}"
    return f"{decimal_text(seconds)} s"


def grouped(number: Fraction) -> str:
    """Decimal text with separators of thousands."""
    whole, point, rest = decimal_text(number).partition(".")
    return f"{int(whole):,}{point}{rest}" if whole.lstrip("-").isdigit() else str(number)


def table_lines(key: str, rows: list[Any]) -> Iterator[str]:
    """A table's rows as text; tiers with their units."""
    if key != "tiers":
        yield from (", ".join(map(str, each)) if isinstance(each, list) else str(each) for each in rows)
        return
    for cap, maintenance, leverage, *more in rows:
        published = f", deduction {grouped(exact(more[0]))}" if more and more[0] != "" else ""
        initial = f", initial {decimal_text(exact(more[1]) * 100)} %" if len(more) > 1 else ""
        rate = decimal_text(exact(maintenance) * 100)
        yield f"to {grouped(exact(cap)):>15}: {rate:>6} %, {leverage}x{published}{initial}"


# What differs


def difference(before: Rules, after: Rules) -> list[dict[str, Any]]:
    """The values that are not the same in both; what only one side has is None on the other."""
    found = []
    for scope in dict.fromkeys([*before, *after]):
        old, new = before.get(scope, {}), after.get(scope, {})
        for key in dict.fromkeys([*old, *new]):
            pair = old.get(key), new.get(key)
            values = [each.value if each else None for each in pair]
            if values[0] != values[1]:
                latest = pair[1] or pair[0]
                found.append(
                    {"scope": scope or "venue", "rule": key, "before": values[0], "after": values[1],
                     "source": latest.source, "sure": latest.sure, "era": latest.era}
                )  # fmt: skip
    return found


def tell_difference(names_of: tuple[str, str], found: list[dict[str, Any]]) -> str:
    """Only what changes, as text."""
    lines = [f"from {names_of[0]} to {names_of[1]}: {len(found)} values differ"]
    scope = None
    for each in found:
        if each["scope"] != scope:
            scope = each["scope"]
            lines += ["", heading("" if scope == "venue" else scope)]
        if isinstance(each["before"], list) and isinstance(each["after"], list):
            lines += [f"  {each['rule']}", *table_difference(each)]
            continue
        old, new = ("-" if value is None else show(each["rule"], value) for value in (each["before"], each["after"]))
        lines.append(f"  {each['rule']:<{NAME_WIDTH}}{old} -> {new}  ({each['sure'] or 'plain'}: {each['source']})")
    return "\n".join(lines)


def table_difference(each: dict[str, Any]) -> Iterator[str]:
    """Rows of a table that only one of both has."""
    old, new = (list(table_lines(each["rule"], each[side])) for side in ("before", "after"))
    yield from (f"    - {line}" for line in old if line not in new)
    yield from (f"    + {line}" for line in new if line not in old)


def compare(
    venue: str, date: str | None, market: str | None, to_date: str | None, to_venue: str | None
) -> tuple[tuple[str, str], list[dict[str, Any]]]:
    """What two rulebooks are called, and the values in which they differ: another date, another venue, or both.

    Rules of the venue and of every market are compared; those of one market where both name it alike.
    """
    date, before = rules_at(venue, date, market)
    other, after = rules_at(to_venue or venue, to_date or date, market)
    return (f"{venue} on {date}", f"{to_venue or venue} on {other}"), difference(before, after)
