"""What a run shows from outside: every change of the best quotes, depth at the samples, takers' trades.

Nothing of this is in a result folder: the card runs the scenario again and looks at the live book while it does. The
recorded day is looked at in the same way, by a replay without accounts, whose book is the recorded one.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from perpsim.core import COMMAND, EventKind, Kind, Side, Watch
from perpsim.replay.plan import Plan, make_plan
from perpsim.replay.population import Crowd
from perpsim.replay.runner import Progress, Runner
from perpsim.replay.scenario import Fund, TapeSource
from perpsim.replay.tape import ROW_MASK, SELL, Row

LEVELS = 10  # occupied prices of a side whose depth is sampled
DAY_NS = 86_400_000_000_000
# What a tape may add to history.
MECHANISM = {"impact": None, "beyond": None, "resilience_half_life": 0, "resilience_updates": 0}


@dataclass(frozen=True, eq=False)
class Observation:
    """One market of one run, from the start of the accounts to the end; prices in ticks, sizes in lots.

    time_ns, bid, bid_lots, ask, ask_lots  after each change of the best quotes, while the book has two sides
    depth_ns, depth                        at each sample of the run: array (n, 2 sides, LEVELS), bids first
    trade_ns, trade_sign, trade_lots       a taker's whole order each, sign +1 bought, -1 sold; recorded and simulated
    """

    symbol: str
    start_ns: int
    end_ns: int
    time_ns: np.ndarray
    bid: np.ndarray
    bid_lots: np.ndarray
    ask: np.ndarray
    ask_lots: np.ndarray
    depth_ns: np.ndarray
    depth: np.ndarray
    trade_ns: np.ndarray
    trade_sign: np.ndarray
    trade_lots: np.ndarray

    @property
    def mid(self) -> np.ndarray:
        return (self.bid + self.ask) / 2

    def grid(self, step_ns: int) -> np.ndarray:
        """Times of a grid: multiples of the step from the start to the end."""
        return np.arange(-(-self.start_ns // step_ns) * step_ns, self.end_ns + 1, step_ns)


@dataclass(frozen=True, eq=False)
class Seen:
    """A whole run: its markets, and what identifies it."""

    markets: tuple[Observation, ...]
    digest: str
    start_ns: int


@dataclass(frozen=True, eq=False)
class ProbedPlan(Plan):
    """A plan with more accounts, behind all others, that send the scheduled commands of a probe."""

    probes: int = 0

    @property
    def accounts(self) -> int:
        return super().accounts + self.probes


class Observer(Runner):
    """A run that is watched. probe: commands of the probe's accounts, applied (deposits) or scheduled (the rest)."""

    def __init__(self, plan: Plan, progress: Progress | None = None, probe: np.ndarray | None = None):
        self.watching = False
        count = len(plan.markets)
        self.quotes = [[array("q") for _ in range(5)] for _ in range(count)]
        self.last = [(0, 0, 0, 0)] * count
        self.depths: list[list[np.ndarray]] = [[] for _ in range(count)]
        self.depth_ns = array("q")
        self.fills: list[np.ndarray] = []
        self.probe = np.empty(0, COMMAND) if probe is None else probe
        super().__init__(plan, self, progress)

    def add(self, events: np.ndarray) -> None:
        """Sink: keep the trades whose taker is not the recording."""
        mine = events[(events["kind"] == EventKind.TRADE) & (events["order_id"] != 0)]
        if self.watching and len(mine):
            self.fills.append(mine[["time_ns", "account", "order_id", "market", "side", "size_lots"]].copy())

    def _set_up(self) -> list[Crowd]:
        crowds = super()._set_up()
        at_once = self.probe["kind"] != Kind.PLACE
        self._apply(self.probe[at_once], "probe")
        self.kernel.schedule(self.probe[~at_once])
        return crowds

    def _play(self) -> None:
        for number in range(len(self.plan.markets)):
            if not self.plan.bots:  # bots have quotes watched already
                self.kernel.watch_market(0, number, Watch.QUOTE)
            self.last[number] = self.kernel.quote(0, number)
            self._keep(number, self.kernel.time_ns)
        self.watching = True
        super()._play()

    def _record(self, events: np.ndarray) -> None:
        super()._record(events)
        if self.watching:
            self._notice()

    def _notice(self) -> None:
        """Quotes that changed since the kernel was last started; the two sides of one change are one."""
        changed: dict[int, int] = {}
        for kind, _, number, side, price, lots, time_ns in self.kernel.woken:
            if kind != Watch.QUOTE:
                continue
            bid, bid_lots, ask, ask_lots = self.last[number]
            mine = (price, lots, ask, ask_lots) if side == Side.BUY else (bid, bid_lots, price, lots)
            self.last[number] = mine
            changed[number] = time_ns
        for number, time_ns in changed.items():
            self._keep(number, time_ns)

    def _keep(self, number: int, time_ns: int) -> None:
        bid, bid_lots, ask, ask_lots = self.last[number]
        if bid > 0 and ask > 0:
            for column, value in zip(self.quotes[number], (time_ns, bid, bid_lots, ask, ask_lots), strict=True):
                column.append(value)

    def _sample(self) -> None:
        super()._sample()
        self.depth_ns.append(self.kernel.time_ns)
        for number, kept in enumerate(self.depths):
            sides = np.zeros((2, LEVELS), np.int64)
            for place, side in enumerate((Side.BUY, Side.SELL)):
                lots = self.engine.book(number, side)[:LEVELS, 1]
                sides[place, : len(lots)] = lots
            kept.append(sides)

    def seen(self, end_ns: int) -> Seen:
        """What was kept, once the run is over."""
        fills = np.concatenate(self.fills) if self.fills else None
        return Seen(
            tuple(self._market(number, fills, end_ns) for number in range(len(self.plan.markets))),
            self.engine.digest(),
            self.opening.time_ns,
        )

    def _market(self, number: int, fills: np.ndarray | None, end_ns: int) -> Observation:
        start_ns = self.opening.time_ns
        quotes = [np.frombuffer(column, np.int64) for column in self.quotes[number]]
        recorded = _recorded_trades(self.plan, number, start_ns, end_ns)
        simulated = _orders(fills[fills["market"] == number]) if fills is not None else [np.empty(0, np.int64)] * 3
        joined = [np.concatenate(pair) for pair in zip(recorded, simulated, strict=True)]
        order = np.argsort(joined[0], kind="stable")
        return Observation(
            self.plan.markets[number].spec.symbol, start_ns, end_ns, *quotes,
            np.array(self.depth_ns), np.array(self.depths[number]).reshape(-1, 2, LEVELS),
            *(column[order] for column in joined),
        )  # fmt: skip


def _recorded_trades(plan: Plan, number: int, start_ns: int, end_ns: int) -> list[np.ndarray]:
    """(time, sign, lots) of the recording's trades; prints of one time and side are one taker's order."""
    times, signs, lots = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for batch in plan.markets[number].chunks():
        kind, time_ns = batch["code"] & ROW_MASK, batch["time_ns"]
        executed = kind == Row.ORDER_EXECUTE  # SELL says that the resting order was an ask: the taker bought
        chosen = ((kind == Row.TRADE) | executed) & (time_ns > start_ns) & (time_ns <= end_ns)
        sold = ((batch["code"] & SELL) != 0) ^ executed
        times.append(time_ns[chosen])
        signs.append(np.where(sold[chosen], -1, 1))
        lots.append(batch["value"][chosen])
    return _joined(np.concatenate(times), np.concatenate(signs), np.concatenate(lots))


def _orders(fills: np.ndarray) -> list[np.ndarray]:
    """(time, sign, lots) of simulated takers' orders: the fills of one order at one time together."""
    sign = np.where(fills["side"] == Side.BUY, 1, -1)
    return _joined(fills["time_ns"], sign, fills["size_lots"], fills["account"], fills["order_id"])


def _joined(time_ns: np.ndarray, sign: np.ndarray, lots: np.ndarray, *keys: np.ndarray) -> list[np.ndarray]:
    """Rows that follow each other with equal time, sign and keys as one, their lots summed."""
    if not len(time_ns):
        return [np.empty(0, np.int64)] * 3
    new = np.ones(len(time_ns), bool)
    new[1:] = False
    for column in (time_ns, sign, *keys):
        new[1:] |= column[1:] != column[:-1]
    first = np.flatnonzero(new)
    return [time_ns[first].astype(np.int64), sign[first].astype(np.int64), np.add.reduceat(lots, first)]


def observe(plan: Plan, progress: Progress | None = None, probe: np.ndarray | None = None) -> tuple[Seen, Observer]:
    """Run a plan and look at it. Raises what a run raises."""
    runner = Observer(plan, progress, probe)
    runner.run()
    return runner.seen(plan.end_ns), runner


def bare(plan: Plan, start_ns: int, progress: Progress | None = None) -> Plan:
    """The same recording from the same start with nobody in it, and nothing that a tape adds to history."""
    scenario = plan.file.scenario
    known = {field.name for field in msgspec.structs.fields(TapeSource)}
    without: dict[str, Any] = {name: value for name, value in MECHANISM.items() if name in known}
    tapes = [msgspec.structs.replace(tape, **without) for tape in scenario.tape]
    empty = msgspec.structs.replace(scenario, tape=tapes, population=[], shock=[], strategy=[], fund=Fund())
    file = replace(plan.file, scenario=empty)
    if tapes == scenario.tape:
        return replace(plan, file=file, bots=(), start_ns=start_ns)
    return replace(make_plan(file, progress), start_ns=start_ns)


def is_bare(plan: Plan) -> bool:
    """Whether a scenario adds nothing to its recording."""
    scenario = plan.file.scenario
    added = any(
        getattr(tape, name, value) not in (value, None) for tape in scenario.tape for name, value in MECHANISM.items()
    )
    return not (added or scenario.population or scenario.shock or scenario.strategy)


def probed(plan: Plan, accounts: int) -> ProbedPlan:
    """The plan with room for a probe's accounts."""
    fields = {name: getattr(plan, name) for name in Plan.__dataclass_fields__}
    return ProbedPlan(**fields, probes=accounts)
