"""Runs strategies beside a kernel: delivers what happened, late by the feed, and sends orders, late by the way.

One heap of (time_ns, sequence) holds every delivery and timer. What is due at a time is handed over after everything
that the venue does at that time; an order that a bot sends at t reaches the venue at t + its latency, after all
recorded rows of that time, in the order in which the bots sent. A bot's latency model says how late (replay/latency);
with `load` the order stands in the venue's queue first, or is turned away there.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

import numpy as np
from perpsim.core import COMMAND, EVENT, EventKind, Kernel, Kind, Side, Watch
from perpsim.exchange.desk import Desk
from perpsim.exchange.reports import Overload, Quote, Trade
from perpsim.exchange.strategy import Strategy
from perpsim.replay.errors import InputError, raised
from perpsim.replay.latency.choose import new_sequencer
from perpsim.replay.latency.meter import Meter
from perpsim.replay.latency.protocol import BOOK, MARK, PRINT, Channel
from perpsim.replay.latency.recorded import Recorded
from perpsim.replay.latency.sequencer import Answer
from perpsim.replay.plan import BotPlan, Plan, iso
from perpsim.replay.resume import Record

DELIVERIES_MAX = 1_000_000  # at one time
CHUNKS_WAITING = 4  # of a recording, before the venue's queue takes them in
OVERLOADS = {Answer.SHED: Overload.SHED, Answer.LOST: Overload.UNKNOWN, Answer.UNKNOWN: Overload.UNKNOWN}
PUBLIC = (EventKind.MARK, EventKind.FUNDING_RATE)  # events that concern everybody


class Host:
    """The strategies of a run. The runner calls `notice` with new events, and `deliver` when time has come."""

    over = False  # they never end a run

    def __init__(self, plan: Plan, kernel: Kernel, first_account: int, record: Record, recorded: Recorded | None):
        self.kernel, self.record, self.recorded = kernel, record, recorded
        seed = plan.file.scenario.run.seed
        queued = recorded is not None and recorded.queued
        self.sequencer = new_sequencer(plan.load, seed, recorded) if queued else None
        self.outbox: list[np.ndarray] = []
        self.heap: list[tuple[int, int, Callable[[], None]]] = []
        self.sequence = 0
        self.path = plan.file.path
        self.delivered_ns = self.delivered = 0  # at one time
        self.markets = range(len(plan.markets))
        self.quotes = {number: kernel.quote(0, number) for number in self.markets}
        self.seats = [_Seat(self, plan, bot, first_account + place) for place, bot in enumerate(plan.bots)]
        self.by_account = {seat.desk.account: seat for seat in self.seats}
        self.trades_watched = any(_overrides(seat.bot.strategy, "on_trade") for seat in self.seats)
        self.world = kernel.engines[0].house["world"]

    def start(self) -> None:
        """Watch what the strategies listen to and call their on_start; their accounts are funded."""
        if not self.seats:
            return
        mask = Watch.MARK | Watch.QUOTE
        if self.trades_watched:
            mask |= Watch.TRADE
        for number in self.markets:
            self.kernel.watch_market(0, number, mask)
        accounts = self.kernel.engines[0].accounts()
        for seat in self.seats:
            self.kernel.watch_account(0, seat.desk.account)
            seat.set_up(int(accounts[seat.desk.account]["balance"]), self.quotes)
        for seat in self.seats:
            seat.call([("on_start", None)])
        self.send()

    def send(self) -> None:
        """What the bots have sent since the last call enters the kernel, once it is on record."""
        if self.outbox:
            commands = np.concatenate(self.outbox)
            self.outbox.clear()
            self.record.sent(commands, self.kernel)
            self.kernel.schedule(commands)

    @property
    def next_ns(self) -> int | None:
        """When the next delivery or timer is due."""
        return self.heap[0][0] if self.heap else None

    def push(self, time_ns: int, action: Callable[[], None]) -> None:
        """Do something at a time, not before now."""
        self.sequence += 1
        heapq.heappush(self.heap, (max(time_ns, self.kernel.time_ns), self.sequence, action))

    def deliver(self) -> None:
        """Everything that is due by the kernel's time."""
        if self.kernel.time_ns > self.delivered_ns:
            self.delivered_ns, self.delivered = self.kernel.time_ns, 0
        while self.heap and self.heap[0][0] <= self.kernel.time_ns:
            self.delivered += 1
            if self.delivered > DELIVERIES_MAX:
                message = (
                    f"{DELIVERIES_MAX:,} messages to bots at {iso(self.delivered_ns)}: a bot without latency answers"
                )
                raise InputError(f"{message} every answer to its own orders; give it a latency", self.path)
            heapq.heappop(self.heap)[2]()
        self.send()

    def notice(self, events: np.ndarray) -> None:
        """Spread the news: what woke the kernel, then the events since the last call."""
        if not self.seats:
            return
        if self.sequencer and self.recorded.chunks_waiting > CHUNKS_WAITING * len(self.markets):
            self.sequencer.catch_up(self.recorded.noticed_ns - 1)
        self._market_data()
        if len(events):
            self._events(events)

    def _market_data(self) -> None:
        """Recorded trades and best quotes, as the kernel saw them; the two sides of a quote are told together."""
        quoted: dict[int, int] = {}
        for kind, _, number, side, price, lots, time_ns in self.kernel.woken:
            if kind == Watch.TRADE:
                self._tell(time_ns, PRINT, Desk.trade, Trade(time_ns, number, Side(side), price, lots))
            elif kind == Watch.QUOTE:
                bid, bid_lots, ask, ask_lots = self.quotes[number]
                if side == Side.BUY:
                    self.quotes[number] = (price, lots, ask, ask_lots)
                else:
                    self.quotes[number] = (bid, bid_lots, price, lots)
                quoted[number] = time_ns
        for number, time_ns in quoted.items():
            self._tell(time_ns, BOOK, Desk.quote, Quote(time_ns, number, *self.quotes[number]))

    def _events(self, events: np.ndarray) -> None:
        """Events of a bot's account to that bot, public ones and simulated trades to all."""
        accounts = list(self.by_account)
        wanted = np.isin(events["kind"], PUBLIC)
        for name in ("account", "maker_account"):
            wanted |= np.isin(events[name], accounts)
        if self.trades_watched:
            wanted |= events["kind"] == EventKind.TRADE
        for event in map(_fields, events[wanted]):
            if event["kind"] in PUBLIC:
                self._tell(event["time_ns"], MARK, Desk.event, event, event["market"])
                continue
            if event["kind"] == EventKind.TRADE and self.trades_watched and event["account"] != self.world:
                fields = ("time_ns", "market", "side", "price_ticks", "size_lots")
                self._tell(event["time_ns"], PRINT, Desk.trade, Trade(*(event[name] for name in fields)))
            for account in dict.fromkeys((event["account"], event["maker_account"])):
                if account in self.by_account:
                    self.by_account[account].answer(event["time_ns"], event["market"], Desk.event, event)

    def _tell(self, time_ns: int, kind: int, take: Callable, what: Any, market: int | None = None) -> None:
        for seat in self.seats:
            seat.publish(time_ns, what.market if market is None else market, kind, take, what)

    def latencies(self) -> list[dict[str, Any]]:
        """By bot, what Meter.summary tells."""
        return [seat.meter.summary(self.recorded.rates) for seat in self.seats]


class _Seat:
    """One strategy with its desk."""

    def __init__(self, host: Host, plan: Plan, bot: BotPlan, account: int):
        self.host, self.bot, self.file = host, bot, plan.file
        specs = [market.spec for market in plan.markets]
        self.desk = Desk(account, specs, self.send, self.set_timer)
        bot.strategy._desk = self.desk
        self.queue = host.sequencer if bot.latency.queued else None
        self.latency = bot.latency.make(plan.file.scenario.run.seed, account, host.recorded)
        self.feed, self.entry, self.response = (Channel(self.latency.in_order) for _ in range(3))
        self.newest: dict[tuple[int, Callable], list[Any]] = {}  # (market, Desk's method) -> [published at, what]
        self.meter = Meter()

    def set_up(self, balance: int, quotes: dict[int, tuple[int, int, int, int]]) -> None:
        """The account and the markets as they are before the first callback."""
        self.desk.time_ns = self.host.kernel.time_ns
        self.desk.balance = balance
        for number, quote in quotes.items():
            self.desk.quote(Quote(self.desk.time_ns, number, *quote))
            market, known = self.desk.markets[number], self.host.kernel.engines[0].market(number)
            market.mark, market.index = known["mark"], known["index"]
            market.last_ticks, market.funding_rate = known["last_ticks"], known["funding_rate_e9"]

    def take(self, method: Callable, what: Any, own: bool = False) -> None:
        """A delivery has arrived: the desk takes note, the strategy is called. `own`: it is of the bot's account."""
        self.desk.time_ns = self.host.kernel.time_ns
        if own:
            self.meter.answer(self.desk.time_ns, self.order_of(what))
        self.call(method(self.desk, what))

    def order_of(self, what: Any) -> int:
        """The number of the bot's order that news are about, if they are about one."""
        if isinstance(what, tuple):
            return what[1].get("order_id", 0)
        return what["order_id" if what["account"] == self.desk.account else "maker_order_id"]

    def call(self, calls: list[tuple[str, Any]]) -> None:
        for name, what in calls:
            method = getattr(self.bot.strategy, name)
            try:
                method() if name == "on_start" else method(what)
            except Exception as error:
                raise raised(f"{self.bot.name}.{name}", self.bot.source, error) from error

    # What comes to the bot

    def publish(self, time_ns: int, market: int, kind: int, take: Callable, what: Any) -> None:
        """A public message is on its way, from when the feed publishes it; of a quote or mark only the newest then."""
        published_ns = self.queue.rules.published(time_ns) if self.queue else time_ns
        message = [published_ns, what]
        if kind != PRINT and published_ns > time_ns:
            waiting = self.newest.get((market, take))
            if waiting and waiting[0] == published_ns:
                waiting[1] = what
                return
            self.newest[market, take] = message
        arrival_ns = self.feed.arrival(published_ns + self.latency.feed(published_ns, market, kind))
        self.meter.feed.add(arrival_ns - time_ns)
        self.host.push(arrival_ns, lambda: self.take(take, message[1]))

    def answer(self, time_ns: int, market: int, take: Callable, what: Any) -> None:
        """News of the bot's own account are on their way."""
        arrival_ns = self.response.arrival(time_ns + self.latency.response(time_ns, max(market, 0)))
        self.host.push(arrival_ns, lambda: self.take(take, what, own=True))

    # What the bot sends

    def send(self, fields: dict[str, int]) -> None:
        """A request leaves the desk."""
        now = self.host.kernel.time_ns
        self.meter.send(now, fields["order_id"] if fields["kind"] == Kind.PLACE else None)
        arrival_ns = self.entry.arrival(now + self.latency.entry(now))
        if self.queue:
            self.host.push(arrival_ns, lambda: self.stand_in_line(now, fields))
        else:
            self.enter(now, arrival_ns, fields)

    def stand_in_line(self, sent_ns: int, fields: dict[str, int]) -> None:
        """A request is at the venue's queue: it gets a place, or the bot is told that it has none."""
        now = self.host.kernel.time_ns
        answer, time_ns = self.queue.arrive(now, fields)
        if time_ns:
            self.enter(sent_ns, time_ns, fields)
        if answer != Answer.TAKEN:
            reason = OVERLOADS[answer]
            self.meter.refuse(sent_ns, reason == Overload.UNKNOWN)
            self.answer(now, fields.get("market", 0), Desk.overloaded, (now, fields, reason))

    def enter(self, sent_ns: int, time_ns: int, fields: dict[str, int]) -> None:
        """A request reaches the engine at a time."""
        self.meter.orders.add(time_ns - sent_ns)
        command = np.zeros(1, COMMAND)
        for name, value in fields.items():
            command[name] = value
        command["account"], command["time_ns"] = self.desk.account, time_ns
        self.host.outbox.append(command)

    def set_timer(self, delay_ns: int, tag: Any) -> None:
        if delay_ns < 0:
            raise ValueError("a timer cannot lie in the past")

        def ring() -> None:
            self.desk.time_ns = self.host.kernel.time_ns
            self.call([("on_timer", tag)])

        self.host.push(self.host.kernel.time_ns + delay_ns, ring)


def _fields(record: np.void) -> dict[str, int]:
    """An EVENT as a dict."""
    return dict(zip(EVENT.names, record.item(), strict=True))


def _overrides(strategy: Strategy, name: str) -> bool:
    return getattr(type(strategy), name) is not getattr(Strategy, name)
