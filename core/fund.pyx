"""The insurance funds: what they can bear, what they take over, how they get rid of it.

A fund is a house account; markets of one group share it, with a wallet an asset. What it takes over it takes at
bankruptcy value, so from then on profit and loss of the position are its own.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t

from .bands cimport band_limit
from .book cimport NONE, book_depth
from .claims cimport claim
from .contract cimport exposure_of, shown_price
from .deleverage cimport portion
from .events cimport event_new
from .fund_rules cimport disposal_size, fits_loss, fits_notional
from .fund_trigger cimport fund_closed, loss_left
from .ledger cimport change_position
from .margin cimport cross_equity, value_at
from .orders cimport match_and_settle
from .records cimport *
from .state cimport TIMER_UNWIND, Position, Wallet, wallet_of
from .timers cimport timer_add
from .units cimport RATE_ONE, abs64, add_checked, lots_t, max64, min64, money_t, mul_div_ceil, mul_div_floor, ticks_t


cdef money_t fund_equity(State *s, Market *m, money_t *net) noexcept nogil:
    """Margin balance of the market's fund, and the net notional that it carries."""
    cdef Wallet *w = wallet_of(s, m.fund_account, m.asset)
    cdef int32_t slot = w.positions_head
    cdef Position *p
    cdef Market *held
    net[0] = 0
    while slot != NONE:
        p = &s.positions[slot]
        if p.lots:
            held = &s.markets[p.market]
            net[0] = add_checked(net[0], exposure_of(held, value_at(s, held, p.lots, held.mark)), &s.overflow)
        slot = p.account_next
    return cross_equity(s, w)


cdef lots_t fund_capacity(State *s, Market *m, lots_t lots, money_t value, money_t share) except? -1 nogil:
    """How many of signed `lots`, worth `value`, the fund may take over with `share` of equity (negative: a loss).

    None while a trigger holds. It must be able to bear the loss from its own margin balance, or from what is left
    until the trigger; and its net notional and its unrealised loss must stay within the rulebook's multiples of its
    size (spec: Binance's historical rule is 100 % for the first).
    """
    cdef money_t net, equity, balance
    cdef lots_t fits = abs64(lots)
    if fund_closed(s, m):
        return 0
    equity = fund_equity(s, m, &net)
    if share < 0:
        fits = fits_loss(fits, -share, min64(equity, loss_left(s, m)), &s.overflow)
    if s.rules.fund_notional_cap > 0:
        fits = min64(fits, fits_notional(lots, value, equity, net, s.rules.fund_notional_cap, &s.overflow))
    if s.rules.fund_loss_cap > 0:
        balance = wallet_of(s, m.fund_account, m.asset).balance
        equity += mul_div_floor(max64(balance, 0), s.rules.fund_loss_cap, RATE_ONE, &s.overflow) - balance
        fits = 0 if equity <= 0 else min64(fits, fits_loss(abs64(lots), -share, equity, &s.overflow))
    return fits


cdef int move_to_fund(State *s, Market *m, int32_t slot, lots_t lots, money_t *value, money_t *share) except -1 nogil:
    """`lots` (signed) of a position go to the fund with their part of `value` and `share`, which are reduced."""
    cdef Position *p = &s.positions[slot]
    cdef money_t part_value = portion(s, value[0], lots, p.lots)
    cdef money_t part_share = portion(s, share[0], lots, p.lots)
    cdef money_t moved = part_value - part_share
    cdef Event *e
    value[0] -= part_value
    share[0] -= part_share
    change_position(s, slot, -lots, -moved)
    change_position(s, m.fund_position, lots, moved)
    e = event_new(s, EVENT_TAKEOVER)
    e.account = p.account
    e.maker_account = m.fund_account
    e.market = p.market
    e.asset = <uint8_t>m.asset
    e.side = SIDE_SELL if lots > 0 else SIDE_BUY
    e.size_lots = abs64(lots)
    e.value = moved
    e.aux = part_share
    e.price_ticks = shown_price(m, lots, moved)
    if s.rules.fund_unwind >= UNWIND_SLICES and s.positions[m.fund_position].due_ns <= s.time_ns:
        s.positions[m.fund_position].due_ns = s.time_ns + s.rules.fund_unwind_period_ns
        timer_add(s, s.positions[m.fund_position].due_ns, TIMER_UNWIND, m.id, 0, 0)
    return 0


cdef int fund_order(State *s, Market *m, int side, lots_t lots, ticks_t limit) except -1 nogil:
    """An order of the fund against the book; what does not fill is gone. With an attribution it waits for recorded trades."""
    cdef bint expired
    cdef int64_t order_id = s.forced_id
    cdef Event *e = event_new(s, EVENT_FUND_ORDER)
    s.forced_id -= 1
    e.account = m.fund_account
    e.market = <uint16_t>m.id
    e.order_id = order_id
    e.side = <uint8_t>side
    e.price_ticks = limit
    e.size_lots = lots
    if m.rules.attribution:
        return claim(s, m, m.fund_position, order_id, side, limit, lots)
    s.ranks_old = 1
    return match_and_settle(s, m, m.fund_position, order_id, side, limit, &lots, STP_NONE, &expired)


cdef int unwind(State *s, Market *m, int64_t rate) except -1 nogil:
    """Sell (or buy back) a part of what the fund carries, inside the band."""
    cdef lots_t held = s.positions[m.fund_position].lots
    cdef int side = SIDE_SELL if held > 0 else SIDE_BUY
    if held == 0 or m.state != MARKET_OPEN:
        return 0
    return fund_order(
        s, m, side, min64(abs64(held), max64(1, mul_div_ceil(abs64(held), rate, RATE_ONE, &s.overflow))),
        band_limit(s, m, side, m.rules.band_up if side == SIDE_BUY else m.rules.band_down))


cdef int dispose(State *s, Market *m) except -1 nogil:
    """A slice of what the fund carries, bounded by what stands in the book within the band. Spec: Vega's disposal."""
    cdef lots_t held = s.positions[m.fund_position].lots, lots
    cdef int side = SIDE_SELL if held > 0 else SIDE_BUY
    cdef int64_t band = s.rules.disposal_band
    cdef ticks_t limit
    if held == 0 or m.state != MARKET_OPEN:
        return 0
    limit = band_limit(s, m, side, 0 if band == 0 else (RATE_ONE + band if side == SIDE_BUY else RATE_ONE - band))
    limit = min64(limit, m.band_edge[side]) if side == SIDE_BUY else max64(limit, m.band_edge[side])
    lots = disposal_size(
        abs64(held), s.rules.fund_unwind_slice, m.rules.disposal_full_lots,
        book_depth(s, m, side, limit, m.position_most, NONE, False), s.rules.disposal_fraction_max, &s.overflow)
    return fund_order(s, m, side, lots, limit) if lots else 0


cdef int unwind_due(State *s, Market *m) except -1 nogil:
    """The fund's unwind timer."""
    if s.rules.fund_unwind < UNWIND_SLICES:
        return 0
    if s.rules.fund_unwind == UNWIND_DISPOSAL:
        dispose(s, m)
    else:
        unwind(s, m, s.rules.fund_unwind_slice)
    if s.positions[m.fund_position].lots:
        s.positions[m.fund_position].due_ns = s.time_ns + s.rules.fund_unwind_period_ns
        timer_add(s, s.positions[m.fund_position].due_ns, TIMER_UNWIND, m.id, 0, 0)
    return 0
