# One market's order book: price levels, each a FIFO of account orders with recorded (world) liquidity between them.
# It knows no money and no margin: it reports fills, the caller settles them.
#
# Recorded liquidity of a price is one number (state.pxd: WorldLevel); how it is interleaved with account orders is
# kept in the orders: `world_ahead` lots stand directly before each, and what is left stands at the tail. A level
# without account orders therefore costs nothing but its number, and k orders make at most k + 1 world segments.

from libc.stdint cimport int32_t, int64_t, uint8_t

from .beyond cimport beyond_price
from .idmap cimport idmap_remove, key_hash
from .ladder cimport (
    NO_PRICE, NONE, Ladder, ladder_cell, ladder_get, ladder_mark, ladder_next, ladder_previous, ladder_unmark,
)
from .records cimport FLAG_REDUCE_ONLY, MARKET_OPEN, MARKET_REDUCE_ONLY, SIDE_BUY
from .state cimport (
    STATE_WAITING, TOUCHED, BookSide, Level, Market, Order, Position, State, WorldLevel, level_free, level_new,
    order_free, trigger_free,
)
from .units cimport by_side, lots_t, ticks_t

cdef struct Taker:
    int32_t account
    int32_t stp_group
    uint8_t stp_mode
    uint8_t is_world                    # recorded: WORLD_ARRIVES, WORLD_WALKS; it leaves no position with the world
    uint8_t expired                     # out: self-trade prevention ended the taker
    int32_t checked                     # reduce-only maker that the caller has just verified
    ticks_t start                       # WORLD_WALKS: recorded orders at better prices than this are known to be gone

cdef enum:
    WORLD_ARRIVES = 1           # a recorded order: it passes recorded ones by
    WORLD_WALKS = 2             # the part of a recorded trade that found nothing: it eats recorded orders as well

cdef enum:
    MATCH_DONE = 0
    MATCH_CHECK_MAKER = 1               # a reduce-only maker is next: settle, then call again

cdef void world_refresh(State *s, Market *m, int side, ticks_t recorded, WorldLevel *w) noexcept nogil
cdef int book_match(State *s, Market *m, int side, ticks_t limit, lots_t *lots, Taker *taker) except -1 nogil
cdef int take_order(State *s, Market *m, int32_t slot, lots_t lots) except -1 nogil
cdef lots_t book_depth(
    State *s, Market *m, int side, ticks_t limit, lots_t wanted, int32_t without, bint ends) noexcept nogil
cdef int32_t first_order(State *s, Market *m, int side, bint recorded) noexcept nogil
cdef ticks_t impact_price(State *s, Market *m, int side, int64_t notional) noexcept nogil
cdef ticks_t price_of_lots(State *s, Market *m, int side, lots_t lots) noexcept nogil

cdef int eat(State *s, WorldLevel *w, lots_t lots) except -1 nogil

cdef inline int64_t place_of(Market *m, int side, ticks_t recorded) noexcept nogil:
    """Market, side and price of a recorded level in one number."""
    return (<int64_t>m.id << 41) | (<int64_t>side << 40) | recorded

cdef inline int side_of(int64_t place) noexcept nogil:
    return <int>(place >> 40 & 1)

cdef inline ticks_t price_of(int64_t place) noexcept nogil:
    return place & ((<int64_t>1 << 40) - 1)

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

cdef inline bint takes(State *s, Market *m, int side, ticks_t limit) noexcept nogil:
    """Whether an account's order of `side` with this limit would find anything, recorded, an order or stated."""
    cdef lots_t lots = 0
    if crosses(side, limit, best_price(m, 1 - side)):
        return True
    return m.rules.beyond_lots != 0 and crosses(side, limit, beyond_price(s, m, 1 - side, &lots))

cdef inline bint matches_now(Market *m) noexcept nogil:
    """Whether orders may meet in this market: else they gather, and recorded ones pass them by."""
    return m.state == MARKET_OPEN or m.state == MARKET_REDUCE_ONLY

cdef inline bint crosses(int taker_side, ticks_t limit, ticks_t price) noexcept nogil:
    """Whether a taker with this limit trades at `price` (NO_PRICE: never)."""
    return price != NO_PRICE and by_side(taker_side, limit - price) >= 0

cdef inline void order_link(State *s, int32_t slot) noexcept nogil:
    """Append an order to its position's list and count it."""
    cdef Order *o = &s.orders[slot]
    cdef Position *p = &s.positions[o.position]
    cdef int32_t *before = &p.orders_head if p.orders_tail == NONE else &s.orders[p.orders_tail].position_next
    before[0] = slot
    o.position_next = NONE
    o.position_previous = p.orders_tail
    p.orders_tail = slot
    if o.state != STATE_WAITING:
        p.resting_orders += 1
        if o.flags & FLAG_REDUCE_ONLY:
            p.reduce_only_orders += 1
    else:
        p.waiting_orders += 1

cdef inline void order_unlist(State *s, int32_t slot) noexcept nogil:
    """All of that but the index."""
    cdef Order *o = &s.orders[slot]
    cdef Position *p = &s.positions[o.position]
    cdef int32_t *before = &p.orders_head if o.position_previous == NONE else &s.orders[o.position_previous].position_next
    cdef int32_t *after = &p.orders_tail if o.position_next == NONE else &s.orders[o.position_next].position_previous
    before[0] = o.position_next
    after[0] = o.position_previous
    if o.state != STATE_WAITING:
        p.resting_orders -= 1
        if o.flags & FLAG_REDUCE_ONLY:
            p.reduce_only_orders -= 1
    else:
        p.waiting_orders -= 1
    if o.trigger != NONE:
        trigger_free(s, o.trigger)
    order_free(s, slot)

cdef inline void order_detach(State *s, int32_t slot) noexcept nogil:
    """Forget an order that already left its level or bucket: index, position list, trigger, slot."""
    cdef Order *o = &s.orders[slot]
    idmap_remove(&s.order_index, key_hash(s.positions[o.position].account, o.id), slot)
    order_unlist(s, slot)

cdef inline ticks_t worse(Ladder *ladder, int side, ticks_t price) noexcept nogil:
    """The best marked price that is not better than `price`."""
    return ladder_previous(ladder, price) if side == SIDE_BUY else ladder_next(ladder, price)

cdef inline bint better(int side, ticks_t a, ticks_t b) noexcept nogil:
    return b == NO_PRICE or by_side(side, a - b) > 0

cdef inline int book_add(State *s, Market *m, int32_t slot) except -1 nogil:
    """Put an order at the tail of its price, behind all that is recorded there."""
    cdef Order *o = &s.orders[slot]
    cdef BookSide *b = &m.sides[o.side]
    cdef int32_t *cell = ladder_cell(&b.accounts, o.price_ticks)
    cdef WorldLevel *w
    cdef Level *level
    cdef int32_t *before
    if cell[0] == NONE:
        cell[0] = level_new(s)
        ladder_mark(&b.accounts, o.price_ticks)
        if better(o.side, o.price_ticks, b.best_accounts):
            b.best_accounts = o.price_ticks
    level = &s.levels[cell[0]]
    o.world_ahead = 0
    if b.best_world != NO_PRICE:
        w = world_at(s, m, o.side, o.price_ticks)
        if w != NULL:
            o.world_ahead = world_lots(w) - level.world_lots
            level.world_lots += o.world_ahead
    before = &level.head if level.tail == NONE else &s.orders[level.tail].next
    before[0] = slot
    o.next = NONE
    o.previous = level.tail
    level.tail = slot
    level.next_free = TOUCHED
    level.lots += o.size_lots
    level.orders += 1
    return 0

cdef inline void level_close(State *s, BookSide *b, int side, ticks_t price, int32_t level) noexcept nogil:
    """Drop an empty level."""
    cdef int32_t *cell = &b.accounts.pages[b.accounts.directory[price >> 6]].cell[price & 63]
    cell[0] = NONE
    ladder_unmark(&b.accounts, price)
    level_free(s, level)
    if price == b.best_accounts:
        b.best_accounts = worse(&b.accounts, side, price)

cdef inline void book_remove(State *s, Market *m, int32_t slot) noexcept nogil:
    """Take an order out of its level; the recorded lots before it join the next segment."""
    cdef Order *o = &s.orders[slot]
    cdef BookSide *b = &m.sides[o.side]
    cdef int32_t at = ladder_get(&b.accounts, o.price_ticks)
    cdef Level *level = &s.levels[at]
    cdef int32_t *before = &level.head if o.previous == NONE else &s.orders[o.previous].next
    cdef int32_t *after = &level.tail if o.next == NONE else &s.orders[o.next].previous
    before[0] = o.next
    after[0] = o.previous
    if o.world_ahead:
        if o.next != NONE:
            s.orders[o.next].world_ahead += o.world_ahead
        else:
            level.world_lots -= o.world_ahead
    level.next_free = TOUCHED
    level.lots -= o.size_lots
    level.orders -= 1
    if level.head == NONE:
        level_close(s, b, o.side, o.price_ticks, at)
