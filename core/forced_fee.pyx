"""What a forced sale costs: the liquidation fee by the rulebook's base, to the fund, never more than the equity left.

    NOTIONAL     a rate of what was liquidated
    RESIDUE      what is left of a unit that forced orders have closed
    BANKRUPTCY   what was paid above bankruptcy value, at most a rate of it; the fund pays what is below     dYdX
    COLLATERAL   a rate of what was liquidated, at most what the margin of the sale leaves over              Drift
"""

from .book cimport NONE
from .cover cimport cover_shortfall
from .forced_size cimport liquidator_fee
from .ledger cimport move_isolated, transfer
from .liquidation_price cimport cure_fund_fee, insurance_delta
from .margin cimport fee_of, in_asset_of, tier_of, unit_equity, unit_maintenance, value_at
from .records cimport *
from .risk_unit cimport share_of, unit_event, unit_shortage
from .state cimport WALLET_MULTI, Position, Wallet, touch, wallet_of
from .units cimport abs64, add_checked, max64, min64, mul_div_floor


cdef int open_sale(State *s, int32_t wallet, int32_t position, int32_t slot, lots_t lots, Sale *sale) except -1 nogil:
    """Note what fees and limits in time are reckoned from."""
    cdef Position *p = &s.positions[slot]
    cdef Market *m = &s.markets[p.market]
    cdef money_t value = value_at(s, m, p.lots, m.mark)
    sale.held = abs64(p.lots)
    sale.sent = lots
    sale.long_side = p.lots > 0
    sale.balance = s.wallets[p.wallet].balance
    sale.realised = s.wallets[p.wallet].realised
    sale.cost = p.cost
    sale.filled = sale.notional = sale.returned = 0
    sale.bankruptcy = sale.shortage = sale.fund_fee = 0
    if s.rules.liquidation_fee_base == FEE_BANKRUPTCY:
        sale.bankruptcy = value - share_of(s, wallet, position, slot)
    if s.rules.liquidation_fee_base == FEE_COLLATERAL or s.rules.reduce_method == REDUCE_CURE:
        sale.shortage = unit_shortage(s, wallet, position)
    if s.rules.liquidation_fee_base == FEE_COLLATERAL:
        value = abs64(value)
        sale.fund_fee = cure_fund_fee(
            -in_asset_of(s, wallet, m, -sale.shortage), value, tier_of(s, m, value).rate + s.rules.liquidation_buffer,
            liquidator_fee(s, wallet), m.rules.liquidation_fee, &s.overflow)
    return 0


cdef int close_sale(
    State *s, Market *m, int32_t wallet, int32_t position, int32_t slot, int side, lots_t filled, Sale *sale
) except -1 nogil:
    """A forced order has sold (or bought back) so much of a position: its margin, its fee, what was done."""
    cdef Position *p = &s.positions[slot]
    cdef Wallet *w = &s.wallets[p.wallet]
    sale.filled = filled
    if side == SIDE_SELL:
        m.liquidated_long_lots += filled
    else:
        m.liquidated_short_lots += filled
    s.ranks_old = 1                     # the fills may have made new counterparties
    if position != NONE and p.lots:
        move_isolated(s, p, w.balance - sale.balance)   # a forced sale frees no margin: it must carry the rest
    # what was paid for the filled part, from the ledger: realised pnl and released cost
    sale.notional = abs64((w.realised - sale.realised) + (sale.cost - p.cost))
    sale.returned = w.balance - sale.balance
    return after_sale(s, m, wallet, position, slot, sale)


cdef int after_sale(State *s, Market *m, int32_t wallet, int32_t position, int32_t slot, Sale *sale) except -1 nogil:
    """Charge the fee and count what was done.

    When an isolated position is gone, what is left of it is what came back to the wallet; a negative remainder is a
    shortfall of the position, not a loss of the wallet.
    """
    cdef Position *p = &s.positions[slot]
    cdef bint closed = position != NONE and p.lots == 0
    cdef bint gone = closed or (position == NONE and unit_maintenance(s, wallet, NONE) == 0)
    cdef money_t left = sale.returned if closed else in_asset_of(s, wallet, m, unit_equity(s, wallet, position))
    cdef money_t delta = 0
    if s.rules.liquidation_fee_base == FEE_BANKRUPTCY:
        delta = insurance_delta(
            sale.notional if sale.long_side else -sale.notional,
            mul_div_floor(sale.bankruptcy, sale.filled, sale.held, &s.overflow), m.rules.liquidation_fee, &s.overflow)
        if delta < 0:
            cover_shortfall(s, m, p.wallet, NONE if closed else position, -delta)
            left -= delta
    if gone and s.wallets[p.wallet].flags & WALLET_MULTI:
        gone = False                    # its collateral is converted first: the end of it is a takeover
    if gone and left < 0:
        cover_shortfall(s, m, p.wallet, NONE, -left)
    charge(s, m, wallet, position, slot, max64(0, min64(fee_due(s, m, sale, gone, left, delta), left)), sale.notional)
    count_work(s, wallet, position, sale)
    return 0


cdef money_t fee_due(State *s, Market *m, Sale *sale, bint gone, money_t left, money_t delta) noexcept nogil:
    if s.rules.liquidation_fee_base == FEE_RESIDUE:
        return left if gone else 0
    if s.rules.liquidation_fee_base == FEE_BANKRUPTCY:
        return delta
    if s.rules.liquidation_fee_base == FEE_COLLATERAL:
        return fee_of(s, sale.notional, sale.fund_fee)
    return fee_of(s, sale.notional, m.rules.liquidation_fee)


cdef int charge(
    State *s, Market *m, int32_t wallet, int32_t position, int32_t slot, money_t fee, money_t notional
) except -1 nogil:
    cdef Position *p = &s.positions[slot]
    cdef Wallet *w = &s.wallets[p.wallet]
    cdef Event *e
    if fee == 0:
        return 0
    if position != NONE and p.lots:
        p.isolated_margin -= fee
        w.balance += fee
    w.fees += fee
    transfer(s, w, wallet_of(s, m.fund_account, m.asset), fee)
    m.fund_result += fee
    e = unit_event(s, EVENT_LIQUIDATION_FEE, p.wallet, slot)
    e.value = fee
    e.aux = notional
    e.maker_account = m.fund_account
    return 0


cdef int count_work(State *s, int32_t wallet, int32_t position, Sale *sale) except -1 nogil:
    """Keep what limits in time count by; see forced_size.pyx."""
    cdef Wallet *w = &s.wallets[wallet]
    touch(s, wallet)
    if s.rules.reduce_method == REDUCE_SLICE_COOLDOWN and sale.sent < sale.held:
        w.work_ns = s.time_ns
    elif s.rules.reduce_method == REDUCE_BLOCK:
        if w.work_ns != s.time_ns:
            w.work = 0
        w.work_ns = s.time_ns
        w.work = add_checked(w.work, sale.notional, &s.overflow)
    elif s.rules.reduce_method == REDUCE_CURE:
        w.work = add_checked(w.work, max64(0, sale.shortage - unit_shortage(s, wallet, position)), &s.overflow)
    return 0
