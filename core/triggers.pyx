"""Each position carries one trigger mark; while no mark has passed its trigger, no account is under maintenance.

Health is a sum of one-variable functions, one a position, and with bracket tiers each is monotone in its mark. So at
stamping time the slack H of a risk unit is shared out (by notional times volatility), and a position's trigger is
set where moving its mark alone would cost exactly its share. As long as every mark is on the safe side of its
trigger, the losses add up to at most H. A crossing means "look again", never "liquidate". All roundings are toward
looking earlier.

Triggers stand in price buckets of a few ticks, longs and shorts apart; `longs_bound` and `shorts_bound` make a mark that
crosses nothing cost one comparison.
"""

from .accrual cimport accrued_at_worst, accrued_of
from .contract cimport BEYOND, inverse, mark_worth
from .ladder cimport NO_PRICE, NONE, Ladder, ladder_cell, ladder_get, ladder_mark, ladder_next, ladder_previous, ladder_unmark
from .margin cimport held_maintenance, maintenance_of, orders_maintenance, tier_held, tier_of, value_at
from .multi cimport stamp_multi
from .records cimport MAINTENANCE_ENTRY, MODE_CROSS, TIERS_LINEAR, TIERS_WHOLE
from .state cimport ACCOUNT_HOUSE, POSITION_LIMIT, WALLET_MULTI, Tier, Wallet, pool_first, pool_next, push_crossed
from .units cimport (
    RATE_ONE, abs64, add_checked, max64, lots_t, min64, mul_div_ceil, mul_div_floor, prefetch, rate_t, sub_checked, value_t,
)
from .watches cimport watches_clear

cdef enum:
    SLACK_UNITS = 3             # more than the rounding of a value and of a maintenance can differ from the line
    SIDE_NONE = 0
    SIDE_LONG = 1
    SIDE_SHORT = 2


cdef void trigger_clear(State *s, Market *m, int32_t slot) noexcept nogil:
    """Take a position out of its trigger bucket."""
    cdef Position *p = &s.positions[slot]
    cdef Ladder *ladder
    cdef int64_t bucket
    if p.triggered_side == SIDE_NONE:
        return
    if p.bucket_next != NONE:
        s.positions[p.bucket_next].bucket_previous = p.bucket_previous
    if p.bucket_previous != NONE:
        s.positions[p.bucket_previous].bucket_next = p.bucket_next
    else:
        ladder = &m.longs if p.triggered_side == SIDE_LONG else &m.shorts
        bucket = p.trigger_value / m.bucket_value
        ladder.pages[ladder.directory[bucket >> 6]].cell[bucket & 63] = p.bucket_next
        if p.bucket_next == NONE:
            ladder_unmark(ladder, bucket)
    p.triggered_side = SIDE_NONE


cdef inline int trigger_set(State *s, Market *m, int32_t slot, value_t trigger) except -1 nogil:
    """Put a position under a trigger; marks at or beyond it will be looked at."""
    cdef Position *p = &s.positions[slot]
    cdef int side = SIDE_LONG if p.lots > 0 else SIDE_SHORT
    cdef value_t reachable = m.price_max * m.tick_value
    cdef Ladder *ladder = &m.longs if side == SIDE_LONG else &m.shorts
    cdef int32_t *cell
    cdef int64_t bucket
    if side == SIDE_LONG:
        if trigger <= 0:
            trigger_clear(s, m, slot)
            return 0
        trigger = min64(trigger, reachable)
        m.longs_bound = max64(m.longs_bound, trigger)
    else:
        if trigger > reachable:
            trigger_clear(s, m, slot)
            return 0
        trigger = max64(trigger, 0)
        m.shorts_bound = min64(m.shorts_bound, trigger)
    bucket = trigger / m.bucket_value
    if p.triggered_side == side and p.trigger_value / m.bucket_value == bucket:
        p.trigger_value = trigger
        return 0
    trigger_clear(s, m, slot)
    cell = ladder_cell(ladder, bucket)
    p.bucket_next = cell[0]
    p.bucket_previous = NONE
    if cell[0] != NONE:
        s.positions[cell[0]].bucket_previous = slot
    else:
        ladder_mark(ladder, bucket)
    cell[0] = slot
    p.trigger_value = trigger
    p.triggered_side = side
    return 0


cdef value_t trigger_mark(State *s, Market *m, Position *p, money_t value, money_t maintenance, money_t budget) noexcept nogil:
    """The mark at which this position alone has lost `budget` against now (its value and maintenance now given).

    Within a bracket, with W = |V|, health of what is worth W (a long, of an inverse contract a short) is
    W * (1 - r) + c - K, of what owes W it is -W * (1 + r) + c - K; the bracket is the one in which the solution lies.
    """
    cdef Tier *t = &s.tiers[m.tier_first]
    cdef Tier *first = t
    cdef Tier *last = t + m.tier_count - 1
    cdef money_t size = abs64(value)
    cdef money_t target = value - maintenance - budget + SLACK_UNITS       # of V - M
    cdef money_t wanted
    cdef value_t mark
    cdef int beyond = 0
    while t < last and size > t.cap:
        t += 1
    if m.rules.maintenance_value == MAINTENANCE_ENTRY:
        wanted = value - budget + SLACK_UNITS           # no mark moves the maintenance
        if (p.lots > 0) == inverse(m):
            wanted = -wanted
    elif p.flags & POSITION_LIMIT:
        wanted = one_rate_worth(s, tier_held(s, m, p, size).rate, target, (p.lots > 0) != inverse(m))
    elif m.rules.tier_method == TIERS_LINEAR:
        wanted = linear_worth(s, m, target, p.lots)
    elif (p.lots > 0) != inverse(m):
        wanted = mul_div_ceil(target - t.deduction, RATE_ONE, RATE_ONE - t.rate, &s.overflow)
        while t > first and wanted < t.floor:
            t -= 1
            wanted = mul_div_ceil(target - t.deduction, RATE_ONE, RATE_ONE - t.rate, &s.overflow)
    else:
        wanted = mul_div_floor(t.deduction - target, RATE_ONE, RATE_ONE + t.rate, &s.overflow)
        while t < last and wanted > t.cap:
            t += 1
            wanted = mul_div_floor(t.deduction - target, RATE_ONE, RATE_ONE + t.rate, &s.overflow)
            if m.rules.tier_method == TIERS_WHOLE and wanted < t.floor:
                wanted = t.floor                # it is the leap at the edge that costs the budget
                break
    if wanted <= 0:                         # hurt by no fall, or by every rise; inverse: by no rise, or by every fall
        return BEYOND if inverse(m) else 0
    if p.lots > 0:
        mark = mark_worth(m, p.lots, wanted, True, &beyond)
        return BEYOND if beyond else mark + 1
    mark = mark_worth(m, -p.lots, wanted, False, &beyond)
    return BEYOND if beyond else mark - 1   # much money, little short: beyond all marks


cdef inline money_t one_rate_worth(State *s, rate_t rate, money_t target, bint worth) noexcept nogil:
    """The notional at which value - rate * notional comes to `target`; of what is worth it, or owes it."""
    if worth:
        return mul_div_ceil(target, RATE_ONE, RATE_ONE - rate, &s.overflow)
    return mul_div_floor(-target, RATE_ONE, RATE_ONE + rate, &s.overflow)


cdef money_t linear_worth(State *s, Market *m, money_t target, lots_t lots) noexcept nogil:
    """The notional W at which W - M (of what is worth W) or -W - M (of what owes it) comes to `target`, LINEAR tiers.

    M is at most half of W and grows with it, so both run one way in W.
    """
    cdef money_t low = 0, high = <int64_t>1 << 61, middle, left
    cdef bint worth = (lots > 0) != inverse(m)
    while low < high:
        middle = low + (high - low) / 2
        left = (middle if worth else -middle) - maintenance_of(s, m, middle, lots)
        if left >= target if worth else left < target:
            high = middle
        else:
            low = middle + 1
    return low if worth else low - 1


cdef inline value_t next_edge(State *s, Market *m, lots_t lots, money_t size) noexcept nogil:
    """The mark on the winning side at which a position worth `size` enters the next tier, or before; none: no mark."""
    cdef Tier *t = tier_of(s, m, size)
    cdef int beyond = 0
    cdef value_t edge
    if t == &s.tiers[m.tier_first] + m.tier_count - 1:
        return 0 if inverse(m) else BEYOND
    edge = mark_worth(m, abs64(lots), t.cap, inverse(m), &beyond)
    return BEYOND if beyond else edge


cdef inline void watch_edge(State *s, Market *m, Position *p, money_t size) noexcept nogil:
    """WHOLE tiers: maintenance leaps on the winning side too, where what is worth something enters the next tier."""
    if m.rules.tier_method == TIERS_WHOLE and m.rules.maintenance_value != MAINTENANCE_ENTRY \
            and (p.lots > 0) != inverse(m) and not p.flags & POSITION_LIMIT:
        if inverse(m):
            m.edge_bound = max64(m.edge_bound, next_edge(s, m, p.lots, size))
        else:
            m.edge_bound = min64(m.edge_bound, next_edge(s, m, p.lots, size))


cdef int collect_edges(State *s, Market *m) except -1 nogil:
    """Everybody whom the marks since the last look may have taken over a tier's edge, once a mark passes the nearest.

    It goes over the positions of the market: the price of jump tiers, paid only at an edge.
    """
    cdef int32_t slot
    cdef Position *p
    cdef money_t size
    cdef bint turned = inverse(m)
    if m.edge_from == 0 or (m.mark > m.edge_from if turned else m.mark < m.edge_from):
        m.edge_from = m.mark
    if m.mark > m.edge_bound if turned else m.mark < m.edge_bound:
        return 0
    m.edge_bound = 0 if turned else BEYOND
    slot = m.positions_head
    while slot != NONE:
        p = &s.positions[slot]
        if p.lots and (p.lots > 0) != turned and not (
                s.accounts[p.account].flags & ACCOUNT_HOUSE or p.flags & POSITION_LIMIT):
            size = abs64(value_at(s, m, p.lots, m.mark))
            if tier_of(s, m, size) != tier_of(s, m, abs64(value_at(s, m, p.lots, m.edge_from))):
                trigger_clear(s, m, slot)
                push_crossed(s, slot)
            else:
                watch_edge(s, m, p, size)
        slot = p.market_next
    m.edge_from = m.mark
    return 0


cdef inline money_t to_accrue(State *s, Market *m, Position *p) noexcept nogil:
    """What of the slack funding may take until the position is stamped again."""
    if not m.rules.funding_continuous:
        return 0
    return accrued_at_worst(s, m, p) - accrued_of(s, m, p)


cdef inline int set_by_budget(
    State *s, Market *m, int32_t slot, money_t value, money_t maintenance, money_t budget
) except -1 nogil:
    """A position's triggers for what it may lose; where funding alone may take it, it is looked at at each decision."""
    cdef Position *p = &s.positions[slot]
    if budget < 0:
        return trigger_set(s, m, slot, m.price_max * m.tick_value if p.lots > 0 else 0)
    trigger_set(s, m, slot, trigger_mark(s, m, p, value, maintenance, budget))
    watch_edge(s, m, p, abs64(value))
    return 0


cdef money_t stamp_isolated(State *s, int32_t slot, money_t *maintenance) except? -1 nogil:
    cdef Position *p = &s.positions[slot]
    cdef Market *m = &s.markets[p.market]
    cdef money_t value = value_at(s, m, p.lots, m.mark)
    cdef money_t health
    maintenance[0] = held_maintenance(s, m, p, value)
    health = p.isolated_margin + value - p.cost - accrued_of(s, m, p) - maintenance[0]
    if health < 0:
        trigger_clear(s, m, slot)
    else:
        set_by_budget(s, m, slot, value, maintenance[0], health - to_accrue(s, m, p))
    return health


cdef inline money_t share_weight(State *s, Market *m, money_t size) noexcept nogil:
    """How much of the slack a position should get: notional times the market's volatility."""
    return mul_div_floor(size, m.rules.volatility, RATE_ONE, &s.overflow) + 1


cdef money_t stamp_cross(State *s, int32_t wallet, money_t *maintenance) except? -1 nogil:
    cdef Wallet *w = &s.wallets[wallet]
    cdef int32_t slot = w.positions_head
    cdef int32_t only = NONE
    cdef money_t health = w.balance
    cdef money_t needed = 0, value, weights = 0, part, reserve = 0
    cdef Position *p
    cdef Market *m
    cdef int count = 0
    while slot != NONE:
        p = &s.positions[slot]
        if p.lots and p.mode == MODE_CROSS:
            m = &s.markets[p.market]
            value = value_at(s, m, p.lots, m.mark)
            part = held_maintenance(s, m, p, value)
            needed += part
            health = add_checked(health, value - p.cost - part, &s.overflow)
            if m.rules.funding_continuous:
                health = sub_checked(health, accrued_of(s, m, p), &s.overflow)
                reserve = add_checked(reserve, to_accrue(s, m, p), &s.overflow)
            weights = add_checked(weights, share_weight(s, m, abs64(value)), &s.overflow)
            count += 1
            only = slot
        elif p.triggered_side and p.mode == MODE_CROSS:
            trigger_clear(s, &s.markets[p.market], slot)
        if p.resting_orders:
            part = orders_maintenance(s, &s.markets[p.market], p)
            needed += part
            health = sub_checked(health, part, &s.overflow)
        slot = p.account_next
    maintenance[0] = needed
    if count == 0:
        return health if health < 0 else 0
    if health < 0:
        clear_unit(s, wallet, NONE)
        return health
    if count == 1:
        p = &s.positions[only]
        m = &s.markets[p.market]
        value = value_at(s, m, p.lots, m.mark)
        set_by_budget(s, m, only, value, held_maintenance(s, m, p, value), health - reserve)
        return health
    slot = w.positions_head
    while slot != NONE:
        p = &s.positions[slot]
        if p.lots and p.mode == MODE_CROSS:
            m = &s.markets[p.market]
            value = value_at(s, m, p.lots, m.mark)
            part = mul_div_floor(health - reserve, share_weight(s, m, abs64(value)), weights, &s.overflow)
            set_by_budget(s, m, slot, value, held_maintenance(s, m, p, value), part)
        slot = p.account_next
    return health


cdef money_t stamp_unit(State *s, int32_t wallet, int32_t position, money_t *maintenance) except? -1 nogil:
    """Health of a risk unit; where it is not negative, its triggers are set anew, else they are taken out."""
    if position != NONE:
        return stamp_isolated(s, position, maintenance)
    if s.wallets[wallet].flags & WALLET_MULTI:
        return stamp_multi(s, wallet, maintenance)
    return stamp_cross(s, wallet, maintenance)


cdef void clear_unit(State *s, int32_t wallet, int32_t position) noexcept nogil:
    """Take the triggers of a risk unit out: it is being dealt with."""
    cdef int32_t slot
    if position != NONE:
        trigger_clear(s, &s.markets[s.positions[position].market], position)
        return
    if s.wallets[wallet].flags & WALLET_MULTI:
        watches_clear(s, s.wallets[wallet].account)
    slot = pool_first(s, wallet)
    while slot != NONE:
        if s.positions[slot].mode == MODE_CROSS:
            trigger_clear(s, &s.markets[s.positions[slot].market], slot)
        slot = pool_next(s, slot)


cdef int pop_bucket(State *s, Ladder *ladder, int64_t bucket) except -1 nogil:
    """Everybody in a bucket that lies wholly beyond the mark."""
    cdef int32_t *cell = &ladder.pages[ladder.directory[bucket >> 6]].cell[bucket & 63]
    cdef int32_t slot = cell[0]
    while slot != NONE:
        s.positions[slot].triggered_side = SIDE_NONE
        push_crossed(s, slot)
        slot = s.positions[slot].bucket_next
        if slot != NONE:
            prefetch(&s.wallets[s.positions[slot].wallet])
    cell[0] = NONE
    ladder_unmark(ladder, bucket)
    return 0


cdef int collect_crossed(State *s, Market *m) except -1 nogil:
    """Append to `s.crossed` every position whose trigger the market's mark has reached, and unlink it."""
    cdef int64_t at = m.mark / m.bucket_value
    cdef int64_t bucket
    cdef int32_t slot, following
    cdef value_t bound
    if m.rules.tier_method == TIERS_WHOLE and m.rules.maintenance_value != MAINTENANCE_ENTRY:
        collect_edges(s, m)
    if m.mark <= m.longs_bound:
        bucket = ladder_previous(&m.longs, m.longs.price_max)
        while bucket > at:
            pop_bucket(s, &m.longs, bucket)
            bucket = ladder_previous(&m.longs, bucket)
        bound = 0 if bucket == NO_PRICE else (bucket + 1) * m.bucket_value - 1
        if bucket == at:
            bound = bucket * m.bucket_value - 1
            slot = ladder_get(&m.longs, bucket)
            while slot != NONE:
                following = s.positions[slot].bucket_next
                if m.mark <= s.positions[slot].trigger_value:
                    trigger_clear(s, m, slot)
                    push_crossed(s, slot)
                else:
                    bound = max64(bound, s.positions[slot].trigger_value)
                slot = following
        m.longs_bound = bound
    if m.mark >= m.shorts_bound:
        bucket = ladder_next(&m.shorts, 0)
        while bucket != NO_PRICE and bucket < at:
            pop_bucket(s, &m.shorts, bucket)
            bucket = ladder_next(&m.shorts, bucket)
        bound = BEYOND if bucket == NO_PRICE else bucket * m.bucket_value
        if bucket == at:
            bound = (bucket + 1) * m.bucket_value
            slot = ladder_get(&m.shorts, bucket)
            while slot != NONE:
                following = s.positions[slot].bucket_next
                if m.mark >= s.positions[slot].trigger_value:
                    trigger_clear(s, m, slot)
                    push_crossed(s, slot)
                else:
                    bound = min64(bound, s.positions[slot].trigger_value)
                slot = following
        m.shorts_bound = bound
    return 0
