"""A quality card as text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from perpsim.replay.check import Card

SHOWN = 20  # findings, and minutes, unless all are asked for
LONGEST = 5  # silences, likewise
OWN_LINES = (
    "missing_trade_ids", "off_book_fills", "negative_latencies", "off_quote_prints", "mark_bars", "index_bars",
)  # fmt: skip


def told(card: Card, everything: bool = False) -> Iterator[str]:
    """The lines of a card; of findings and minutes the first or highest, or all."""
    market, spans = card["market"], card["spans"]
    yield f"{market['venue']} {market['symbol']}  ({', '.join(card['readers'])}; files: {len(card['files'])})"
    if spans["first_ns"] is None:
        yield _line("span", "no rows")
    else:
        yield _line("span", f"{_time(spans['first_ns'])} to {_time(spans['last_ns'])}")
    yield _line("rows", ", ".join(f"{kind} {count:,}" for kind, count in spans["rows"].items()) or "none")
    limit_ns = spans["silence_ns"]
    yield _line("silences", _longer(spans["silences"], spans["silent_ns"], limit_ns))
    for each in spans["longest"][: None if everything else LONGEST]:
        yield _line("", f"{_long(each['ns'])} from {_time(each['from_ns'])}")
    yield from _found(card, everything)
    yield from _clocks(card)
    yield from _ids(card, everything)
    yield from _book(card)
    yield from _bars(card)
    yield from _frozen(card)
    yield _line("counted", ", ".join(_counted(card["counts"])) or "nothing else")
    if counted := ", ".join(_counted(card["counts_of_files"])):
        yield _line("in whole files", counted)
    yield _line("repaired", ", ".join(card["repairs"]) or "nothing")
    for sentence in card["unsound"]:
        yield _line("UNSOUND", sentence)
    if not card["unsound"]:
        yield _line("sound", "nothing found that makes a replay unsound")


def _found(card: Card, everything: bool) -> Iterator[str]:
    """Refused and suspicious lines: how many of each rule, and where."""
    for topic, key in (("refused", "rules"), ("suspicious", "suspicions")):
        counts = card[key]
        yield _line(topic, ", ".join(f"{rule} {count:,}" for rule, count in counts.items()) or "nothing")
        found = [each for each in card["findings"] if each["rule"] in counts]
        shown = found if everything else found[:SHOWN]
        for each in shown:
            yield _line("", f"{each['place']}:{each['line']}: {each['rule']}: {each['sentence']}")
        if len(shown) < len(found):
            yield _line("", f"and {len(found) - len(shown):,} more; --all shows them")


def _clocks(card: Card) -> Iterator[str]:
    if (latency := card["latency"]) is None:
        yield _line("latency", "one clock")
        return
    yield _line("latency", ", ".join(f"{name} {n / 1e6:,.3f} ms" for name, n in _but_n(latency["percentiles"])))
    skew = latency["skew_ns"] / 1e6
    early = latency["negative"]
    yield _line("clock skew", f"{early:,} received before they were sent, at most {skew:,.3f} ms" if early else "none")


def _but_n(percentiles: dict[str, int]) -> list[tuple[str, int]]:
    return [(name, value) for name, value in percentiles.items() if name != "n"]


def _ids(card: Card, everything: bool) -> Iterator[str]:
    yield _line("prints twice", f"{card['prints_twice']:,}")
    for name, topic in (("missing_trade_ids", "missing ids"), ("off_book_fills", "off-book fills")):
        holes = card[name]
        peak = holes["peak_minute"]
        most = f", the most in the minute of {peak.replace('T', ' ')}" if peak else ""
        yield _line(topic, f"{holes['n']:,}{most}")
        minutes = sorted(holes["minutes"].items(), key=lambda each: (-each[1], each[0]))
        for minute, count in sorted(minutes if everything else minutes[:SHOWN]):
            yield _line("", f"{minute.replace('T', ' ')}  {count:>6,} a minute")


def _book(card: Card) -> Iterator[str]:
    if (book := card["book"]) is None:
        yield _line("book", "none: nothing of it can be checked, and a replay needs a stated one")
        return
    yield _line("book", f"{book['messages']:,} messages, {book['snapshots']:,} snapshots")
    crossed = f"{book['crossings']:,} times, together {_long(book['crossed_ns'])} of {_long(book['book_ns'])}"
    longest = f", at the longest {_long(book['crossed_longest_ns'])}"
    yield _line("crossed", crossed + longest if book["crossings"] else f"never in {_long(book['book_ns'])}")
    compared = f"{book['levels_differing']:,} of {book['levels_compared']:,} levels differ"
    following = f", in {book['snapshots_compared']:,} snapshots that follow updates"
    yield _line("against snapshots", compared + following if book["snapshots_compared"] else "none follows updates")
    own = card["counts"].get("off_quote_prints")
    beside = "" if own is None else f"; {own:,} by the best quotes recorded beside it"
    yield _line("off quote", f"{book['off_quote_prints']:,} of {book['prints']:,} prints by the book{beside}")
    if book["unknown_orders"] or book["negative_sizes"]:
        yield _line(
            "orders", f"{book['unknown_orders']:,} events of unknown ones, {book['negative_sizes']:,} of too many lots"
        )


def _bars(card: Card) -> Iterator[str]:
    for kind, bars in card["bars"].items():
        reach = bars["reach_ppm"]
        how_far = f", their lows and highs up to {reach['max'] / 1e4:.2f} % beyond open and close" if reach else ""
        yield _line(f"{kind} prices", f"{bars['n']:,} bars{how_far}; prices in between are unknown")


def _frozen(card: Card) -> Iterator[str]:
    frozen, still_ns = card["frozen"], card["depth_band_unchanged_ns"]
    yield _line("frozen feeds", _longer(frozen["n"], frozen["ns"], card["spans"]["silence_ns"]))
    for each in frozen["longest"]:
        yield _line("", f"{each['feed']}: {_long(each['ns'])} from {_time(each['from_ns'])}")
    if still_ns is not None:
        yield _line("", f"a depth band does not change for {_long(still_ns)} at the longest")


def _counted(counts: dict[str, int]) -> Iterator[str]:
    """What the readers have counted, but for what has its own line."""
    for name, count in counts.items():
        if count and not name.startswith(("rows.", *OWN_LINES)):
            yield f"{name.replace('_', ' ')} {count:,}"


def _longer(count: int, together_ns: int, limit_ns: int) -> str:
    of = f"longer than {_long(limit_ns)}"
    return f"{count:,} {of}, together {_long(together_ns)}" if count else f"none {of}"


def _line(topic: str, text: str) -> str:
    return f"    {topic:<18}{text}"


def _time(ns: int) -> str:
    return str(np.datetime64(ns, "ns").astype("datetime64[ms]")).replace("T", " ")


def _long(ns: int) -> str:
    return f"{ns / 1e9:,.3f} s"
