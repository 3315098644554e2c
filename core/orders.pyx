"""Orders from the command to the book and back.

`place` runs its checks in the order of the reject codes, reserves margin, lets the book match, settles the fills, and
rests what is left. A refusal is an event with a reason, never an exception. A conditional order waits by its trigger
and is placed when it fires, with the margin checks of that moment.
"""

from libc.stdint cimport uint16_t, uint32_t, uint64_t

from .bands cimport band_limit
from .book cimport (
    MATCH_CHECK_MAKER, NO_PRICE, NONE, Taker, best_price, book_add, book_depth, book_match, book_remove, crosses,
    ladder_get, matches_now, order_detach, order_link, order_unlist,
)
from .events cimport NO_ACCOUNT, event_new, event_put, next_event
from .idmap cimport (
    find_order, find_order_at, find_position, idmap_place, idmap_put, idmap_remove_at, idmap_reserve, idmap_set, index_home,
    key_hash, prefetch_order,
)
from .margin cimport available, premium_of, requirement, value_at
from .records cimport *
from .settle cimport cancel_order, cancel_orders_of, hold, leave_book, release, settle_fills
from .state cimport (
    STAGE_NONE, STATE_RESTING, STATE_WAITING, TOUCHED, Order, Position, Trigger, Wallet,
    TIMER_EXPIRY, order_new, order_set, position_new, trigger_new, wallet_of,
)
from .stops cimport stop_due, stop_link, stop_unlink, trailing_due, trailing_follow
from .timers cimport timer_add
from .units cimport (
    RATE_ONE, abs64, add_checked, by_side, div_ceil, max64, min64, money_t, mul_checked, mul_div_floor, ns_t, prefetch, value_t,
)

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


cdef int reject(State *s, const Command *c, int reason) except -1 nogil:
    cdef Event *e = event_new(s, EVENT_REJECTED)
    e.account = c.account
    e.market = c.market
    e.asset = c.asset
    e.order_id = c.order_id
    e.side = c.side
    e.price_ticks = c.price_ticks
    e.size_lots = c.size_lots
    e.aux = c.kind
    e.reason = <uint16_t>reason
    return reason


cdef inline bint in_liquidation(Wallet *w, Position *p) noexcept nogil:
    return (w.stage | p.stage) != STAGE_NONE


cdef int check_shape(State *s, Market *m, const Command *c) noexcept nogil:
    """What can be refused without looking at the account."""
    cdef int conditional = c.flags & CONDITIONAL
    cdef bint closes = c.flags & FLAG_CLOSE_POSITION
    if m.state == MARKET_HALTED or m.state >= MARKET_SETTLING:
        return REJECT_MARKET_STATE
    if not matches_now(m) and (c.flags & FLAG_MARKET or c.tif == TIF_IOC or c.tif == TIF_FOK):
        return REJECT_MARKET_STATE
    if c.side > SIDE_SELL or c.tif > TIF_LAST or c.stp_mode > STP_LAST or c.trigger_source > SOURCE_MARK:
        return REJECT_BAD_ENUM
    if c.position_side != 0:
        return REJECT_ONE_WAY_ONLY
    if c.order_id < 0:
        return REJECT_BAD_ORDER_ID
    if find_order(s, c.account, c.order_id) != NONE:
        return REJECT_DUPLICATE_ORDER_ID
    if closes:
        if c.size_lots != 0:
            return REJECT_BAD_SIZE
    elif c.size_lots <= 0 or c.size_lots > m.rules.size_max:
        return REJECT_BAD_SIZE
    if not c.flags & FLAG_MARKET and (c.price_ticks <= 0 or c.price_ticks > m.price_max):
        return REJECT_BAD_PRICE
    if c.flags & FLAG_POST_ONLY and (c.flags & FLAG_MARKET or c.tif == TIF_IOC or c.tif == TIF_FOK):
        return REJECT_BAD_FLAGS
    if conditional & (conditional - 1):
        return REJECT_BAD_FLAGS
    if closes and not (conditional & (FLAG_STOP | FLAG_TAKE_PROFIT) and c.flags & FLAG_MARKET):
        return REJECT_BAD_FLAGS
    if c.tif == TIF_GTD and c.expire_ns <= s.time_ns:
        return REJECT_BAD_EXPIRY
    return REJECT_NONE


cdef int check_trigger(State *s, Market *m, const Command *c) noexcept nogil:
    cdef value_t now_value = m.mark if c.trigger_source == SOURCE_MARK else m.last * m.tick_value
    cdef bint above = fires_above(c)
    if c.flags & FLAG_TRAILING:
        if c.aux <= 0 or c.aux >= RATE_ONE or c.trigger_ticks < 0 or c.trigger_ticks > m.price_max:
            return REJECT_BAD_TRIGGER
        if now_value and c.trigger_ticks and (c.trigger_ticks * m.tick_value >= now_value if c.side == SIDE_BUY
                                              else c.trigger_ticks * m.tick_value <= now_value):
            return REJECT_WOULD_TRIGGER         # it must have a way to go before it is active
        return REJECT_NONE
    if c.trigger_ticks <= 0 or c.trigger_ticks > m.price_max:
        return REJECT_BAD_TRIGGER
    if now_value:
        if above and now_value >= c.trigger_ticks * m.tick_value:
            return REJECT_WOULD_TRIGGER
        if not above and now_value <= c.trigger_ticks * m.tick_value:
            return REJECT_WOULD_TRIGGER
    return REJECT_NONE


cdef inline bint fires_above(const Command *c) noexcept nogil:
    """STOP buy and TAKE_PROFIT sell fire on a rise, the other two on a fall."""
    return (c.side == SIDE_BUY) == ((c.flags & FLAG_STOP) != 0)


cdef inline bint out_of_band(Market *m, int side, ticks_t price) noexcept nogil:
    return by_side(side, price - m.band_edge[side]) > 0


cdef ticks_t margin_price(State *s, Market *m, Ticket *t) noexcept nogil:
    """Price at which an order's value is counted: a sell may fill above its limit, so the better of limit and bid."""
    cdef ticks_t touch
    if t.flags & FLAG_MARKET:
        touch = best_price(m, 1 - t.side)
        if t.side == SIDE_BUY:
            return min64(touch, t.limit) if touch != NO_PRICE else t.limit
        return max64(max64(touch, m.mark / m.tick_value), 1)
    return max64(best_price(m, SIDE_BUY), t.price) if t.side == SIDE_SELL else t.price


cdef inline ticks_t loss_price(Market *m, Ticket *t, ticks_t counted) noexcept nogil:
    """Price from which an order's open loss counts: its limit, of a market order the touch."""
    if not t.flags & FLAG_MARKET:
        return t.price
    return counted if t.side == SIDE_BUY else max64(best_price(m, SIDE_BUY), t.limit)


cdef inline bint plainly_covered(
    Market *m, Wallet *w, Position *p, int32_t position, ticks_t limit, lots_t lots
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
    if overflow or bound > p.notional_cap or bound > <int64_t>1 << 60:
        return False
    return w.balance + pnl - p.open_loss >= 3 * bound


cdef int check_margin(State *s, Market *m, Ticket *t) noexcept nogil:
    """Whether the account can carry the order: caps by tier, then available margin. Reducing orders pass."""
    cdef Position *p = &s.positions[t.position]
    cdef Wallet *w = &s.wallets[p.wallet]
    cdef money_t order_value, value, before, after, exposure, loss
    cdef ticks_t price
    if t.flags & FLAG_REDUCE_ONLY:
        return REJECT_NONE
    price = margin_price(s, m, t)
    order_value = mul_checked(price * m.tick_lot_money, t.lots, &s.overflow)
    value = value_at(s, m, p.lots, m.mark) if p.lots else 0
    before = requirement(s, m, p, value, 0, 0)
    if t.side == SIDE_BUY:
        after = requirement(s, m, p, value, order_value, 0)
        exposure = abs64(value + p.order_value[SIDE_BUY] + order_value)
    else:
        after = requirement(s, m, p, value, 0, order_value)
        exposure = abs64(value - p.order_value[SIDE_SELL] - order_value)
    if exposure > abs64(value):
        if exposure > s.tiers[m.tier_first + m.tier_count - 1].cap:
            return REJECT_POSITION_CAP
        if exposure > p.notional_cap:
            return REJECT_LEVERAGE_CAP
    elif abs64(value) >= order_value:
        return REJECT_NONE              # it can only reduce
    loss = mul_checked(premium_of(m, t.side, loss_price(m, t, price)) * m.tick_lot_money, t.lots, &s.overflow)
    if w.positions_head == t.position and p.account_next == NONE:      # the only position: what `available` would say
        exposure = w.balance - before + (value - p.cost if p.mode == MODE_CROSS else 0)
    else:
        exposure = available(s, w, NONE, True)
    if exposure - (after - before) - loss < 0:
        return REJECT_INSUFFICIENT_MARGIN
    return REJECT_NONE


cdef int check_limits(State *s, Market *m, Ticket *t) noexcept nogil:
    """Checks that need the account's position: size, number, direction."""
    cdef Position *p = &s.positions[t.position]
    if m.mark == 0:
        return REJECT_NO_MARK
    if not t.flags & FLAG_MARKET and out_of_band(m, t.side, t.price):
        return REJECT_PRICE_BAND
    if not t.flags & FLAG_REDUCE_ONLY and m.rules.min_notional:
        if mul_checked(margin_price(s, m, t) * m.tick_lot_money, t.lots, &s.overflow) < m.rules.min_notional:
            return REJECT_MIN_NOTIONAL
    if p.resting_orders >= m.rules.max_orders:
        return REJECT_MAX_ORDERS
    return REJECT_NONE


cdef int clip_reduce_only(State *s, Market *m, Ticket *t) noexcept nogil:
    """A reduce-only order is cut to what is left of the position beyond earlier reduce-only orders."""
    cdef Position *p = &s.positions[t.position]
    cdef int32_t slot = p.orders_head
    cdef lots_t room = abs64(p.lots)
    if not t.flags & FLAG_REDUCE_ONLY and m.state != MARKET_REDUCE_ONLY:
        return REJECT_NONE
    if p.lots == 0 or (p.lots > 0) == (t.side == SIDE_BUY):
        return REJECT_REDUCE_ONLY
    while slot != NONE and p.reduce_only_orders:
        if s.orders[slot].state == STATE_RESTING and s.orders[slot].flags & FLAG_REDUCE_ONLY:
            room -= s.orders[slot].size_lots
        slot = s.orders[slot].position_next
    if room <= 0:
        return REJECT_REDUCE_ONLY
    t.flags |= FLAG_REDUCE_ONLY
    t.lots = min64(t.lots, room)
    return REJECT_NONE


cdef int check_taking(State *s, Market *m, Ticket *t) noexcept nogil:
    """Post-only must not take, fill-or-kill must find it all."""
    cdef Position *p = &s.positions[t.position]
    cdef int32_t group = NONE
    if not matches_now(m):
        return REJECT_NONE
    if t.flags & FLAG_POST_ONLY and crosses(t.side, t.limit, best_price(m, 1 - t.side)):
        return REJECT_WOULD_TAKE
    if t.tif == TIF_FOK:
        if t.stp_mode != STP_NONE:
            group = s.accounts[p.account].stp_group
        if book_depth(s, m, t.side, t.limit, t.lots, group, t.stp_mode != STP_EXPIRE_MAKER) < t.lots:
            return REJECT_NOT_FILLABLE
    return REJECT_NONE


cdef int match_and_settle(State *s, Market *m, int32_t position, int64_t order_id, int side, ticks_t limit,
                          lots_t *lots, uint8_t stp_mode, bint *expired) except -1 nogil:
    """Match a taker and settle its fills; `lots` is left with the rest, `expired` says that STP ended it."""
    cdef Taker taker
    cdef Position *p = &s.positions[position]
    taker.account = p.account
    taker.stp_group = s.accounts[p.account].stp_group
    taker.stp_mode = stp_mode
    taker.is_world = 0
    taker.expired = 0
    taker.checked = NONE
    while book_match(s, m, side, limit, lots, &taker) == MATCH_CHECK_MAKER:
        settle_fills(s, m, side, position, order_id)
    if s.fills_count:
        settle_fills(s, m, side, position, order_id)
    expired[0] = taker.expired
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
    book_add(s, m, slot)
    return slot


cdef int keep_expiry(State *s, int32_t slot, int64_t expire_ns) except -1 nogil:
    cdef int32_t trigger = trigger_new(s)
    s.orders[slot].trigger = trigger
    s.triggers[trigger].order = slot
    s.triggers[trigger].expire_ns = expire_ns
    timer_add(s, expire_ns, TIMER_EXPIRY, s.positions[s.orders[slot].position].account, 0, s.orders[slot].id)
    return 0


cdef int cancelled(State *s, Ticket *t, int reason) except -1 nogil:
    """The rest of an order that never reached the book."""
    cdef Event *e = event_new(s, EVENT_CANCELLED)
    e.account = s.positions[t.position].account
    e.market = s.positions[t.position].market
    e.order_id = t.order_id
    e.size_lots = t.lots
    e.price_ticks = t.price
    e.side = t.side
    e.reason = <uint16_t>reason
    return 0


cdef int execute(State *s, Market *m, Ticket *t) except -1 nogil:
    """Match a checked order and rest, or end, what is left."""
    cdef bint expired = False
    cdef lots_t before = t.lots
    cdef int32_t position = t.position
    if matches_now(m) and crosses(t.side, t.limit, best_price(m, 1 - t.side)):
        match_and_settle(s, m, position, t.order_id, t.side, t.limit, &t.lots, t.stp_mode, &expired)
        t.filled += before - t.lots
    if t.lots == 0:
        return 0
    if expired:
        return cancelled(s, t, REASON_SELF_TRADE)
    if t.flags & FLAG_MARKET:
        return cancelled(s, t, REASON_IOC if t.limit == 1 or t.limit == m.price_max else REASON_BAND)
    if t.tif == TIF_IOC:
        return cancelled(s, t, REASON_IOC)
    if t.tif == TIF_FOK:
        return cancelled(s, t, REASON_FOK)
    return rest_ticket(s, m, t)


cdef int rest_ticket(State *s, Market *m, Ticket *t) except -1 nogil:
    cdef int32_t slot = rest(
        s, m, t.position, t.order_id, t.side, t.price, t.lots, t.filled, t.flags, t.tif, t.stp_mode,
        key_hash(s.positions[t.position].account, t.order_id), -1)
    if t.tif == TIF_GTD:
        keep_expiry(s, slot, t.expire_ns)
    return 0


cdef inline void fill_ticket(State *s, Market *m, Ticket *t, int32_t position, int64_t order_id, int side,
                             ticks_t price, lots_t lots, int flags, int tif, int stp_mode, int64_t expire_ns) noexcept nogil:
    t.order_id = order_id
    t.lots = lots
    t.filled = 0
    t.price = price
    t.limit = price
    t.position = position
    t.flags = <uint16_t>(flags & FLAGS_KEPT & ~CONDITIONAL)
    t.side = <uint8_t>side
    t.tif = <uint8_t>tif
    t.stp_mode = <uint8_t>stp_mode
    t.expire_ns = expire_ns
    if flags & FLAG_MARKET:
        t.price = 0
        if m.rules.market_bound:
            t.limit = band_limit(s, m, side, RATE_ONE + (m.rules.market_bound if side == SIDE_BUY else -m.rules.market_bound))
        else:
            t.limit = m.price_max if side == SIDE_BUY else 1


cdef inline int32_t position_for(State *s, Market *m, Wallet *w, int32_t account) except -1 nogil:
    """The slot of an account's position in a market that settles in the wallet's asset, made on first use."""
    cdef int32_t slot = w.positions_head
    if slot != NONE and s.positions[slot].market == m.id:
        return slot
    slot = find_position(s, account, m.id)
    if slot == NONE:
        slot = position_new(s, account, m.id)
    return slot


cdef int check_account(State *s, Market *m, Ticket *t) noexcept nogil:
    """All that depends on the account and the book, in the order of the reject codes."""
    cdef int reason = check_limits(s, m, t)
    if reason == REJECT_NONE:
        reason = clip_reduce_only(s, m, t)
    if reason == REJECT_NONE and (t.flags & FLAG_POST_ONLY or t.tif == TIF_FOK):
        reason = check_taking(s, m, t)
    if reason == REJECT_NONE:
        reason = check_margin(s, m, t)
    return reason


cdef inline int accepted(State *s, const Command *c, lots_t lots, int flags) except -1 nogil:
    event_put(next_event(s), s.sequence, s.time_ns, c.order_id, 0, c.price_ticks, lots, 0, c.trigger_ticks, flags,
              c.account, NO_ACCOUNT, c.market, 0, EVENT_ACCEPTED, s.venue, 0, c.side)
    return 0


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
    """A plain limit order, GTC or IOC, in an open market: nothing that needs a second look."""
    return plain_choices(c) and c.flags & FLAGS_KEPT == 0 and m.state == MARKET_OPEN


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
    if order_id < 0:
        return reject(s, c, REJECT_BAD_ORDER_ID)
    idmap_reserve(&s.order_index)
    if find_order_at(s, account, order_id, hashed, &at) != NONE:
        return reject(s, c, REJECT_DUPLICATE_ORDER_ID)
    if size <= 0 or size > m.rules.size_max:
        return reject(s, c, REJECT_BAD_SIZE)
    if price <= 0 or price > m.price_max:
        return reject(s, c, REJECT_BAD_PRICE)
    w = wallet_of(s, account, m.asset)
    position = position_for(s, m, w, account)
    p = &s.positions[position]
    reason = check_ordinary(m, w, p, side, price, size)
    if reason == REJECT_NONE and not plainly_covered(m, w, p, position, price, size):
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


cdef int place(State *s, const Command *c) except -1 nogil:
    """PLACE of any order: see the reject codes for the checks. Returns the reject code."""
    cdef Market *m = &s.markets[c.market]
    cdef int reason = check_shape(s, m, c)
    cdef int32_t position
    cdef Ticket t
    if reason:
        return reject(s, c, reason)
    position = position_for(s, m, wallet_of(s, c.account, m.asset), c.account)
    if in_liquidation(&s.wallets[s.positions[position].wallet], &s.positions[position]):
        return reject(s, c, REJECT_IN_LIQUIDATION)
    if c.flags & CONDITIONAL:
        return wait(s, m, c, position)
    fill_ticket(s, m, &t, position, c.order_id, c.side, c.price_ticks, c.size_lots, c.flags, c.tif, c.stp_mode, c.expire_ns)
    reason = check_account(s, m, &t)
    if reason:
        return reject(s, c, reason)
    accepted(s, c, t.lots, c.flags)
    execute(s, m, &t)
    return 0


cdef int wait(State *s, Market *m, const Command *c, int32_t position) except -1 nogil:
    """Keep a conditional order until its trigger fires."""
    cdef int reason = check_trigger(s, m, c)
    cdef int32_t slot, trigger
    cdef Order *o
    cdef Trigger *g
    if reason:
        return reject(s, c, reason)
    if s.positions[position].waiting_orders >= m.rules.max_conditional:
        return reject(s, c, REJECT_MAX_ORDERS)
    accepted(s, c, c.size_lots, c.flags)
    slot = order_new(s)
    trigger = trigger_new(s)
    o = &s.orders[slot]
    g = &s.triggers[trigger]
    o.world_ahead = 0
    order_set(o, c.order_id, c.size_lots, 0, 0 if c.flags & FLAG_MARKET else c.price_ticks, 0, position, trigger,
              c.flags & FLAGS_KEPT, c.side, c.tif, c.stp_mode, STATE_WAITING)
    g.order = slot
    g.trigger_ticks = c.trigger_ticks
    g.callback_e9 = c.aux if c.flags & FLAG_TRAILING else 0
    g.source = c.trigger_source
    g.fires_above = fires_above(c)
    if c.flags & FLAG_TRAILING:
        g.extreme_ticks = m.last if c.trigger_source == SOURCE_LAST else (
            m.mark_ticks_up if c.side == SIDE_BUY else m.mark_ticks)
    if c.tif == TIF_GTD:
        g.expire_ns = c.expire_ns
        timer_add(s, c.expire_ns, TIMER_EXPIRY, c.account, 0, c.order_id)
    idmap_put(&s.order_index, key_hash(c.account, c.order_id), slot)
    order_link(s, slot)
    return stop_link(s, m, slot)


cdef int fire(State *s, Market *m, int32_t slot) except -1 nogil:
    """A waiting order's trigger was met: it becomes an order of now."""
    cdef Order o = s.orders[slot]
    cdef Trigger g = s.triggers[o.trigger]
    cdef Position *p = &s.positions[o.position]
    cdef Event *e
    cdef Ticket t
    cdef int reason
    cdef int64_t gap
    if o.flags & FLAG_PRICE_PROTECT and m.rules.trigger_protect and m.mark and m.last:
        gap = abs64(m.last * m.tick_value - m.mark)
        if gap > mul_div_floor(m.mark, m.rules.trigger_protect, RATE_ONE, &s.overflow):
            return cancel_order(s, slot, REASON_PRICE_PROTECT)
    e = event_new(s, EVENT_TRIGGERED)
    e.account = p.account
    e.market = p.market
    e.order_id = o.id
    e.side = o.side
    e.price_ticks = o.price_ticks
    e.size_lots = o.size_lots
    e.value = g.trigger_ticks
    e.aux = g.extreme_ticks
    stop_unlink(s, m, slot)
    order_detach(s, slot)
    if o.flags & FLAG_CLOSE_POSITION:
        o.size_lots = abs64(p.lots)
        o.flags |= FLAG_REDUCE_ONLY
    fill_ticket(s, m, &t, o.position, o.id, o.side, o.price_ticks, o.size_lots, o.flags, o.tif, o.stp_mode, g.expire_ns)
    if not matches_now(m):
        return cancelled(s, &t, REASON_MARKET_STATE)
    reason = check_account(s, m, &t)
    if reason:
        e = event_new(s, EVENT_CANCELLED)
        e.account = p.account
        e.market = p.market
        e.order_id = o.id
        e.size_lots = o.size_lots
        e.side = o.side
        e.reason = REASON_MARGIN
        e.aux = reason
        return 0
    return execute(s, m, &t)


cdef int fire_conditionals(State *s, Market *m, int source) except -1 nogil:
    """Fire every waiting order that the prices since the last call reach, and those that this sets off."""
    cdef ticks_t low, high
    cdef int32_t slot
    if source == SOURCE_MARK and m.trailing_head != NONE:
        trailing_follow(s, m, source, div_ceil(m.mark, m.tick_value), m.mark / m.tick_value)
    while m.waiting_orders:
        if source == SOURCE_MARK:
            if m.mark == 0:
                return 0
            high = m.mark / m.tick_value
            low = div_ceil(m.mark, m.tick_value)
        else:
            if m.print_high == 0:
                return 0
            low = m.print_low
            high = m.print_high
        slot = stop_due(s, m, source, low, high)
        if slot == NONE:
            slot = trailing_due(s, m, source)
        if slot == NONE:
            break
        fire(s, m, slot)
    if source == SOURCE_LAST:
        m.print_low = m.print_high = 0
    return 0


cdef int expire_order(State *s, int32_t account, int64_t order_id) except -1 nogil:
    """A GTD timer: end the order if it is still there and still due now."""
    cdef int32_t slot = find_order(s, account, order_id)
    if slot == NONE or s.orders[slot].trigger == NONE:
        return 0
    if s.triggers[s.orders[slot].trigger].expire_ns and s.triggers[s.orders[slot].trigger].expire_ns <= s.time_ns:
        cancel_order(s, slot, REASON_EXPIRED)
    return 0


cdef int cancel(State *s, const Command *c) except -1 nogil:
    """CANCEL."""
    return cancel_hashed(s, c, key_hash(c.account, c.order_id))


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


cdef inline bint pending(State *s) noexcept nogil:
    """Something that a client's order would have to wait for, or could set off. A plain order changes none of it."""
    return ((s.depth_market - NONE) | s.changed_count | s.waiting_orders) != 0


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


cdef int cancel_all(State *s, const Command *c) except -1 nogil:
    """All orders of an account in one market, or in all of them (market = ALL_MARKETS), oldest first."""
    cdef int32_t asset, slot
    for asset in range(s.assets_count):
        slot = s.wallets[c.account * s.assets_count + asset].positions_head
        while slot != NONE:
            if c.market == ALL_MARKETS or s.positions[slot].market == c.market:
                cancel_orders_of(s, slot, REASON_USER)
            slot = s.positions[slot].account_next
    return 0


cdef int amended(State *s, const Command *c, lots_t left, lots_t filled) except -1 nogil:
    cdef Event *e = event_new(s, EVENT_AMENDED)
    e.account = c.account
    e.market = c.market
    e.order_id = c.order_id
    e.side = c.side
    e.price_ticks = c.price_ticks
    e.size_lots = left
    e.value = c.trigger_ticks
    e.aux = filled
    return 0


cdef int amend(State *s, const Command *c) except -1 nogil:
    """Change price and total size. A smaller size at the same price keeps its place, all else queues anew.

    `size_lots` is the new total; at or below what is filled the order ends. The id stays.
    """
    cdef Market *m = &s.markets[c.market]
    cdef int32_t slot = find_order(s, c.account, c.order_id)
    cdef Order o
    cdef Position *p
    cdef Ticket t
    cdef lots_t left
    cdef int reason
    cdef int64_t expire_ns = 0
    cdef Command copy = c[0]
    if m.state == MARKET_HALTED or m.state >= MARKET_SETTLING:
        return reject(s, c, REJECT_MARKET_STATE)
    if slot == NONE or s.positions[s.orders[slot].position].market != c.market:
        return reject(s, c, REJECT_UNKNOWN_ORDER)
    o = s.orders[slot]
    p = &s.positions[o.position]
    copy.side = o.side
    if in_liquidation(&s.wallets[p.wallet], p):
        return reject(s, c, REJECT_IN_LIQUIDATION)
    if c.size_lots <= 0 or c.size_lots > m.rules.size_max:
        return reject(s, c, REJECT_BAD_SIZE)
    if not o.flags & FLAG_MARKET and (c.price_ticks <= 0 or c.price_ticks > m.price_max):
        return reject(s, c, REJECT_BAD_PRICE)
    left = c.size_lots - o.filled_lots
    if left <= 0:
        return cancel_order(s, slot, REASON_AMENDED_AWAY)
    if o.state == STATE_WAITING:
        return amend_waiting(s, m, &copy, slot, left)
    if c.price_ticks == o.price_ticks and left <= o.size_lots:
        release(s, m, o.position, o.side, o.flags, o.price_ticks, o.premium_ticks, o.size_lots - left)
        s.levels[ladder_get(&m.sides[o.side].accounts, o.price_ticks)].lots -= o.size_lots - left
        s.levels[ladder_get(&m.sides[o.side].accounts, o.price_ticks)].next_free = TOUCHED
        s.orders[slot].size_lots = left
        return amended(s, &copy, left, o.filled_lots)
    if o.trigger != NONE:
        expire_ns = s.triggers[o.trigger].expire_ns
    fill_ticket(s, m, &t, o.position, o.id, o.side, c.price_ticks, left, o.flags, o.tif, o.stp_mode, expire_ns)
    t.filled = o.filled_lots
    reason = replace(s, m, slot, &t)
    if reason:
        return reject(s, c, reason)
    amended(s, &copy, t.lots, o.filled_lots)
    return execute(s, m, &t)


cdef int replace(State *s, Market *m, int32_t slot, Ticket *t) except -1 nogil:
    """Take an order out for its successor if the successor passes the checks; else leave it untouched."""
    cdef Order *o = &s.orders[slot]
    cdef Position *p = &s.positions[o.position]
    cdef int reason
    release(s, m, o.position, o.side, o.flags, o.price_ticks, o.premium_ticks, o.size_lots)
    p.resting_orders -= 1
    o.state = STATE_WAITING             # out of sight of the reduce-only sum
    reason = check_account(s, m, t)
    o.state = STATE_RESTING
    p.resting_orders += 1
    if reason:
        hold(s, m, o)
        return reason
    book_remove(s, m, slot)
    order_detach(s, slot)
    return REJECT_NONE


cdef int amend_waiting(State *s, Market *m, Command *c, int32_t slot, lots_t left) except -1 nogil:
    """A waiting order has no place to lose; its trigger changes too where the command names one."""
    cdef Order *o = &s.orders[slot]
    cdef Trigger *g = &s.triggers[o.trigger]
    cdef int reason
    if c.trigger_ticks and not o.flags & FLAG_TRAILING:
        c.flags = o.flags
        c.trigger_source = g.source
        reason = check_trigger(s, m, c)
        if reason:
            return reject(s, c, reason)
        stop_unlink(s, m, slot)
        g.trigger_ticks = c.trigger_ticks
        stop_link(s, m, slot)
    o.price_ticks = c.price_ticks
    o.size_lots = left
    g.clean = 0
    return amended(s, c, left, 0)
