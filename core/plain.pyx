"""The short way: plain limit orders and cancels while nothing is pending, which is most of what a venue does.

It comes to the same as the long way of `orders.place`: the same checks in the same order, the same events. What it
leaves out is what a plain order can not need. Sides, and whether an order is first or last in its list, come in no
order that a processor could guess, so nothing branches on them.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from .book cimport NONE, best_price, crosses
from .idmap cimport find_order_at, idmap_reserve, index_home, key_hash, prefetch_order
from .orders cimport (
    FLAGS_KEPT, Ticket, accepted, cancel_hashed, cancelled, check_margin, fill_ticket, in_liquidation, match_and_settle,
    out_of_band, place, position_for, reject, rest,
)
from .records cimport *
from .state cimport WALLET_HEDGE, WALLET_MULTI, Market, Position, Wallet, notional_cap, wallet_of
from .units cimport abs64, add_checked, by_side, lots_t, max64, min64, money_t, mul_checked, ns_t, prefetch, ticks_t

cdef extern from *:
    """
    /* The last eight bytes of a command in one look: side, time in force and trigger source 0 or 1 (buy or sell, GTC or
       IOC, last or mark), self-trade mode 0 to 3, position side 0; kind, venue and asset as they may be. */
    static inline int perpsim_plain_choices(const void *command) {
        uint64_t choices;
        memcpy(&choices, (const char *)command + 72, sizeof(choices));
        return (choices & UINT64_C(0xFCFEFEFFFE000000)) == 0;
    }
    """
    bint plain_choices "perpsim_plain_choices"(const void *command) noexcept nogil


cdef inline bint ordinary(Market *m, const Command *c) noexcept nogil:
    """A plain limit order, GTC or IOC, in an open market of a usual contract: nothing that needs a second look."""
    return plain_choices(c) and c.flags & FLAGS_KEPT == 0 and m.state == MARKET_OPEN and not m.special


cdef inline bint plainly_covered(
    State *s, Market *m, Wallet *w, Position *p, int32_t position, int side, ticks_t limit, lots_t lots
) noexcept nogil:
    """Whether a bound that costs no division already shows that the order is affordable.

    With E = all that is held and ordered, at prices rounded up: requirement <= 2 E (leverage and fees are at least 1
    and at most 100 %) and the open loss of the order <= its value <= E. So equity - open loss >= 3 E is enough.
    """
    cdef money_t bound, held = 0
    cdef money_t pnl = -p.cost
    cdef int64_t unit = m.tick_lot_money
    cdef int overflow = 0
    if p.account_next != NONE or w.positions_head != position or p.mode != MODE_CROSS:
        return False
    limit = max64(max64(limit, m.mark_ticks_up), best_price(m, SIDE_BUY))
    bound = mul_checked(limit * unit, lots, &overflow)
    if p.lots:
        held = abs64(p.lots) * m.mark_ticks_up * unit
        pnl += held - p.lots * unit if p.lots > 0 else -held    # a long: one tick below the rounded-up mark
    bound = add_checked(bound, held + p.order_value[SIDE_BUY] + p.order_value[SIDE_SELL], &overflow)
    if overflow or bound > notional_cap(s, m, p) or bound > <int64_t>1 << 60 \
            or by_side(side, p.lots) + p.order_lots[side] + lots > m.position_max:
        return False
    return w.balance + pnl - p.open_loss >= 3 * bound


cdef inline int check_ordinary(Market *m, Wallet *w, Position *p, int side, ticks_t price, lots_t lots) noexcept nogil:
    """The same checks as for any order, in the same order, as far as a plain limit order can fail them."""
    if in_liquidation(w, p):
        return REJECT_IN_LIQUIDATION
    if m.mark == 0:
        return REJECT_NO_MARK
    if out_of_band(m, side, price):
        return REJECT_PRICE_BAND
    if m.rules.min_notional:
        if side == SIDE_SELL:
            price = max64(price, best_price(m, SIDE_BUY))
        if price * m.tick_lot_money * lots < m.rules.min_notional:
            return REJECT_MIN_NOTIONAL
    if p.resting_orders >= m.rules.max_orders:
        return REJECT_MAX_ORDERS
    return REJECT_NONE


cdef inline int place_ordinary(State *s, Market *m, const Command *c, uint64_t hashed) except -1 nogil:
    """PLACE of a plain limit order, the usual case."""
    cdef int32_t position, account = c.account
    cdef Position *p
    cdef Wallet *w
    cdef int reason
    cdef int64_t order_id = c.order_id
    cdef ticks_t price = c.price_ticks
    cdef lots_t size = c.size_lots, lots = size
    cdef int side = c.side
    cdef bint expired = False
    cdef int64_t at
    cdef Ticket t
    w = wallet_of(s, account, m.asset)
    if w.flags & (WALLET_HEDGE | WALLET_MULTI):
        return place(s, c)
    if order_id < 0:
        return reject(s, c, REJECT_BAD_ORDER_ID)
    idmap_reserve(&s.order_index)
    if find_order_at(s, account, order_id, hashed, &at) != NONE:
        return reject(s, c, REJECT_DUPLICATE_ORDER_ID)
    if size <= 0 or size > m.rules.size_max:
        return reject(s, c, REJECT_BAD_SIZE)
    if price <= 0 or price > m.price_max:
        return reject(s, c, REJECT_BAD_PRICE)
    position = position_for(s, m, w, account, LEG_BOTH)
    p = &s.positions[position]
    reason = check_ordinary(m, w, p, side, price, size)
    if reason == REJECT_NONE and not plainly_covered(s, m, w, p, position, side, price, size):
        fill_ticket(s, m, &t, position, order_id, side, price, size, 0, c.tif, c.stp_mode, 0)
        reason = check_margin(s, m, &t)
    if reason:
        return reject(s, c, reason)
    accepted(s, c, size, c.flags)
    if crosses(side, price, best_price(m, 1 - side)):
        match_and_settle(s, m, position, order_id, side, price, &lots, c.stp_mode, &expired)
        if lots == 0:
            return 0
        at = -1
    if expired or c.tif == TIF_IOC:
        fill_ticket(s, m, &t, position, order_id, side, price, lots, 0, c.tif, c.stp_mode, 0)
        return cancelled(s, &t, REASON_SELF_TRADE if expired else REASON_IOC)
    rest(s, m, position, order_id, side, price, lots, size - lots, 0, c.tif, c.stp_mode, hashed, at)
    return 0


cdef inline bint pending(State *s) noexcept nogil:
    """Something that a client's order would have to wait for, or could set off. A plain order changes none of it."""
    return ((s.depth_market - NONE) | s.changed_count | s.prices_changed | s.waiting_orders | s.adl.open) != 0


cdef int64_t apply_calm(State *s, const Command *commands, int64_t first, int64_t count) except -1 nogil:
    """Plain limit orders and CANCEL commands from number `first` on, for as long as nothing is due.

    Returns the number of the first command that is left; `s.reason` is the reject code of the one before. What comes
    next is known, so its order is brought near.
    """
    cdef int64_t i
    cdef const Command *c
    cdef Market *m
    cdef ns_t time_ns
    cdef uint64_t hashed[8]             # of the next commands, by number modulo 8
    if pending(s):
        return first
    for i in range(first, min64(count, first + 6)):
        hashed[i & 7] = key_hash(commands[i].account, commands[i].order_id)
    for i in range(first, count):
        c = &commands[i]
        time_ns = c.time_ns if c.time_ns else s.time_ns
        if time_ns < s.time_ns or time_ns >= s.next_timer_ns or c.market >= s.markets_count \
                or <uint32_t>c.account >= <uint32_t>s.accounts_max or s.overflow:
            return i
        if i + 6 < count:
            hashed[(i + 6) & 7] = key_hash(c[6].account, c[6].order_id)
            prefetch(index_home(s, hashed[(i + 6) & 7]))
            prefetch_order(s, hashed[(i + 4) & 7])
        if c.kind == KIND_CANCEL:
            s.time_ns = time_ns
            s.reason = cancel_hashed(s, c, hashed[i & 7])
            continue
        m = &s.markets[c.market]
        if c.kind != KIND_PLACE or not ordinary(m, c):
            return i
        s.time_ns = time_ns
        s.reason = place_ordinary(s, m, c, hashed[i & 7])
    return count
