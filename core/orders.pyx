"""Orders from the command to the book and back.

`place` runs its checks in the order of the reject codes, reserves margin, lets the book match, settles the fills, and
rests what is left. A refusal is an event with a reason, never an exception. A conditional order waits by its trigger
and is placed when it fires, with the margin checks of that moment.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t

from .book cimport (
    MATCH_CHECK_MAKER, NO_PRICE, NONE, Taker, best_price, book_depth, book_match, book_remove, ladder_get,
    matches_now, order_detach, order_link, takes,
)
from .accrual cimport accrued_of
from .contract cimport exposure_of, inverse, lot_hold, lot_loss
from .events cimport event_new
from .hedge cimport refused_leg
from .idmap cimport find_order, idmap_put, key_hash
from .margin cimport available, beyond_rate, premium_of, requirement, value_at
from .oi_limit cimport interest_limit
from .records cimport *
from .settle cimport cancel_order, cancel_orders_of, hold, release, settle_fills
from .state cimport (
    POSITION_LIMIT, STATE_RESTING, STATE_WAITING, TIMER_EXPIRY, TOUCHED, WALLET_MULTI, Order, Position, Trigger, Wallet,
    notional_cap, order_new, order_set, trigger_new, wallet_of,
)
from .stops cimport stop_due, stop_link, stop_unlink, trailing_due, trailing_follow
from .timers cimport timer_add
from .units cimport RATE_ONE, abs64, by_side, div_ceil, max64, min64, money_t, mul_checked, mul_div_floor, value_t


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


cdef int check_shape(State *s, Market *m, const Command *c) noexcept nogil:
    """What can be refused without looking at the account."""
    cdef int conditional = c.flags & CONDITIONAL
    cdef bint closes = c.flags & FLAG_CLOSE_POSITION
    cdef int reason
    if m.state == MARKET_HALTED or m.state >= MARKET_SETTLING:
        return REJECT_MARKET_STATE
    if not matches_now(m) and (c.flags & FLAG_MARKET or c.tif == TIF_IOC or c.tif == TIF_FOK):
        return REJECT_MARKET_STATE
    if c.side > SIDE_SELL or c.tif > TIF_LAST or c.stp_mode > STP_LAST or c.trigger_source > SOURCE_MARK:
        return REJECT_BAD_ENUM
    reason = refused_leg(s, m, c)
    if reason:
        return reason
    if c.order_id < 0:
        return REJECT_BAD_ORDER_ID
    if find_order(s, c.account, c.order_id) != NONE:
        return REJECT_DUPLICATE_ORDER_ID
    if closes:
        if c.size_lots != 0:
            return REJECT_BAD_SIZE
    elif c.size_lots <= 0 or c.size_lots > m.rules.size_max:
        return REJECT_BAD_SIZE
    if not c.flags & FLAG_MARKET and (c.price_ticks < m.rules.price_min or c.price_ticks > m.price_max):
        return REJECT_BAD_PRICE
    if c.flags & FLAG_POST_ONLY and (c.flags & FLAG_MARKET or c.tif == TIF_IOC or c.tif == TIF_FOK):
        return REJECT_BAD_FLAGS
    if conditional & (conditional - 1):
        return REJECT_BAD_FLAGS
    if c.position_side != LEG_BOTH and c.flags & FLAG_REDUCE_ONLY:
        return REJECT_BAD_FLAGS         # a leg's closing side says it already
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


cdef ticks_t margin_price(State *s, Market *m, Ticket *t) noexcept nogil:
    """Price at which an order's value is counted: a sell may fill above its limit, so the better of limit and bid.

    Of an inverse contract a lower price is the larger value: there a buy may fill below its limit.
    """
    cdef ticks_t touch
    if inverse(m):
        return inverse_price(m, t)
    if t.flags & FLAG_MARKET:
        touch = best_price(m, 1 - t.side)
        if t.side == SIDE_BUY:
            return min64(touch, t.limit) if touch != NO_PRICE else t.limit
        return max64(max64(touch, m.mark / m.tick_value), 1)
    return max64(best_price(m, SIDE_BUY), t.price) if t.side == SIDE_SELL else t.price


cdef ticks_t inverse_price(Market *m, Ticket *t) noexcept nogil:
    cdef ticks_t touch = best_price(m, 1 - t.side), price = t.price
    if t.flags & FLAG_MARKET:
        if t.side == SIDE_SELL:
            return max64(touch, t.limit) if touch != NO_PRICE else t.limit
        price = m.mark_ticks
    if t.side == SIDE_SELL or touch == NO_PRICE:
        return price
    return min64(touch, price)


cdef inline ticks_t loss_price(Market *m, Ticket *t, ticks_t counted) noexcept nogil:
    """Price from which an order's open loss counts: its limit, of a market order the touch."""
    cdef ticks_t touch
    if not t.flags & FLAG_MARKET:
        return t.price
    if inverse(m) and t.side == SIDE_BUY:
        touch = best_price(m, SIDE_SELL)
        return min64(touch, t.limit) if touch != NO_PRICE else t.limit
    return counted if t.side == SIDE_BUY else max64(best_price(m, SIDE_BUY), t.limit)


cdef int check_margin(State *s, Market *m, Ticket *t) noexcept nogil:
    """Whether the account can carry the order: caps by tier, then available margin. Reducing orders pass."""
    cdef Position *p = &s.positions[t.position]
    cdef Wallet *w = &s.wallets[p.wallet]
    cdef money_t order_value, value, held, before, after, exposure, loss
    cdef ticks_t price, through
    if by_side(t.side, p.lots) + p.order_lots[t.side] + t.lots > m.position_max:
        return REJECT_POSITION_CAP      # if all of them were filled, before any of the other side
    if t.flags & FLAG_REDUCE_ONLY:
        return REJECT_NONE
    if m.oi_count and by_side(t.side, p.lots) + p.order_lots[t.side] + t.lots > interest_limit(m, &s.overflow):
        return REJECT_OI_LIMIT
    price = margin_price(s, m, t)
    order_value = mul_checked(lot_hold(s, m, price), t.lots, &s.overflow)
    value = value_at(s, m, p.lots, m.mark) if p.lots else 0
    held = exposure_of(m, value)
    before = requirement(s, m, p, value, 0, 0)
    if t.side == SIDE_BUY:
        after = requirement(s, m, p, value, order_value, 0)
        exposure = abs64(held + p.order_value[SIDE_BUY] + order_value)
    else:
        after = requirement(s, m, p, value, 0, order_value)
        exposure = abs64(held - p.order_value[SIDE_SELL] - order_value)
    if exposure > abs64(value):
        if exposure > s.tiers[m.tier_first + m.tier_count - 1].cap:
            return REJECT_POSITION_CAP
        if exposure > notional_cap(s, m, p):
            return REJECT_RISK_LIMIT if p.flags & POSITION_LIMIT else REJECT_LEVERAGE_CAP
        if beyond_rate(s, m, p, exposure):
            return REJECT_LEVERAGE_CAP
    elif abs64(value) >= order_value:
        return REJECT_NONE              # it can only reduce
    through = loss_price(m, t, price)
    loss = mul_checked(lot_loss(s, m, t.side, through, premium_of(m, t.side, through)), t.lots, &s.overflow)
    if w.positions_head == t.position and p.account_next == NONE and not w.flags & WALLET_MULTI:
        # the only position: what `available` would say
        exposure = w.balance - before + (value - p.cost - accrued_of(s, m, p) if p.mode == MODE_CROSS else 0)
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
        if mul_checked(lot_hold(s, m, margin_price(s, m, t)), t.lots, &s.overflow) < m.rules.min_notional:
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
    if t.flags & FLAG_POST_ONLY and takes(s, m, t.side, t.limit):
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
    if matches_now(m) and takes(s, m, t.side, t.limit):
        match_and_settle(s, m, position, t.order_id, t.side, t.limit, &t.lots, t.stp_mode, &expired)
        t.filled += before - t.lots
    if t.lots == 0:
        return 0
    if expired:
        return cancelled(s, t, REASON_SELF_TRADE)
    if t.flags & FLAG_MARKET:
        return cancelled(s, t, REASON_IOC if t.limit == m.rules.price_min or t.limit == m.price_max else REASON_BAND)
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


cdef int place(State *s, const Command *c) except -1 nogil:
    """PLACE of any order: see the reject codes for the checks. Returns the reject code."""
    cdef Market *m = &s.markets[c.market]
    cdef int reason = check_shape(s, m, c)
    cdef int32_t position
    cdef Ticket t
    if reason:
        return reject(s, c, reason)
    position = position_for(s, m, wallet_of(s, c.account, m.asset), c.account, c.position_side)
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
    return cancel_hashed(s, c, key_hash(c.account, c.order_id))


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
    if not o.flags & FLAG_MARKET and (c.price_ticks < m.rules.price_min or c.price_ticks > m.price_max):
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
    o.price_ticks = 0 if o.flags & FLAG_MARKET else c.price_ticks
    o.size_lots = left
    g.clean = 0
    return amended(s, c, left, 0)
