"""Finding risk units under maintenance, and the waterfall that deals with each.

A risk unit is an isolated position, or all cross positions of one wallet. Its stages:

    found -> (delay) -> cancel orders -> reduce in the book -> take over by the fund -> ADL -> cover what is left

    NONE       health is not negative
    DELAYED    found; the rulebook's delay runs, then it is checked again
    REDUCING   orders are cancelled, own orders refused; one reducing order a period until health is restored, or
               nothing fills: then the rest is taken over

Takeover gives each position its share of the unit's equity (by maintenance weight, the last the remainder) and moves
it at the value where that share is used up, so the unit ends with exactly nothing. The fund takes what its capacity
allows, ADL the rest, both at that value (the bankruptcy price). Where no counterparty is left, the missing money is
drawn from the fund, then from the winners if the rulebook socialises, then recorded as the venue's deficit, and the
fund keeps the position at the mark.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t
from libc.stdlib cimport qsort

from .adl cimport adl_forget, adl_next
from .bands cimport band_limit
from .book cimport NONE, matches_now
from .events cimport event_new
from .ledger cimport change_position, move_isolated, transfer
from .margin cimport cross_equity, fee_of, maintenance_of, pnl_at, position_maintenance, unit_equity, unit_maintenance, value_at
from .orders cimport fire_conditionals, match_and_settle
from .records cimport *
from .settle cimport cancel_orders_of, trim_reduce_only
from .state cimport (
    ACCOUNT_HOUSE, STAGE_DELAYED, STAGE_NONE, STAGE_REDUCING, TIMER_LIQUIDATION, TIMER_UNWIND, WALLET_DIRTY,
    WALLET_QUEUED, Found, Position, Tier, Wallet, mark_dirty, pool_grow, wallet_of,
)
from .timers cimport timer_add
from .triggers cimport clear_unit, collect_crossed, stamp_unit, trigger_clear
from .units cimport (
    RATE_ONE, abs64, add_checked, div_ceil, div_floor, i128, lots_t, max64, min64, money_t, mul_div_ceil, mul_div_floor, prefetch,
    sub_checked, ticks_t, wide_mul,
)


# ---- finding -------------------------------------------------------------------------------------------------------

cdef inline uint8_t stage_of(State *s, int32_t wallet, int32_t position) noexcept nogil:
    return s.wallets[wallet].stage if position == NONE else s.positions[position].stage


cdef int look(State *s, int32_t wallet, int32_t position) except -1 nogil:
    """Stamp one risk unit; if its health is negative, note it as found."""
    cdef money_t maintenance, health
    cdef Found *f
    if stage_of(s, wallet, position) != STAGE_NONE:
        clear_unit(s, wallet, position)         # a timer is in charge of it
        return 0
    health = stamp_unit(s, wallet, position, &maintenance)
    if health >= 0:
        return 0
    if s.found_count == s.found_capacity:
        s.found = <Found *>pool_grow(s.found, &s.found_capacity, sizeof(Found))
    f = &s.found[s.found_count]
    s.found_count += 1
    f.health = health
    f.maintenance = maintenance
    f.wallet = wallet
    f.position = position
    return 0


cdef int look_at_dirty(State *s) except -1 nogil:
    """Stamp every wallet that changed since the last mark group: its cross pool and its isolated positions."""
    cdef int32_t i, slot
    cdef Wallet *w
    cdef Position *p
    for i in range(s.dirty_count):
        w = &s.wallets[s.dirty[i]]
        w.flags &= ~WALLET_DIRTY
        look(s, s.dirty[i], NONE)
        slot = w.positions_head
        while slot != NONE:
            p = &s.positions[slot]
            if p.mode == MODE_ISOLATED:
                if p.lots:
                    look(s, s.dirty[i], slot)
                else:
                    trigger_clear(s, &s.markets[p.market], slot)
            slot = p.account_next
    s.dirty_count = 0
    return 0


cdef int look_at_crossed(State *s) except -1 nogil:
    """Look once at each risk unit of which a position's trigger was crossed."""
    cdef int32_t i, slot
    cdef int32_t count = s.crossed_count
    cdef Position *p
    cdef Wallet *w
    for i in range(count):
        if i + 6 < count:
            prefetch(&s.wallets[s.positions[s.crossed[i + 6]].wallet])
        if i + 3 < count:
            slot = s.wallets[s.positions[s.crossed[i + 3]].wallet].positions_head
            if slot != NONE:
                prefetch(&s.positions[slot])
                prefetch(<char *>&s.positions[slot] + 64)
        p = &s.positions[s.crossed[i]]
        w = &s.wallets[p.wallet]
        if p.mode == MODE_ISOLATED:
            s.looks += 1
            look(s, p.wallet, s.crossed[i])
        elif not w.flags & WALLET_QUEUED:
            w.flags |= WALLET_QUEUED
            s.looks += 1
            look(s, p.wallet, NONE)
    for i in range(count):
        s.wallets[s.positions[s.crossed[i]].wallet].flags &= ~WALLET_QUEUED
    s.crossed_count = 0
    return 0


cdef int compare_found(const void *left, const void *right) noexcept nogil:
    """Worst health per maintenance first, then account, then position: a total order."""
    cdef Found *a = <Found *>left
    cdef Found *b = <Found *>right
    cdef i128 x = wide_mul(a.health, max64(b.maintenance, 1))
    cdef i128 y = wide_mul(b.health, max64(a.maintenance, 1))
    if x != y:
        return -1 if x < y else 1
    if a.wallet != b.wallet:
        return -1 if a.wallet < b.wallet else 1
    return -1 if a.position < b.position else (1 if a.position > b.position else 0)


cdef int mark_group_end(State *s) except -1 nogil:
    """After the last mark of an instant: stops on the mark, then liquidations in passes until nobody is left."""
    cdef int32_t i
    cdef Market *m
    adl_forget(s)
    for i in range(s.changed_count):
        m = &s.markets[s.changed[i]]
        if m.waiting_orders:
            fire_conditionals(s, m, SOURCE_MARK)
    look_at_dirty(s)
    for i in range(s.changed_count):
        m = &s.markets[s.changed[i]]
        m.mark_changed = 0
        collect_crossed(s, m)
    s.changed_count = 0
    if s.crossed_count:
        look_at_crossed(s)
    while s.found_count:
        work_off(s)
        look_at_dirty(s)                        # hurt meanwhile by fills or ADL: a further pass
    return 0


cdef int work_off(State *s) except -1 nogil:
    """One pass over the found set, in its order; each unit is checked again at its turn."""
    cdef int32_t i, count = s.found_count
    qsort(s.found, count, sizeof(Found), compare_found)
    for i in range(count):
        if i + 4 < count:
            prefetch(&s.wallets[s.found[i + 4].wallet])
        start(s, s.found[i].wallet, s.found[i].position)
    s.found_count = 0
    if s.rules.fund_unwind == UNWIND_AT_ONCE:
        for i in range(s.markets_count):
            unwind(s, &s.markets[i], RATE_ONE)
    return 0


cdef int restamp_market(State *s, Market *m) except -1 nogil:
    """Funding or a new tier table touched every position of a market."""
    cdef int32_t slot = m.positions_head
    while slot != NONE:
        if s.positions[slot].lots:
            mark_dirty(s, s.positions[slot].wallet)
        slot = s.positions[slot].market_next
    return 0


# ---- the state machine ----------------------------------------------------------------------------------------------

cdef Event *unit_event(State *s, int kind, int32_t wallet, int32_t position) except NULL nogil:
    cdef Event *e = event_new(s, <uint8_t>kind)
    e.account = s.wallets[wallet].account
    e.asset = <uint8_t>(wallet % s.assets_count)
    e.market = ALL_MARKETS if position == NONE else s.positions[position].market
    return e


cdef int set_stage(State *s, int32_t wallet, int32_t position, uint8_t stage) noexcept nogil:
    if position == NONE:
        s.wallets[wallet].stage = stage
    else:
        s.positions[position].stage = stage
    return 0


cdef int schedule(State *s, int32_t wallet, int32_t position, int64_t due_ns) except -1 nogil:
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
        mark_dirty(s, wallet)                   # restored by what happened to others: stamp it again
        return 0
    s.liquidations += 1
    s.wallets[wallet].liquidations += 1
    e = unit_event(s, EVENT_LIQUIDATION_STARTED, wallet, position)
    e.value = equity
    e.aux = maintenance
    if s.rules.liquidation_delay_ns > 0:
        set_stage(s, wallet, position, STAGE_DELAYED)
        return schedule(s, wallet, position, s.time_ns + s.rules.liquidation_delay_ns)
    return begin(s, wallet, position)


cdef int begin(State *s, int32_t wallet, int32_t position) except -1 nogil:
    """Cancel the scope's orders and take the first step."""
    cdef int32_t slot
    set_stage(s, wallet, position, STAGE_REDUCING)
    if position != NONE:
        cancel_orders_of(s, position, REASON_LIQUIDATION)
    else:
        slot = s.wallets[wallet].positions_head
        while slot != NONE:
            if s.positions[slot].mode == MODE_CROSS:
                cancel_orders_of(s, slot, REASON_LIQUIDATION)
            slot = s.positions[slot].account_next
    return step(s, wallet, position)


cdef int liquidation_due(State *s, int32_t wallet, int32_t position) except -1 nogil:
    """A liquidation timer: only the one that was set last counts."""
    cdef int64_t due = s.wallets[wallet].due_ns if position == NONE else s.positions[position].due_ns
    cdef uint8_t stage = stage_of(s, wallet, position)
    if stage == STAGE_NONE or due != s.time_ns:
        return 0
    adl_forget(s)
    if healthy(s, wallet, position):
        finish(s, wallet, position)
    elif stage == STAGE_DELAYED:
        begin(s, wallet, position)
    else:
        step(s, wallet, position)
    look_at_dirty(s)
    while s.found_count:
        work_off(s)
        look_at_dirty(s)
    return 0


cdef inline bint healthy(State *s, int32_t wallet, int32_t position) noexcept nogil:
    return unit_equity(s, wallet, position) - unit_maintenance(s, wallet, position) >= 0


cdef int finish(State *s, int32_t wallet, int32_t position) except -1 nogil:
    cdef Event *e = unit_event(s, EVENT_LIQUIDATION_ENDED, wallet, position)
    e.value = unit_equity(s, wallet, position)
    set_stage(s, wallet, position, STAGE_NONE)
    return mark_dirty(s, wallet)


cdef int step(State *s, int32_t wallet, int32_t position) except -1 nogil:
    """Reduce in the book as the rulebook says; when that is over without success, take the rest over."""
    cdef bint progress = True
    forget_seen(s, wallet, position)
    while progress and not healthy(s, wallet, position):
        progress = reduce_once(s, wallet, position)
        if progress and s.rules.liquidation_period_ns > 0 and not healthy(s, wallet, position):
            return schedule(s, wallet, position, s.time_ns + s.rules.liquidation_period_ns)
    if not healthy(s, wallet, position):
        forget_seen(s, wallet, position)
        take_over(s, wallet, position)
    return finish(s, wallet, position)


# ---- reduction in the book ------------------------------------------------------------------------------------------

cdef int32_t next_position(State *s, int32_t wallet, int32_t position) noexcept nogil:
    """The unit's position that goes first by the rulebook among those not `seen` in this step; NONE: nobody."""
    cdef int32_t slot = s.wallets[wallet].positions_head
    cdef int32_t best = NONE
    cdef money_t key, best_key = 0
    cdef Position *p
    if position != NONE:
        return position if s.positions[position].lots and not s.positions[position].seen else NONE
    while slot != NONE:
        p = &s.positions[slot]
        if p.lots and p.mode == MODE_CROSS and not p.seen:
            key = order_key(s, p)
            if best == NONE or key > best_key or (key == best_key and p.market < s.positions[best].market):
                best = slot
                best_key = key
        slot = p.account_next
    return best


cdef void forget_seen(State *s, int32_t wallet, int32_t position) noexcept nogil:
    cdef int32_t slot = s.wallets[wallet].positions_head
    while slot != NONE:
        if position == NONE or slot == position:
            s.positions[slot].seen = 0
        slot = s.positions[slot].account_next


cdef money_t order_key(State *s, Position *p) noexcept nogil:
    cdef Market *m = &s.markets[p.market]
    if s.rules.cross_order == FIRST_LARGEST_LOSS:
        return -pnl_at(s, m, p, m.mark)
    return position_maintenance(s, m, p) if p.lots else 0


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


cdef money_t share_of(State *s, int32_t wallet, int32_t position, int32_t slot) noexcept nogil:
    """A position's share of the unit's equity, by maintenance weight, rounded down."""
    cdef money_t equity = unit_equity(s, wallet, position)
    cdef money_t total
    if position != NONE:
        return equity
    total = unit_maintenance(s, wallet, position)
    if total <= 0:
        return equity
    return mul_div_floor(
        equity, position_maintenance(s, &s.markets[s.positions[slot].market], &s.positions[slot]), total, &s.overflow)


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
    cdef Wallet *w = &s.wallets[wallet]
    cdef int side = SIDE_SELL if p.lots > 0 else SIDE_BUY
    cdef ticks_t limit = forced_limit(s, wallet, position, slot, side)
    cdef lots_t left = lots, before = p.lots
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
        e = unit_event(s, EVENT_CANCELLED, wallet, slot)
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
    cdef Wallet *w = &s.wallets[wallet]
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


# ---- takeover, ADL, cover -------------------------------------------------------------------------------------------

cdef int take_over(State *s, int32_t wallet, int32_t position) except -1 nogil:
    """Move every position of the unit away, each with its share of the equity; the unit ends with nothing."""
    cdef int32_t slot = next_position(s, wallet, position)
    cdef int32_t i
    while slot != NONE:
        absorb(s, wallet, position, slot, share_of(s, wallet, position, slot))
        slot = next_position(s, wallet, position)
    if position == NONE and s.wallets[wallet].balance < 0:
        for i in range(s.markets_count):        # nothing but a debt: the asset's first fund
            if s.markets[i].asset == wallet % s.assets_count:
                return cover_shortfall(s, &s.markets[i], wallet, NONE, -s.wallets[wallet].balance)
    return 0


cdef money_t fund_equity(State *s, Market *m, money_t *net) noexcept nogil:
    """Margin balance of the market's fund, and the net notional that it carries."""
    cdef Wallet *w = wallet_of(s, m.fund_account, m.asset)
    cdef int32_t slot = w.positions_head
    cdef Position *p
    net[0] = 0
    while slot != NONE:
        p = &s.positions[slot]
        if p.lots:
            net[0] = add_checked(net[0], value_at(s, &s.markets[p.market], p.lots, s.markets[p.market].mark), &s.overflow)
        slot = p.account_next
    return cross_equity(s, w)


cdef lots_t fund_capacity(State *s, Market *m, lots_t lots, money_t value, money_t share) noexcept nogil:
    """How many of signed `lots`, worth `value`, the fund may take over with `share` of equity (negative: a loss).

    It must be able to bear the loss from its own margin balance, and its net notional must stay within the
    rulebook's multiple of it (spec: Binance's historical rule, 100 %).
    """
    cdef money_t net, equity = fund_equity(s, m, &net), room
    cdef lots_t size = abs64(lots)
    cdef lots_t fits = size
    if share < 0:
        if equity <= 0:
            return 0
        if -share > equity:
            fits = mul_div_floor(size, equity, -share, &s.overflow)
    if s.rules.fund_notional_cap > 0:
        room = mul_div_floor(max64(equity, 0), s.rules.fund_notional_cap, RATE_ONE, &s.overflow)
        room += abs64(net) if (lots > 0) != (net > 0) else -abs64(net)
        if room <= 0:
            return 0
        if room < abs64(value):
            fits = min64(fits, mul_div_floor(size, room, abs64(value), &s.overflow))
    return fits


cdef int absorb(State *s, int32_t wallet, int32_t position, int32_t slot, money_t share) except -1 nogil:
    """Takeover of one position: fund, then ADL, then cover. Each part moves at bankruptcy value."""
    cdef Market *m = &s.markets[s.positions[slot].market]
    cdef lots_t lots = s.positions[slot].lots, part
    cdef money_t value = value_at(s, m, lots, m.mark)
    part = fund_capacity(s, m, lots, value, share)
    if lots > 0:
        m.liquidated_long_lots += lots
    else:
        m.liquidated_short_lots -= lots
    if part:
        move_to_fund(s, m, slot, part if lots > 0 else -part, &value, &share)
    if s.positions[slot].lots:
        deleverage(s, m, slot, &value, &share)
    if s.positions[slot].lots:
        if share < 0:
            cover_shortfall(s, m, wallet, slot if position != NONE else NONE, -share)
            share = 0
        move_to_fund(s, m, slot, s.positions[slot].lots, &value, &share)
    return trim_reduce_only(s, slot)


cdef inline money_t portion(State *s, money_t whole, lots_t part, lots_t lots) noexcept nogil:
    """whole * part / lots with lots signed alike, toward zero; all of it for the last part."""
    if part == lots:
        return whole
    if whole < 0:
        return -mul_div_floor(-whole, abs64(part), abs64(lots), &s.overflow)
    return mul_div_floor(whole, abs64(part), abs64(lots), &s.overflow)


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
    e.price_ticks = moved / lots / m.tick_lot_money
    if s.rules.fund_unwind == UNWIND_SLICES and s.positions[m.fund_position].due_ns <= s.time_ns:
        s.positions[m.fund_position].due_ns = s.time_ns + s.rules.fund_unwind_period_ns
        timer_add(s, s.positions[m.fund_position].due_ns, TIMER_UNWIND, m.id, 0, 0)
    return 0


cdef int deleverage(State *s, Market *m, int32_t slot, money_t *value, money_t *share) except -1 nogil:
    """Close a position against the front of the ADL queue; what finds nobody stays.

    At bankruptcy value the counterparties give up the difference to the mark. Where the rulebook says mark, the fund
    pays that difference as long as it can.
    """
    cdef Position *p = &s.positions[slot]
    cdef bint longs = p.lots < 0
    cdef int32_t other
    cdef lots_t lots
    cdef money_t part_value, part_share, moved, net, at_mark
    cdef Event *e
    while p.lots:
        other = adl_next(s, m, longs)
        if other == NONE:
            return 0
        cancel_orders_of(s, other, REASON_ADL)
        lots = min64(abs64(p.lots), abs64(s.positions[other].lots))
        if p.lots < 0:
            lots = -lots
        part_value = portion(s, value[0], lots, p.lots)
        part_share = portion(s, share[0], lots, p.lots)
        value[0] -= part_value
        share[0] -= part_share
        moved = part_value - part_share
        at_mark = moved
        if s.rules.adl_price == ADL_PRICE_MARK and (part_share >= 0 or fund_equity(s, m, &net) >= -part_share):
            at_mark = part_value
        change_position(s, slot, -lots, -moved)
        if at_mark != moved:
            change_position(s, m.fund_position, lots, moved)
            change_position(s, m.fund_position, -lots, -at_mark)
        change_position(s, other, lots, at_mark)
        s.wallets[s.positions[other].wallet].adl_hits += 1
        e = event_new(s, EVENT_ADL)
        e.account = s.positions[other].account
        e.maker_account = p.account
        e.market = p.market
        e.asset = <uint8_t>m.asset
        e.side = SIDE_BUY if lots > 0 else SIDE_SELL
        e.size_lots = abs64(lots)
        e.value = at_mark
        e.aux = part_value - at_mark
        e.price_ticks = at_mark / lots / m.tick_lot_money
    return 0


cdef int pay(State *s, int kind, Wallet *payer, int32_t wallet, int32_t position, money_t amount) except -1 nogil:
    """Money that closes a shortfall, into the wallet or the isolated margin it is missing from."""
    cdef Wallet *w = &s.wallets[wallet]
    cdef Event *e = unit_event(s, kind, wallet, position)
    transfer(s, payer, w, amount)
    payer.absorbed -= amount
    w.absorbed += amount
    if position != NONE:
        w.balance -= amount
        s.positions[position].isolated_margin += amount
    e.maker_account = payer.account
    e.value = amount
    return 0


cdef int cover_shortfall(State *s, Market *m, int32_t wallet, int32_t position, long long amount) except -1 nogil:
    """Make good what a unit owes beyond its equity: the fund's money, then the winners', then the venue's deficit."""
    cdef Wallet *fund = wallet_of(s, m.fund_account, m.asset)
    cdef money_t part = min64(amount, max64(fund.balance, 0))
    if part:
        pay(s, EVENT_FUND_COVER, fund, wallet, position, part)
        amount -= part
    if amount and s.rules.socialise == SOCIALISE_WINNERS:
        amount = socialise(s, m, wallet, position, amount)
    if amount:
        pay(s, EVENT_VENUE_DEFICIT, wallet_of(s, s.deficit, m.asset), wallet, position, amount)
    return 0


cdef money_t capacity_of(State *s, Market *m, Position *p) noexcept nogil:
    """What a winner can give: min(unrealised gain, equity of its unit), in cross mode no more than its balance."""
    cdef money_t gain = pnl_at(s, m, p, m.mark)
    cdef money_t equity
    if gain <= 0 or s.accounts[p.account].flags & ACCOUNT_HOUSE:
        return 0
    equity = p.isolated_margin + gain if p.mode == MODE_ISOLATED else cross_equity(s, &s.wallets[p.wallet])
    return max64(0, min64(gain, equity))


cdef money_t socialise(State *s, Market *m, int32_t wallet, int32_t position, money_t amount) except? -1 nogil:
    """Take `amount` from the market's winners in proportion to what each can give; returns what is missing."""
    cdef int32_t slot = m.positions_head
    cdef money_t total = 0, taken = 0, part, give
    cdef money_t wanted
    cdef Position *p
    while slot != NONE:
        if s.positions[slot].wallet != wallet:
            total = add_checked(total, capacity_of(s, m, &s.positions[slot]), &s.overflow)
        slot = s.positions[slot].market_next
    wanted = min64(amount, total)
    slot = m.positions_head
    while slot != NONE and taken < wanted:
        p = &s.positions[slot]
        give = capacity_of(s, m, p) if p.wallet != wallet else 0
        if give:
            part = min64(mul_div_ceil(wanted, give, total, &s.overflow), min64(give, wanted - taken))
            if part:
                if p.mode == MODE_ISOLATED:
                    p.isolated_margin -= part
                    s.wallets[p.wallet].balance += part
                pay(s, EVENT_SOCIALISED_LOSS, &s.wallets[p.wallet], wallet, position, part)
                mark_dirty(s, p.wallet)
                taken += part
        slot = p.market_next
    return amount - taken


# ---- the fund's inventory -------------------------------------------------------------------------------------------

cdef int unwind(State *s, Market *m, int64_t rate) except -1 nogil:
    """Sell (or buy back) a part of what the fund carries, inside the band."""
    cdef lots_t held = s.positions[m.fund_position].lots
    cdef lots_t lots = min64(abs64(held), max64(1, mul_div_ceil(abs64(held), rate, RATE_ONE, &s.overflow)))
    cdef int side = SIDE_SELL if held > 0 else SIDE_BUY
    cdef ticks_t limit = band_limit(s, m, side, m.rules.band_up if side == SIDE_BUY else m.rules.band_down)
    cdef bint expired
    cdef int64_t order_id = s.forced_id
    cdef Event *e
    if held == 0 or m.state != MARKET_OPEN:
        return 0
    s.forced_id -= 1
    e = event_new(s, EVENT_FUND_ORDER)
    e.account = m.fund_account
    e.market = <uint16_t>m.id
    e.order_id = order_id
    e.side = <uint8_t>side
    e.price_ticks = limit
    e.size_lots = lots
    s.ranks_old = 1
    return match_and_settle(s, m, m.fund_position, order_id, side, limit, &lots, STP_NONE, &expired)


cdef int unwind_due(State *s, Market *m) except -1 nogil:
    """The fund's unwind timer."""
    if s.rules.fund_unwind != UNWIND_SLICES:
        return 0
    unwind(s, m, s.rules.fund_unwind_slice)
    if s.positions[m.fund_position].lots:
        s.positions[m.fund_position].due_ns = s.time_ns + s.rules.fund_unwind_period_ns
        timer_add(s, s.positions[m.fund_position].due_ns, TIMER_UNWIND, m.id, 0, 0)
    return 0
