"""Account commands. Each returns a reject code; a refusal changes nothing and is an event."""

from libc.stdint cimport int32_t, uint8_t, uint16_t

from .events cimport event_new
from .idmap cimport find_position
from .ladder cimport NONE
from .ledger cimport change_position, move_isolated
from .margin cimport available, maintenance_of, tier_of, value_at
from .orders cimport reject
from .records cimport *
from .state cimport (
    ACCOUNT_HOUSE, STAGE_NONE, Market, Position, Wallet, mark_dirty, position_new, tiers_of_leverage, touch,
    wallet_of,
)
from .units cimport abs64, add_checked, div_ceil, lots_t, min64, money_t, mul_div_floor


cdef int32_t position_of(State *s, const Command *c) except -1 nogil:
    cdef int32_t slot = find_position(s, c.account, c.market)
    return position_new(s, c.account, c.market) if slot == NONE else slot


cdef Event *account_event(State *s, const Command *c, int kind) except NULL nogil:
    cdef Event *e = event_new(s, <uint8_t>kind)
    e.account = c.account
    e.market = c.market
    e.asset = c.asset
    e.value = c.value
    return e


cdef int deposit(State *s, const Command *c) except -1 nogil:
    cdef Wallet *w
    if c.value <= 0:
        return reject(s, c, REJECT_BAD_VALUE)
    w = wallet_of(s, c.account, c.asset)
    w.balance = add_checked(w.balance, c.value, &s.overflow)
    w.deposited = add_checked(w.deposited, c.value, &s.overflow)
    account_event(s, c, EVENT_DEPOSIT)
    return mark_dirty(s, c.account * s.assets_count + c.asset)


cdef int withdraw(State *s, const Command *c) except -1 nogil:
    """Out of what is free without unrealised gains."""
    cdef Wallet *w
    if c.value <= 0:
        return reject(s, c, REJECT_BAD_VALUE)
    w = wallet_of(s, c.account, c.asset)
    if w.stage != STAGE_NONE:
        return reject(s, c, REJECT_IN_LIQUIDATION)
    if s.accounts[c.account].flags & ACCOUNT_HOUSE:
        if w.balance < c.value:
            return reject(s, c, REJECT_INSUFFICIENT_MARGIN)
    elif min64(available(s, w, NONE, False), w.balance) < c.value:
        return reject(s, c, REJECT_INSUFFICIENT_MARGIN)
    w.balance -= c.value
    w.deposited -= c.value
    account_event(s, c, EVENT_WITHDRAWAL)
    return mark_dirty(s, c.account * s.assets_count + c.asset)


cdef int set_leverage(State *s, const Command *c) except -1 nogil:
    """Leverage of one account in one market; a lower one needs the margin, a higher one must suit the tier."""
    cdef Market *m = &s.markets[c.market]
    cdef int32_t slot
    cdef Position *p
    cdef Wallet *w
    cdef money_t value
    cdef uint16_t old
    if c.value < 1 or c.value > s.tiers[m.tier_first].leverage_max:
        return reject(s, c, REJECT_LEVERAGE_CAP)
    slot = position_of(s, c)
    p = &s.positions[slot]
    w = &s.wallets[p.wallet]
    if w.stage != STAGE_NONE or p.stage != STAGE_NONE:
        return reject(s, c, REJECT_IN_LIQUIDATION)
    if p.lots or p.resting_orders:
        value = value_at(s, m, p.lots, m.mark)
        if c.value > tier_of(s, m, abs64(value)).leverage_max:
            return reject(s, c, REJECT_LEVERAGE_CAP)
        if p.mode == MODE_ISOLATED and p.lots and c.value < p.leverage:
            return reject(s, c, REJECT_POSITION_OPEN)   # isolated: add margin instead
        old = p.leverage
        p.leverage = <uint16_t>c.value
        if c.value < old and available(s, w, NONE, True) < 0:
            p.leverage = old
            return reject(s, c, REJECT_INSUFFICIENT_MARGIN)
    p.leverage = <uint16_t>c.value
    p.cap_tiers = tiers_of_leverage(s, m, p.leverage)
    touch(s, p.wallet)
    account_event(s, c, EVENT_LEVERAGE)
    return 0


cdef int set_margin_mode(State *s, const Command *c) except -1 nogil:
    """Cross (aux 0) or isolated (1); refused while there is a position or an order."""
    cdef int32_t slot
    cdef Position *p
    cdef Event *e
    if c.aux != MODE_CROSS and c.aux != MODE_ISOLATED:
        return reject(s, c, REJECT_BAD_ENUM)
    slot = position_of(s, c)
    p = &s.positions[slot]
    if p.stage != STAGE_NONE or s.wallets[p.wallet].stage != STAGE_NONE:
        return reject(s, c, REJECT_IN_LIQUIDATION)
    if p.lots:
        return reject(s, c, REJECT_POSITION_OPEN)
    if p.orders_head != NONE:
        return reject(s, c, REJECT_ORDERS_OPEN)
    p.mode = <uint8_t>c.aux
    touch(s, p.wallet)
    e = account_event(s, c, EVENT_MARGIN_MODE)
    e.aux = c.aux
    return 0


cdef int set_position_mode(State *s, const Command *c) except -1 nogil:
    """Only one-way (aux 0)."""
    if c.aux != 0:
        return reject(s, c, REJECT_ONE_WAY_ONLY)
    account_event(s, c, EVENT_POSITION_MODE)
    return 0


cdef int move_margin(State *s, const Command *c) except -1 nogil:
    """Into (value > 0) or out of an isolated position.

    Removable (Binance): min(margin - maintenance, margin + pnl - value / leverage), never below what keeps it open.
    """
    cdef Market *m = &s.markets[c.market]
    cdef int32_t slot = find_position(s, c.account, c.market)
    cdef Position *p
    cdef Wallet *w
    cdef money_t value, room
    if c.value == 0:
        return reject(s, c, REJECT_BAD_VALUE)
    if slot == NONE or s.positions[slot].mode != MODE_ISOLATED or s.positions[slot].lots == 0:
        return reject(s, c, REJECT_NOT_ISOLATED)
    p = &s.positions[slot]
    w = &s.wallets[p.wallet]
    if p.stage != STAGE_NONE or w.stage != STAGE_NONE:
        return reject(s, c, REJECT_IN_LIQUIDATION)
    if c.value > 0:
        room = min64(available(s, w, NONE, True), w.balance)
    else:
        value = value_at(s, m, p.lots, m.mark)
        room = min64(
            p.isolated_margin - maintenance_of(s, m, abs64(value)),
            p.isolated_margin + value - p.cost - div_ceil(abs64(value), p.leverage))
    if abs64(c.value) > room:
        return reject(s, c, REJECT_INSUFFICIENT_MARGIN)
    move_isolated(s, p, c.value)
    account_event(s, c, EVENT_MARGIN_MOVED)
    return mark_dirty(s, p.wallet)


cdef int seed_position(State *s, const Command *c) except -1 nogil:
    """Give an account a position at an entry price (value, 1e-8), the world being the counterparty.

    In isolated mode the initial margin goes in, and `aux` besides. Refused where the wallet can not pay it.
    """
    cdef Market *m = &s.markets[c.market]
    cdef int32_t slot
    cdef Position *p
    cdef Wallet *w
    cdef lots_t lots = c.size_lots if c.side == SIDE_BUY else -c.size_lots
    cdef money_t cost
    cdef Event *e
    if m.state >= MARKET_SETTLING:
        return reject(s, c, REJECT_MARKET_STATE)
    if c.side > SIDE_SELL:
        return reject(s, c, REJECT_BAD_ENUM)
    if c.size_lots <= 0 or c.size_lots > m.position_max:
        return reject(s, c, REJECT_BAD_SIZE)
    if m.mark == 0:
        return reject(s, c, REJECT_NO_MARK)     # without one it has no value, so its owner would look bankrupt
    if c.value <= 0 or c.value > m.price_max * m.tick_value or c.aux < 0:
        return reject(s, c, REJECT_BAD_VALUE)
    slot = position_of(s, c)
    p = &s.positions[slot]
    w = &s.wallets[p.wallet]
    if p.lots:
        return reject(s, c, REJECT_POSITION_OPEN)
    if c.size_lots + p.order_lots[c.side] > m.position_max:
        return reject(s, c, REJECT_POSITION_CAP)
    cost = mul_div_floor(c.size_lots * m.lot_numerator, c.value, m.lot_denominator, &s.overflow)
    if p.mode == MODE_ISOLATED and div_ceil(cost, p.leverage) + c.aux > w.balance:
        return reject(s, c, REJECT_INSUFFICIENT_MARGIN)
    if c.side == SIDE_SELL:
        cost = -cost
    change_position(s, slot, lots, cost)
    change_position(s, m.world_position, -lots, -cost)
    if s.positions[slot].mode == MODE_ISOLATED and c.aux:
        move_isolated(s, &s.positions[slot], c.aux)
    e = account_event(s, c, EVENT_POSITION_SEEDED)
    e.side = c.side
    e.size_lots = c.size_lots
    e.aux = cost
    return 0


cdef int set_account(State *s, const Command *c) except -1 nogil:
    """Owner (aux) and self-trade group (value) of an account."""
    cdef Event *e
    if c.value < 0 or c.value > 0x7FFFFFFF or c.aux < 0 or c.aux > 0x7FFFFFFF:
        return reject(s, c, REJECT_BAD_VALUE)
    s.accounts[c.account].stp_group = <int32_t>c.value
    s.accounts[c.account].owner = <int32_t>c.aux
    touch(s, c.account * s.assets_count)
    e = account_event(s, c, EVENT_ACCOUNT)
    e.aux = c.aux
    return 0
