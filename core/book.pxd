# One market's order book: price levels, each a FIFO of account orders with recorded (world) liquidity between them.
# It knows no money and no margin: it reports fills, the caller settles them.
#
# Recorded liquidity of a price is one number (state.pxd: WorldLevel); how it is interleaved with account orders is
# kept in the orders: `world_ahead` lots stand directly before each, and what is left stands at the tail. A level
# without account orders therefore costs nothing but its number, and k orders make at most k + 1 world segments.

from libc.stdint cimport int32_t, int64_t, uint8_t

from .ladder cimport NO_PRICE, NONE, ladder_get
from .records cimport SIDE_BUY
from .state cimport BookSide, Level, Market, Order, State, WorldLevel
from .units cimport lots_t, ticks_t

cdef struct Taker:
    int32_t account
    int32_t stp_group
    uint8_t stp_mode
    uint8_t is_world                    # the walking part of a recorded trade: it leaves no position behind
    uint8_t expired                     # out: self-trade prevention ended the taker
    int32_t checked                     # reduce-only maker that the caller has just verified

cdef enum:
    MATCH_DONE = 0
    MATCH_CHECK_MAKER = 1               # a reduce-only maker is next: settle, then call again

cdef void order_link(State *s, int32_t slot) noexcept nogil
cdef void order_detach(State *s, int32_t slot) noexcept nogil
cdef int book_add(State *s, Market *m, int32_t slot) except -1 nogil
cdef void book_remove(State *s, Market *m, int32_t slot) noexcept nogil
cdef void world_refresh(State *s, Market *m, int side, ticks_t recorded, WorldLevel *w) noexcept nogil
cdef int book_match(State *s, Market *m, int side, ticks_t limit, lots_t *lots, Taker *taker) except -1 nogil
cdef int take_order(State *s, Market *m, int32_t slot, lots_t lots) except -1 nogil
cdef lots_t book_depth(State *s, Market *m, int side, ticks_t limit, lots_t wanted, int32_t without) noexcept nogil
cdef ticks_t impact_price(State *s, Market *m, int side, int64_t notional) noexcept nogil

cdef inline lots_t world_lots(WorldLevel *w) noexcept nogil:
    """What can be had of a recorded level: max(0, R - P - C)."""
    cdef lots_t lots = w.recorded - w.printed - w.consumed
    return lots if lots > 0 else 0

cdef inline WorldLevel *world_at(State *s, Market *m, int side, ticks_t price) noexcept nogil:
    """The recorded level that stands at a venue price, NULL if none."""
    cdef ticks_t recorded = price - m.shift
    cdef int32_t slot
    if recorded < 0:
        return NULL
    slot = ladder_get(&m.sides[side].world, recorded)
    return NULL if slot == NONE else &s.world_levels[slot]

cdef inline ticks_t best_price(Market *m, int side) noexcept nogil:
    """Best venue price of a side, NO_PRICE if the side is empty."""
    cdef BookSide *b = &m.sides[side]
    cdef ticks_t world
    if b.best_world == NO_PRICE:
        return b.best_accounts
    world = b.best_world + m.shift
    if b.best_accounts == NO_PRICE:
        return world
    if side == SIDE_BUY:
        return world if world > b.best_accounts else b.best_accounts
    return world if world < b.best_accounts else b.best_accounts

cdef inline bint crosses(int taker_side, ticks_t limit, ticks_t price) noexcept nogil:
    """Whether a taker with this limit trades at `price` (NO_PRICE: never)."""
    if price == NO_PRICE:
        return False
    return price <= limit if taker_side == SIDE_BUY else price >= limit
