"""The realism card of a result: run the scenario again, look at it, set it beside the recorded day, grade."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from perpsim.replay import outcomes
from perpsim.replay.errors import DifferenceError, InputError
from perpsim.replay.labels import labels
from perpsim.replay.plan import Plan, iso
from perpsim.replay.realism import impact, measures, probe
from perpsim.replay.realism.observe import Observation, Seen, bare, is_bare, observe
from perpsim.replay.realism.resample import Estimate
from perpsim.replay.realism.rows import GRADED, REPORTED, ROWS, Row, verdict

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Metaorders:
    """What the probe of the impact does; none: count 0."""

    count: int = 0
    seconds: float = 10.0  # from the first child order to the last
    seed: int | None = None  # without one, the scenario's
    market: str = ""
    children: int = 10


def card(folder: Path, metaorders: Metaorders = Metaorders(), progress: Progress | None = None) -> dict[str, Any]:
    """The card as plain values, see `json_card`. Raises DifferenceError where the run does not come out again."""
    summary = outcomes.read_summary(folder)
    plan = outcomes.plan_of(folder, progress)
    run, _ = observe(plan, progress)
    if run.digest != summary["digest"]:
        raise DifferenceError(f"{folder} does not come out again; perpsim verify {folder} says where")
    still = bare(plan, run.start_ns, progress)
    recorded = run if is_bare(plan) else observe(still, progress)[0]
    probes: dict[str, Any] = {}
    if metaorders.count:
        probes = _probes(plan, run, still, recorded, metaorders, progress)
    return {
        "name": summary["name"],
        "labels": labels(plan),
        "digest": summary["digest"],
        "bare": is_bare(plan),
        "metaorders": probes.get("about"),
        "markets": {
            ours.symbol: _market(ours, theirs, probes if probes.get("market") == ours.symbol else {})
            for ours, theirs in zip(run.markets, recorded.markets, strict=True)
        },
    }


def _market(ours: Observation, theirs: Observation, probes: dict[str, Any]) -> dict[str, Any]:
    same = ours is theirs
    mine = measures.alone(ours)
    history = mine if same else measures.alone(theirs)
    mine = mine | measures.between(ours, theirs) | probes.get("run", {})
    replay = history | probes.get("replay", {})
    rows = [_graded(row, mine.get(row.name), replay.get(row.name)) for row in ROWS]
    return {
        "start": iso(ours.start_ns),
        "end": iso(ours.end_ns),
        "quotes": {"run": len(ours.time_ns), "recorded": len(theirs.time_ns)},
        "orders": {"run": len(ours.trade_ns), "recorded": len(theirs.trade_ns)},
        GRADED: [row for row, each in zip(rows, ROWS, strict=True) if each.band],
        REPORTED: [row for row, each in zip(rows, ROWS, strict=True) if not each.band],
        "price_response": {"run": measures.responses(ours), "recorded": measures.responses(theirs)},
        "impact": probes.get("detail"),
    }


def _graded(row: Row, mine: Estimate | None, replay: Estimate | None) -> dict[str, Any]:
    """One row. replay: what the recorded day, or a replay without accounts, gives."""
    passed = "pass" if row.always and mine and math.isfinite(mine.value) else ""
    if not row.always and replay:
        passed = verdict(row, *replay[:3])
    return {
        "name": row.name,
        "title": row.title,
        "formula": row.formula,
        "probe": row.probe,
        "compares": row.compares,
        "band": row.band and [None if math.isinf(each) else each for each in row.band],
        "source": row.source,
        "run": _estimate(mine),
        "recorded": None if row.compares else _estimate(replay),
        "verdict": verdict(row, *mine[:3]) if mine else "",
        "pure_replay": passed,
    }


def _estimate(found: Estimate | None) -> dict[str, Any] | None:
    """As plain values; None where there is no number."""
    if found is None or not math.isfinite(found.value):
        return None
    low, high = (each if math.isfinite(each) else None for each in (found.low, found.high))
    return {"value": found.value, "low": low, "high": high, "n": found.n}


def _probes(
    plan: Plan, run: Seen, still: Plan, recorded: Seen, asked: Metaorders, progress: Progress | None
) -> dict[str, Any]:
    """Laws of impact of the run, of the run with other names on the orders, and of the replay without accounts."""
    number = plan.market_number(asked.market, "--market") if asked.market or len(plan.markets) > 1 else 0
    duration_ns = round(asked.seconds * probe.SECOND)
    if duration_ns < asked.children:
        raise InputError(f"--duration {asked.seconds:g} is too short for {asked.children} child orders")
    shape = probe.Shape(duration_ns, asked.children, plan.markets[number].spec.impact_step_ns)
    seed = plan.file.scenario.run.seed if asked.seed is None else asked.seed
    rounds = probe.draw(recorded.markets[number], plan.markets[number].spec, asked.count, shape, seed)

    def told(what: str) -> Callable[[int, int], None]:
        return lambda done, total: progress(what, done, total) if progress else None

    def of(which: Plan, control: Seen, what: str, scrambled: bool = False) -> probe.Impacts:
        return probe.measure(which, control, number, rounds, shape, scrambled=scrambled, progress=told(what))

    mine = of(plan, run, "metaorders in the run")
    other = of(plan, run, "metaorders under other names", scrambled=True)
    theirs = mine if run is recorded else of(still, recorded, "metaorders in the recording")
    laws = [impact.fit(each.size, each.final) for each in (mine, theirs)]
    names = impact.difference(mine.size, mine.final, other.size, other.final)
    about = {
        "market": plan.markets[number].spec.symbol, "count": asked.count, "rounds": len(rounds), "seed": seed,
        "seconds": asked.seconds, "children": asked.children,
        "settle": shape.settle_ns / probe.SECOND, "size_of_mean_volume": [probe.SIZE_MIN, probe.SIZE_MAX],
        "lost": {"run": mine.lost, "recorded": theirs.lost},
    }  # fmt: skip
    return {
        "about": about,
        "market": about["market"],
        "run": _rows(laws[0], mine) | {"impact-scrambled": names},
        "replay": _rows(laws[1], theirs),
        "detail": {"run": _detail(laws[0], mine), "recorded": _detail(laws[1], theirs)},
    }


def _rows(law: impact.Law, found: probe.Impacts) -> dict[str, Estimate]:
    return {
        "impact-delta": law.delta,
        "impact-coefficient": law.coefficient,
        "impact-root": impact.against_root(found.size, found.final),
        "impact-kept": impact.kept(found.path[:, found.end :], 0),
    }


def _detail(law: impact.Law, found: probe.Impacts) -> dict[str, Any]:
    path = impact.path(found.path, found.end) if len(found.path) else np.empty(0)
    return {
        "sigma_day": found.sigma,
        "volume_day_lots": found.volume,
        "bins": [{"size": size, "impact": mean, "metaorders": count} for size, mean, count in law.bins],
        "path": [float(each) if math.isfinite(each) else None for each in path],
    }
