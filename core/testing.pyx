"""The core's C parts as Python functions, for tests only. Nothing imports this module but tests.

Where a function reports overflow, its wrapper raises OverflowError; else it adds nothing.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

from .engine cimport Engine
from .ladder cimport (
    NONE, Ladder, ladder_cell, ladder_free, ladder_get, ladder_init, ladder_is_marked, ladder_mark, ladder_next,
    ladder_previous, ladder_unmark,
)
from .records cimport Command, Event
from .state cimport Account, Level, Market, Order, Position, State, Tier, Timer, Trigger, Wallet, WorldLevel
from .units cimport (
    add_checked, div_ceil, div_floor, high_word, i128, low_word, mix64, mul_checked, mul_div_ceil, mul_div_floor, narrow,
    ratio_e9, sub_checked, wide_mul,
)


cdef int64_t checked(int64_t result, int overflow) except? -1:
    if overflow:
        raise OverflowError("the result left 64 bits")
    return result


# ---- units ---------------------------------------------------------------------------------------------------------

def py_mul_div_floor(int64_t a, int64_t b, int64_t c):
    cdef int overflow = 0
    cdef int64_t result = mul_div_floor(a, b, c, &overflow)
    return checked(result, overflow)


def py_mul_div_ceil(int64_t a, int64_t b, int64_t c):
    cdef int overflow = 0
    cdef int64_t result = mul_div_ceil(a, b, c, &overflow)
    return checked(result, overflow)


def py_div_floor(int64_t a, int64_t b):
    return div_floor(a, b)


def py_div_ceil(int64_t a, int64_t b):
    return div_ceil(a, b)


def py_mul_checked(int64_t a, int64_t b):
    cdef int overflow = 0
    cdef int64_t result = mul_checked(a, b, &overflow)
    return checked(result, overflow)


def py_add_checked(int64_t a, int64_t b):
    cdef int overflow = 0
    cdef int64_t result = add_checked(a, b, &overflow)
    return checked(result, overflow)


def py_sub_checked(int64_t a, int64_t b):
    cdef int overflow = 0
    cdef int64_t result = sub_checked(a, b, &overflow)
    return checked(result, overflow)


def py_ratio_e9(int64_t a, int64_t b):
    return ratio_e9(a, b)


def py_wide_mul(int64_t a, int64_t b):
    """(high word, low word) of the exact product."""
    cdef i128 product = wide_mul(a, b)
    return high_word(product), low_word(product)


def py_narrow_product(int64_t a, int64_t b):
    """The product through 128 bits and back."""
    cdef int overflow = 0
    cdef int64_t result = narrow(wide_mul(a, b), &overflow)
    return checked(result, overflow)


def py_mix64(uint64_t a, uint64_t b):
    return mix64(a, b)


# ---- ladder --------------------------------------------------------------------------------------------------------

cdef class LadderProbe:
    """A price ladder of its own."""

    cdef Ladder ladder

    def __cinit__(self, int64_t price_max):
        ladder_init(&self.ladder, price_max)

    def __dealloc__(self):
        ladder_free(&self.ladder)

    def put(self, int64_t price, int32_t value):
        """Set a cell and mark it."""
        ladder_cell(&self.ladder, price)[0] = value
        ladder_mark(&self.ladder, price)

    def hide(self, int64_t price):
        """Unmark a cell; its value stays."""
        ladder_unmark(&self.ladder, price)

    def take(self, int64_t price):
        """Empty a cell and unmark it."""
        if ladder_get(&self.ladder, price) != NONE:
            ladder_cell(&self.ladder, price)[0] = NONE
        ladder_unmark(&self.ladder, price)

    def get(self, int64_t price):
        return ladder_get(&self.ladder, price)

    def is_marked(self, int64_t price):
        return bool(ladder_is_marked(&self.ladder, price))

    def next(self, int64_t price):
        return ladder_next(&self.ladder, price)

    def previous(self, int64_t price):
        return ladder_previous(&self.ladder, price)

    def __len__(self):
        return self.ladder.marked

    @property
    def pages(self):
        return self.ladder.pages_used


# ---- damage --------------------------------------------------------------------------------------------------------

cdef int64_t *damaged_word(State *s, str pool, str field, int64_t slot) except NULL:
    """Address of a 64-bit field of a record of the state."""
    words = {
        ("wallet", "balance"): <size_t>&s.wallets[slot].balance, ("wallet", "fees"): <size_t>&s.wallets[slot].fees,
        ("wallet", "deposited"): <size_t>&s.wallets[slot].deposited, ("wallet", "realised"): <size_t>&s.wallets[slot].realised,
        ("position", "lots"): <size_t>&s.positions[slot].lots, ("position", "cost"): <size_t>&s.positions[slot].cost,
        ("position", "isolated_margin"): <size_t>&s.positions[slot].isolated_margin,
        ("position", "trigger_value"): <size_t>&s.positions[slot].trigger_value,
        ("position", "bid_value"): <size_t>&s.positions[slot].order_value[0],
        ("position", "ask_value"): <size_t>&s.positions[slot].order_value[1],
        ("position", "open_loss"): <size_t>&s.positions[slot].open_loss,
        ("level", "lots"): <size_t>&s.levels[slot].lots, ("level", "world_lots"): <size_t>&s.levels[slot].world_lots,
        ("recorded", "recorded"): <size_t>&s.world_levels[slot].recorded,
        ("recorded", "consumed"): <size_t>&s.world_levels[slot].consumed,
        ("recorded", "where"): <size_t>&s.world_levels[slot].where,
        ("timer", "time_ns"): <size_t>&s.timers[slot].time_ns, ("index", "entry"): <size_t>&s.order_index.entries[slot],
        ("market", "longs_lots"): <size_t>&s.markets[slot].longs_lots,
        ("market", "best_bid"): <size_t>&s.markets[slot].sides[0].best_accounts,
        ("market", "mark_ticks"): <size_t>&s.markets[slot].mark_ticks,
        ("market", "basis_sum"): <size_t>&s.markets[slot].basis_sum,
        ("market", "longs_bound"): <size_t>&s.markets[slot].longs_bound,
        ("ladder", "bits"): <size_t>&s.markets[0].sides[0].accounts.bits[slot],
        ("tier", "deduction"): <size_t>&s.tiers[slot].deduction, ("state", "waiting"): <size_t>&s.waiting_orders,
    }
    return <int64_t *><size_t>words[pool, field]


def py_damage(Engine engine, str pool, str field, int64_t slot, int64_t change):
    """Add to one number of an engine's state, as a bug would; returns what it was."""
    cdef State *s = &engine.state
    cdef Order *o
    if pool == "order":
        o = &s.orders[slot]
        was = {"size_lots": o.size_lots, "next": o.next, "position_next": o.position_next, "price_ticks": o.price_ticks}[field]
        if field == "size_lots":
            o.size_lots += change
        elif field == "next":
            o.next += <int32_t>change
        elif field == "position_next":
            o.position_next += <int32_t>change
        else:
            o.price_ticks += change
        return was
    if pool == "position" and field == "resting_orders":
        s.positions[slot].resting_orders += <unsigned short>change
        return s.positions[slot].resting_orders
    if pool == "free":
        was = s.orders_free
        s.orders_free = NONE
        return was
    cdef int64_t *word = damaged_word(s, pool, field, slot)
    was = word[0]
    word[0] += change
    return was


def py_slots(Engine engine, str pool):
    """Slots of a pool that are in use."""
    cdef State *s = &engine.state
    if pool == "order":
        return [i for i in range(s.orders_count) if s.orders[i].state]
    if pool == "level":
        return [i for i in range(s.levels_count) if s.levels[i].head != NONE]
    if pool == "recorded":
        return [i for i in range(s.world_levels_count) if s.world_levels[i].recorded]
    if pool == "index":
        return [i for i in range(s.order_index.mask + 1) if s.order_index.entries[i]]
    if pool == "timer":
        return list(range(s.timers_count))
    if pool == "ladder":
        return [i for i in range(s.markets[0].sides[0].accounts.directory_size) if s.markets[0].sides[0].accounts.bits[i]]
    if pool == "position":
        return [i for i in range(s.positions_count) if s.positions[i].account < s.accounts_max]
    return [0]


# ---- records -------------------------------------------------------------------------------------------------------

def py_read_command(const unsigned char[::1] record):
    """The fields of a COMMAND record as C sees them."""
    if record.shape[0] != sizeof(Command):
        raise ValueError(f"a command has {sizeof(Command)} bytes, not {record.shape[0]}")
    return (<const Command *>&record[0])[0]


def py_read_event(const unsigned char[::1] record):
    """The fields of an EVENT record as C sees them."""
    if record.shape[0] != sizeof(Event):
        raise ValueError(f"an event has {sizeof(Event)} bytes, not {record.shape[0]}")
    return (<const Event *>&record[0])[0]


def py_sizes():
    """Bytes of every record of the state."""
    return {
        "account": sizeof(Account), "command": sizeof(Command), "event": sizeof(Event), "level": sizeof(Level),
        "market": sizeof(Market), "order": sizeof(Order), "position": sizeof(Position), "state": sizeof(State),
        "tier": sizeof(Tier), "timer": sizeof(Timer), "trigger": sizeof(Trigger), "wallet": sizeof(Wallet),
        "world_level": sizeof(WorldLevel),
    }
