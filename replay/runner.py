"""Runs a plan: the only loop.

warm up       recorded rows build the book until there is one, with a mark; nobody is there yet
set up        fund, bots, populations, all at the start; shocks are scheduled
run           the kernel merges tapes, commands and timers; in between: bots, samples, events to the disk
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from perpsim.core import COMMAND, Engine, EventKind, InvariantError, Kernel, Kind, MarginMode, Reject, Stop
from perpsim.exchange.adl import ask, decision
from perpsim.exchange.units import money, rate
from perpsim.replay import broken, population
from perpsim.replay.contents import contents
from perpsim.replay.errors import InputError, raised
from perpsim.replay.host import Host
from perpsim.replay.latency.recorded import Recorded
from perpsim.replay.market_plan import MarketPlan, without
from perpsim.replay.place import Place
from perpsim.replay.plan import Plan, iso
from perpsim.replay.population import Crowd, Ground
from perpsim.replay.print_index import PrintIndex
from perpsim.replay.resume import MARK_SAMPLES, NoRecord, Playback, Record
from perpsim.replay.scenario import Bot
from perpsim.replay.series import Series, Watch
from perpsim.replay.shock import path_commands
from perpsim.replay.synthetic import Book
from perpsim.replay.tally import Tally
from perpsim.replay.tape import ROW_MASK, Batch, Row
from perpsim.replay.trail import Trail

SET_UP_COMMANDS = 1 << 18  # at a time
PRICED = (Row.INDEX, Row.MARK, Row.BAR)  # a mark can be made of them
AT_A_PRICE = np.isin(np.arange(ROW_MASK + 1), (Row.LEVEL, Row.TRADE))  # single orders are the core's own business
AUDITS = {"off": 0, "batch": 1, "event": 2}

Progress = Callable[[str, int, int], None]  # (what is being done, done, total)


class Sink(Protocol):
    """Takes the events of a run, in order."""

    def add(self, events: np.ndarray) -> None: ...


class _Nowhere:
    def add(self, events: np.ndarray) -> None:
        pass


@dataclass(frozen=True)
class Opening:
    """State of the venue at the start, after the set-up."""

    time_ns: int
    events: int  # so far, set-up included
    fund_balance: int
    marks: list[int]
    open_interest_lots: list[tuple[int, int]]  # (long, short) by market
    tape_trades: list[int]  # recorded trades so far, of markets with an attribution


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run leaves behind, for outcomes.py to write down."""

    plan: Plan
    engine: Engine
    crowds: list[Crowd]
    opening: Opening
    tally: Tally
    series: Series
    watch: Watch
    trail: Trail
    rows: int
    wall_seconds: float
    latencies: list[dict[str, Any]]  # by bot: Meter.summary; none in a playback
    books: list[Book | None]  # by market: the synthetic ones
    indices: list[PrintIndex | None]  # by market: those made of prints
    rows_left_out: list[int]  # by market: recorded above the venue's highest price


class Runner:
    """One run of a plan. `run` may be called once."""

    def __init__(
        self, plan: Plan, sink: Sink | None = None, progress: Progress | None = None, record: Record | None = None
    ):
        self.plan = plan
        self.record = record or NoRecord()
        self.sink = sink or _Nowhere()
        self.progress = progress or (lambda what, done, total: None)
        self.recent: deque[np.ndarray] = deque()  # the last events, for a report
        specs = [market.spec for market in plan.markets]
        run = plan.file.scenario.run
        try:
            self.engine = Engine(plan.rulebook, specs, max(1, plan.accounts), run.seed, audit=AUDITS[run.audit])
        except ValueError as error:
            raise plan.file.wrong("venue", str(error)) from error
        self.kernel = Kernel([self.engine])
        self.recorded = _recorded(plan)
        self.feeds = [
            _Feed(self.kernel, number, market, self.recorded, plan.end_ns) for number, market in enumerate(plan.markets)
        ]
        self.tally = self._new_tally()
        self.series = Series(self.kernel, self.engine, specs, run.depth)
        self.customers = max(1, plan.accounts)
        self.watch = Watch(self.customers)
        self.trail = Trail(self.engine, run.trail)
        self.host: Host | Playback | None = None
        self.samples = 0

    def run(self) -> Outcome:
        """Warm up, set up and play to the end.

        Raises InputError where the scenario turns out to be impossible, BrokenError where an audit finds a breach.
        """
        began = time.perf_counter()
        try:
            self._warm_up()
            crowds = self._set_up()
            self._play()
            self.engine.check()
            self.record.finish(self.engine)
        except InvariantError as error:
            raise broken.report(self.plan, self.kernel, self.engine, list(self.recent), error) from error
        except OverflowError as error:
            raise InputError(f"{error}; use smaller positions or deposits", self.plan.file.path) from error
        self.trail.sample(self.kernel.time_ns, self.kernel.rows, last=True)
        return Outcome(
            plan=self.plan,
            engine=self.engine,
            crowds=crowds,
            opening=self.opening,
            tally=self.tally,
            series=self.series,
            watch=self.watch,
            trail=self.trail,
            rows=self.kernel.rows,
            wall_seconds=time.perf_counter() - began,
            latencies=self.host.latencies() if isinstance(self.host, Host) else [],
            books=[feed.book for feed in self.feeds],
            indices=[feed.index for feed in self.feeds],
            rows_left_out=[feed.rows_left_out for feed in self.feeds],
        )

    # Warm-up and set-up

    def _warm_up(self) -> None:
        """Play rows until the start: the first full interval at which every market has a book and a mark."""
        plan = self.plan
        first_ns = min(market.first_ns for market in plan.markets)
        if plan.start_ns is not None:
            self._advance(plan.start_ns)
            if not self._ready():
                what = f"there is no {self._missing()} yet at {iso(plan.start_ns)}"
                raise plan.file.wrong("run.start", what + self._unpriced())
            return
        now = first_ns // plan.interval_ns * plan.interval_ns
        while not self._ready():
            now += plan.interval_ns
            if now >= plan.end_ns:
                what = f"the recording never has a {self._missing()}, so nobody can trade in it"
                raise InputError(what + self._unpriced(), plan.file.path)
            self._advance(now)

    def _ready(self) -> bool:
        return not self._missing()

    def _missing(self) -> str:
        """What the venue lacks before anybody can have a position in it; a bare replay needs nothing."""
        for number in range(len(self.plan.markets)):
            bid, _, ask, _ = self.kernel.quote(0, number)
            if bid <= 0 or ask <= 0:
                return "book with two sides"
            if self.plan.accounts and not self.engine.market(number)["mark"]:
                return "mark price"
        return ""

    def _unpriced(self) -> str:
        """The rest of the sentence where no mark can ever be made."""
        for market in self.plan.markets:
            priced = market.index_period_ns or any(contents(market.tape).rows[kind] for kind in PRICED)
            if not priced:
                symbol = market.spec.symbol
                return (
                    f"; the recording of {symbol} has no index and no mark: import theirs beside it, or state "
                    "index_from_prints = 1 for an index made of its own prints"
                )
        return ""

    def _set_up(self) -> list[Crowd]:
        """Fund, populations, bots, shocks. The engine takes them at the time it stands at."""
        scenario = self.plan.file.scenario
        self._apply(self._fund_commands(), "fund.initial")
        crowds = []
        first = 0
        for number, people in enumerate(scenario.population):
            ground = self._ground(number)
            crowds.append(population.draw(people, ground, number, first))
            self._apply(population.commands(crowds[-1], self.kernel.time_ns), f"population[{number}].accounts")
            population.check_healthy(crowds[-1], self.engine.accounts(), ground.refuse)
            first += people.accounts
        for number, bot in enumerate(self.plan.bots):
            self._apply(self._bot_commands(number, bot.settings, first + number), f"strategy[{number}]")
        self._set_flows()
        self._schedule_shocks()
        self.tally = self._new_tally()
        for market, tally in enumerate(self.tally.markets):
            tally.mark_first = tally.mark_last = tally.mark_min = tally.mark_max = self.engine.market(market)["mark"]
        self.opening = self._opening()
        self.record.mark(self.engine, self.kernel)
        if isinstance(self.record, Playback):
            self.host = self.record.seat(self.kernel)
        else:
            self.host = Host(self.plan, self.kernel, first, self.record, self.recorded)
        self.host.start()
        return crowds

    def _apply(self, commands: np.ndarray, key: str) -> None:
        """Set-up commands, some at a time. Raises InputError, naming the key, where the venue refuses one."""
        while len(commands):
            events = self.engine.apply(commands[:SET_UP_COMMANDS])
            commands = commands[self.engine.consumed :]
            self._record(events)
            for event in events[events["kind"] == EventKind.REJECTED][:1]:
                kind, reason = Kind(int(event["aux"])).name, Reject(int(event["reason"])).name
                raise self.plan.file.wrong(key, f"the venue refused {kind} for {reason}")
            del events  # lets the engine reuse the memory
            self._decide()

    def _new_tally(self) -> Tally:
        notional = [market.spec.trade_value for market in self.plan.markets]
        return Tally(len(self.engine.accounts()), max(1, self.plan.accounts), notional)

    def _opening(self) -> Opening:
        markets = [self.engine.market(number) for number in range(len(self.plan.markets))]
        accounts = self.engine.accounts()
        return Opening(
            time_ns=self.kernel.time_ns,
            events=self.engine.statistics()["events"],
            fund_balance=sum(int(accounts[fund]["balance"]) for fund in self.engine.house["funds"]),
            marks=[market["mark"] for market in markets],
            open_interest_lots=[(market["longs_lots"], market["shorts_lots"]) for market in markets],
            tape_trades=[market["tape_trades"] for market in markets],
        )

    def _ground(self, number: int) -> Ground:
        people, file = self.plan.file.scenario.population[number], self.plan.file
        key = f"population[{number}]"
        market = self.plan.market_number(people.market, f"{key}.market")
        return Ground(
            spec=self.plan.markets[market].spec,
            market=market,
            mark_value=self.engine.market(market)["mark"],
            seed=file.scenario.run.seed,
            refuse=lambda name, message: file.wrong(f"{key}.{name}", message),
        )

    def _fund_commands(self) -> np.ndarray:
        amount = self._money("fund.initial", self.plan.file.scenario.fund.initial)
        funds = self.engine.house["funds"] if amount else []
        deposits = np.zeros(len(funds), COMMAND)
        deposits["kind"], deposits["account"], deposits["value"] = Kind.DEPOSIT, funds, amount
        return deposits

    def _bot_commands(self, number: int, bot: Bot, account: int) -> np.ndarray:
        key = f"strategy[{number}]"
        deposit = np.zeros(1, COMMAND)
        deposit["kind"], deposit["value"] = Kind.DEPOSIT, self._money(f"{key}.deposit", bot.deposit)
        markets = np.arange(len(self.plan.markets))
        leverage, mode = np.zeros(len(markets), COMMAND), np.zeros(len(markets), COMMAND)
        leverage["kind"], leverage["value"] = Kind.SET_LEVERAGE, bot.leverage or 1
        mode["kind"], mode["aux"] = Kind.SET_MARGIN_MODE, MarginMode[bot.margin_mode.upper()]
        leverage["market"] = mode["market"] = markets
        chosen = [deposit, mode, leverage] if bot.leverage else [deposit, mode]
        for part in chosen:
            part["account"] = account
        return np.concatenate(chosen)

    def _money(self, key: str, amount: int | float | str) -> int:
        try:
            return money(amount)
        except ValueError as error:
            raise self.plan.file.wrong(key, str(error)) from error

    def _set_flows(self) -> None:
        """What the attribution run has found, before anybody can be liquidated."""
        for number, market in enumerate(self.plan.markets):
            if market.flows:
                trades = self.engine.market(number)["tape_trades"]
                market.flows.refuse_other_start(self.plan.file, self.kernel.time_ns, trades)
                self._apply(market.flows.commands(number), market.flows.key)

    def _schedule_shocks(self) -> None:
        file = self.plan.file
        for number, shock in enumerate(file.scenario.shock):
            key = f"shock[{number}]"
            chosen = range(len(self.plan.markets))
            if shock.market:
                chosen = [self.plan.market_number(shock.market, f"{key}.market")]
            points = [(Place(file, f"{key}.points").ns(seconds), factor) for seconds, factor in shock.points]
            step_ns = Place(file, f"{key}.step").ns(shock.step)
            try:
                exact = [(time_ns, rate(factor, "the factor")) for time_ns, factor in points]
                commands = path_commands(exact, step_ns, self.kernel.time_ns, list(chosen))
            except ValueError as error:
                raise file.wrong(key, str(error)) from error
            self.kernel.schedule(commands)

    # The loop

    def _play(self) -> None:
        plan = self.plan
        next_sample = (self.kernel.time_ns // plan.interval_ns + 1) * plan.interval_ns
        self._sample()
        total = plan.end_ns - self.opening.time_ns
        while self.kernel.time_ns < plan.end_ns and not self.host.over:
            target = min(next_sample, plan.end_ns)
            self._advance(min(target, self.host.next_ns or target))
            if self.kernel.time_ns == target:
                self._sample()
                next_sample = target + plan.interval_ns
                self.progress("replaying", self.kernel.time_ns - self.opening.time_ns, total)
            self.host.deliver()

    def _advance(self, until_ns: int) -> None:
        """Run the kernel up to a time, or to an earlier time for which a bot has just got something to do."""
        stop = Stop.DATA
        while stop != Stop.UNTIL:
            stop = self.kernel.run(until_ns)
            if stop == Stop.DATA:
                self.feeds[self.kernel.hungry].give()
                continue
            if stop == Stop.DECISION:
                self._decide()
                if self.host:
                    until_ns = min(until_ns, self.host.next_ns or until_ns)
                continue
            events = self.engine.drain()
            self._record(events)
            if self.host:
                self.host.notice(events)
                if stop != Stop.UNTIL:
                    until_ns = min(until_ns, self.host.next_ns or until_ns)
            if self.recorded:
                self.recorded.noticed_ns = self.kernel.time_ns
            del events  # lets the engine reuse the memory

    def _decide(self) -> None:
        """Answer the venue for as long as it asks for ADL decisions; one answer may lead to the next question."""
        while (pending := self.engine.pending_adl) is not None:
            self.kernel.decide(0, self.record.decided(partial(self._ask, pending), self.kernel))

    def _ask(self, pending: dict[str, Any]) -> np.ndarray:
        """What the scenario's function decides. Raises InputError for what cannot be, and for its own errors."""
        adl = self.plan.adl
        try:
            lots = ask(adl.policy, pending)
        except Exception as error:
            raise raised(adl.name, adl.source, error) from error
        try:
            return decision(pending, lots)
        except ValueError as error:
            raise self.plan.file.wrong("venue.adl", f"{adl.name} {error}") from error

    def _record(self, events: np.ndarray) -> None:
        if len(events):
            self.sink.add(events)
            self.tally.add(events)
            self._remember(events[-broken.LAST_EVENTS :].copy())

    def _remember(self, events: np.ndarray) -> None:
        self.recent.append(events)
        while sum(map(len, self.recent)) - len(self.recent[0]) >= broken.LAST_EVENTS:
            self.recent.popleft()

    def _sample(self) -> None:
        accounts = self.engine.accounts()
        self.watch.sample(accounts[: self.customers])
        self.series.sample(self.kernel.time_ns, accounts, self.tally)
        self.trail.sample(self.kernel.time_ns, self.kernel.rows)
        self.samples += 1
        if self.samples % MARK_SAMPLES == 0:
            self.record.mark(self.engine, self.kernel)


def _recorded(plan: Plan) -> Recorded | None:
    """What the bots' latencies need of the recording; nothing without bots."""
    choices = [bot.latency for bot in plan.bots]
    if not choices:
        return None
    clocks, queued = any(each.clocks for each in choices), any(each.queued for each in choices)
    return Recorded(len(plan.markets), clocks, queued)


class _Feed:
    """Hands a market's recording to the kernel, chunk by chunk."""

    def __init__(self, kernel: Kernel, number: int, market: MarketPlan, recorded: Recorded | None, end_ns: int):
        self.kernel, self.number, self.recorded = kernel, number, recorded
        self.stream = kernel.add_stream(0, number)
        self.book = Book(market.shape, end_ns) if market.shape else None
        self.price_max, self.end_ns = market.spec.price_max, end_ns
        self.rows_left_out = 0  # levels and prints at prices that the venue does not have, up to `end_ns`
        self.chunks: Iterator[Batch] = self._recorded(market)
        self.index: PrintIndex | None = None
        if market.index_period_ns:
            self.index = PrintIndex(market.index_period_ns, market.spec.tick_value, end_ns)
            self.chunks = self.index.among(self.chunks)
        if self.book:
            self.chunks = self.book.around(self.chunks)

    def _recorded(self, market: MarketPlan) -> Iterator[Batch]:
        """The recording alone, as latencies see it."""
        for chunk in market.chunks():
            if self.recorded:
                self.recorded.add(self.number, chunk)
            yield self._within(chunk)

    def _within(self, chunk: Batch) -> Batch:
        """Without what stands or trades above the venue's highest price: some book at ten times the price."""
        gone = AT_A_PRICE[chunk["code"] & ROW_MASK] & (chunk["price"] > self.price_max)
        self.rows_left_out += int(np.count_nonzero(gone & (chunk["time_ns"] <= self.end_ns)))
        return without(chunk, gone)

    def give(self) -> None:
        """The next chunk, or word that there is none."""
        chunk = next(self.chunks, None)
        if chunk is None:
            self.kernel.finish(self.stream)
        else:
            self.kernel.feed(self.stream, chunk)
