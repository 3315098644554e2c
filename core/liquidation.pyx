"""What happens to a risk unit under maintenance, step by step; each step is a parameter of the rulebook.

    found -> (delay) -> (lower risk limit) -> cancel orders -> reduce in the book -> takeover -> ADL -> cover what is left

    NONE       health is not negative
    DELAYED    found; the rulebook's delay runs, then it is checked again
    REDUCING   orders are cancelled, own orders refused; one reducing order a period until health is restored, or
               nothing fills: then the rest is taken over, at once or when the rulebook's takeover says

No later step is taken while an earlier one has capacity.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t

from .accrual cimport settle_accrued
from .adl cimport adl_forget
from .book cimport NONE
from .claims cimport claim_of, end_claim
from .conversion cimport convert_debts
from .hedge cimport net_legs
from .forced_size cimport throttled
from .margin cimport unit_equity, unit_maintenance
from .multi cimport CONVERT_EVERYTHING, CONVERT_NOTHING, conversion_due
from .records cimport (
    EVENT_LIQUIDATION_ENDED, EVENT_LIQUIDATION_STARTED, MODE_CROSS, REASON_FOK, REASON_IOC, REASON_LIQUIDATION, REDUCE_CURE,
    REDUCE_TIER_FOK, TAKEOVER_ADL, TAKEOVER_BACKSTOP, TAKEOVER_NONE, Event,
)
from .reduction cimport ORDER_FILLED, ORDER_NONE, ORDER_WAITS, reduce_once
from .risk_limits cimport lower_limits
from .risk_unit cimport forget_seen, healthy, next_position, set_stage, stage_of, unit_event, unit_shortage
from .settle cimport cancel_orders_of
from .state cimport (
    POSITION_SEEN, STAGE_DELAYED, STAGE_NONE, STAGE_REDUCING, TIMER_LIQUIDATION, WALLET_MULTI, mark_dirty, pool_first,
    pool_next, touch,
)
from .timers cimport timer_add
from .units cimport RATE_ONE, lots_t, money_t, mul_div_ceil, ns_t
from .waterfall cimport go_on_with_unit, take_over

cdef extern from *:
    """
    #define PERPSIM_CLAIM_PATIENCE INT64_C(1000000000)      /* ns */
    """
    const int64_t CLAIM_PATIENCE "PERPSIM_CLAIM_PATIENCE"   # of a forced order that waits, where no period is stated


cdef int schedule(State *s, int32_t wallet, int32_t position, int64_t due_ns) except -1 nogil:
    touch(s, wallet)
    if position == NONE:
        s.wallets[wallet].due_ns = due_ns
    else:
        s.positions[position].due_ns = due_ns
    return timer_add(s, due_ns, TIMER_LIQUIDATION, wallet, position, 0)


cdef int start(State *s, int32_t wallet, int32_t position) except -1 nogil:
    """A found unit's turn: check it again, then begin."""
    cdef money_t equity, maintenance
    cdef Event *e
    if stage_of(s, wallet, position) != STAGE_NONE:
        return 0
    equity = unit_equity(s, wallet, position)
    maintenance = unit_maintenance(s, wallet, position)
    if equity - maintenance >= 0:
        if position == NONE and s.wallets[wallet].flags & WALLET_MULTI:
            convert_due(s, wallet)
        mark_dirty(s, wallet)                   # restored by what happened to others: stamp it again
        return 0
    s.liquidations += 1
    s.wallets[wallet].liquidations += 1
    touch(s, wallet)
    e = unit_event(s, EVENT_LIQUIDATION_STARTED, wallet, position)
    e.value = equity
    e.aux = maintenance
    if s.rules.liquidation_delay_ns > 0:
        set_stage(s, wallet, position, STAGE_DELAYED)
        return schedule(s, wallet, position, s.time_ns + s.rules.liquidation_delay_ns)
    return begin(s, wallet, position)


cdef int convert_due(State *s, int32_t lead) except -1 nogil:
    """Debts of a healthy multi-asset account that have grown too large."""
    cdef int due = conversion_due(s, lead)
    if due != CONVERT_NOTHING:
        convert_debts(s, lead, due == CONVERT_EVERYTHING)
    return 0


cdef int net_pool(State *s, int32_t wallet) except -1 nogil:
    """Net the hedged legs of a cross pool."""
    cdef int32_t i
    for i in range(s.assets_count if s.wallets[wallet].flags & WALLET_MULTI else 1):
        net_legs(s, wallet + i)
    return 0


cdef int begin(State *s, int32_t wallet, int32_t position) except -1 nogil:
    """Cancel the scope's orders and take the first step."""
    cdef int32_t slot
    set_stage(s, wallet, position, STAGE_REDUCING)
    if s.accruing:
        settle_unit(s, wallet, position)
    if s.rules.reduce_method == REDUCE_CURE:
        s.wallets[wallet].work_ns = s.time_ns
        s.wallets[wallet].work = 0
    if lower_limits(s, wallet, position, True) and unit_shortage(s, wallet, position) <= 0:
        return finish(s, wallet, position)      # a lower limit was enough: its orders stay
    if position != NONE:
        cancel_orders_of(s, position, REASON_LIQUIDATION)
    else:
        slot = pool_first(s, wallet)
        while slot != NONE:
            if s.positions[slot].mode == MODE_CROSS:
                cancel_orders_of(s, slot, REASON_LIQUIDATION)
            slot = pool_next(s, slot)
        if s.rules.net_hedges:
            net_pool(s, wallet)
        if s.wallets[wallet].flags & WALLET_MULTI:
            convert_debts(s, wallet, True)
    lower_limits(s, wallet, position, False)
    return step(s, wallet, position)


cdef bint is_due(State *s, int32_t wallet, int32_t position) noexcept nogil:
    """Whether a liquidation timer of now counts: only the one that was set last does."""
    cdef int64_t due = s.wallets[wallet].due_ns if position == NONE else s.positions[position].due_ns
    return stage_of(s, wallet, position) != STAGE_NONE and due == s.time_ns


cdef int settle_unit(State *s, int32_t wallet, int32_t position) except -1 nogil:
    """Funding that the unit's positions have accrued becomes a payment: what follows is of money that is there."""
    cdef int32_t slot = position if position != NONE else pool_first(s, wallet)
    while slot != NONE:
        if position != NONE or s.positions[slot].mode == MODE_CROSS:
            settle_accrued(s, slot)
        slot = NONE if position != NONE else pool_next(s, slot)
    return 0


cdef int resume(State *s, int32_t wallet, int32_t position) except -1 nogil:
    """A liquidation timer that is due: the unit's next step."""
    cdef uint8_t stage = stage_of(s, wallet, position)
    adl_forget(s)
    if s.claiming and stage == STAGE_REDUCING and claim_of(s, wallet, position) != NONE:
        return look_at_claim(s, wallet, position)
    if healthy(s, wallet, position) if stage == STAGE_DELAYED else unit_shortage(s, wallet, position) <= 0:
        finish(s, wallet, position)
    elif stage == STAGE_DELAYED:
        begin(s, wallet, position)
    else:
        if s.accruing:
            settle_unit(s, wallet, position)
        step(s, wallet, position)
    return 0


cdef int finish(State *s, int32_t wallet, int32_t position) except -1 nogil:
    cdef Event *e = unit_event(s, EVENT_LIQUIDATION_ENDED, wallet, position)
    e.value = unit_equity(s, wallet, position)
    if s.claiming:
        forget_seen(s, wallet, position)
    set_stage(s, wallet, position, STAGE_NONE)
    return mark_dirty(s, wallet)


cdef inline bint below_backstop(State *s, int32_t wallet, int32_t position) noexcept nogil:
    """Whether the backstop vault takes over whatever the book could still do."""
    cdef money_t equity = unit_equity(s, wallet, position)
    return s.rules.takeover == TAKEOVER_BACKSTOP and (equity < 0 or equity < mul_div_ceil(
        unit_maintenance(s, wallet, position), s.rules.backstop_at, RATE_ONE, &s.overflow))


cdef bint keeps_trying(State *s, int32_t wallet, int32_t position) noexcept nogil:
    """Whether a unit that the book could not save waits for the next round instead of being taken over."""
    if unit_shortage(s, wallet, position) <= 0 or next_position(s, wallet, position) == NONE:
        return False
    if s.rules.takeover == TAKEOVER_NONE or throttled(s, wallet, position) or healthy(s, wallet, position):
        return True
    if s.rules.takeover == TAKEOVER_ADL:
        return unit_equity(s, wallet, position) >= 0
    return s.rules.takeover == TAKEOVER_BACKSTOP and not below_backstop(s, wallet, position)


cdef int step(State *s, int32_t wallet, int32_t position) except -1 nogil:
    """Reduce in the book as the rulebook says; when that is over without success, take the rest over."""
    forget_seen(s, wallet, position)
    return work(s, wallet, position, False)


cdef int work(State *s, int32_t wallet, int32_t position, bint again) except -1 nogil:
    """The orders of a step. `again`: its positions have a second turn before they are taken over."""
    cdef int got = ORDER_FILLED
    cdef ns_t period = s.rules.liquidation_period_ns
    while got != ORDER_NONE and unit_shortage(s, wallet, position) > 0:
        got = reduce_once(s, wallet, position)
        if got == ORDER_WAITS:
            return schedule(s, wallet, position, s.time_ns + (period if period > 0 else CLAIM_PATIENCE))
        lower_limits(s, wallet, position, False)
        if got == ORDER_NONE and again:
            again = False
            forget_seen(s, wallet, position)
            got = ORDER_FILLED
        elif got == ORDER_FILLED and period > 0 and unit_shortage(s, wallet, position) > 0:
            if below_backstop(s, wallet, position):
                break
            return schedule(s, wallet, position, s.time_ns + period)
    return give_up(s, wallet, position)


cdef int give_up(State *s, int32_t wallet, int32_t position) except -1 nogil:
    """The book can do no more now: another round later, or the rest is taken over, or there is nothing left to do."""
    forget_seen(s, wallet, position)
    if s.rules.liquidation_period_ns > 0 and keeps_trying(s, wallet, position):
        return schedule(s, wallet, position, s.time_ns + s.rules.liquidation_period_ns)
    if not healthy(s, wallet, position):
        take_over(s, wallet, position)
    return 0 if s.adl.open else finish(s, wallet, position)


cdef int look_at_claim(State *s, int32_t wallet, int32_t position) except -1 nogil:
    """A forced order that has waited is filled, or its time is over.

    A unit goes on claiming for as long as it has equity, its positions in turn where nothing was to be had for one; when
    an order has found nothing and the equity is gone, the rest is taken over.
    """
    cdef int32_t slot = claim_of(s, wallet, position)
    cdef lots_t sent = s.claims[slot].sent
    cdef lots_t filled = end_claim(s, slot, REASON_FOK if s.rules.reduce_method == REDUCE_TIER_FOK else REASON_IOC)
    cdef bint backstop
    if s.accruing:
        settle_unit(s, wallet, position)
    lower_limits(s, wallet, position, False)
    if unit_shortage(s, wallet, position) <= 0:
        return finish(s, wallet, position)
    backstop = below_backstop(s, wallet, position)
    if filled:
        forget_seen(s, wallet, position)
        if backstop and s.rules.liquidation_period_ns > 0:
            return give_up(s, wallet, position)
    elif backstop or unit_equity(s, wallet, position) < 0:
        forget_seen(s, wallet, position)
        if s.rules.liquidation_period_ns == 0 or not keeps_trying(s, wallet, position):
            s.markets[s.positions[slot].market].lapsed_lots += sent
        return give_up(s, wallet, position)
    else:
        s.positions[slot].flags |= POSITION_SEEN
        touch(s, s.positions[slot].wallet)
    return work(s, wallet, position, True)


cdef int go_on_with_liquidation(State *s) except -1 nogil:
    """A user's decision about a position of a unit is complete: the rest of the unit's takeover, and its end."""
    cdef int32_t wallet = s.adl.wallet, position = s.adl.position
    go_on_with_unit(s)
    return 0 if s.adl.open else finish(s, wallet, position)
