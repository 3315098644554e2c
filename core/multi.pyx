"""Multi-asset accounts: when to look at them.

Their health holds products of two prices (pnl in a coin, valued in asset 0), so no variable is hurt in one direction
alone. At stamping time a box is laid around the prices of now: every mark and every collateral price may move by the
same fraction (times the market's volatility), up and down. The worst health in the box is bounded part by part: pnl
and maintenance of a position are monotone in its mark, so each is worst at an end of its interval, and what an asset
counts for less what it must maintain is concave in its price, so that is worst at an end too. The widest box whose
bound is not negative is kept, an end of it each as a watch. While no price leaves the box nobody is missed.
"""

from libc.stdint cimport int32_t, int64_t

from .accrual cimport accrued_at_worst
from .collateral cimport collateral_value, owed, worth
from .contract cimport BEYOND, value_at
from .ladder cimport NONE
from .margin cimport held_maintenance, orders_maintenance, unit_equity, unit_maintenance
from .records cimport MODE_CROSS
from .state cimport COLLATERAL_PRICE_MAX, Collateral, Market, Position, Wallet, pool_first, pool_next
from .units cimport (
    RATE_ONE, VALUE_ONE, add_checked, max64, min64, mul_div_floor, sub_checked, value_t,
)
from .watches cimport watch_add, watches_clear

cdef enum:
    LEVELS = 64                 # widths that are tried: each 3/4 of the one before
    WIDEST = 900_000_000
    SLACK_UNITS = 6             # more than the roundings of one asset's terms can differ from the line


cdef struct Interval:
    value_t low
    value_t high


cdef inline Interval around(value_t now, int64_t width, value_t most) noexcept nogil:
    """now * (1 +- width), inside 0 .. most."""
    cdef Interval i
    cdef int beyond = 0
    cdef int64_t reach = mul_div_floor(now, width, RATE_ONE, &beyond)
    i.low = 0 if beyond else max64(0, now - reach)
    i.high = most if beyond or reach > most - now else now + reach
    return i


cdef inline Interval mark_interval(Market *m, int64_t width) noexcept nogil:
    """Of a market's mark; markets that move more get more."""
    cdef int beyond = 0
    cdef int64_t scaled = mul_div_floor(width, m.rules.volatility, RATE_ONE, &beyond)
    return around(m.mark, WIDEST if beyond else min64(scaled, WIDEST), m.price_max * m.tick_value)


cdef inline Interval price_interval(Collateral *c, int32_t asset, int64_t width) noexcept nogil:
    cdef Interval i
    if asset == 0:
        i.low = i.high = VALUE_ONE
        return i
    return around(c.price, width, COLLATERAL_PRICE_MAX)


cdef money_t asset_in_box(State *s, int32_t lead, int32_t asset, int64_t width, bint *rise_hurts, int *overflow) noexcept nogil:
    """The least that one asset can add to health while all prices stay in the box."""
    cdef Wallet *w = &s.wallets[lead + asset]
    cdef Collateral *c = &s.collateral[asset]
    cdef Interval i
    cdef money_t amount = w.balance, needed = 0, at_low, at_high, low, high
    cdef int32_t slot = w.positions_head
    cdef Position *p
    cdef Market *m
    cdef int flagged = s.overflow       # what leaves 64 bits in the box only makes it too wide
    s.overflow = 0
    while slot != NONE:
        p = &s.positions[slot]
        if p.lots and p.mode == MODE_CROSS:
            m = &s.markets[p.market]
            i = mark_interval(m, width)
            low = value_at(s, m, p.lots, max64(i.low, 1))
            high = value_at(s, m, p.lots, i.high)
            amount = add_checked(amount, sub_checked(min64(low, high), p.cost, overflow), overflow)
            amount = sub_checked(amount, accrued_at_worst(s, m, p), overflow)
            needed = add_checked(
                needed, max64(held_maintenance(s, m, p, low), held_maintenance(s, m, p, high)), overflow)
        if p.resting_orders:
            needed = add_checked(needed, orders_maintenance(s, &s.markets[p.market], p), overflow)
        slot = p.account_next
    overflow[0] |= s.overflow
    s.overflow = flagged
    i = price_interval(c, asset, width)
    at_low = collateral_value(amount, i.low, c.bid_buffer, c.ask_buffer, &s.haircuts[c.tier_first], c.tier_count, c.cap, overflow)
    at_high = collateral_value(
        amount, i.high, c.bid_buffer, c.ask_buffer, &s.haircuts[c.tier_first], c.tier_count, c.cap, overflow)
    at_low = sub_checked(at_low, owed(needed, i.low, overflow), overflow)
    at_high = sub_checked(at_high, owed(needed, i.high, overflow), overflow)
    rise_hurts[0] = at_high < at_low + SLACK_UNITS
    return min64(at_low, at_high) - SLACK_UNITS


cdef bint flat(State *s, int32_t lead) noexcept nogil:
    """No position in any market."""
    cdef int32_t slot = pool_first(s, lead)
    while slot != NONE:
        if s.positions[slot].lots:
            return False
        slot = pool_next(s, slot)
    return True


cdef money_t loan_slack(State *s, int32_t lead, int64_t width, int *overflow) noexcept nogil:
    """How much collateral times the loan-to-value limit is above the debts, at worst in the box; both at plain prices."""
    cdef money_t debts = 0, assets = 0, balance
    cdef int32_t a
    cdef Interval i
    for a in range(s.assets_count):
        balance = s.wallets[lead + a].balance
        i = price_interval(&s.collateral[a], a, width)
        if balance < 0:
            debts = add_checked(debts, owed(-balance, i.high, overflow), overflow)
        else:
            assets = add_checked(assets, worth(balance, i.low, overflow), overflow)
    if debts == 0:
        return 0x7FFFFFFFFFFFFFFF
    return mul_div_floor(assets, s.rules.exchange_ltv, RATE_ONE, overflow) - debts


cdef money_t worst_in_box(State *s, int32_t lead, int64_t width, int *overflow) noexcept nogil:
    """A bound from below on the account's health while every price is within `width` (1e-9) of now."""
    cdef money_t total = 0
    cdef int32_t a
    cdef bint unused
    for a in range(s.assets_count):
        total = add_checked(total, asset_in_box(s, lead, a, width, &unused, overflow), overflow)
    if s.rules.exchange_ltv and flat(s, lead):
        total = min64(total, loan_slack(s, lead, width, overflow) - 1)
    return total


cdef int conversion_due(State *s, int32_t lead) noexcept nogil:
    """Whether debts must be converted although the account is healthy, and there is something to convert into them.

    A balance is below its limit; or, without positions, debts have reached the loan-to-value limit: then all of them.
    """
    cdef bint large = False, something = False
    cdef int32_t a
    cdef money_t balance
    for a in range(s.assets_count):
        balance = s.wallets[lead + a].balance
        large = large or (s.collateral[a].exchange_below > 0 and balance < -s.collateral[a].exchange_below)
        something = something or balance > 0
    if not something:
        return CONVERT_NOTHING
    if s.rules.exchange_ltv and flat(s, lead) and loan_slack(s, lead, 0, &s.overflow) <= 0:
        return CONVERT_EVERYTHING
    return CONVERT_LARGE if large else CONVERT_NOTHING


cdef int64_t widest_box(State *s, int32_t lead) noexcept nogil:
    """The widest of the tried widths in which the account cannot fall under maintenance; 0 if there is none."""
    cdef int64_t widths[LEVELS]
    cdef int low = 0, high = LEVELS, middle, beyond
    cdef int i
    cdef money_t worst
    widths[0] = WIDEST
    for i in range(1, LEVELS):
        widths[i] = widths[i - 1] * 3 / 4
    while low < high:
        middle = (low + high) / 2
        beyond = 0
        worst = worst_in_box(s, lead, widths[middle], &beyond)
        if beyond or worst < 0:
            low = middle + 1
        else:
            high = middle
    return 0 if low == LEVELS else widths[low]


cdef money_t stamp_multi(State *s, int32_t lead, money_t *maintenance) except? -1 nogil:
    """Health of a multi-asset account; where it is not negative, its prices are watched anew, else none of them is."""
    cdef int32_t account = s.wallets[lead].account, a, slot
    cdef money_t health
    cdef int64_t width
    cdef Interval i
    cdef bint exposed, rise_hurts
    cdef int beyond = 0
    watches_clear(s, account)
    maintenance[0] = unit_maintenance(s, lead, NONE)
    health = unit_equity(s, lead, NONE) - maintenance[0]
    exposed = maintenance[0] > 0 or not flat(s, lead)
    for a in range(s.assets_count):
        exposed = exposed or s.wallets[lead + a].balance < 0
    if health < 0 or not exposed:
        return health
    width = widest_box(s, lead)
    slot = pool_first(s, lead)
    while slot != NONE:
        if s.positions[slot].lots:
            i = mark_interval(&s.markets[s.positions[slot].market], width)
            if width == 0 and s.markets[s.positions[slot].market].rules.funding_continuous:
                i.low = BEYOND          # funding alone may do it: at each decision
            watch_add(s, account, s.positions[slot].market, False, i.low)
            watch_add(s, account, s.positions[slot].market, True, i.high)
        slot = pool_next(s, slot)
    for a in range(1, s.assets_count):
        if s.wallets[lead + a].balance == 0 and s.wallets[lead + a].positions_head == NONE:
            continue
        i = price_interval(&s.collateral[a], a, width)
        asset_in_box(s, lead, a, width, &rise_hurts, &beyond)
        watch_add(s, account, s.markets_count + a, False, i.low)
        if rise_hurts or beyond:
            watch_add(s, account, s.markets_count + a, True, i.high)
    return health
