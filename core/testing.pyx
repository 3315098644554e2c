"""The core's C parts as Python functions, for tests only. Nothing imports this module but tests.

Where a function reports overflow, its wrapper raises OverflowError; else it adds nothing.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

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
