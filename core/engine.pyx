"""`Engine`: one venue, many markets, many accounts. The Python border of the core.

`apply(state, command) -> events`: nothing below reads a clock, a file or a random source, so the same commands give
the same events and the same digest, whatever the batch sizes. Refusals are events; a caller's mistake is an
exception here; an overflow or a broken invariant stops the engine for good.
"""

import json

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset

import numpy as np

from .accrual cimport accrual_begin
from .adl_decision cimport pending_dict
from .audit cimport AUDIT_BATCH, AUDIT_EVENT, audit_batch, check_state, shadow_forget
from .claims cimport open_claims
from .contract cimport BEYOND, COIN_PRICE
from .initial cimport tier_initial
from .dispatch cimport apply_command, apply_commands
from .events cimport digest_events
from .ladder cimport NO_PRICE, NONE, ladder_init
from .oracles cimport set_collateral
from .records cimport *
from .rules cimport set_market_rules, set_venue_rules
from .snapshot cimport dump_state, load_state, read_setup
from .state cimport (
    IMPACT_STEPS_MAX, LOTS_BITS, OI_BANDS_MAX, PRICE_BITS, SOURCES_MAX, SPECIAL_CONTRACT, Market, Tier, position_new,
    state_free, state_init,
)
from .state_hash cimport hashes_forget, hashes_update
from .units cimport RATE_ONE, VALUE_ONE
from .views cimport (
    accounts_array, book_arrays, market_dict, orders_array, positions_array, queue_list, statistics_dict,
)

from .oracles import FIELDS as COLLATERAL_FIELDS
from .records import COMMAND, EVENT
from .rules import rules_of

cdef enum:
    TRIGGER_BUCKETS = 1 << 17        # of one side of a market, at most: few enough to stay in the caches

NOTIONAL_LIMIT = 2 ** 62         # largest notional that the core may have to hold, 1e-8 units

cdef class EventBuffer:
    """Memory of an event array; counts its exports so that the engine reuses it only when nobody looks."""

    def __dealloc__(self):
        free(self.memory)

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        buffer.buf = self.memory
        buffer.obj = self
        buffer.len = self.size
        buffer.itemsize = 1
        buffer.readonly = 1
        buffer.ndim = 1
        buffer.format = NULL
        buffer.shape = &self.size
        buffer.strides = NULL
        buffer.suboffsets = NULL
        buffer.internal = NULL
        self.exports += 1

    def __releasebuffer__(self, Py_buffer *buffer):
        self.exports -= 1


def market_parameters(market):
    """The integers that the core reads from a market's specification, by name; tiers as tuples."""
    numbers = {name: int(getattr(market, name)) for name in CONTRACT} | rules_of(market, venue=False)
    for name in ("impact_kernel", "sources", "perp_sources"):
        numbers[name] = tuple(int(weight) for weight in getattr(market, name, ()))
    numbers["oi_ladder"] = tuple((int(band), int(share)) for band, share in getattr(market, "oi_ladder", ()))
    numbers["tiers"] = tuple(
        (int(t.cap), int(t.rate), int(t.deduction), int(t.leverage_max), int(getattr(t, "initial", 0))) for t in market.tiers)
    return numbers


def venue_parameters(rulebook):
    """The venue's rules by name, with the terms of its collateral assets where it has any, as dicts."""
    rules = rules_of(rulebook, venue=True)
    if getattr(rulebook, "collateral", ()):
        rules["collateral"] = [collateral_parameters(terms) for terms in rulebook.collateral]
    return rules


def collateral_parameters(terms):
    numbers = {name: int(getattr(terms, name)) for name in COLLATERAL_FIELDS}
    return numbers | {"tiers": [(int(cap), int(haircut)) for cap, haircut in terms.tiers]}


CONTRACT = (
    "tick_value", "lot_numerator", "lot_denominator", "price_max", "position_max", "asset", "fund_group",
    "queue_model", "tape_walk",
)
STATE_PARTS = ("accounts", "positions", "orders", "recorded", "markets", "timers")

cdef int set_tiers(State *s, Market *m, tuple tiers) except -1:
    """Caps rise, rates rise, and deductions make maintenance continuous at every edge; WHOLE tiers have none."""
    cdef Tier *t
    cdef Tier *grown
    floor = rate_before = deduction = 0
    m.edge_bound = 0 if m.rules.contract_kind == CONTRACT_INVERSE else BEYOND
    if not tiers:
        raise ValueError("a market needs at least one tier")
    grown = <Tier *>realloc(s.tiers, (s.tiers_count + len(tiers)) * sizeof(Tier))
    if grown == NULL:
        raise MemoryError("no memory for the tier tables")
    s.tiers = grown
    m.tier_first = s.tiers_count
    m.tier_count = <int32_t>len(tiers)
    m.initial_rates = m.rules.initial_base != 0 or m.rules.initial_slope != 0
    for number, (cap, rate, stated, leverage, *more) in enumerate(tiers, 1):
        if not (cap > floor and rate_before <= rate < RATE_ONE - m.rules.close_fee_in_maintenance and 1 <= leverage <= 0xFFFF):
            raise ValueError(f"tier {number}: caps and rates must rise, the rate stay below 1, leverage be 1 or more")
        exact = deduction * RATE_ONE + floor * (rate - rate_before) if m.rules.tier_method == TIERS_MARGINAL else 0
        if exact % RATE_ONE or exact // RATE_ONE != stated:
            raise ValueError(f"tier {number}: deduction {stated} does not continue the tiers before it ({exact / 1e9})")
        t = &s.tiers[s.tiers_count]
        s.tiers_count += 1
        t.floor = floor
        t.cap = cap
        t.rate = rate + m.rules.close_fee_in_maintenance
        t.deduction = deduction = stated
        t.leverage_max = leverage
        set_initial(m, t, number, t - 1 if number > 1 else NULL, more[0] if more else 0)
        floor, rate_before = cap, rate
    return 0


cdef int set_initial(Market *m, Tier *t, int32_t number, Tier *before, object rate) except -1:
    """A tier's initial rate; 0: that of its largest leverage. It is no less than maintenance, or than the tier before."""
    t.initial = rate
    if before != NULL and (t.initial or before.initial) and tier_initial(t) < tier_initial(before):
        raise ValueError(f"tier {number}: its initial rate is less than that of the tier before")
    if t.initial == 0:
        return 0
    if not t.rate - m.rules.close_fee_in_maintenance <= t.initial <= RATE_ONE:
        raise ValueError(f"tier {number}: its initial rate is less than its maintenance, or more than 1")
    if m.rules.initial_base or m.rules.initial_slope:
        raise ValueError(f"tier {number}: it states an initial rate, and initial_base and initial_slope another")
    m.initial_rates = 1
    return 0


cdef int set_kernel(State *s, Market *m, kernel) except -1:
    """How the impact of simulated flow decays, and room for as many flows; see impact.pyx."""
    cdef int64_t *grown
    if len(kernel) > IMPACT_STEPS_MAX or (len(kernel) > 0) != (m.rules.impact_step_ns > 0):
        raise ValueError(f"market {m.id}: an impact needs a step and a kernel of 1 to {int(IMPACT_STEPS_MAX)} entries")
    if len(kernel) == 0:
        return 0
    grown = <int64_t *>realloc(s.impacts, (s.impacts_count + 2 * len(kernel)) * sizeof(int64_t))
    if grown == NULL:
        raise MemoryError("no memory for the kernels of impact")
    s.impacts = grown
    m.impact_first, m.impact_count = s.impacts_count, <int32_t>len(kernel)
    s.impacts_count += 2 * m.impact_count
    for i, entry in enumerate(kernel):
        if not 0 <= entry <= RATE_ONE:
            raise ValueError(f"market {m.id}: entry {i} of the impact kernel is not between 0 and 1")
        s.impacts[m.impact_first + i] = entry
        s.impacts[m.impact_first + m.impact_count + i] = 0
    return 0


cdef int set_sources(State *s, Market *m, weights, perp_weights) except -1:
    """The constituents of the index and, numbered after them, the perpetuals elsewhere; none has a price yet."""
    if len(weights) + len(perp_weights) > SOURCES_MAX:
        raise ValueError(f"market {m.id}: {len(weights) + len(perp_weights)} sources, at most {int(SOURCES_MAX)} are possible")
    for i, weight in enumerate((*weights, *perp_weights)):
        if not 0 < weight <= 1 << 50:
            raise ValueError(f"market {m.id}: the weight {weight} of source {i} is not between 1 and 2^50")
        s.sources[<int64_t>m.id * SOURCES_MAX + i].weight = weight
    m.sources_count, m.perps_count = <int32_t>len(weights), <int32_t>len(perp_weights)
    if m.rules.index_method != INDEX_GIVEN and m.sources_count == 0:
        raise ValueError(f"market {m.id}: its index is made of sources, and it states none")
    return 0


cdef int set_oi_ladder(Market *m, ladder) except -1:
    """Bands of open interest (1e-8 of a base unit; of an inverse contract of the quote) and what one position may be of each."""
    if len(ladder) > OI_BANDS_MAX:
        raise ValueError(f"market {m.id}: {len(ladder)} bands of open interest, at most {int(OI_BANDS_MAX)} are possible")
    for i, (band, share) in enumerate(ladder):
        lots = band * m.lot_denominator // m.lot_numerator // VALUE_ONE
        if not (0 < lots < NOTIONAL_LIMIT // OI_BANDS_MAX and 0 < share <= RATE_ONE):
            raise ValueError(f"market {m.id}: band {i + 1} of open interest is empty or too large, or its rate not 0 to 1")
        m.oi_bands[i].lots = lots
        m.oi_bands[i].rate = share
    m.oi_count = <int32_t>len(ladder)
    if m.oi_count or m.rules.beyond_lots:
        m.special |= SPECIAL_CONTRACT
    return 0


cdef object linear_bounds(Market *m, int32_t number, dict c):
    """What one lot is worth at the largest price; sets what a tick of it is worth."""
    product = c["tick_value"] * c["lot_numerator"]
    if product % c["lot_denominator"]:
        raise ValueError(f"market {number}: one lot a tick is not a whole number of 1e-8 units; take a larger lot or tick")
    if m.rules.price_min != 1:
        raise ValueError(f"market {number}: price_min belongs to inverse contracts")
    m.tick_lot_money = product // c["lot_denominator"]
    m.mark_min = 1
    m.position_most = NOTIONAL_LIMIT // c["lot_numerator"]
    return c["price_max"] * m.tick_lot_money


cdef object inverse_bounds(Market *m, int32_t number, dict c):
    """What one lot is worth at the lowest price, in coin; products of price and lot must fit as well."""
    if m.rules.price_min > c["price_max"]:
        raise ValueError(f"market {number}: price_min is above price_max")
    if c["price_max"] * c["tick_value"] * c["lot_denominator"] >= NOTIONAL_LIMIT:
        raise ValueError(f"market {number}: price_max or lot_denominator is too large for an inverse contract")
    m.mark_min = m.rules.price_min * c["tick_value"]
    largest = -(-c["lot_numerator"] * COIN_PRICE // (c["lot_denominator"] * m.mark_min))
    m.position_most = NOTIONAL_LIMIT // max(c["lot_numerator"], largest)
    m.special = SPECIAL_CONTRACT
    return largest


cdef int set_contract(State *s, Market *m, int32_t number, dict c) except -1:
    m.id = number
    m.tick_value = c["tick_value"]
    m.lot_numerator = c["lot_numerator"]
    m.lot_denominator = c["lot_denominator"]
    m.price_max = c["price_max"]
    m.position_max = c["position_max"]
    m.asset = c["asset"]
    m.queue_model = c["queue_model"]
    m.tape_walk = c["tape_walk"]
    if min(c["tick_value"], c["lot_numerator"], c["lot_denominator"], c["price_max"], c["position_max"]) <= 0:
        raise ValueError(f"market {number}: tick, lot, price_max and position_max must be positive")
    turned = m.rules.contract_kind == CONTRACT_INVERSE
    largest = inverse_bounds(m, number, c) if turned else linear_bounds(m, number, c)
    if c["position_max"] * largest >= NOTIONAL_LIMIT:
        product = "position_max / price_min" if turned else "position_max * price_max"
        raise ValueError(f"market {number}: {product} is above {NOTIONAL_LIMIT} units of money")
    if c["position_max"] * c["lot_numerator"] >= NOTIONAL_LIMIT or c["price_max"] * c["tick_value"] >= NOTIONAL_LIMIT \
            or c["price_max"] >= 2 ** int(PRICE_BITS) or c["position_max"] >= 2 ** int(LOTS_BITS):
        raise ValueError(f"market {number}: price_max or position_max is too large")
    if not 0 <= m.asset < s.assets_count or not 0 <= c["fund_group"] < s.fund_count:
        raise ValueError(f"market {number}: unknown asset or fund group")
    if not 0 < m.rules.size_max <= c["position_max"]:
        raise ValueError(f"market {number}: size_max is out of range")
    m.fund_account = s.fund_first + <int32_t>c["fund_group"]
    m.clearing_wallet = (s.clearing_first + number) * s.assets_count + m.asset
    return 0


cdef int open_market(State *s, int32_t number, dict parameters) except -1:
    """Set up one market from its parameters; it starts open, without prices."""
    cdef Market *m = &s.markets[number]
    cdef int i
    set_market_rules(&m.rules, parameters)
    set_contract(s, m, number, parameters)
    set_tiers(s, m, parameters["tiers"])
    set_oi_ladder(m, parameters.get("oi_ladder", ()))
    set_kernel(s, m, parameters.get("impact_kernel", ()))
    set_sources(s, m, parameters.get("sources", ()), parameters.get("perp_sources", ()))
    for i in range(2):
        ladder_init(&m.sides[i].accounts, m.price_max)
        ladder_init(&m.sides[i].world, m.price_max)
        m.sides[i].best_accounts = m.sides[i].best_world = m.beyond_edge[i] = NO_PRICE
    m.bucket_value = m.tick_value
    while m.price_max * m.tick_value / m.bucket_value > TRIGGER_BUCKETS:
        m.bucket_value *= 2
    ladder_init(&m.longs, m.price_max * m.tick_value / m.bucket_value)
    ladder_init(&m.shorts, m.price_max * m.tick_value / m.bucket_value)
    for i in range(4):
        ladder_init(&m.stops[i], m.price_max)
    m.shorts_bound = 0x7FFFFFFFFFFFFFFF
    m.trailing_head = m.trailing_tail = m.positions_head = NONE
    m.shock = RATE_ONE
    m.state = MARKET_OPEN
    open_claims(s, m)
    m.world_position = position_new(s, s.world, number)
    m.fund_position = position_new(s, m.fund_account, number)
    if m.rules.funding_continuous:
        accrual_begin(s, m)
    return 0


cdef class Engine:
    """`Engine(rulebook, markets, accounts_max, seed=0, *, venue=0, assets=1, audit=1)`

    rulebook      object with the venue-wide parameters as integer attributes (rows `v` of rules.pyx)
    markets       sequence of objects with a market's parameters (see CONTRACT, and rows `m` of rules.pyx) and `tiers`
    accounts_max  number of customer accounts, ids 0 .. accounts_max - 1; house accounts follow (see `house`)
    seed          of the rules that draw lots (dYdX's ADL); part of the snapshot
    audit         when invariants are checked. 0: never; 1: after each batch, those of the accounts that changed, the totals,
                  and a part of everything, in rotation; 2: all of them after each command

    Raises ValueError for parameters that do not fit together, OverflowError when a number leaves 64 bits, MemoryError,
    InvariantError from `check` or an audit. `broken` then says why the engine has stopped; it takes nothing more.
    """

    def __cinit__(self, rulebook, markets, int accounts_max, int64_t seed=0, *, int venue=0, int assets=1, int audit=1):
        markets = [m if isinstance(m, dict) else market_parameters(m) for m in markets]
        rules = rulebook if isinstance(rulebook, dict) else venue_parameters(rulebook)
        assets = max(assets, len(rules.get("collateral", ())))
        if not 0 <= audit <= AUDIT_EVENT:
            raise ValueError(f"audit is 0, 1 or 2, not {audit}")
        if not 1 <= len(markets) < ALL_MARKETS or not 0 < accounts_max < 1 << 30 or not 1 <= assets <= 255:
            raise ValueError("an engine needs 1 to 65,534 markets, 1 to 2**30 accounts and 1 to 255 assets")
        funds = max(m["fund_group"] for m in markets) + 1
        self.setup = (rules, markets, accounts_max, seed, venue, assets)    # JSON in a snapshot
        self.audit = audit
        self.buffer = EventBuffer.__new__(EventBuffer)
        state_init(&self.state, <int32_t>len(markets), assets, accounts_max, funds, bool(rules.get("collateral")))
        self.state.venue = venue
        self.state.seed = seed
        self.buffer.memory = self.state.events
        set_venue_rules(&self.state.rules, rules)
        for number, market in enumerate(markets):
            open_market(&self.state, number, market)
        if rules.get("collateral"):
            set_collateral(&self.state, list(rules["collateral"]))

    def __dealloc__(self):
        self.state.events = NULL        # the buffer owns them
        shadow_forget(&self.shadow)
        hashes_forget(&self.hashes)
        state_free(&self.state)

    cdef int begin_batch(self) except -1:
        """Make sure that events are written where no array of an earlier batch is looking."""
        cdef EventBuffer fresh
        if self.broken is not None:
            raise RuntimeError(f"the engine has stopped: {self.broken}")
        if self.buffer.exports:
            fresh = EventBuffer.__new__(EventBuffer)
            fresh.memory = malloc(self.state.events_capacity * sizeof(Event))
            if fresh.memory == NULL:
                raise MemoryError("no memory for the event buffer")
            self.buffer = fresh
            self.state.events = <Event *>fresh.memory
            self.state.events_count = self.state.events_digested = 0
        return 0

    cdef int guard(self) except -1:
        self.buffer.memory = self.state.events          # it may have grown
        if self.state.overflow:
            self.broken = "a number left 64 bits"
            raise OverflowError("a price, size or amount of money left 64 bits; the engine has stopped")
        return 0

    cdef void failed(self, bint of_memory) noexcept:
        """Something was raised while commands were at work: what it has left half-done must not be used again."""
        self.buffer.memory = self.state.events          # it may have grown
        if self.broken is None:
            self.broken = "it ran out of memory in the midst of its work" if of_memory else "it failed in the midst of its work"

    cdef object end_batch(self):
        """The events of the batch as a read-only array; the memory is reused once the array is gone."""
        cdef int64_t count = self.state.events_count
        digest_events(&self.state)
        self.buffer.memory = self.state.events
        self.buffer.size = count * sizeof(Event)
        self.state.events_count = self.state.events_digested = 0
        if count == 0:
            return np.empty(0, EVENT)
        return np.frombuffer(memoryview(self.buffer), EVENT)

    def apply(self, commands not None):
        """Apply an array of COMMAND in order; returns the array of EVENT that it caused (read-only).

        Under `AdlPolicy.USER` it stops where a decision is due (`pending_adl`) and the next command is none: `consumed`
        says how many were taken; give the rest after the decision.
        """
        if commands.dtype != COMMAND or commands.ndim != 1:
            raise TypeError("commands must be a one-dimensional array of dtype perpsim.core.COMMAND")
        cdef const unsigned char[::1] raw = np.ascontiguousarray(commands).view(np.uint8).reshape(-1)
        cdef int64_t count = commands.shape[0]
        cdef int64_t i
        cdef const Command *command
        self.begin_batch()
        self.consumed = count
        try:
            if count and self.audit == AUDIT_EVENT:
                command = <const Command *>&raw[0]
                for i in range(count):
                    self.suspects = commands[i:i + 1]
                    with nogil:
                        apply_command(&self.state, &command[i])
                    self.guard()
                    self.verify(True)
                    if self.state.adl.open and i + 1 < count and command[i + 1].kind != KIND_ADL_DECISION:
                        self.consumed = i + 1
                        break
            elif count:
                command = <const Command *>&raw[0]
                self.suspects = commands
                with nogil:
                    count = apply_commands(&self.state, command, count)
                self.consumed = count
                self.batch_done()
            self.suspects = None
            return self.end_batch()
        except BaseException as error:
            self.failed(isinstance(error, MemoryError))
            raise

    cdef int batch_done(self) except -1:
        """After commands were applied: nothing left 64 bits, and the audit of the batch finds nothing."""
        self.guard()
        if self.audit == AUDIT_BATCH:
            self.verify(False)
        return 0

    cdef int verify(self, bint whole) except -1:
        """The whole audit, or that of a batch; a breach stops the engine for good."""
        try:
            if whole:
                check_state(&self.state, &self.shadow, &self.hashes, True)
            else:
                audit_batch(&self.state, &self.shadow, &self.hashes)
        except AssertionError as error:
            self.broken = str(error)
            if self.suspects is not None:
                self.suspects = self.suspects[max(0, len(self.suspects) - 1000):].copy()
            raise
        return 0

    def submit(self, *, int kind, int64_t time_ns=0, int account=0, int market=0, int64_t order_id=0, int side=0,
               int position_side=0, int tif=0, int flags=0, int64_t price_ticks=0, int64_t size_lots=0,
               int64_t trigger_ticks=0, int trigger_source=0, int stp_mode=0, int64_t expire_ns=0, int asset=0,
               int64_t value=0, int64_t aux=0) -> int:
        """Apply one command; returns its reject code, 0 when it was taken. Its events wait for `drain`.

        Where something due before it asks for a user's ADL decision (`pending_adl`), it is taken, and runs after that.
        `time_ns` 0 means now. Field meanings by kind: the table in ARCHITECTURE.md.
        """
        cdef Command c
        cdef int reason
        memset(&c, 0, sizeof(Command))
        c.kind, c.time_ns, c.account, c.market, c.order_id = <uint8_t>kind, time_ns, account, <uint16_t>market, order_id
        c.side, c.position_side, c.tif, c.flags = <uint8_t>side, <uint8_t>position_side, <uint8_t>tif, <uint16_t>flags
        c.price_ticks, c.size_lots, c.trigger_ticks = price_ticks, size_lots, trigger_ticks
        c.trigger_source, c.stp_mode, c.expire_ns = <uint8_t>trigger_source, <uint8_t>stp_mode, expire_ns
        c.asset, c.value, c.aux, c.venue = <uint8_t>asset, value, aux, <uint8_t>self.state.venue
        if self.buffer.exports and self.state.events_count == 0:
            self.begin_batch()
        elif self.broken is not None:
            raise RuntimeError(f"the engine has stopped: {self.broken}")
        try:
            self.consumed = 1
            with nogil:
                reason = apply_command(&self.state, &c)
            self.guard()
            if self.audit:
                self.verify(self.audit == AUDIT_EVENT)
        except BaseException as error:
            if isinstance(error, AssertionError):
                self.suspects = np.frombuffer(<bytes>(<char *>&c)[:sizeof(Command)], COMMAND)
            self.failed(isinstance(error, MemoryError))
            raise
        return reason

    def drain(self):
        """Events of `submit` calls since the last `drain` or `apply`, as an array of EVENT."""
        try:
            return self.end_batch()
        except BaseException as error:
            self.failed(isinstance(error, MemoryError))
            raise

    def digest(self) -> str:
        """Rolling hash of all events and tape rows so far, 64 hexadecimal digits."""
        digest_events(&self.state)
        a, b, c, d, e = (int(self.state.digest[i]) for i in range(5))
        rows = int(self.state.row_digest) * 3 & 0xFFFFFFFFFFFFFFFF
        mixed = (a ^ rows, b ^ e, c ^ int(self.state.rows), d ^ int(self.state.sequence))
        return "".join(f"{word:016x}" for word in mixed)

    def check(self, *, bint risk=True):
        """Verify every invariant over the whole state; raises InvariantError. `risk` includes the full margin scan."""
        try:
            check_state(&self.state, &self.shadow, &self.hashes, risk)
        except AssertionError as error:
            self.broken = str(error)
            raise
        self.guard()

    def last_events(self, int64_t count=1000):
        """Copy of the last events, up to `count`: those that wait for `drain`, or else of the batch before; also when stopped."""
        cdef int64_t there = self.state.events_count
        if there == 0:
            there = self.buffer.size / <int64_t>sizeof(Event)
        cdef int64_t first = max(0, there - count)
        if first == there:
            return np.empty(0, EVENT)
        return np.frombuffer(<bytes>(<char *>&self.state.events[first])[:(there - first) * sizeof(Event)], EVENT)

    def state_hash(self) -> str:
        """Hash of the state's content, 16 hexadecimal digits: the same for the same content, whatever its history."""
        return f"{sum(self.state_hashes().values()) & 0xFFFFFFFFFFFFFFFF:016x}"

    def state_hashes(self) -> dict:
        """Its parts, of which it is the sum modulo 2**64: accounts, positions, orders, recorded, markets, timers."""
        hashes_update(&self.state, &self.hashes, self.audit == AUDIT_BATCH)
        return {name: int(self.hashes.parts[i]) for i, name in enumerate(STATE_PARTS)}

    def audited_rounds(self) -> int:
        """How often the rotating audit has been through the whole state."""
        return self.shadow.rounds

    def snapshot(self) -> bytes:
        """The whole state; `Engine.restore` continues from it as if nothing had happened."""
        if self.broken is not None:
            raise RuntimeError(f"the engine has stopped: {self.broken}")
        digest_events(&self.state)
        return dump_state(&self.state, json.dumps(self.setup).encode())

    @staticmethod
    def restore(bytes data, int audit=1):
        """An engine from a snapshot. Raises ValueError when the bytes are not one, or are damaged."""
        cdef Engine engine
        try:
            rules, markets, accounts_max, seed, venue, assets = json.loads(read_setup(data))
            for market in markets:
                market["tiers"] = tuple(map(tuple, market["tiers"]))
            engine = Engine(rules, markets, accounts_max, seed, venue=venue, assets=assets, audit=audit)
        except (AttributeError, LookupError, OverflowError, TypeError) as error:
            raise ValueError("the parameters of the engine in the snapshot are damaged") from error
        load_state(&engine.state, data)
        return engine

    @property
    def house(self) -> dict:
        """Ids of the house accounts: world, treasury, rounding, deficit, funds (list), clearing (by market), backstop."""
        cdef State *s = &self.state
        exchange = {} if s.exchange == NONE else {"exchange": s.exchange}
        return exchange | {
            "world": s.world, "treasury": s.treasury, "rounding": s.rounding, "deficit": s.deficit,
            "funds": list(range(s.fund_first, s.fund_first + s.fund_count)),
            "clearing": list(range(s.clearing_first, s.clearing_first + s.markets_count)), "backstop": s.backstop,
        }

    @property
    def pending_adl(self):
        """The ADL that waits for a decision, None if there is none: account, market, asset, signed `lots` that are left of
        its position, their `value` at bankruptcy (1e-8) and `price_ticks`, `share` of the equity, `mark`, `time_ns`, and
        `candidates`: an array of CANDIDATE, one row a counterparty, by account.
        """
        return pending_dict(&self.state)

    @property
    def asks(self) -> bool:
        """Whether the rules of now leave ADL to the user, or a decision is due."""
        return self.state.adl.open or self.state.rules.adl_policy == ADL_USER

    @property
    def time_ns(self) -> int:
        return self.state.time_ns

    def accounts(self):
        """Array of ACCOUNT, one row an account and asset, house accounts last."""
        return accounts_array(&self.state)

    def positions(self):
        """Array of POSITION, one row an account and market ever used."""
        return positions_array(&self.state)

    def orders(self):
        """Array of ORDER: the live orders, resting (state 1) and waiting (2)."""
        return orders_array(&self.state)

    def book(self, int market, int side):
        """int64 array (levels, 2) of price_ticks and lots, best first."""
        self.known(market)
        return book_arrays(&self.state, market, side)

    def queue(self, int market, int side, int64_t price_ticks) -> list:
        """Segments of one price from head to tail: (account, order_id or None, lots)."""
        self.known(market)
        return queue_list(&self.state, market, side, price_ticks)

    def market(self, int market) -> dict:
        """Prices, state, open interest and extremes of one market."""
        self.known(market)
        return market_dict(&self.state, market)

    def statistics(self) -> dict:
        """Counters of the engine."""
        return statistics_dict(&self.state)

    def known(self, int market):
        if not 0 <= market < self.state.markets_count:
            raise IndexError(f"market {market} is not one of the engine's {self.state.markets_count}")
