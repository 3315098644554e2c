"""The later steps of the waterfall: the fund takes over at bankruptcy value, ADL takes the rest, cover pays what is missing.

Takeover gives each position its share of the unit's equity (by maintenance weight, the last the remainder) and moves
it at the value where that share is used up, so the unit ends with exactly nothing. The fund takes what its capacity
allows, ADL the rest, both at that value (the bankruptcy price). Where no counterparty is left, the missing money is
drawn from the fund, then from the winners if the rulebook socialises, then recorded as the venue's deficit, and the
fund keeps the position at the mark.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t

from .bands cimport band_limit
from .book cimport NONE
from .deleverage cimport deleverage, portion
from .events cimport event_new
from .ledger cimport change_position, transfer
from .margin cimport cross_equity, pnl_at, value_at
from .orders cimport match_and_settle
from .records cimport *
from .risk_unit cimport next_position, share_of, unit_event
from .settle cimport trim_reduce_only
from .state cimport ACCOUNT_HOUSE, TIMER_UNWIND, Position, Wallet, mark_dirty, wallet_of
from .timers cimport timer_add
from .units cimport RATE_ONE, abs64, add_checked, lots_t, max64, min64, money_t, mul_div_ceil, mul_div_floor, ticks_t


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
    """Make good what a unit owes beyond its equity: the fund's money, then the winners', then the venue's deficit.

    The fund gives no money that it needs for losses it carries already.
    """
    cdef Wallet *fund = wallet_of(s, m.fund_account, m.asset)
    cdef money_t part = min64(amount, max64(min64(fund.balance, cross_equity(s, fund)), 0))
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
