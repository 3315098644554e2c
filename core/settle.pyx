"""Hold and release: what open orders reserve, and how fills are settled. The only caller of the ledger for trades."""

from libc.stdint cimport uint8_t

from .book cimport NONE, ladder_get
from .contract cimport trade_value
from .events cimport event_new, event_put, next_event
from .ledger cimport change_position, charge_fee
from .margin cimport fee_of
from .records cimport (
    EVENT_CANCELLED, EVENT_TRADE, FLAG_REDUCE_ONLY, REASON_BEYOND_DEPTH, REASON_REDUCE_ONLY, REASON_SELF_TRADE, SIDE_BUY,
    SIDE_SELL, Event,
)
from .state cimport ACCOUNT_HOUSE, STATE_RESTING, TOUCHED, Fill, Level, Position
from .stops cimport note_print
from .units cimport abs64, by_side, money_t


cdef int settle_fills(State *s, Market *m, int side, int32_t taker_position, int64_t taker_id) except -1 nogil:
    """Settle and report the fills at hand, in order, and empty the list. `side` is the taker's."""
    cdef int32_t i, count = s.fills_count
    cdef Fill *f
    cdef Event *e
    cdef Position *taker = &s.positions[taker_position]
    cdef int32_t maker
    cdef money_t value, taker_fee, maker_fee
    cdef lots_t lots
    cdef bint taker_pays = not s.forced and not s.accounts[taker.account].flags & ACCOUNT_HOUSE
    cdef bint maker_pays
    s.fills_count = 0
    for i in range(count):
        f = &s.fills[i]
        if f.dropped:
            release(s, m, f.maker_position, 1 - side, f.maker_flags, f.maker_price_ticks, f.maker_premium_ticks, f.size_lots)
            e = event_new(s, EVENT_CANCELLED)
            e.account = s.positions[f.maker_position].account
            e.order_id = f.maker_id
            e.size_lots = f.size_lots
            e.price_ticks = f.maker_price_ticks
            e.side = <uint8_t>(1 - side)
            e.reason = REASON_SELF_TRADE
            e.market = <unsigned short>m.id
            continue
        lots = f.size_lots
        maker = f.maker_position if f.maker_position != NONE else m.world_position
        value = trade_value(s, m, lots, f.price_ticks)
        maker_pays = not s.accounts[s.positions[maker].account].flags & ACCOUNT_HOUSE
        taker_fee = fee_of(s, abs64(value), m.rules.taker_fee) if taker_pays else 0
        maker_fee = fee_of(s, abs64(value), m.rules.maker_fee) if maker_pays else 0
        if f.maker_position != NONE:
            release(
                s, m, maker, 1 - side, f.maker_flags, f.maker_price_ticks, f.maker_premium_ticks, lots)
        change_position(s, taker_position, by_side(side, lots), by_side(side, value))
        change_position(s, maker, -by_side(side, lots), -by_side(side, value))
        if taker_fee:
            charge_fee(s, &s.wallets[taker.wallet], m.asset, taker_fee)
        if maker_fee:
            charge_fee(s, &s.wallets[s.positions[maker].wallet], m.asset, maker_fee)
        note_print(s, m, f.price_ticks, lots)
        event_put(next_event(s), s.sequence, s.time_ns, taker_id, f.maker_id, f.price_ticks, lots, taker_fee, maker_fee,
                  f.maker_left_lots, taker.account, s.positions[maker].account, m.id,
                  REASON_BEYOND_DEPTH if f.beyond else 0, EVENT_TRADE, s.venue, m.asset, side)
        if s.positions[maker].reduce_only_orders:
            trim_reduce_only(s, maker)
        if taker.reduce_only_orders:
            trim_reduce_only(s, taker_position)
    return 0


cdef int cancel_orders_of(State *s, int32_t position, int reason) except -1 nogil:
    """End all orders of a position, oldest first."""
    while s.positions[position].orders_head != NONE:
        cancel_order(s, s.positions[position].orders_head, reason)
    return 0


cdef int trim_reduce_only(State *s, int32_t position) except -1 nogil:
    """Keep the sum of resting reduce-only orders within the position, on its closing side; the newest go first."""
    cdef Position *p = &s.positions[position]
    cdef int closing_side = SIDE_SELL if p.lots > 0 else SIDE_BUY
    cdef lots_t room = abs64(p.lots)
    cdef int32_t slot = p.orders_head, following
    cdef Order *o
    while slot != NONE:
        o = &s.orders[slot]
        following = o.position_next
        if o.state == STATE_RESTING and o.flags & FLAG_REDUCE_ONLY:
            if room == 0 or o.side != closing_side:
                cancel_order(s, slot, REASON_REDUCE_ONLY)
            elif o.size_lots > room:
                shrink_order(s, slot, room)
                room = 0
            else:
                room -= o.size_lots
        slot = following
    return 0


cdef int shrink_order(State *s, int32_t slot, lots_t size) except -1 nogil:
    """Cut a resting reduce-only order to `size`; its place stays."""
    cdef Order *o = &s.orders[slot]
    cdef Event *e = event_new(s, EVENT_CANCELLED)
    from_level(s, slot, o.size_lots - size)
    e.account = s.positions[o.position].account
    e.market = s.positions[o.position].market
    e.order_id = o.id
    e.size_lots = o.size_lots - size
    e.aux = size
    e.price_ticks = o.price_ticks
    e.side = o.side
    e.reason = REASON_REDUCE_ONLY
    s.positions[o.position].order_lots[o.side] -= o.size_lots - size
    o.size_lots = size
    return 0


cdef inline int from_level(State *s, int32_t slot, lots_t lots) noexcept nogil:
    cdef Order *o = &s.orders[slot]
    cdef Market *m = &s.markets[s.positions[o.position].market]
    cdef Level *level = &s.levels[ladder_get(&m.sides[o.side].accounts, o.price_ticks)]
    level.lots -= lots
    level.next_free = TOUCHED
    return 0
