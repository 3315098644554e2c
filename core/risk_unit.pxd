# A risk unit: an isolated position, or the cross pool of a wallet (position NONE): its cross positions, in multi-asset
# mode those of all wallets of the account, then named by the first of them. Header only.

from libc.stdint cimport int32_t, uint8_t

from .collateral cimport at_ask, at_bid, owed, worth
from .events cimport event_new
from .ladder cimport NONE
from .liquidation_size cimport buffer_of
from .margin cimport cross_equity, in_asset_of, pnl_at, position_maintenance, unit_equity, unit_maintenance, value_at
from .records cimport ALL_MARKETS, FIRST_LARGEST_LOSS, MODE_CROSS, Event
from .state cimport POSITION_SEEN, WALLET_MULTI, Collateral, Market, Position, State, pool_first, pool_next, touch
from .units cimport abs64, add_checked, money_t, mul_div_floor

cdef inline uint8_t stage_of(State *s, int32_t wallet, int32_t position) noexcept nogil:
    return s.wallets[wallet].stage if position == NONE else s.positions[position].stage

cdef inline int set_stage(State *s, int32_t wallet, int32_t position, uint8_t stage) noexcept nogil:
    touch(s, wallet)
    if position != NONE:
        s.positions[position].stage = stage
        return 0
    s.wallets[wallet].stage = stage
    if s.wallets[wallet].flags & WALLET_MULTI:      # in every wallet of the account, so that any of them tells it
        while (wallet + 1) % s.assets_count:
            wallet += 1
            touch(s, wallet)
            s.wallets[wallet].stage = stage
    return 0

cdef inline Event *unit_event(State *s, int kind, int32_t wallet, int32_t position) except NULL nogil:
    cdef Event *e = event_new(s, <uint8_t>kind)
    e.account = s.wallets[wallet].account
    e.asset = <uint8_t>(wallet % s.assets_count)
    e.market = ALL_MARKETS if position == NONE else s.positions[position].market
    return e

cdef inline bint healthy(State *s, int32_t wallet, int32_t position) noexcept nogil:
    return unit_equity(s, wallet, position) - unit_maintenance(s, wallet, position) >= 0

cdef inline money_t unit_shortage(State *s, int32_t wallet, int32_t position) noexcept nogil:
    """What is missing of maintenance and the rulebook's buffer; not positive: the liquidation may end."""
    cdef money_t missing = unit_maintenance(s, wallet, position) - unit_equity(s, wallet, position)
    cdef int32_t slot = position if position != NONE else pool_first(s, wallet)
    cdef money_t buffer
    cdef Market *m
    cdef Position *p
    if s.rules.liquidation_buffer == 0:
        return missing
    while slot != NONE:
        p = &s.positions[slot]
        if p.lots and (position != NONE or p.mode == MODE_CROSS):
            m = &s.markets[p.market]
            buffer = buffer_of(
                abs64(value_at(s, m, p.lots, m.mark)), pnl_at(s, m, p, m.mark), s.rules.liquidation_buffer, &s.overflow)
            if s.wallets[p.wallet].flags & WALLET_MULTI:
                buffer = owed(buffer, s.collateral[m.asset].price, &s.overflow)
            missing = add_checked(missing, buffer, &s.overflow)
        slot = NONE if position != NONE else pool_next(s, slot)
    return missing

cdef inline money_t missing_in(State *s, int32_t wallet, int32_t position, Market *m) noexcept nogil:
    """What is missing of maintenance, in a market's asset."""
    return -in_asset_of(s, wallet, m, unit_equity(s, wallet, position) - unit_maintenance(s, wallet, position))

cdef inline money_t order_key(State *s, Position *p) noexcept nogil:
    cdef Market *m = &s.markets[p.market]
    cdef money_t key
    if s.rules.cross_order == FIRST_LARGEST_LOSS:
        key = -pnl_at(s, m, p, m.mark)
    else:
        key = position_maintenance(s, m, p) if p.lots else 0
    if s.wallets[p.wallet].flags & WALLET_MULTI:
        key = worth(key, s.collateral[m.asset].price, &s.overflow)
    return key

cdef inline bint goes_before(const Position *p, const Position *other) noexcept nogil:
    return p.leg < other.leg if p.market == other.market else p.market < other.market

cdef inline int32_t next_position(State *s, int32_t wallet, int32_t position) noexcept nogil:
    """The unit's position that goes first by the rulebook among those not `seen` in this step; NONE: nobody.

    Equal ones go by market, two legs of a market long first.
    """
    cdef int32_t slot = pool_first(s, wallet)
    cdef int32_t best = NONE
    cdef money_t key, best_key = 0
    cdef Position *p
    if position != NONE:
        return position if s.positions[position].lots and not s.positions[position].flags & POSITION_SEEN else NONE
    while slot != NONE:
        p = &s.positions[slot]
        if p.lots and p.mode == MODE_CROSS and not p.flags & POSITION_SEEN:
            key = order_key(s, p)
            if best == NONE or key > best_key or (key == best_key and goes_before(p, &s.positions[best])):
                best = slot
                best_key = key
        slot = pool_next(s, slot)
    return best

cdef inline void forget_seen(State *s, int32_t wallet, int32_t position) noexcept nogil:
    cdef int32_t slot = pool_first(s, wallet)
    while slot != NONE:
        if position == NONE or slot == position:
            if s.positions[slot].flags & POSITION_SEEN:
                touch(s, s.positions[slot].wallet)
            s.positions[slot].flags &= ~POSITION_SEEN
        slot = pool_next(s, slot)

cdef inline money_t net_multi(State *s, int32_t lead) noexcept nogil:
    """What a multi-asset account has, in asset 0, if its balances are converted by force and its positions close at mark."""
    cdef money_t total = cross_equity(s, &s.wallets[lead]), balance, pnl
    cdef Collateral *c
    cdef int32_t a
    for a in range(1, s.assets_count):
        c = &s.collateral[a]
        balance = s.wallets[lead + a].balance
        pnl = cross_equity(s, &s.wallets[lead + a]) - balance
        if balance >= 0:
            total += at_bid(worth(balance, c.price, &s.overflow), c.exchange_bid, &s.overflow)
        else:
            total -= at_ask(owed(-balance, c.price, &s.overflow), c.exchange_ask, &s.overflow)
        total = add_checked(total, worth(pnl, c.price, &s.overflow), &s.overflow)
    return total

cdef inline money_t share_of(State *s, int32_t wallet, int32_t position, int32_t slot) noexcept nogil:
    """A position's share of the unit's equity, by maintenance weight, rounded down; in its market's asset."""
    cdef money_t equity, total
    if position == NONE and s.wallets[wallet].flags & WALLET_MULTI:
        equity = net_multi(s, wallet)
    else:
        equity = unit_equity(s, wallet, position)
    if position != NONE:
        return equity
    total = unit_maintenance(s, wallet, position)
    if total <= 0:
        return in_asset_of(s, wallet, &s.markets[s.positions[slot].market], equity)
    return mul_div_floor(
        equity, position_maintenance(s, &s.markets[s.positions[slot].market], &s.positions[slot]), total, &s.overflow)
