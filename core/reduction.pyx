"""Forced orders: the order of work of a reduction in the book, one order after the other.

They are immediate-or-cancel (fill-or-kill where the method says so), have negative ids, pay no taker fee, and are exempt
from bands, minimums and caps. Their size, worst price and fee are choices of the rulebook: forced_size.pyx,
forced_price.pyx, forced_fee.pyx.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t

from .book cimport NONE, book_depth, matches_now
from .events cimport event_new
from .forced_fee cimport Sale, after_sale, before_sale
from .forced_price cimport forced_limit
from .forced_size cimport reduce_size
from .ledger cimport move_isolated
from .orders cimport match_and_settle
from .records cimport *
from .risk_unit cimport next_position, unit_event
from .state cimport POSITION_SEEN, Market, Position, Wallet
from .units cimport abs64, lots_t, money_t, ticks_t


cdef bint reduce_once(State *s, int32_t wallet, int32_t position) except -1 nogil:
    """Send reducing orders, one position after the other, until one fills; whether any did."""
    cdef int32_t slot
    cdef lots_t lots, filled
    cdef bint again = s.rules.reduce_method != REDUCE_TO_SAFE and s.rules.reduce_method != REDUCE_WHOLE
    if s.rules.reduce_method == REDUCE_NONE:
        return False
    slot = next_position(s, wallet, position)
    while slot != NONE:
        lots = reduce_size(s, wallet, position, slot)
        filled = forced_order(s, wallet, position, slot, lots) if lots else 0
        if not again or filled < lots or lots == 0:
            s.positions[slot].flags |= POSITION_SEEN    # nothing more to be had for this one
        if filled:
            return True
        slot = next_position(s, wallet, position)
    return False


cdef bint matches_at(State *s, Market *m, int side, ticks_t limit, lots_t lots) noexcept nogil:
    """Whether the book may be tried: it matches, and a fill-or-kill order finds all that it wants."""
    if limit <= 0 or not matches_now(m):
        return False
    return s.rules.reduce_method != REDUCE_TIER_FOK or book_depth(s, m, side, limit, lots, NONE, False) >= lots


cdef lots_t forced_order(State *s, int32_t wallet, int32_t position, int32_t slot, lots_t lots) except -1 nogil:
    """Send an order of the liquidation engine for a position, settle it, charge the fee. Returns what was filled."""
    cdef Position *p = &s.positions[slot]
    cdef Market *m = &s.markets[p.market]
    cdef Wallet *w = &s.wallets[p.wallet]
    cdef int side = SIDE_SELL if p.lots > 0 else SIDE_BUY
    cdef ticks_t limit = forced_limit(s, wallet, position, slot, side, lots)
    cdef lots_t left = lots
    cdef money_t balance = w.balance
    cdef int64_t cost_before = p.cost, realised = w.realised
    cdef bint expired
    cdef int64_t order_id = s.forced_id
    cdef Event *e = unit_event(s, EVENT_LIQUIDATION_ORDER, wallet, slot)
    cdef Sale sale
    s.forced_id -= 1
    e.order_id = order_id
    e.side = <uint8_t>side
    e.price_ticks = limit
    e.size_lots = lots
    e.value = m.mark
    e.aux = m.index
    before_sale(s, wallet, position, slot, lots, &sale)
    if matches_at(s, m, side, limit, lots):
        s.forced = 1
        match_and_settle(s, m, slot, order_id, side, limit, &left, STP_NONE, &expired)
        s.forced = 0
    if left:
        e = event_new(s, EVENT_CANCELLED)
        e.account = p.account
        e.market = p.market
        e.order_id = order_id
        e.side = <uint8_t>side
        e.size_lots = left
        e.price_ticks = limit
        e.reason = REASON_FOK if s.rules.reduce_method == REDUCE_TIER_FOK else REASON_IOC
    if left == lots:
        return 0
    sale.filled = lots - left
    if side == SIDE_SELL:
        m.liquidated_long_lots += sale.filled
    else:
        m.liquidated_short_lots += sale.filled
    s.ranks_old = 1                     # the fills may have made new counterparties
    if position != NONE and p.lots:
        move_isolated(s, p, w.balance - balance)        # a forced sale frees no margin: it must carry the rest
    # what was paid for the filled part, from the ledger: realised pnl and released cost
    sale.notional = abs64((w.realised - realised) + (cost_before - p.cost))
    sale.returned = w.balance - balance
    after_sale(s, m, wallet, position, slot, &sale)
    return sale.filled
