"""Account commands. Each returns a reject code; a refusal changes nothing and is an event."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t

from .accrual cimport accrued_of
from .contract cimport entry_value
from .events cimport event_new
from .hedge cimport hedged, leg_made, legs_of, refused_leg
from .idmap cimport find_leg
from .ladder cimport NONE
from .ledger cimport change_position, move_isolated
from .margin cimport (
    available, held_maintenance, initial_margin, tier_held, tier_of, unit_equity, unit_maintenance, value_at,
)
from .orders cimport reject
from .records cimport *
from .state cimport (
    ACCOUNT_HEDGE, ACCOUNT_HOUSE, POSITION_LIMIT, STAGE_NONE, WALLET_HEDGE, WALLET_MULTI, Market, Position, Wallet, mark_dirty,
    tiers_of_leverage, touch, wallet_of,
)
from .triggers cimport clear_unit
from .units cimport abs64, add_checked, div_ceil, lots_t, min64, money_t


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
    elif s.rules.withdraw_gate_ns and wallet_of(s, s.deficit, c.asset).due_ns > s.time_ns:
        return reject(s, c, REJECT_WITHDRAWALS_GATED)
    w.balance -= c.value
    w.deposited -= c.value
    account_event(s, c, EVENT_WITHDRAWAL)
    return mark_dirty(s, c.account * s.assets_count + c.asset)


cdef int refused_leverage(State *s, Market *m, Position *p, int64_t leverage) noexcept nogil:
    """Why a position, or a leg, cannot have another leverage, whatever margin there is; REJECT_NONE if it can."""
    cdef money_t value
    if s.wallets[p.wallet].stage != STAGE_NONE or p.stage != STAGE_NONE:
        return REJECT_IN_LIQUIDATION
    if p.flags & POSITION_LIMIT and leverage > tier_held(s, m, p, 0).leverage_max:
        return REJECT_LEVERAGE_CAP
    if p.lots or p.resting_orders:
        value = abs64(value_at(s, m, p.lots, m.mark))
        if leverage > tier_of(s, m, value).leverage_max or p.mode == MODE_ISOLATED and leverage > p.leverage \
                and div_ceil(value, leverage) < initial_margin(s, m, leverage, value):
            return REJECT_LEVERAGE_CAP
        if p.mode == MODE_ISOLATED and p.lots and leverage < p.leverage:
            return REJECT_POSITION_OPEN     # isolated: add margin instead
    return REJECT_NONE


cdef int set_leverage(State *s, const Command *c) except -1 nogil:
    """Leverage of one account in one market; a lower one needs the margin, a higher one must suit the tier."""
    cdef Market *m = &s.markets[c.market]
    cdef int32_t slots[2]
    cdef uint16_t old[2]
    cdef int32_t i, count
    cdef int reason
    cdef bint lower = False
    cdef Position *p
    if c.value < 1 or c.value > s.tiers[m.tier_first].leverage_max:
        return reject(s, c, REJECT_LEVERAGE_CAP)
    count = legs_of(s, c, slots)
    for i in range(count):
        p = &s.positions[slots[i]]
        old[i] = p.leverage
        lower = lower or (c.value < p.leverage and (p.lots or p.resting_orders))
        reason = refused_leverage(s, m, p, c.value)
        if reason:
            return reject(s, c, reason)
    for i in range(count):
        s.positions[slots[i]].leverage = <uint16_t>c.value
    if lower and available(s, wallet_of(s, c.account, m.asset), NONE, True) < 0:
        for i in range(count):
            s.positions[slots[i]].leverage = old[i]
        return reject(s, c, REJECT_INSUFFICIENT_MARGIN)
    for i in range(count):
        if not s.positions[slots[i]].flags & POSITION_LIMIT:
            s.positions[slots[i]].cap_tiers = tiers_of_leverage(s, m, c.value)
    touch(s, c.account * s.assets_count + m.asset)
    account_event(s, c, EVENT_LEVERAGE)
    return 0


cdef int set_margin_mode(State *s, const Command *c) except -1 nogil:
    """Cross (aux 0) or isolated (1), both legs alike; refused while there is a position or an order.

    Multi-asset mode (2) is one of the whole account, whatever market is named; cross (0) is also the way out of it.
    """
    cdef int32_t slots[2]
    cdef int32_t i, count
    cdef Position *p
    cdef Event *e
    if c.aux < MODE_CROSS or c.aux > MODE_MULTI:
        return reject(s, c, REJECT_BAD_ENUM)
    if c.aux == MODE_MULTI:
        return enter_multi(s, c)
    if s.wallets[c.account * s.assets_count].flags & WALLET_MULTI:
        return leave_multi(s, c) if c.aux == MODE_CROSS else reject(s, c, REJECT_NOT_CROSS)
    count = legs_of(s, c, slots)
    for i in range(count):
        p = &s.positions[slots[i]]
        if p.stage != STAGE_NONE or s.wallets[p.wallet].stage != STAGE_NONE:
            return reject(s, c, REJECT_IN_LIQUIDATION)
        if p.lots:
            return reject(s, c, REJECT_POSITION_OPEN)
        if p.orders_head != NONE:
            return reject(s, c, REJECT_ORDERS_OPEN)
    for i in range(count):
        s.positions[slots[i]].mode = <uint8_t>c.aux
    touch(s, s.positions[slots[0]].wallet)
    e = account_event(s, c, EVENT_MARGIN_MODE)
    e.aux = c.aux
    return 0


cdef int refused_pool(State *s, int32_t first, bint crossed) noexcept nogil:
    """Why the pools of an account can not be joined or parted: liquidation, orders, and (`crossed`) isolated positions."""
    cdef int32_t i, slot
    cdef bint ordered = False, isolated = False
    cdef Position *p
    for i in range(s.assets_count):
        if s.wallets[first + i].stage != STAGE_NONE:
            return REJECT_IN_LIQUIDATION
        slot = s.wallets[first + i].positions_head
        while slot != NONE:
            p = &s.positions[slot]
            if p.stage != STAGE_NONE:
                return REJECT_IN_LIQUIDATION
            ordered = ordered or p.orders_head != NONE
            isolated = isolated or p.mode == MODE_ISOLATED
            slot = p.account_next
    if ordered:
        return REJECT_ORDERS_OPEN
    return REJECT_NOT_CROSS if crossed and isolated else REJECT_NONE


cdef int set_pool(State *s, int32_t first, bint joined) except -1 nogil:
    """All wallets of an account one risk unit, or one each; the triggers of before go, all are stamped again."""
    cdef int32_t i
    for i in range(s.assets_count):
        clear_unit(s, first + i, NONE)
    for i in range(s.assets_count):
        s.wallets[first + i].flags &= ~WALLET_MULTI
        if joined:
            s.wallets[first + i].flags |= WALLET_MULTI
        mark_dirty(s, first + i)
    return 0


cdef bint pool_covered(State *s, int32_t wallet) noexcept nogil:
    """Initial and maintenance margin are there."""
    return available(s, &s.wallets[wallet], NONE, True) >= 0 \
        and unit_equity(s, wallet, NONE) >= unit_maintenance(s, wallet, NONE)


cdef int enter_multi(State *s, const Command *c) except -1 nogil:
    """Multi-asset mode. Every asset needs a price, else debts in it would count for nothing."""
    cdef int32_t first = c.account * s.assets_count, i
    cdef int reason
    cdef Event *e
    if s.collateral == NULL:
        return reject(s, c, REJECT_NOT_COLLATERAL)
    reason = refused_pool(s, first, True)
    for i in range(s.assets_count):
        if reason == REJECT_NONE and s.collateral[i].price == 0:
            reason = REJECT_NO_COLLATERAL_PRICE
    if reason:
        return reject(s, c, reason)
    set_pool(s, first, True)
    if not pool_covered(s, first):
        set_pool(s, first, False)
        return reject(s, c, REJECT_INSUFFICIENT_MARGIN)
    e = account_event(s, c, EVENT_MARGIN_MODE)
    e.aux = c.aux
    return 0


cdef int leave_multi(State *s, const Command *c) except -1 nogil:
    """Back to a pool a wallet: none may be in debt, and each must cover its own positions."""
    cdef int32_t first = c.account * s.assets_count, i
    cdef int reason = refused_pool(s, first, False)
    cdef Event *e
    for i in range(s.assets_count):
        if reason == REJECT_NONE and s.wallets[first + i].balance < 0:
            reason = REJECT_DEBT
    if reason:
        return reject(s, c, reason)
    set_pool(s, first, False)
    for i in range(s.assets_count):
        if not pool_covered(s, first + i):
            set_pool(s, first, True)
            return reject(s, c, REJECT_INSUFFICIENT_MARGIN)
    e = account_event(s, c, EVENT_MARGIN_MODE)
    e.aux = c.aux
    return 0


cdef int refused_mode(State *s, int32_t wallet) noexcept nogil:
    """Why an account's position mode cannot change, as far as one of its wallets says."""
    cdef int32_t slot = s.wallets[wallet].positions_head
    cdef bint held = False, ordered = False
    cdef Position *p
    if s.wallets[wallet].stage != STAGE_NONE:
        return REJECT_IN_LIQUIDATION
    while slot != NONE:
        p = &s.positions[slot]
        if p.stage != STAGE_NONE:
            return REJECT_IN_LIQUIDATION
        held = held or p.lots != 0
        ordered = ordered or p.orders_head != NONE
        slot = p.account_next
    return REJECT_POSITION_OPEN if held else REJECT_ORDERS_OPEN if ordered else REJECT_NONE


cdef int set_position_mode(State *s, const Command *c) except -1 nogil:
    """One-way (aux 0) or hedge mode (1), in all markets; refused while there is a position or an order."""
    cdef int32_t first = c.account * s.assets_count, i
    cdef int reason
    cdef Event *e
    if c.aux != 0 and c.aux != 1:
        return reject(s, c, REJECT_BAD_ENUM)
    for i in range(s.assets_count):
        reason = refused_mode(s, first + i)
        if reason:
            return reject(s, c, reason)
    if c.aux:
        s.accounts[c.account].flags |= ACCOUNT_HEDGE
    else:
        s.accounts[c.account].flags &= ~ACCOUNT_HEDGE
    for i in range(s.assets_count):
        s.wallets[first + i].flags &= ~WALLET_HEDGE
        s.wallets[first + i].flags |= WALLET_HEDGE if c.aux else 0
        touch(s, first + i)
    e = account_event(s, c, EVENT_POSITION_MODE)
    e.aux = c.aux
    return 0


cdef int move_margin(State *s, const Command *c) except -1 nogil:
    """Into (value > 0) or out of an isolated position.

    Removable (Binance): min(margin - maintenance, margin + pnl - initial), never below what keeps it open.
    """
    cdef Market *m = &s.markets[c.market]
    cdef int32_t slot
    cdef Position *p
    cdef Wallet *w
    cdef money_t value, room
    cdef int reason = refused_leg(s, m, c)
    if reason:
        return reject(s, c, reason)
    slot = find_leg(s, c.account, c.market, c.position_side)
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
            p.isolated_margin - held_maintenance(s, m, p, value),
            p.isolated_margin + value - p.cost - accrued_of(s, m, p) - initial_margin(s, m, p.leverage, abs64(value)))
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
    cdef int leg = LEG_BOTH
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
    if c.value < m.mark_min or c.value > m.price_max * m.tick_value or c.aux < 0:
        return reject(s, c, REJECT_BAD_VALUE)
    if hedged(s, m, c.account):
        leg = LEG_LONG if c.side == SIDE_BUY else LEG_SHORT
    slot = leg_made(s, c.account, c.market, leg)
    p = &s.positions[slot]
    w = &s.wallets[p.wallet]
    if p.lots:
        return reject(s, c, REJECT_POSITION_OPEN)
    if c.size_lots + p.order_lots[c.side] > m.position_max:
        return reject(s, c, REJECT_POSITION_CAP)
    cost = entry_value(s, m, lots, c.value)
    if p.mode == MODE_ISOLATED and div_ceil(abs64(cost), p.leverage) + c.aux > w.balance:
        return reject(s, c, REJECT_INSUFFICIENT_MARGIN)
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
