# Placing, matching, amending and cancelling orders: hold, match, release. Inline: what the short way of plain orders
# (plain.pyx) shares with the long way of all others.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t

from .bands cimport band_limit
from .book cimport NONE, book_add, order_link, order_unlist
from .events cimport NO_ACCOUNT, event_put, next_event
from .hedge cimport closes_leg, leg_made
from .idmap cimport find_order_at, idmap_place, idmap_remove_at, idmap_reserve, idmap_set
from .margin cimport premium_of
from .records cimport *
from .settle cimport hold, leave_book
from .state cimport (
    STAGE_NONE, STATE_RESTING, Market, Order, Position, State, Wallet, mark_dirty, order_new, order_set,
)
from .units cimport RATE_ONE, by_side, lots_t, ticks_t

cdef enum:
    CONDITIONAL = FLAG_STOP | FLAG_TAKE_PROFIT | FLAG_TRAILING
    FLAGS_KEPT = FLAG_MARKET | FLAG_POST_ONLY | FLAG_REDUCE_ONLY | FLAG_CLOSE_POSITION | CONDITIONAL | FLAG_PRICE_PROTECT

cdef struct Ticket:                     # an order on its way to the book
    int64_t order_id
    lots_t lots                         # still to be matched
    lots_t filled                       # by earlier lives of the same id (an amended order)
    ticks_t price
    ticks_t limit                       # worst price at which it may match
    int64_t expire_ns
    int32_t position
    uint16_t flags
    uint8_t side
    uint8_t tif
    uint8_t stp_mode

cdef int reject(State *s, const Command *c, int reason) except -1 nogil
cdef int place(State *s, const Command *c) except -1 nogil
cdef int cancel(State *s, const Command *c) except -1 nogil
cdef int cancel_all(State *s, const Command *c) except -1 nogil
cdef int amend(State *s, const Command *c) except -1 nogil
cdef int check_margin(State *s, Market *m, Ticket *t) noexcept nogil
cdef int cancelled(State *s, Ticket *t, int reason) except -1 nogil
cdef int match_and_settle(State *s, Market *m, int32_t position, int64_t order_id, int side, ticks_t limit,
                          lots_t *lots, uint8_t stp_mode, bint *expired) except -1 nogil
cdef int fire_conditionals(State *s, Market *m, int source) except -1 nogil
cdef int expire_order(State *s, int32_t account, int64_t order_id) except -1 nogil

cdef inline bint in_liquidation(Wallet *w, Position *p) noexcept nogil:
    return (w.stage | p.stage) != STAGE_NONE

cdef inline bint out_of_band(Market *m, int side, ticks_t price) noexcept nogil:
    return by_side(side, price - m.band_edge[side]) > 0

cdef inline int32_t position_for(State *s, Market *m, Wallet *w, int32_t account, int leg) except -1 nogil:
    """The slot of an account's position in a market that settles in the wallet's asset, made on first use."""
    cdef int32_t slot = w.positions_head
    if slot != NONE and s.positions[slot].market == m.id and s.positions[slot].leg == leg:
        return slot
    return leg_made(s, account, m.id, leg)

cdef inline void fill_ticket(State *s, Market *m, Ticket *t, int32_t position, int64_t order_id, int side,
                             ticks_t price, lots_t lots, int flags, int tif, int stp_mode, int64_t expire_ns) noexcept nogil:
    t.order_id = order_id
    t.lots = lots
    t.filled = 0
    t.price = price
    t.limit = price
    t.position = position
    t.flags = <uint16_t>(flags & FLAGS_KEPT & ~CONDITIONAL)
    if closes_leg(&s.positions[position], side):
        t.flags |= FLAG_REDUCE_ONLY
    t.side = <uint8_t>side
    t.tif = <uint8_t>tif
    t.stp_mode = <uint8_t>stp_mode
    t.expire_ns = expire_ns
    if flags & FLAG_MARKET:
        t.price = 0
        if m.rules.market_bound:
            t.limit = band_limit(s, m, side, RATE_ONE + (m.rules.market_bound if side == SIDE_BUY else -m.rules.market_bound))
        else:
            t.limit = m.price_max if side == SIDE_BUY else m.rules.price_min

cdef inline int accepted(State *s, const Command *c, lots_t lots, int flags) except -1 nogil:
    event_put(next_event(s), s.sequence, s.time_ns, c.order_id, 0, c.price_ticks, lots, 0, c.trigger_ticks, flags,
              c.account, NO_ACCOUNT, c.market, 0, EVENT_ACCEPTED, s.venue, 0, c.side)
    return 0

cdef inline int32_t rest(
    State *s, Market *m, int32_t position, int64_t order_id, int side, ticks_t price, lots_t lots, lots_t filled,
    uint16_t flags, uint8_t tif, uint8_t stp_mode, uint64_t hashed, int64_t at
) except -1 nogil:
    """Put an order into the book, with its hold and its index entry (`at`, -1: to be found); returns its slot."""
    cdef int32_t slot = order_new(s)
    cdef Order *o = &s.orders[slot]
    if at < 0:                          # a match came between: the free entry may be another
        idmap_reserve(&s.order_index)
        at = idmap_place(&s.order_index, hashed)
    idmap_set(&s.order_index, at, hashed, slot)
    order_set(o, order_id, lots, filled, price, premium_of(m, side, price), position, NONE, flags, side, tif, stp_mode,
              STATE_RESTING)
    order_link(s, slot)
    hold(s, m, o)
    if m.rules.order_maintenance:
        mark_dirty(s, s.positions[position].wallet)
    book_add(s, m, slot)
    return slot

cdef inline int cancel_hashed(State *s, const Command *c, uint64_t hashed) except -1 nogil:
    """CANCEL of the order whose key is `hashed`."""
    cdef int64_t at
    cdef Market *m = &s.markets[c.market]
    cdef int32_t slot = find_order_at(s, c.account, c.order_id, hashed, &at)
    if m.state >= MARKET_SETTLING:
        return reject(s, c, REJECT_MARKET_STATE)
    if slot == NONE or s.positions[s.orders[slot].position].market != c.market:
        return reject(s, c, REJECT_UNKNOWN_ORDER)
    leave_book(s, m, slot, REASON_USER)
    idmap_remove_at(&s.order_index, at)
    order_unlist(s, slot)
    return 0
