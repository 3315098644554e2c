"""The result folder: accounts, events, series and trail as Parquet, summary.json, and a copy of the scenario.

Everything in summary.json but its `wall` part depends on nothing but the scenario and its inputs; `verify` runs the
scenario again and compares. Amounts are exact decimals in text, counts are integers, times are UTC.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from perpsim.core import Attribution, EventKind
from perpsim.exchange.disk import sync
from perpsim.exchange.units import VALUE_ONE, decimal_text
from perpsim.replay import attribution, broken, compare, labels, trail
from perpsim.replay.errors import BrokenError, InputError
from perpsim.replay.market_plan import MarketPlan
from perpsim.replay.plan import Plan, iso, make_plan
from perpsim.replay.print_index import PrintIndex
from perpsim.replay.resume import NoRecord, Record, header_of, journaled_run, playback, refuse_other
from perpsim.replay.runner import Outcome, Runner
from perpsim.replay.scenario import ScenarioFile, parse
from perpsim.replay.series import COLUMNS
from perpsim.replay.synthetic import Book
from perpsim.replay.tables import EventFile, write_table
from perpsim.replay.tally import MarketTally

FORMAT = 1
SUMMARY, SCENARIO = "summary.json", "scenario.toml"
MONEY = "1e-8 of the settlement asset"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Journaling:
    """Where the journal of a run goes, and how; see resume.py."""

    folder: Path
    durable: bool = False
    resume: bool = False  # go on with the journal that is there


def run(
    file: ScenarioFile, out: str | os.PathLike, progress: Progress | None = None, journal: Journaling | None = None
) -> dict[str, Any]:
    """Run a scenario, write its result folder, return its summary.

    The folder appears whole or not at all, and replaces an earlier result. Raises InputError for an impossible
    scenario, and for a folder that holds anything else; DifferenceError when a resumed run goes another way;
    BrokenError where an audit finds a breach, after the last events and what is known of it were written to
    `<out>.broken`.
    """
    out = Path(out)
    refuse_foreign(out)
    if journal and journal.folder.resolve().is_relative_to(out.resolve()):
        raise InputError("is in the result folder, which is replaced; choose another for the journal", journal.folder)
    plan = make_plan(file, progress)
    for market in plan.markets:
        if market.flows and market.flows.folder == out.resolve():
            raise file.wrong(market.flows.key, f"{out} is the result folder, which is replaced; choose another for it")
    with _folder(out) as folder, _record(plan, journal) as record:
        said = labels.metadata(labels.labels(plan))
        events = EventFile(folder / "events.parquet", said)
        try:
            outcome = Runner(plan, events, progress, record).run()
        except BrokenError as error:
            error.facts["folder"] = str(broken.write(out, error, file.text))
            raise
        finally:
            events.close()
        summary = summarise(outcome)
        _write_accounts(folder / "accounts.parquet", outcome, said)
        _write_series(folder / "series.parquet", outcome, said)
        if outcome.trail.points:
            trail.write(folder / trail.TRAIL, outcome.trail.points, said)
        if any(market.spec.attribution for market in plan.markets):
            _write_attribution(folder / attribution.FILE, outcome, said)
        (folder / SCENARIO).write_bytes(file.text)
        (folder / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n", "utf-8")
    return summary


def _record(plan: Plan, journal: Journaling | None) -> AbstractContextManager[Record]:
    if journal is None:
        return nullcontext(NoRecord())
    return journaled_run(plan, journal.folder, journal.durable, journal.resume)


def play(path: Path, progress: Progress | None = None) -> Outcome:
    """Do a journalled run again with the commands that its bots sent, without the bots.

    The journal of a run that was killed is played up to where it ends.
    """
    with playback(path) as (header, record):
        about = header.about
        file = parse(about["scenario"], Path(about["path"]), Path(about["base"]))
        plan = make_plan(file, progress)
        refuse_other(header_of(plan), header, path)
        return Runner(plan, None, progress, record).run()


def verify(folder: str | os.PathLike, progress: Progress | None = None) -> list[str]:
    """Run a result's scenario again; returns what differs, one line each, nothing when all is the same.

    The first event that differs is told field by field, and between which points of the trail the runs part.
    """
    folder = Path(folder)
    before = read_summary(folder)
    stored = (folder / compare.EVENTS).is_file()
    beside = compare.Beside(compare.stored_events(folder / compare.EVENTS, 0)) if stored else None
    outcome = Runner(plan_of(folder, progress), beside, progress).run()
    again = summarise(outcome)
    del before["wall"], again["wall"]
    lines = list(_differences("", before, json.loads(json.dumps(again))))
    event = beside.close() if beside else None
    for before_it, ours, theirs in trail.differences(trail.read(folder), outcome.trail.points):
        lines += compare.tell_points(before_it, ours, theirs, ours.digest != theirs.digest and event is not None)
    return lines + compare.tell_event(event)


def verify_against(folder: str | os.PathLike, other: str | os.PathLike, progress: Progress | None = None) -> list[str]:
    """Compare two results; returns lines about the first thing that differs, nothing when they are the same run."""
    folder, other = Path(folder), Path(other)
    before, after = read_summary(folder), read_summary(other)

    def rerun(folder: Path, sink: compare.Window) -> None:
        with suppress(compare.Enough):
            Runner(plan_of(folder, progress), sink, progress).run()

    lines = [] if before["digest"] == after["digest"] else [f"digest: {before['digest']} | {after['digest']}"]
    return lines + compare.compare(folder, other, rerun)


def plan_of(folder: Path, progress: Progress | None) -> Plan:
    """The plan of a result's own scenario; its paths start where they did."""
    original = Path(read_summary(folder)["wall"]["scenario"])
    try:
        text = (folder / SCENARIO).read_bytes()
    except OSError as error:
        raise InputError(f"cannot be opened ({error.strerror}); run the scenario again", folder / SCENARIO) from error
    return make_plan(parse(text, original, original.parent), progress)


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary of a result folder. Raises InputError where there is none that this release can read."""
    try:
        summary = json.loads((folder / SUMMARY).read_text("utf-8"))
        number = summary["format"]
    except OSError as error:
        raise InputError(f"is no result of perpsim run ({SUMMARY}: {error.strerror})", folder) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("is damaged; run the scenario again", folder / SUMMARY) from error
    if number != FORMAT:
        raise InputError(f"is of format {number}, this release reads {FORMAT}; run the scenario again", folder)
    return summary


def refuse_foreign(out: Path) -> None:
    """Raise InputError unless a result may be written there: nothing, an empty folder, or an earlier result."""
    if out.is_dir() and any(out.iterdir()) and not (out / SUMMARY).is_file():
        raise InputError("is not empty and holds no earlier result; choose another folder", out)
    if out.exists() and not out.is_dir():
        raise InputError("is a file; choose a folder", out)


@contextmanager
def _folder(out: Path) -> Iterator[Path]:
    """A folder to write into, beside `out`; it takes the place of `out` when all went well, and is gone when not."""
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}.unfinished-", dir=out.parent))
    earlier = work.with_name(f"{work.name}.earlier")
    try:
        yield work
        work.chmod(0o755)
        for path in [*work.iterdir(), work]:
            sync(path)
        refuse_foreign(out)
        if out.exists():
            out.rename(earlier)
        work.rename(out)
    finally:
        if earlier.exists() and not out.exists():
            earlier.rename(out)
        for left in (work, earlier):
            shutil.rmtree(left, ignore_errors=True)


def _differences(place: str, ours: Any, theirs: Any) -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in dict.fromkeys([*ours, *theirs]):
            yield from _differences(f"{place}.{key}".lstrip("."), ours.get(key), theirs.get(key))
    elif ours != theirs:
        yield f"{place}: was {ours}, is {theirs}"


# summary.json


def summarise(outcome: Outcome) -> dict[str, Any]:
    """What a person asks first."""
    plan, tally, opening = outcome.plan, outcome.tally, outcome.opening
    scenario = plan.file.scenario
    accounts = outcome.engine.accounts()
    funds = accounts[outcome.engine.house["funds"]]
    result = int(funds["realised"].sum()) + int(funds["unrealised"].sum())
    forced = {side: sum(market.forced_total(side) for market in tally.markets) for side in ("long", "short")}
    forced["total"] = sum(forced.values())
    events, rows = outcome.engine.statistics()["events"], outcome.rows
    return {
        "format": FORMAT,
        "name": scenario.run.name or plan.file.path.stem,
        "labels": labels.labels(plan),
        "digest": outcome.engine.digest(),
        "forced_notional": {side: _money(amount) for side, amount in forced.items()},
        "accounts": {
            "total": plan.accounts,
            "liquidated": int(tally.liquidated[: outcome.watch.peak.size].sum()),
            "taken_over": int(tally.taken_over.sum()),
            "deleveraged": int(tally.deleveraged.sum()),
        },
        "liquidations": tally.count(EventKind.LIQUIDATION_STARTED),
        "adl_trades": tally.count(EventKind.ADL),
        "fund": {
            "before": _money(opening.fund_balance),
            "after": _money(int(funds["balance"].sum())),
            "equity_after": _money(int(funds["equity"].sum())),
            "taken_over": _money(sum(ways["fund"] for market in tally.markets for ways in market.forced.values())),
            "result_on_positions": _money(result),
            "covered": _money(tally.covered),
            "used": _money(tally.covered - result),
            "liquidation_fees": _money(tally.fees_to_fund),
        },
        "socialised_loss": _money(tally.socialised),
        "deficit": _money(tally.deficit),
        "markets": {
            market.spec.symbol: _market_summary(outcome, number, market, tally.markets[number])
            for number, market in enumerate(plan.markets)
        },
        "start": {"time": iso(opening.time_ns), "event": opening.events},
        "end": {"time": iso(outcome.engine.time_ns), "event": events},
        "rows": rows,
        "seed": scenario.run.seed,
        "rulebook": _rulebook_summary(plan),
        "bots": [
            {
                "name": bot.name,
                "use": bot.settings.use,
                "sha256": hashlib.sha256(bot.source.read_bytes()).hexdigest(),
                "latency": {"model": bot.latency.name, **bot.latency.facts, **measured},
            }
            for bot, measured in zip(plan.bots, outcome.latencies or [{}] * len(plan.bots), strict=True)
        ],
        "scenario_sha256": plan.file.sha256,
        "version": metadata.version("perpsim"),
        "wall": {
            "seconds": round(outcome.wall_seconds, 3),
            "events_per_second": round(events / outcome.wall_seconds),
            "rows_per_second": round(rows / outcome.wall_seconds),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "scenario": str(plan.file.base / plan.file.path.name),
        },
    }  # fmt: skip


def _market_summary(outcome: Outcome, number: int, market: MarketPlan, tally: MarketTally) -> dict[str, Any]:
    now = outcome.engine.market(number)
    before = outcome.opening.open_interest_lots[number]
    forced = {side: {way: _money(amount) for way, amount in ways.items()} for side, ways in tally.forced.items()}
    return {
        "forced_notional": forced,
        "open_interest": {
            "before": _sides(before, market.spec.lot),
            "after": _sides((now["longs_lots"], now["shorts_lots"]), market.spec.lot),
        },
        "mark": {
            "first": _money(tally.mark_first),
            "min": _money(tally.mark_min),
            "max": _money(tally.mark_max),
            "last": _money(tally.mark_last),
        },
        "mark_index_gap": {
            "worst": f"{tally.gap_worst:.9f}",
            "time": iso(tally.gap_time_ns) if tally.gap_time_ns else None,
        },
        "trades": {"count": tally.trades, "volume": decimal_text(tally.volume_lots * market.spec.lot)},
        "beyond_depth": {
            "fills": tally.beyond_fills,
            "volume": decimal_text(tally.beyond_lots * market.spec.lot),
            "notional": _money(tally.beyond_notional),
        },
        "tape": {
            "sha256": market.tape.sha256(),
            "rows": len(market.tape),
            "mark": market.settings.mark,
            "print_index": _index_summary(market, outcome.indices[number]),
            "bars": {"path": market.path, **{kind.name.lower(): count for kind, count in market.bars}}
            if market.bars
            else None,
            "funding": market.settings.funding,
            "queue_model": market.settings.queue_model,
            "walk": market.settings.walk,
            "book": _book_summary(market, outcome.books[number]),
            "unfilled": decimal_text(tally.tape_unfilled_lots * market.spec.lot),
            "above_highest_price": outcome.rows_left_out[number],
        },
    } | ({"attribution": _attribution_summary(now, market)} if market.spec.attribution else {})


def _attribution_summary(now: dict[str, Any], market: MarketPlan) -> dict[str, Any]:
    """How much of the recorded trades was forced orders; what was more, or missing, beside another run."""
    lot = market.spec.lot
    return {
        "mode": Attribution(market.spec.attribution).name.lower(),
        "against_sha256": market.flows.sha256 if market.flows else None,
        "trades": now["tape_trades"],
        "attributed": decimal_text(now["attributed_lots"] * lot),
        "excess": decimal_text(now["excess_lots"] * lot),
        "deficit": decimal_text(now["deficit_lots"] * lot),
        "lapsed": decimal_text(now["lapsed_lots"] * lot),
        "waiting": _sides(now["claimed_lots"][::-1], lot),
    }


def _book_summary(market: MarketPlan, book: Book | None) -> dict[str, Any]:
    """Whether a book is recorded; of a synthetic one, what was stated, and how the prints fit it."""
    stated = market.settings.synthetic
    if book is None or stated is None:
        return {"kind": "recorded"}
    within, inside, beyond = book.prints
    return {
        "kind": "synthetic",
        "depth": str(stated.depth), "slope": str(stated.slope), "levels": stated.levels, "spread": stated.spread,
        "rows": book.rows,
        "prints": {"at_levels": within, "inside_spread": inside, "beyond_levels": beyond},
    }  # fmt: skip


def _index_summary(market: MarketPlan, index: PrintIndex | None) -> dict[str, Any] | None:
    """Of an index made of prints, how often and how many; None where there is none."""
    if index is None:
        return None
    return {"seconds": decimal_text(Fraction(market.index_period_ns, 10**9)), "rows": index.rows}


def _rulebook_summary(plan: Plan) -> dict[str, Any]:
    book = plan.rulebook
    return {
        "name": book.name,
        "date": book.date,
        "era": book.era,
        "fingerprint": book.fingerprint,
        "modified": book.fingerprint != plan.base_fingerprint,
        "changes": plan.changes,
    }


def _sides(lots: tuple[int, int], lot: Fraction) -> dict[str, str]:
    return {side: decimal_text(count * lot) for side, count in zip(("long", "short"), lots, strict=True)}


def _money(units: int) -> str:
    """Exact text of an amount or a price in 1e-8."""
    return decimal_text(Fraction(units, VALUE_ONE))


# Parquet


def house_names(house: dict[str, Any]) -> dict[int, str]:
    """Ids of the house accounts and what they are."""
    names = {account: f"fund {number}" for number, account in enumerate(house["funds"])}
    names |= {account: f"clearing {number}" for number, account in enumerate(house["clearing"])}
    return names | {account: name for name, account in house.items() if isinstance(account, int)}


def _latency_columns(outcome: Outcome, count: int) -> list[tuple[str, str, np.ndarray]]:
    """What each bot's requests and feed took, in a run with bots."""
    columns, first = [], sum(map(len, outcome.crowds))
    for way, unit in (("order", "ns from sending a request to its effect"), ("feed", "ns from a change to the bot")):
        for percentile in ("p50", "p99"):
            values = np.full(count, -1, np.int64)
            for number, measured in enumerate(outcome.latencies):
                values[first + number] = measured[f"{way}_ns"].get(percentile, -1)
            columns.append((f"{way}_latency_{percentile}", f"{unit}; -1: none", values))
    return columns if outcome.latencies else []


def _write_accounts(path: Path, outcome: Outcome, metadata: dict[bytes, bytes]) -> None:
    """One row an account: customers, then the house."""
    rows = outcome.engine.accounts()
    count, customers = len(rows), outcome.watch.peak.size
    house = house_names(outcome.engine.house)
    cohort = ["" for _ in range(count)]
    start = {name: np.zeros(count, np.int64) for name in ("lots", "leverage", "entry_value")}
    for crowd in outcome.crowds:
        mine = slice(crowd.first, crowd.first + len(crowd))
        cohort[mine] = [crowd.labels[label] for label in crowd.cohort.tolist()]
        for name, column in start.items():
            column[mine] = getattr(crowd, name)
    bots_from = sum(map(len, outcome.crowds))
    for number, bot in enumerate(outcome.plan.bots):
        cohort[bots_from + number] = bot.name
    for account, name in house.items():
        cohort[account] = name
    ratio, drawdown = np.full(count, np.inf), np.zeros(count, np.int64)
    ratio[:customers] = np.minimum(outcome.watch.margin_ratio_min, outcome.tally.margin_ratio_min[:customers])
    drawdown[:customers] = outcome.watch.drawdown
    copied = [
        (ours, MONEY, np.ascontiguousarray(rows[theirs]))
        for ours, theirs in (
            ("deposits", "deposited"), ("realised", "realised"), ("unrealised", "unrealised"), ("fees", "fees"),
            ("funding", "funding"), ("absorbed", "absorbed"), ("final_equity", "equity"),
            ("final_maintenance", "maintenance"),
        )
    ]  # fmt: skip
    write_table(
        path,
        [
            ("account", "", np.ascontiguousarray(rows["account"])),
            ("cohort", "", cohort),
            ("house", "", np.arange(count) >= customers),
            ("start_lots", "position at the start, signed lots", start["lots"]),
            ("start_leverage", "chosen leverage at the start", start["leverage"]),
            ("start_entry", "entry price at the start, 1e-8 of the quote", start["entry_value"]),
            *copied,
            ("liquidations", "times", np.ascontiguousarray(rows["liquidations"])),
            ("adl_hits", "times", np.ascontiguousarray(rows["adl_hits"])),
            ("beyond_depth_fills", "as a taker, from behind the recorded depth", outcome.tally.beyond_fills),
            ("beyond_depth_notional", f"of these fills, {MONEY}", outcome.tally.beyond_notional),
            ("max_drawdown", f"largest fall of equity less deposits, at the samples, {MONEY}", drawdown),
            ("min_margin_ratio", "smallest equity / maintenance; infinite without a position", ratio),
            *_latency_columns(outcome, count),
        ],
        metadata,
    )


def _write_attribution(path: Path, outcome: Outcome, metadata: dict[bytes, bytes]) -> None:
    """What forced orders had of recorded trades, for runs under other rules."""
    plan, opening = outcome.plan, outcome.opening
    numbers = [number for number, market in enumerate(plan.markets) if market.spec.attribution]
    symbols = {number: plan.markets[number].spec.symbol for number in numbers}
    facts = {
        "recordings": {symbol: plan.markets[number].tape.sha256() for number, symbol in symbols.items()},
        "population": attribution.population_of(plan.file.scenario),
        "start_ns": opening.time_ns,
        "trades": {symbol: opening.tape_trades[number] for number, symbol in symbols.items()},
    }
    found = {symbol: outcome.tally.markets[number].attributed for number, symbol in symbols.items()}
    attribution.write(path, found, facts, metadata)


def _write_series(path: Path, outcome: Outcome, metadata: dict[bytes, bytes]) -> None:
    rows = outcome.series.rows
    columns = []
    for place, (name, (kind, unit)) in enumerate(COLUMNS.items()):
        values = [row[place] for row in rows]
        columns.append((name, unit, values if kind == "text" else np.array(values, np.int64)))
    write_table(path, columns, metadata)
