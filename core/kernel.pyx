"""The event loop: one timeline for several engines (venues), their tapes, and scheduled commands.

Order is the key (time_ns, priority, sequence): recorded trades, recorded levels, marks, then each engine's own timers,
then client commands; at equal keys the stream that was added first, the command that was scheduled first. The rows of
one message are never parted. The loop stays in C until a chunk of a tape is used up, the asked-for time is reached,
something watched has happened, or enough events wait to be read.
"""

from enum import IntEnum

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport free, realloc

import numpy as np

from .audit cimport AUDIT_EVENT
from .book cimport best_price, world_at, world_lots
from .dispatch cimport ROW_WAITS, advance, apply_command, apply_row, close_group
from .engine cimport Engine
from .ladder cimport NO_PRICE, NONE, ladder_get
from .records cimport *
from .state cimport NEVER, Market, State

from .records import COMMAND

cdef enum:
    STOP_UNTIL = 0
    STOP_DATA = 1
    STOP_WAKE = 2
    STOP_EVENTS = 3
    STOP_DECISION = 4
    WATCH_TRADE = 1
    WATCH_QUOTE = 2
    WATCH_MARK = 4
    WATCH_ACCOUNT = 8
    EVENTS_WAITING_MAX = 1 << 20


class Stop(IntEnum):
    """Why `Kernel.run` returned."""

    UNTIL = STOP_UNTIL
    DATA = STOP_DATA
    WAKE = STOP_WAKE
    EVENTS = STOP_EVENTS
    DECISION = STOP_DECISION


class Watch(IntEnum):
    """What wakes the caller."""

    TRADE = WATCH_TRADE
    QUOTE = WATCH_QUOTE
    MARK = WATCH_MARK
    ACCOUNT = WATCH_ACCOUNT


cdef struct Stream:
    const int64_t *time_ns
    const uint8_t *code
    const int64_t *price
    const int64_t *value
    const int64_t *id                   # NULL: the chunk has none
    int64_t count
    int64_t at
    int32_t venue
    int32_t market
    uint8_t finished
    uint8_t in_message                  # the last row had more of its message to come


cdef struct Scheduled:
    int64_t sequence
    Command command


cdef struct Quote:                      # last reported best quotes of a watched market
    int64_t bid
    int64_t bid_lots
    int64_t ask
    int64_t ask_lots


cdef inline int row_priority(uint8_t code) noexcept nogil:
    """Trades, then levels and single orders, then the rest; off-book prints are reported with the trades."""
    cdef int kind = code & ROW_KIND_BITS
    if kind == ROW_TRADE or kind == ROW_OFF_BOOK:
        return 0
    return 1 if kind == ROW_LEVEL or ROW_ORDER_ADD <= kind <= ROW_STATE else 2


cdef inline bint sooner(Scheduled *a, Scheduled *b) noexcept nogil:
    if a.command.time_ns != b.command.time_ns:
        return a.command.time_ns < b.command.time_ns
    return a.sequence < b.sequence


cdef class Kernel:
    """`Kernel(engines)`: engine number i is venue i of streams and scheduled commands.

    `time_ns` is the time up to which everything has happened; `rows` counts tape rows; `hungry` is the stream that
    `Stop.DATA` asks for; `deciding` is the engine that `Stop.DECISION` asks about; `woken` holds what was watched:
    (Watch, venue, market, side, price_ticks, size_lots, time_ns) with, for a quote, one entry a side, and for a mark the
    mark's value in the place of the price.
    """

    cdef readonly list engines
    cdef readonly int64_t time_ns
    cdef readonly int64_t rows
    cdef readonly int hungry
    cdef readonly list woken
    cdef readonly int deciding
    cdef list chunks                    # keeps the arrays of the streams alive
    cdef list watched_accounts
    cdef Stream *streams
    cdef int streams_count
    cdef Scheduled *heap
    cdef int64_t heap_count
    cdef int64_t heap_capacity
    cdef int64_t scheduled
    cdef bint watching
    cdef bint in_message                # rows of one message are never parted
    cdef int message_stream
    cdef list masks                     # per venue: watch mask a market
    cdef list quotes
    cdef dict doing

    def __cinit__(self, engines):
        self.engines = list(engines)
        for engine in self.engines:
            if not isinstance(engine, Engine):
                raise TypeError("Kernel takes a list of Engine")
        self.chunks, self.woken, self.doing = [], [], {}
        self.hungry = self.deciding = -1
        self.masks = [{} for _ in self.engines]
        self.quotes = [{} for _ in self.engines]
        self.watched_accounts = [set() for _ in self.engines]

    def __dealloc__(self):
        free(self.streams)
        free(self.heap)

    def add_stream(self, int venue, int market) -> int:
        """A tape of one market of engine number `venue`; returns the stream's number."""
        cdef Stream *grown
        cdef Engine engine = self.engines[venue]
        engine.known(market)
        grown = <Stream *>realloc(self.streams, (self.streams_count + 1) * sizeof(Stream))
        if grown == NULL:
            raise MemoryError("no memory for a stream")
        self.streams = grown
        grown[self.streams_count] = Stream(NULL, NULL, NULL, NULL, NULL, 0, 0, venue, market, 0, 0)
        self.streams_count += 1
        self.chunks.append(None)
        return self.streams_count - 1

    def feed(self, int stream, columns):
        """The next chunk of a stream: arrays time_ns, code, price, value of equal length, sorted by time.

        A chunk with rows of single orders has the array id too.
        """
        if not 0 <= stream < self.streams_count:
            raise IndexError(f"stream {stream} is unknown")
        cdef Stream *s = &self.streams[stream]
        cdef const int64_t[::1] times = columns["time_ns"]
        cdef const uint8_t[::1] codes = columns["code"]
        cdef const int64_t[::1] prices = columns["price"]
        cdef const int64_t[::1] values = columns["value"]
        cdef const int64_t[::1] ids = columns["id"] if "id" in columns else None
        if not times.shape[0] == codes.shape[0] == prices.shape[0] == values.shape[0] or (
                ids is not None and ids.shape[0] != times.shape[0]):
            raise ValueError("the columns of a chunk differ in length")
        if s.at < s.count:
            raise ValueError(f"stream {stream} still has rows")
        s.count = times.shape[0]
        s.at = 0
        self.chunks[stream] = (times, codes, prices, values, ids)
        s.id = &ids[0] if ids is not None and s.count else NULL
        if s.count:
            s.time_ns, s.code, s.price, s.value = &times[0], &codes[0], &prices[0], &values[0]
            if s.time_ns[0] < self.time_ns and not self.in_message:
                raise ValueError(f"stream {stream} goes back in time, to {s.time_ns[0]} from {self.time_ns}")

    def finish(self, int stream):
        """No more chunks will come."""
        if not 0 <= stream < self.streams_count:
            raise IndexError(f"stream {stream} is unknown")
        self.streams[stream].finished = 1

    def schedule(self, commands not None):
        """Apply each COMMAND at its `time_ns` to the engine numbered by its `venue`."""
        if commands.dtype != COMMAND or commands.ndim != 1:
            raise TypeError("commands must be a one-dimensional array of dtype perpsim.core.COMMAND")
        if len(commands) and (commands["time_ns"].min() < self.time_ns or commands["venue"].max() >= len(self.engines)):
            raise ValueError(f"commands must be for known venues, at {self.time_ns} or later")
        cdef const unsigned char[::1] raw = commands.copy().view("u1").reshape(-1)
        cdef int64_t i
        self.reserve(commands.shape[0])
        for i in range(commands.shape[0]):
            self.push((<const Command *>&raw[i * sizeof(Command)])[0])

    cdef int reserve(self, int64_t more) except -1:
        """Room for all commands of a call, or for none."""
        cdef Scheduled *grown
        cdef int64_t wanted = max(64, self.heap_capacity)
        while wanted < self.heap_count + more:
            wanted *= 2
        if wanted > self.heap_capacity:
            grown = <Scheduled *>realloc(self.heap, wanted * sizeof(Scheduled))
            if grown == NULL:
                raise MemoryError("no memory for scheduled commands")
            self.heap = grown
            self.heap_capacity = wanted
        return 0

    cdef void push(self, Command command) noexcept:
        cdef Scheduled item
        cdef int64_t i, parent
        item.sequence = self.scheduled
        item.command = command
        self.scheduled += 1
        i = self.heap_count
        self.heap_count += 1
        while i > 0:
            parent = (i - 1) // 2
            if not sooner(&item, &self.heap[parent]):
                break
            self.heap[i] = self.heap[parent]
            i = parent
        self.heap[i] = item

    cdef Scheduled pop(self) noexcept:
        cdef Scheduled top = self.heap[0]
        cdef Scheduled moving
        cdef int64_t i = 0, child
        self.heap_count -= 1
        if self.heap_count:
            moving = self.heap[self.heap_count]
            while True:
                child = 2 * i + 1
                if child >= self.heap_count:
                    break
                if child + 1 < self.heap_count and sooner(&self.heap[child + 1], &self.heap[child]):
                    child += 1
                if not sooner(&self.heap[child], &moving):
                    break
                self.heap[i] = self.heap[child]
                i = child
            self.heap[i] = moving
        return top

    def watch_market(self, int venue, int market, int mask):
        """Wake after recorded trades, changes of the best quotes, or mark groups of a market; 0 ends the watch."""
        (<Engine>self.engines[venue]).known(market)
        self.masks[venue][market] = mask
        self.quotes[venue][market] = self.quote(venue, market)
        self.watching = any(mask for masks in self.masks for mask in masks.values()) or any(self.watched_accounts)

    def watch_account(self, int venue, int account):
        """Wake after any event that names an account."""
        self.watched_accounts[venue].add(account)
        self.watching = True

    def quote(self, int venue, int market):
        """Best quotes: (bid_ticks, bid_lots, ask_ticks, ask_lots); price -1 and size 0 where a side is empty."""
        cdef Engine engine = self.engines[venue]
        engine.known(market)
        cdef Quote q = quote_of(&engine.state, &engine.state.markets[market])
        return q.bid, q.bid_lots, q.ask, q.ask_lots

    def run(self, until=None):
        """Do everything up to and including `until` (ns); see `Stop` for why it may return sooner.

        None: until all streams and commands are used up; clocks then stand at the last of them.
        """
        cdef int64_t until_ns = NEVER if until is None else until
        cdef int reason = STOP_UNTIL
        cdef Engine engine
        for venue in range(len(self.engines)):
            engine = self.engines[venue]
            if engine.state.adl.open:
                self.deciding = venue
                return Stop(STOP_DECISION)      # nothing goes on before `decide`
        if self.deciding >= 0:
            self.deciding = -1
            if self.woken:
                return Stop(STOP_WAKE)  # what was watched had happened before the decision, or by it
        self.woken = []
        self.hungry = -1
        for engine in self.engines:
            if engine.state.events_count == 0:
                engine.begin_batch()
            elif engine.broken is not None:
                raise RuntimeError(f"the engine has stopped: {engine.broken}")
        try:
            reason = self.loop(until_ns)
            for engine in self.engines:
                engine.batch_done()
        except BaseException as error:
            for engine in self.engines:
                engine.failed(isinstance(error, MemoryError))
            raise
        return Stop(reason)

    def decide(self, int venue, commands not None):
        """Give an engine the ADL decision that `Stop.DECISION` asks for, an array of COMMAND, before anything else goes on.

        What is watched is noticed as in `run`. A part that the engine refuses is an event; the decision is then still due.
        """
        cdef Engine engine = self.engines[venue]
        cdef int64_t before = engine.state.events_count
        cdef int64_t i
        cdef const unsigned char[::1] raw
        if commands.dtype != COMMAND or commands.ndim != 1:
            raise TypeError("commands must be a one-dimensional array of dtype perpsim.core.COMMAND")
        if not engine.state.adl.open or (commands["kind"] != KIND_ADL_DECISION).any():
            raise ValueError("commands of an ADL decision are taken where one is due, and no others")
        raw = commands.copy().view("u1").reshape(-1)
        if before == 0:
            engine.begin_batch()
        try:
            for i in range(commands.shape[0]):
                with nogil:
                    apply_command(&engine.state, <const Command *>&raw[i * sizeof(Command)])
                if engine.audit == AUDIT_EVENT:
                    engine.guard()
                    engine.verify(True)
            engine.batch_done()
        except BaseException as error:
            engine.failed(isinstance(error, MemoryError))
            raise
        if self.watching:
            self.notice(venue, NONE, before)

    @property
    def last(self) -> dict:
        """What was done last, a scheduled command or a row of a tape: after a breach, what the audit came upon."""
        return self.doing.copy()

    cdef int next_stream(self, int64_t *time_ns) except -2:
        """The stream whose next row is due first; NONE if all are used up, and `hungry` if one needs data."""
        cdef int i, best = NONE
        cdef int64_t best_time = NEVER
        cdef int best_priority = 3, priority
        cdef Stream *s
        for i in range(self.streams_count):
            s = &self.streams[i]
            if s.at == s.count:
                if not s.finished:
                    self.hungry = i
                    return NONE
                continue
            priority = row_priority(s.code[s.at])
            if s.time_ns[s.at] < best_time or (s.time_ns[s.at] == best_time and priority < best_priority):
                best = i
                best_time = s.time_ns[s.at]
                best_priority = priority
        time_ns[0] = best_time
        return best

    cdef int64_t limit_of(self, int chosen, int64_t until_ns, int *priority) noexcept:
        """How far a stream may run on: to the first row of another stream, to the next command, to `until_ns`."""
        cdef int i
        cdef int64_t limit = until_ns
        cdef Stream *s
        priority[0] = 3
        if self.heap_count and self.heap[0].command.time_ns < limit:
            limit = self.heap[0].command.time_ns
        for i in range(self.streams_count):
            s = &self.streams[i]
            if i != chosen and s.at < s.count:
                if s.time_ns[s.at] < limit:
                    limit = s.time_ns[s.at]
                    priority[0] = row_priority(s.code[s.at]) + (i > chosen)
                elif s.time_ns[s.at] == limit:
                    priority[0] = min(priority[0], row_priority(s.code[s.at]) + (i > chosen))
        return limit

    cdef int loop(self, int64_t until_ns) except -1:
        cdef int chosen, reason, priority
        cdef int64_t due = 0
        while True:
            if self.in_message:
                chosen = self.message_stream
                due = self.time_ns
                if self.streams[chosen].at == self.streams[chosen].count and not self.streams[chosen].finished:
                    self.hungry = chosen
                    return STOP_DATA
                if self.streams[chosen].at == self.streams[chosen].count:
                    self.in_message = False
                    continue
            else:
                chosen = self.next_stream(&due)
                if self.hungry >= 0:
                    return STOP_DATA
                if self.heap_count and self.heap[0].command.time_ns < due and self.heap[0].command.time_ns <= until_ns:
                    reason = self.run_command()
                    if reason != STOP_UNTIL:
                        return reason
                    continue
                if chosen == NONE or due > until_ns:
                    return self.settle_clocks(until_ns)
            due = self.limit_of(chosen, until_ns, &priority)
            reason = self.run_rows(&self.streams[chosen], chosen, due, priority)
            if reason != STOP_UNTIL:
                return reason

    cdef int settle_clocks(self, int64_t until_ns) except -1:
        """Nothing is left up to `until_ns`: the engines' own timers up to it fire, and the clocks stand there."""
        cdef Engine engine
        if until_ns == NEVER:
            until_ns = self.time_ns
        for venue in range(len(self.engines)):
            engine = self.engines[venue]
            before = engine.state.events_count
            with nogil:
                close_group(&engine.state)
                if not engine.state.adl.open:
                    advance(&engine.state, until_ns, True)
            self.notice(venue, NONE, before)
            if engine.state.adl.open:
                return self.ask(venue)
        self.time_ns = until_ns
        return STOP_WAKE if self.woken else STOP_UNTIL

    cdef int run_command(self) except -1:
        cdef Scheduled item = self.pop()
        cdef Engine engine = self.engines[item.command.venue]
        cdef int64_t before = engine.state.events_count
        self.doing = {"command": np.frombuffer(<bytes>(<char *>&item.command)[:sizeof(Command)], COMMAND)}
        with nogil:
            apply_command(&engine.state, &item.command)
        self.time_ns = item.command.time_ns
        if self.watching:
            self.notice(item.command.venue, item.command.market if item.command.market < ALL_MARKETS else NONE, before)
        return self.after(engine, item.command.venue)

    cdef int ask(self, int venue) except -1:
        """Stop for an engine's decision; nothing has happened after its time."""
        cdef Engine engine = self.engines[venue]
        self.time_ns = max(self.time_ns, engine.state.time_ns)
        self.deciding = venue
        return STOP_DECISION

    cdef int after(self, Engine engine, int venue) except -1:
        if engine.audit == AUDIT_EVENT:
            engine.guard()
            engine.verify(True)
        if engine.state.adl.open:
            return self.ask(venue)
        if self.woken:
            return STOP_WAKE
        if engine.state.overflow or engine.state.events_count > EVENTS_WAITING_MAX:
            return STOP_EVENTS
        return STOP_UNTIL

    cdef int run_rows(self, Stream *s, int number, int64_t limit, int priority) except -1:
        """Rows of one stream up to `limit` (rows at the limit itself only while they go before `priority`)."""
        cdef Engine engine = self.engines[s.venue]
        cdef State *state = &engine.state
        cdef int64_t start = s.at, before = state.events_count
        cdef bint watching = self.watching
        cdef bint more = self.in_message
        cdef bint fired = False
        cdef bint one_by_one = engine.audit == AUDIT_EVENT
        cdef int64_t time_ns
        cdef uint8_t code
        with nogil:
            while s.at < s.count:
                code = s.code[s.at]
                if not more:
                    time_ns = s.time_ns[s.at]
                    if time_ns > limit or (time_ns == limit and row_priority(code) >= priority and s.at > start):
                        break
                    if time_ns != state.time_ns:
                        advance(state, time_ns, False)
                        if state.adl.open:
                            fired = True            # the row waits for the decision
                            break
                        if watching and state.events_count > before:
                            fired = True            # timers: they are noticed before the row is
                            break
                if apply_row(state, s.market, code, s.price[s.at], s.value[s.at],
                             s.id[s.at] if s.id != NULL else 0) == ROW_WAITS:
                    fired = True
                    break
                more = (code & ROW_MORE_BIT) != 0
                s.at += 1
                if one_by_one or (watching and not more):
                    break
                if state.overflow or state.adl.open or state.events_count > EVENTS_WAITING_MAX:
                    break
        self.rows += s.at - start
        if state.time_ns > self.time_ns:
            self.time_ns = state.time_ns
        self.in_message = more
        self.message_stream = number
        if s.at > start:
            self.doing = row_of(s, number, self.rows)
        if watching and not more:
            if not fired:
                self.notice_row(s, s.at - 1)
            self.notice(s.venue, s.market, before)
        return self.after(engine, s.venue)

    cdef int notice_row(self, Stream *s, int64_t at) except -1:
        """A recorded trade in a watched market."""
        cdef int mask = self.masks[s.venue].get(s.market, 0)
        kind = s.code[at] & ROW_KIND_BITS
        if mask & WATCH_TRADE and (kind == ROW_TRADE or kind == ROW_ORDER_EXECUTE):
            shift = (<Engine>self.engines[s.venue]).state.markets[s.market].shift
            sold = (s.code[at] & ROW_SIDE_BIT != 0) == (kind == ROW_TRADE)  # an executed order is the other side's
            self.woken.append((
                Watch.TRADE, s.venue, s.market, int(sold), s.price[at] + shift, s.value[at], s.time_ns[at]))
        return 0

    cdef int notice(self, int venue, int market, int64_t before) except -1:
        """Quotes and marks of watched markets, events of watched accounts, since `before` events."""
        cdef Engine engine = self.engines[venue]
        cdef State *s = &engine.state
        cdef int64_t i
        cdef Event *e
        for watched, mask in self.masks[venue].items():
            if mask & WATCH_QUOTE and (market == NONE or market == watched):
                self.notice_quote(engine, venue, watched)
        accounts = self.watched_accounts[venue]
        masks = self.masks[venue]
        for i in range(before, s.events_count):
            e = &s.events[i]
            if e.kind == EVENT_MARK and masks.get(e.market, 0) & WATCH_MARK:
                self.woken.append((Watch.MARK, venue, e.market, 0, e.value, 0, e.time_ns))
            elif accounts and (e.account in accounts or e.maker_account in accounts):
                self.woken.append((Watch.ACCOUNT, venue, e.market, e.side, e.price_ticks, e.size_lots, e.time_ns))
        return 0

    cdef int notice_quote(self, Engine engine, int venue, int market) except -1:
        cdef Quote q = quote_of(&engine.state, &engine.state.markets[market])
        bid, bid_lots, ask, ask_lots = self.quotes[venue][market]
        if q.bid != bid or q.bid_lots != bid_lots:
            self.woken.append((Watch.QUOTE, venue, market, SIDE_BUY, q.bid, q.bid_lots, engine.state.time_ns))
        if q.ask != ask or q.ask_lots != ask_lots:
            self.woken.append((Watch.QUOTE, venue, market, SIDE_SELL, q.ask, q.ask_lots, engine.state.time_ns))
        self.quotes[venue][market] = (q.bid, q.bid_lots, q.ask, q.ask_lots)
        return 0


cdef dict row_of(Stream *s, int number, int64_t rows):
    """The row that a stream has just given."""
    cdef int64_t at = s.at - 1
    return {
        "stream": number, "market": s.market, "rows": rows, "time_ns": s.time_ns[at], "code": s.code[at],
        "price": s.price[at], "value": s.value[at],
    }


cdef int64_t lots_at(State *s, Market *m, int side, int64_t price) noexcept nogil:
    cdef int32_t at = ladder_get(&m.sides[side].accounts, price)
    cdef int64_t lots = s.levels[at].lots if at != NONE else 0
    if world_at(s, m, side, price) != NULL:
        lots += world_lots(world_at(s, m, side, price))
    return lots


cdef Quote quote_of(State *s, Market *m) noexcept nogil:
    cdef Quote q
    q.bid = best_price(m, SIDE_BUY)
    q.ask = best_price(m, SIDE_SELL)
    q.bid_lots = lots_at(s, m, SIDE_BUY, q.bid) if q.bid != NO_PRICE else 0
    q.ask_lots = lots_at(s, m, SIDE_SELL, q.ask) if q.ask != NO_PRICE else 0
    return q
