"""L3 tapes: recorded orders stand in the book as orders of the world, so queue positions are exact.

`aux` says what happens: ADD rests `size_lots` at the price; REDUCE takes `size_lots` off; DELETE ends the order;
EXECUTE is a recorded trade of `size_lots` against it. The world never matches the world; account orders that a
recorded order crosses, or that stand before an executed one, trade with it.

Of the level queue's numbers an order keeps R - P as `size_lots + filled_lots` and C as `filled_lots`. An order keeps
its place when it shrinks. One that grows or moves has lost it: a tape deletes it and adds it anew. A shift (shift.pyx)
moves the orders with the book; one that it takes off the price grid is aside: it trades with nobody, its rows find it.
"""

from libc.stdint cimport int32_t

from .book cimport (
    NONE, WORLD_ARRIVES, Taker, book_add, book_match, book_remove, crosses, first_order, ladder_get, matches_now,
    order_detach, order_link, take_order,
)
from .idmap cimport find_order, idmap_put, key_hash
from .orders cimport reject
from .overlay cimport fill_better, missed
from .records cimport *
from .settle cimport settle_fills
from .stops cimport note_print
from .state cimport STATE_ASIDE, STATE_RESTING, TOUCHED, Level, Market, Order, order_new, order_set
from .units cimport lots_t, min64, mul_div_floor, ticks_t


cdef int add(State *s, Market *m, const Command *c) except -1 nogil:
    cdef Taker taker
    cdef lots_t lots = c.size_lots
    cdef ticks_t price = c.price_ticks + m.shift
    cdef bint stands = m.rules.price_min <= price <= m.price_max
    cdef int32_t slot
    cdef Order *o
    taker.account = s.world
    taker.stp_group = s.accounts[s.world].stp_group
    taker.stp_mode = STP_NONE
    taker.is_world = WORLD_ARRIVES
    taker.expired = 0
    taker.checked = NONE
    if matches_now(m) and stands:
        while book_match(s, m, c.side, price, &lots, &taker):
            settle_fills(s, m, c.side, m.world_position, c.order_id)
        settle_fills(s, m, c.side, m.world_position, c.order_id)
    if lots == 0:
        return 0
    slot = order_new(s)
    o = &s.orders[slot]
    order_set(o, c.order_id, lots, c.size_lots - lots, price if stands else c.price_ticks, 0, m.world_position, NONE, 0,
              c.side, TIF_GTC, STP_NONE, STATE_RESTING if stands else STATE_ASIDE)
    idmap_put(&s.order_index, key_hash(s.world, c.order_id), slot)
    order_link(s, slot)
    if stands:
        book_add(s, m, slot)
    else:
        o.next = o.previous = NONE
        o.world_ahead = 0
    return 0


cdef int recorded_to(State *s, Market *m, int32_t slot, lots_t recorded, lots_t expected) except -1 nogil:
    """History says that `recorded` lots of an order are left, where `expected` were; the order ends when none are.

    `filled_lots` is what simulated parties ate of it (C of the level queue): scaled as for a level, because the lots
    that left may be the ones that were eaten. It is always less than `expected`, so something is left to stand.
    """
    cdef Order *o = &s.orders[slot]
    cdef Level *level
    cdef lots_t consumed = o.filled_lots, left
    if recorded <= 0:
        if o.state == STATE_RESTING:
            book_remove(s, m, slot)
        order_detach(s, slot)
        return 0
    if recorded < expected:
        consumed = mul_div_floor(consumed, recorded, expected, &s.overflow)
    left = recorded - consumed
    if o.state == STATE_RESTING:
        level = &s.levels[ladder_get(&m.sides[o.side].accounts, o.price_ticks)]
        level.lots += left - o.size_lots
        level.next_free = TOUCHED
    o.size_lots = left
    o.filled_lots = consumed
    return 0


cdef int reduce(State *s, Market *m, int32_t slot, lots_t lots) except -1 nogil:
    """History takes lots off an order without a trade."""
    cdef lots_t recorded = s.orders[slot].size_lots + s.orders[slot].filled_lots
    return recorded_to(s, m, slot, recorded - lots, recorded)


cdef int execute(State *s, Market *m, int32_t slot, lots_t lots, ticks_t printed) except -1 nogil:
    """A recorded trade against a recorded order: account orders with priority over it are hit first.

    What was eaten of the order before finds nothing, up to `lots`; history's own order shrinks by all of `lots`.
    """
    cdef Order *o = &s.orders[slot]
    cdef int side = 1 - o.side
    cdef bint stands = o.state == STATE_RESTING
    cdef ticks_t price = venue_price(s, m, slot)
    cdef int64_t order_id = o.id
    cdef int32_t ahead
    cdef lots_t left = lots, repaid, take
    m.kept_lots = 0
    if matches_now(m):
        fill_better(s, m, side, price, &left)
    repaid = min64(s.orders[slot].filled_lots, left)
    left -= repaid
    while left > 0 and stands and matches_now(m):
        ahead = s.levels[ladder_get(&m.sides[1 - side].accounts, price)].head
        while ahead != slot and s.positions[s.orders[ahead].position].account == s.world:
            ahead = s.orders[ahead].next
        if ahead == slot:
            break
        take = min64(s.orders[ahead].size_lots, left)
        left -= take
        take_order(s, m, ahead, take)
        settle_fills(s, m, side, m.world_position, order_id)
    o = &s.orders[slot]
    take = o.size_lots + o.filled_lots          # as recorded until now; `left` and what was repaid are printed
    o.filled_lots -= repaid
    o.size_lots += repaid
    if stands:
        s.levels[ladder_get(&m.sides[o.side].accounts, price)].lots += repaid
    recorded_to(s, m, slot, take - lots, take - left - repaid)
    return found_nothing(s, m, side, price, repaid, printed, lots)


cdef int execute_eaten(State *s, Market *m, const Command *c) except -1 nogil:
    """A recorded trade against an order that is not there any more: simulated takers ate it, and all before it."""
    cdef lots_t left = c.size_lots
    cdef int side = 1 - c.side
    cdef ticks_t price = c.price_ticks + m.shift
    m.kept_lots = 0
    if matches_now(m):
        fill_better(s, m, side, price, &left)
    return found_nothing(s, m, side, price, left, price, c.size_lots)


cdef int found_nothing(
    State *s, Market *m, int side, ticks_t price, lots_t lots, ticks_t printed, lots_t recorded
) except -1 nogil:
    """The end of a recorded trade of `recorded` lots, of which `lots` met nobody. Its print is without what accounts had."""
    if lots:
        missed(s, m, side, price, lots)
    if 1 <= printed <= m.price_max:
        note_print(s, m, printed, recorded - m.kept_lots)
    return 0


cdef int recorded_crossed(State *s, Market *m) except -1 nogil:
    """A market opens: recorded orders that came to cross account orders meanwhile trade with them, at their prices."""
    cdef int side
    cdef int32_t recorded, maker
    cdef int64_t order_id
    cdef lots_t lots
    for side in range(2):                       # of the recorded order, the taker
        while True:
            recorded = first_order(s, m, side, True)
            maker = first_order(s, m, 1 - side, False)
            if recorded == NONE or maker == NONE or not crosses(
                    side, s.orders[recorded].price_ticks, s.orders[maker].price_ticks):
                break
            order_id = s.orders[recorded].id
            lots = min64(s.orders[recorded].size_lots, s.orders[maker].size_lots)
            take_order(s, m, maker, lots)
            settle_fills(s, m, side, m.world_position, order_id)
            s.orders[recorded].size_lots -= lots
            s.orders[recorded].filled_lots += lots
            s.levels[ladder_get(&m.sides[side].accounts, s.orders[recorded].price_ticks)].lots -= lots
            s.levels[ladder_get(&m.sides[side].accounts, s.orders[recorded].price_ticks)].next_free = TOUCHED
            if s.orders[recorded].size_lots == 0:
                book_remove(s, m, recorded)
                order_detach(s, recorded)
    return 0


cdef ticks_t venue_price(State *s, Market *m, int32_t slot) noexcept nogil:
    """Where an order stands, or where a shift has put it off the price grid."""
    cdef Order *o = &s.orders[slot]
    return o.price_ticks + m.shift if o.state == STATE_ASIDE else o.price_ticks


cdef ticks_t execution_price(State *s, const Command *c, int *side) noexcept nogil:
    """Venue price and taker's side of a row that is a recorded trade; 0: it is none, or will be refused."""
    cdef Market *m = &s.markets[c.market]
    cdef int32_t slot = find_order(s, s.world, c.order_id)
    if c.aux != TAPE_ORDER_EXECUTE or not 0 <= c.price_ticks <= m.price_max or not 0 < c.size_lots:
        return 0
    if slot == NONE:
        if c.price_ticks == 0 or c.side > SIDE_SELL or c.size_lots > m.position_max:
            return 0
        side[0] = 1 - c.side
        return c.price_ticks + m.shift
    if s.positions[s.orders[slot].position].market != c.market:
        return 0
    side[0] = 1 - s.orders[slot].side
    return c.price_ticks + m.shift if c.price_ticks else venue_price(s, m, slot)


cdef int withhold(State *s, const Command *c, lots_t lots) except -1 nogil:
    """So much of an execution did not take place: the recorded order shrinks all the same, as without a trade."""
    cdef int32_t slot = find_order(s, s.world, c.order_id)
    return reduce(s, &s.markets[c.market], slot, lots) if slot != NONE else 0


cdef int tape_order(State *s, const Command *c) except -1 nogil:
    """One row of an L3 tape. Returns a reject code (an unknown id is refused, never repaired)."""
    cdef Market *m = &s.markets[c.market]
    cdef int32_t slot = find_order(s, s.world, c.order_id)
    if c.aux == TAPE_ORDER_ADD:
        if slot != NONE:
            return reject(s, c, REJECT_DUPLICATE_ORDER_ID)
        if c.side > SIDE_SELL:
            return reject(s, c, REJECT_BAD_ENUM)
        if c.size_lots <= 0 or c.size_lots > m.position_max:
            return reject(s, c, REJECT_BAD_SIZE)
        if c.price_ticks < m.rules.price_min or c.price_ticks > m.price_max:
            return reject(s, c, REJECT_BAD_PRICE)
        return add(s, m, c)
    if slot == NONE and c.aux == TAPE_ORDER_EXECUTE and c.price_ticks > 0:
        if c.side > SIDE_SELL:
            return reject(s, c, REJECT_BAD_ENUM)
        if c.size_lots <= 0 or c.size_lots > m.position_max:
            return reject(s, c, REJECT_BAD_SIZE)
        if c.price_ticks > m.price_max:
            return reject(s, c, REJECT_BAD_PRICE)
        return execute_eaten(s, m, c)
    if slot == NONE or s.positions[s.orders[slot].position].market != c.market:
        return reject(s, c, REJECT_UNKNOWN_ORDER)
    if c.aux == TAPE_ORDER_DELETE:
        return recorded_to(s, m, slot, 0, 0)
    if c.size_lots <= 0:
        return reject(s, c, REJECT_BAD_SIZE)
    if c.aux == TAPE_ORDER_REDUCE:
        return reduce(s, m, slot, c.size_lots)
    if c.aux == TAPE_ORDER_EXECUTE:
        if c.price_ticks < 0 or c.price_ticks > m.price_max:
            return reject(s, c, REJECT_BAD_PRICE)
        return execute(s, m, slot, c.size_lots, c.price_ticks + m.shift if c.price_ticks else venue_price(s, m, slot))
    return reject(s, c, REJECT_BAD_ENUM)
