"""The card told to a person, and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from perpsim.replay.realism.rows import GRADED, REPORTED

TITLE, NUMBER = 34, 29
HEAD = ("", "run", "recorded", "band", "verdict", "pure replay")


def as_json(card: dict[str, Any]) -> str:
    """Exact values; null where the data allow none."""
    return json.dumps(_finite(card), indent=2, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def tell(card: dict[str, Any]) -> str:
    """Markets one after the other: graded rows, reported rows, price response, impact."""
    lines = [f"{card['name']}, digest {card['digest']}", *(f"ASSUMED  {sentence}" for sentence in card["labels"])]
    if card["bare"]:
        lines.append("This scenario adds nothing to its recording: run and recorded day are one.")
    for symbol, market in card["markets"].items():
        quotes, orders = market["quotes"], market["orders"]
        lines += [
            "",
            f"{symbol}, {market['start']} to {market['end']}",
            f"quotes: {quotes['run']:,} in the run, {quotes['recorded']:,} recorded; "
            f"takers' orders: {orders['run']:,} in the run, {orders['recorded']:,} recorded",
            "",
            _line("graded, with 95 % intervals", *HEAD[1:]),
            *(_row(row, card["metaorders"]) for row in market[GRADED]),
            *_trivial(market[GRADED]),
            "",
            _line("reported only", "run", "recorded", "known from elsewhere"),
            *(_row(row, card["metaorders"]) for row in market[REPORTED]),
            *_responses(market["price_response"]),
            *_impact(market["impact"], card["metaorders"]),
        ]
    return "\n".join([*lines, "", *_notes(card)])


def _line(title: str, run: str, recorded: str, band: str = "", verdict: str = "", replay: str = "") -> str:
    text = f"  {title:<{TITLE}} {run:<{NUMBER}} {recorded:<{NUMBER}} {band:<14} {verdict:<8} {replay}"
    return text.rstrip()


def _trivial(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Which of the rows that the run passes say nothing about what it adds, for a model without it passes them too."""
    passed = [row for row in rows if row["verdict"] == "pass"]
    for text, also in (("a pure replay passes too", True), ("a pure replay does not pass", False)):
        names = [row["title"] for row in passed if (row["pure_replay"] == "pass") == also]
        if names:
            yield f"  passed, and {text}: {', '.join(names)}"


def _row(row: dict[str, Any], probed: dict[str, Any] | None) -> str:
    none = "too little data"
    if row["probe"]:
        none = "no impact to fit" if probed else "needs --metaorders"
    run, recorded = (none if row[name] is None else _text(row[name]) for name in ("run", "recorded"))
    if row["compares"]:
        recorded = ""
    if not row["band"]:
        return _line(row["title"], run, recorded, row["source"])
    return _line(row["title"], run, recorded, _band(row["band"]), row["verdict"], row["pure_replay"])


def _text(found: dict[str, Any]) -> str:
    interval = f" [{found['low']:.3g}, {found['high']:.3g}]" if found["low"] is not None else ""
    return f"{found['value']:.3g}{interval}"


def _band(band: list[float | None]) -> str:
    low, high = band
    if high is None:
        return f">= {low:g}"
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _responses(found: dict[str, Any]) -> Iterator[str]:
    """One table: mean of sign * (mid after - mid before) in ticks; the lags side by side."""
    run, recorded = found["run"], found["recorded"]
    if not run or not recorded:
        return
    lags = list(run)
    yield ""
    yield f"  price response in ticks, {', '.join(lags)} events later"
    for event in run[lags[0]]:
        texts = []
        for each in (run, recorded):
            count = each[lags[0]][event][2]
            means = ", ".join(f"{each[lag][event][0]:.3g}" for lag in lags)
            texts.append(f"{means} ({count:,})" if count >= 30 else f"too few ({count})")
        yield _line(f"  {event}", *texts)


def _impact(found: dict[str, Any] | None, about: dict[str, Any] | None) -> Iterator[str]:
    if not found or not about:
        return
    lost = about["lost"]
    low, high = about["size_of_mean_volume"]
    yield ""
    yield (
        f"  {about['count']} metaorders of {about['children']} market orders over {about['seconds']:g} s in "
        f"{about['rounds']} runs, seed {about['seed']}; {low:g} to {high:g} of what is recorded in their duration"
    )
    if lost["run"] or lost["recorded"]:
        yield f"  not executed: {lost['run']} in the run, {lost['recorded']} in the replay"
    for name, which in (("run", "in the run"), ("recorded", "in a pure replay")):
        bins = ", ".join(f"{each['size']:.2g}: {each['impact']:.2g}" for each in found[name]["bins"])
        yield f"  Q / V_D: I / sigma_D {which}: {bins}"
        path = found[name]["path"]
        middle = len(path) // 2
        shown = ", ".join("-" if each is None else f"{each:.2f}" for each in path[middle::2])
        yield f"  I(t) / I(T) {which}, t = T to 2T: {shown}"


def _notes(card: dict[str, Any]) -> Iterator[str]:
    yield "verdict: pass, the whole interval is in the band; fail, none of it; open, the data do not decide."
    yield "pure replay: what a replay without accounts, the recorded column, would be graded. A row that it passes says"
    yield "nothing about what the scenario adds. Distances from the recorded day are zero for it by construction."
    if card["labels"]:
        yield "What is assumed stands in both columns: a measure of quotes or depth of a synthetic book tells of the"
        yield "statement, not of the day."
    if not card["metaorders"]:
        yield "Without --metaorders there are no rows of impact."
