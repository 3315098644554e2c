"""Moves money and positions, exactly.

Two sums never change here: the balances of all accounts (isolated margin included), and the lots of each market.
Realised pnl is paid by the market's clearing account, so that `-(sum of position costs) = clearing balance` holds
after every pair of changes; since lots sum to zero, that is the contract's `sum(q * mark) - sum(cost)` too.
"""

from .accrual cimport settle_accrued
from .records cimport MODE_ISOLATED
from .state cimport ACCOUNT_HOUSE, ACCOUNT_NOT_IN_OI, mark_dirty
from .units cimport abs64, add_checked, div_ceil, max64, min64, mul_div_floor, sub_checked


cdef int move_isolated(State *s, Position *p, money_t amount) except -1 nogil:
    """From the wallet's balance into the position's isolated margin; negative: back."""
    cdef Wallet *w = &s.wallets[p.wallet]
    w.balance = sub_checked(w.balance, amount, &s.overflow)
    p.isolated_margin = add_checked(p.isolated_margin, amount, &s.overflow)
    return 0


cdef inline money_t part_of(State *s, money_t whole, lots_t part, lots_t lots) noexcept nogil:
    """whole * part / lots, toward zero, for 0 < part <= lots: the remainder stays with what is left."""
    if part == lots:
        return whole
    if whole < 0:
        return -mul_div_floor(-whole, part, lots, &s.overflow)
    return mul_div_floor(whole, part, lots, &s.overflow)


cdef int realise(State *s, Market *m, Position *p, lots_t closing, money_t value) except -1 nogil:
    """Close `closing` > 0 lots against `value` (what the opposite trade is worth, signed like that trade)."""
    cdef Wallet *w = &s.wallets[p.wallet]
    cdef lots_t held = abs64(p.lots)
    cdef money_t released = part_of(s, p.cost, closing, held)
    cdef money_t gain = -add_checked(value, released, &s.overflow)
    cdef money_t back
    cdef Wallet *clearing = &s.wallets[m.clearing_wallet]
    clearing.balance = sub_checked(clearing.balance, gain, &s.overflow)
    w.realised += gain
    if p.account == m.fund_account:
        m.fund_result += gain
    p.cost -= released
    p.lots += closing if p.lots < 0 else -closing
    if p.mode != MODE_ISOLATED:
        w.balance = add_checked(w.balance, gain, &s.overflow)
        return 0
    # what closes takes its part of the margin and its own gain along; a loss beyond that part stays with the margin
    back = part_of(s, max64(p.isolated_margin, 0), closing, held)
    p.isolated_margin = add_checked(p.isolated_margin, gain, &s.overflow)
    back = p.isolated_margin if closing == held else max64(0, back + gain)
    return move_isolated(s, p, -back)


cdef int change_position(State *s, int32_t position, lots_t lots, money_t value) except -1 nogil:
    """Add signed `lots`, worth `value` (signed alike, exact), to a position; what closes is realised.

    A change that flips the position closes first. When `value` is not a multiple of the size (a takeover moves an
    exact amount), the closing part is rounded toward zero and the opening part gets the remainder.
    """
    cdef Position *p = &s.positions[position]
    cdef Market *m = &s.markets[p.market]
    cdef lots_t before = p.lots
    cdef lots_t closing = 0
    cdef money_t closing_value = 0
    if m.rules.funding_continuous:
        settle_accrued(s, position)         # what has accrued is of the lots that were held
    if before and (before < 0) != (lots < 0):
        closing = min64(abs64(before), abs64(lots))
        closing_value = part_of(s, value, closing, abs64(lots))
        realise(s, m, p, closing, closing_value)
        lots += -closing if lots > 0 else closing
        value -= closing_value
    if lots:
        p.lots = add_checked(p.lots, lots, &s.overflow)
        p.cost = add_checked(p.cost, value, &s.overflow)
        if p.mode == MODE_ISOLATED:
            move_isolated(s, p, div_ceil(abs64(value), p.leverage))
    # a customer's limit is the market's; what stands against all customers is bounded by the arithmetic of its value
    if abs64(p.lots) > (m.position_most if s.accounts[p.account].flags & ACCOUNT_HOUSE else m.position_max):
        s.overflow = 1
    if not s.accounts[p.account].flags & ACCOUNT_NOT_IN_OI:
        m.longs_lots += max64(p.lots, 0) - max64(before, 0)
        m.shorts_lots += max64(-p.lots, 0) - max64(-before, 0)
    mark_dirty(s, p.wallet)
    return 0
