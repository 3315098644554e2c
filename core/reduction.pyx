"""Forced orders: how much of a position goes to the book, at what limit, and the liquidation fee on what filled.

They are immediate-or-cancel, have negative ids, pay no taker fee, and are exempt from bands, minimums and caps; their
limit is a choice of the rulebook (bankruptcy price, band, none).
"""

from libc.stdint cimport int32_t, int64_t, uint8_t

from .bands cimport band_limit
from .book cimport NONE, matches_now
from .cover cimport cover_shortfall
from .events cimport event_new
from .ledger cimport move_isolated, transfer
from .margin cimport fee_of, maintenance_of, unit_equity, unit_maintenance, value_at
from .orders cimport match_and_settle
from .records cimport *
from .risk_unit cimport next_position, share_of, unit_event
from .state cimport Market, Position, Tier, Wallet, wallet_of
from .units cimport RATE_ONE, abs64, div_ceil, div_floor, lots_t, max64, min64, money_t, mul_div_ceil, ticks_t


cdef bint reduce_once(State *s, int32_t wallet, int32_t position) except -1 nogil:
    """Send reducing orders, one position after the other, until one fills; whether any did."""
    cdef int32_t slot
    cdef lots_t lots, filled
    cdef bint again = s.rules.reduce_method == REDUCE_TIER or s.rules.reduce_method == REDUCE_SLICE
    if s.rules.reduce_method == REDUCE_NONE:
        return False
    slot = next_position(s, wallet, position)
    while slot != NONE:
        lots = reduce_size(s, wallet, position, slot)
        filled = forced_order(s, wallet, position, slot, lots) if lots else 0
        if not again or filled < lots or lots == 0:
            s.positions[slot].seen = 1          # nothing more to be had for this one
        if filled:
            return True
        slot = next_position(s, wallet, position)
    return False


cdef lots_t reduce_size(State *s, int32_t wallet, int32_t position, int32_t slot) noexcept nogil:
    """Lots that the rulebook's reduction method sends to the book; 0: none, go on to takeover."""
    cdef Position *p = &s.positions[slot]
    cdef Market *m = &s.markets[p.market]
    cdef lots_t held = abs64(p.lots)
    cdef money_t value = abs64(value_at(s, m, p.lots, m.mark))
    cdef Tier *t = &s.tiers[m.tier_first]
    cdef Tier *last = t + m.tier_count - 1
    if s.rules.reduce_method == REDUCE_WHOLE:
        return held
    if s.rules.reduce_method == REDUCE_SLICE:
        return min64(held, max64(1, mul_div_ceil(held, s.rules.reduce_slice, RATE_ONE, &s.overflow)))
    if s.rules.reduce_method == REDUCE_TIER:
        while t < last and value > t.cap:
            t += 1
        if t.floor == 0:
            return 0
        return min64(held, mul_div_ceil(value - t.floor, held, value, &s.overflow))
    return size_to_safe(s, wallet, position, p, m, held, value)


cdef lots_t size_to_safe(
    State *s, int32_t wallet, int32_t position, Position *p, Market *m, lots_t held, money_t value
) noexcept nogil:
    """The smallest size whose sale at the mark would restore maintenance, liquidation fee paid; else the whole."""
    cdef money_t missing = unit_maintenance(s, wallet, position) - unit_equity(s, wallet, position)
    cdef Tier *t = &s.tiers[m.tier_first]
    cdef Tier *last = t + m.tier_count - 1
    cdef lots_t low = 1, high, middle
    while t < last and t.rate <= m.rules.liquidation_fee:
        t += 1
    # Selling frees more than its fee while what is left lies in a tier whose rate is above the fee, and less below:
    # what is freed rises up to that floor and falls behind it. One lot more, for the rounding of the floor to lots.
    high = held if t.floor == 0 else min64(held, max64(1, held - mul_div_ceil(t.floor, held, max64(value, 1), &s.overflow)))
    if freed_by(s, m, held, value, high) < missing and high < held:
        high += 1
    if freed_by(s, m, held, value, high) < missing:
        return held
    while low < high:
        middle = low + (high - low) / 2
        if freed_by(s, m, held, value, middle) >= missing:
            high = middle
        else:
            low = middle + 1
    return low


cdef inline money_t freed_by(State *s, Market *m, lots_t held, money_t value, lots_t sold) noexcept nogil:
    """Maintenance that the sale of a part at the mark frees, less its liquidation fee."""
    cdef money_t left = mul_div_ceil(value, held - sold, held, &s.overflow)
    return maintenance_of(s, m, value) - maintenance_of(s, m, left) - fee_of(s, value - left, m.rules.liquidation_fee)


cdef ticks_t forced_limit(State *s, int32_t wallet, int32_t position, int32_t slot, int side) noexcept nogil:
    """Worst price of a forced order, by the rulebook: bankruptcy, band, or none."""
    cdef Position *p = &s.positions[slot]
    cdef Market *m = &s.markets[p.market]
    cdef money_t at_bankruptcy
    cdef ticks_t price
    if s.rules.reduce_limit == LIMIT_BAND:
        return band_limit(s, m, side, m.rules.band_up if side == SIDE_BUY else m.rules.band_down)
    if s.rules.reduce_limit == LIMIT_NONE:
        return m.price_max if side == SIDE_BUY else 1
    at_bankruptcy = value_at(s, m, p.lots, m.mark) - share_of(s, wallet, position, slot)
    if side == SIDE_SELL:
        price = max64(1, div_ceil(div_ceil(at_bankruptcy, p.lots), m.tick_lot_money))
    else:
        price = min64(m.price_max, div_floor(div_floor(-at_bankruptcy, -p.lots), m.tick_lot_money))
    return price


cdef lots_t forced_order(State *s, int32_t wallet, int32_t position, int32_t slot, lots_t lots) except -1 nogil:
    """Send an IOC of the liquidation engine for a position, settle it, charge the fee. Returns what was filled."""
    cdef Position *p = &s.positions[slot]
    cdef Market *m = &s.markets[p.market]
    cdef Wallet *w = &s.wallets[p.wallet]
    cdef int side = SIDE_SELL if p.lots > 0 else SIDE_BUY
    cdef ticks_t limit = forced_limit(s, wallet, position, slot, side)
    cdef lots_t left = lots
    cdef money_t balance = w.balance, notional
    cdef int64_t cost_before = p.cost, realised = w.realised
    cdef bint expired
    cdef int64_t order_id = s.forced_id
    cdef Event *e = unit_event(s, EVENT_LIQUIDATION_ORDER, wallet, slot)
    s.forced_id -= 1
    e.order_id = order_id
    e.side = <uint8_t>side
    e.price_ticks = limit
    e.size_lots = lots
    e.value = m.mark
    e.aux = m.index
    if limit > 0 and matches_now(m):
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
        e.reason = REASON_IOC
    if left == lots:
        return 0
    if side == SIDE_SELL:
        m.liquidated_long_lots += lots - left
    else:
        m.liquidated_short_lots += lots - left
    s.ranks_old = 1                     # the fills may have made new counterparties
    if position != NONE and p.lots:
        move_isolated(s, p, w.balance - balance)        # a forced sale frees no margin: it must carry the rest
    # what was paid for the filled part, from the ledger: realised pnl and released cost
    notional = abs64((w.realised - realised) + (cost_before - p.cost))
    charge_liquidation_fee(s, m, wallet, position, slot, notional, w.balance - balance)
    return lots - left


cdef int charge_liquidation_fee(State *s, Market *m, int32_t wallet, int32_t position, int32_t slot, money_t notional,
                                money_t returned) except -1 nogil:
    """The liquidation fee, to the fund; never more than the equity that is left.

    When an isolated position is gone, what is left of it is what came `returned` to the wallet; a negative remainder
    is a shortfall of the position, not a loss of the wallet.
    """
    cdef Position *p = &s.positions[slot]
    cdef Wallet *w = &s.wallets[p.wallet]
    cdef bint closed = position != NONE and p.lots == 0
    cdef money_t left = returned if closed else unit_equity(s, wallet, position)
    cdef money_t fee = max64(0, min64(fee_of(s, notional, m.rules.liquidation_fee), left))
    cdef Event *e
    if closed and left < 0:
        cover_shortfall(s, m, wallet, NONE, -left)
    elif position == NONE and left < 0 and unit_maintenance(s, wallet, NONE) == 0:
        cover_shortfall(s, m, wallet, NONE, -left)
    if fee == 0:
        return 0
    if position != NONE and not closed:
        p.isolated_margin -= fee
        w.balance += fee
    w.fees += fee
    transfer(s, w, wallet_of(s, m.fund_account, m.asset), fee)
    e = unit_event(s, EVENT_LIQUIDATION_FEE, wallet, slot)
    e.value = fee
    e.aux = notional
    e.maker_account = m.fund_account
    return 0
