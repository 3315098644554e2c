"""A result told to a person: plain text, from summary.json alone."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

UNITS = ((Decimal(10) ** 9, "bn"), (Decimal(10) ** 6, "m"), (Decimal(10) ** 3, "k"))
WIDTH = 26
MADE = {"book": "a synthetic book", "print_index": "an index of prints"}  # part of the tape's summary -> what was made


def tell(summary: dict[str, Any]) -> str:
    """The outcome in lines: what happened to the price, who was closed, who paid."""
    book = summary["rulebook"]
    changed = f", modified: {', '.join(book['changes'])}" if book["modified"] else ""
    start, end = summary["start"]["time"], summary["end"]["time"]
    lines = [f"{summary['name']}: {start} to {end}, rules of {book['name']} on {book['date']}{changed}"]
    lines += [*(f"  ASSUMED  {sentence}" for sentence in summary["labels"]), ""]
    for symbol, market in summary["markets"].items():
        lines += [_row(*pair) for pair in _market(symbol, market)]
    lines += [_row(*pair) for pair in _people(summary)]
    lines += [_row(*pair) for pair in _money(summary)]
    lines += [_row(*pair) for pair in _latencies(summary["bots"])]
    wall = summary["wall"]
    lines += [
        "",
        f"digest {summary['digest']}",
        f"{summary['rows']:,} {_rows_are(summary)} and {summary['end']['event']:,} events in {wall['seconds']:.1f} s",
    ]
    return "\n".join(lines)


def _latencies(bots: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """What the ways to and from each bot took, and what the recorder's clock was put forward by."""
    for bot in bots:
        told = bot["latency"]
        ways = [
            f"{name} {told[key]['p50'] / 1e6:.3g} ms, 99 % within {told[key]['p99'] / 1e6:.3g} ms"
            for name, key in (("orders", "order_ns"), ("feed", "feed_ns"))
            if told.get(key, {}).get("count") and told[key]["max"]
        ]
        if ways:
            yield f"{bot['name']}, latency", "; ".join(ways)
        for symbol, clock in told.get("clocks", {}).items():
            yield f"  clock of {symbol}", f"put forward by {clock['offset']} s; smallest delay {clock['smallest']} s"


def _rows_are(summary: dict[str, Any]) -> str:
    tapes = [market["tape"] for market in summary["markets"].values()]
    made = {what: sum((tape[key] or {}).get("rows", 0) for tape in tapes) for key, what in MADE.items()}
    told = ", ".join(f"{count:,} of them of {what}" for what, count in made.items() if count)
    return f"rows ({told})" if told else "recorded rows"


def _row(name: str, text: str) -> str:
    return f"  {name:<{WIDTH}}{text}"


def _market(symbol: str, market: dict[str, Any]) -> Iterator[tuple[str, str]]:
    mark, interest, gap = market["mark"], market["open_interest"], market["mark_index_gap"]
    fall, end = (_change(mark["first"], mark[name]) for name in ("min", "last"))
    lowest, last = f"lowest {_price(mark['min'])} ({fall})", f"last {_price(mark['last'])} ({end})"
    yield f"{symbol} mark", f"{_price(mark['first'])}, {lowest}, {last}"
    if gap["time"]:
        yield "  furthest from the index", f"{Decimal(gap['worst']):.2%} at {gap['time']}"
    base = symbol.removesuffix("USDT")
    yield "  open interest", f"{_interest(interest['before'])} {base} before, {_interest(interest['after'])} after"
    if market["beyond_depth"]["fills"]:
        far = market["beyond_depth"]
        yield "  beyond recorded depth", f"{far['fills']:,} fills of {_short(far['notional'])}, at stated levels"
    for side, ways in market["forced_notional"].items():
        total = sum(map(Decimal, ways.values()))
        if total:
            where = WHERE | ({"book": "in recorded trades and the book"} if "attribution" in market else {})
            parts = ", ".join(f"{_short(ways[way])} {place}" for way, place in where.items() if Decimal(ways[way]))
            yield f"  {side}s closed by force", f"{_short(total)}: {parts}"
    yield from _attribution(market, base)


def _attribution(market: dict[str, Any], base: str) -> Iterator[tuple[str, str]]:
    """What forced orders had of recorded trades, and their difference to another run."""
    told = market.get("attribution")
    if told:
        yield "  of recorded trades", f"{Decimal(told['attributed']):,.3f} {base} were forced orders"
        if told["mode"] == "against":
            more, less = (Decimal(told[name]) for name in ("excess", "deficit"))
            yield "  beside the other run", f"{more:,.3f} {base} more, in the book; {less:,.3f} {base} less"


WHERE = {"book": "in the book", "fund": "taken over by the fund", "adl": "by ADL"}


def _people(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    people = summary["accounts"]
    share = f" ({people['liquidated'] / people['total']:.1%})" if people["total"] else ""
    yield "accounts", f"{people['total']:,}"
    yield "  liquidated", f"{people['liquidated']:,}{share}, {people['taken_over']:,} of them taken over by the fund"
    yield "  deleveraged by ADL", f"{people['deleveraged']:,}, in {summary['adl_trades']:,} trades"


def _interest(sides: dict[str, str]) -> str:
    """Longs and shorts, in one number while they are equal; the recorded market is the counterparty of the rest."""
    long, short = (f"{Decimal(sides[side]):,.0f}" for side in ("long", "short"))
    return long if sides["long"] == sides["short"] else f"{long} long and {short} short"


def _money(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    fund = summary["fund"]
    yield "insurance fund", f"{_short(fund['before'])} before, {_short(fund['equity_after'])} after"
    yield "  positions taken over", _short(fund["taken_over"])
    yield "  result on them", _short(fund["result_on_positions"])
    yield "  paid for shortfalls", _short(fund["covered"])
    yield "  liquidation fees", _short(fund["liquidation_fees"])
    yield "socialised loss", _short(summary["socialised_loss"])
    yield "venue deficit", _short(summary["deficit"])


def _price(text: str) -> str:
    return f"{Decimal(text):,.1f}"


def _change(first: str, now: str) -> str:
    return f"{Decimal(now) / Decimal(first) - 1:+.1%}" if Decimal(first) else "-"


def _short(amount: str | Decimal) -> str:
    """An amount with a few digits, for reading; the exact one is in summary.json."""
    value = Decimal(amount)
    for unit, name in UNITS:
        if abs(value) >= unit:
            return f"{value / unit:,.2f} {name}"
    return f"{value:,.2f}"
