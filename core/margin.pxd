# Definitions. Every other file uses these words in these senses. Header only; pure functions of state.
#
# For one position of q lots (signed) with cost K (signed like q), at mark m, b = lot size in base units:
#   value       V = q * b * m, rounded down (against a long, for a short too: its debt is never understated);
#               of an inverse contract V = -q * u / m, see contract.pxd
#   pnl         U = V - K
#   maintenance M = ceil(|V| * rate) - deduction, of the bracket in which |V| lies        (spec: Binance brackets);
#               where the market says so it is a rate of |K| in the bracket of |K|, which no mark moves  (spec: BitMEX);
#               of a risk limit that the account has chosen, ceil(rate * all of it);
#               WHOLE tiers deduct nothing: M leaps at an edge (OKX, Bitget, BitMEX); LINEAR: rate = base + slope * |V|
#   initial       = ceil(max(|V|, |V + bids|, |V - asks|) / leverage) + open loss + fee reserve of open orders;
#                   in cross mode by the venue's own rate where that asks for more (initial.pxd);
#                   an isolated position's own margin covers |V|, so only the excess over it is asked of the wallet
#                   where the market says so, the taker fee of closing at bankruptcy besides (spec: Bybit order cost):
#                   of orders and of cross positions, at the notional that is left when 1/leverage of it is lost
#   open loss     = what open orders are priced through the mark (when they were placed, in whole ticks rounded up),
#                   so that a fill can not make the account poorer than its requirement supposes
# For a risk unit (an isolated position, or all cross positions of one wallet):
#   equity      E = margin + sum (U - funding accrued, see accrual.pxd)    (margin: isolated margin, or the wallet's balance)
#   health      H = E - sum M             liquidated when H < 0, and only then
#   shortfall     = max(0, -E)
#   bankruptcy price of a position = the price at which closing it leaves exactly nothing of its share of E:
#                   value at bankruptcy = V - share; the shares of several positions sum to E exactly
#   liquidation price = the mark at which H = 0
# A multi-asset account has one cross pool over all its wallets. Its equity is what balance and pnl of each asset count
# for (collateral.pxd), its maintenance that of all positions at the collateral prices, both in asset 0.
# For a wallet:
#   available     = balance + sum U (cross) - sum initial, what new orders may use
#   withdrawable  = min(available, available without unrealised gains)
# Inequalities that hold by construction: M <= |V| * rate_of_top_tier; initial >= M where 1/leverage >= rate;
# liquidation happens before bankruptcy because M > 0 wherever V != 0.

from libc.stdint cimport int32_t, int64_t

from .accrual cimport accrued_of
from .collateral cimport collateral_value, owed
from .contract cimport exposure_of, inverse, value_at
from .initial cimport WHOLE_E18, initial_rate, rated
from .ladder cimport NONE
from .records cimport MAINTENANCE_ENTRY, MODE_CROSS, MODE_ISOLATED, SIDE_BUY, SIDE_SELL, TIERS_LINEAR
from .state cimport POSITION_LIMIT, WALLET_MULTI, Collateral, Market, Position, State, Tier, Wallet, lead_of
from .units cimport (
    RATE_ONE, VALUE_ONE, abs64, add_checked, by_side, div_ceil, i128, lots_t, max64, min64, money_t, mul_checked, mul_div_ceil,
    mul_div_floor, rate_t, sub_checked, ticks_t, value_t, wide_mul,
)

cdef inline money_t pnl_at(State *s, Market *m, Position *p, value_t price) noexcept nogil:
    if p.lots == 0:
        return 0
    return sub_checked(value_at(s, m, p.lots, price), p.cost, &s.overflow)

cdef inline money_t gain_now(State *s, Market *m, Position *p) noexcept nogil:
    """What a position adds to an equity: its pnl at the mark, less the funding that it owes since its last settlement."""
    return sub_checked(pnl_at(s, m, p, m.mark), accrued_of(s, m, p), &s.overflow)

cdef inline Tier *tier_of(State *s, Market *m, money_t notional) noexcept nogil:
    """The bracket in which a notional lies: floor < notional <= cap, the first for 0, the last beyond all caps."""
    cdef Tier *t = &s.tiers[m.tier_first]
    cdef Tier *last = t + m.tier_count - 1
    while t < last and notional > t.cap:
        t += 1
    return t

cdef inline money_t maintenance_of(State *s, Market *m, money_t notional, lots_t lots) noexcept nogil:
    """Maintenance of so many lots of a notional; the lots matter for LINEAR rates of linear contracts alone."""
    cdef Tier *t
    cdef int beyond = 0
    cdef int64_t coins = notional
    if m.rules.tier_method == TIERS_LINEAR:
        if not inverse(m):
            coins = mul_div_ceil(mul_checked(abs64(lots), m.lot_numerator, &beyond), VALUE_ONE, m.lot_denominator, &beyond)
        return linear_maintenance(
            notional, coins, m.rules.maintenance_base + m.rules.close_fee_in_maintenance, m.rules.maintenance_slope, beyond,
            &s.overflow)
    t = tier_of(s, m, notional)
    return mul_div_ceil(notional, t.rate, RATE_ONE, &s.overflow) - t.deduction

cdef inline money_t basis_of(Market *m, Position *p, money_t value) noexcept nogil:
    """What a position's maintenance is a rate of: what it is worth, or what it was opened for; without a sign."""
    return abs64(p.cost) if m.rules.maintenance_value == MAINTENANCE_ENTRY else abs64(value)

cdef inline Tier *tier_held(State *s, Market *m, Position *p, money_t basis) noexcept nogil:
    """The tier that holds for a position: the one that its account has chosen, else that of its size."""
    return &s.tiers[m.tier_first + p.cap_tiers - 1] if p.flags & POSITION_LIMIT else tier_of(s, m, basis)

cdef inline money_t maintenance_on(State *s, Market *m, Position *p, money_t basis, lots_t lots) noexcept nogil:
    """Maintenance of so many lots of a position: at a chosen limit's rate on the whole, else by tiers."""
    if p.flags & POSITION_LIMIT:
        return mul_div_ceil(basis, tier_held(s, m, p, basis).rate, RATE_ONE, &s.overflow)
    return maintenance_of(s, m, basis, lots)

cdef inline money_t held_maintenance(State *s, Market *m, Position *p, money_t value) noexcept nogil:
    """Maintenance of a position while it is worth `value`."""
    return maintenance_on(s, m, p, basis_of(m, p, value), p.lots)

cdef inline money_t linear_maintenance(
    money_t notional, int64_t coins, rate_t base, rate_t slope, int beyond, int *overflow
) noexcept nogil:
    """A rate that rises with the size, on the whole (Deribit): base + slope a coin, at most one half.

    `coins` in 1e-8; `beyond` says that they leave 64 bits.
    """
    cdef money_t most = notional / 2 + (notional & 1)
    cdef i128 square = 0
    if slope:
        if beyond:                      # 2^63 of 1e-8 coins: any slope is far above one half there
            return most
        square = (wide_mul(notional, coins) + VALUE_ONE - 1) / VALUE_ONE
        if square >> 93:
            return most
        square = (square * slope + RATE_ONE - 1) / RATE_ONE
        if square >= most:
            return most
    return min64(most, mul_div_ceil(notional, base, RATE_ONE, overflow) + <money_t>square)

cdef inline money_t fee_of(State *s, money_t notional, rate_t rate) noexcept nogil:
    """Fee on an absolute notional, rounded up: the treasury gains the remainder (a rebate is rounded toward 0)."""
    return mul_div_ceil(notional, rate, RATE_ONE, &s.overflow)

cdef inline ticks_t premium_of(Market *m, int side, ticks_t price) noexcept nogil:
    """By how many ticks a price is through the mark, rounded up; 0 on the safe side."""
    return max64(0, by_side(side, price - m.mark_ticks - (-side & (m.mark_ticks_up - m.mark_ticks))))

cdef inline money_t bust_notional(Market *m, Position *p, money_t exposure) noexcept nogil:
    """Notional at the price where 1/leverage of it is lost; `exposure` is signed like the lots."""
    if (exposure > 0) == inverse(m):
        return abs64(exposure) + div_ceil(abs64(exposure), p.leverage)
    return abs64(exposure) - abs64(exposure) / p.leverage

cdef inline money_t closing_fee(State *s, Market *m, Position *p, money_t held, money_t bids, money_t asks) noexcept nogil:
    """Taker fee of closing at bankruptcy what is held in cross mode, and what orders may add."""
    cdef money_t closed = bust_notional(m, p, bids) + bust_notional(m, p, -asks)
    if p.mode == MODE_CROSS:
        closed += bust_notional(m, p, held)
    return fee_of(s, closed, m.rules.taker_fee)

cdef inline money_t initial_margin(State *s, Market *m, int64_t leverage, money_t notional) noexcept nogil:
    """Initial margin of a notional: by leverage, and by the venue's rate for it where that asks for more; rounded up."""
    cdef money_t asked = div_ceil(notional, leverage)
    if rated(m):
        asked = max64(asked, mul_div_ceil(notional, initial_rate(m, tier_of(s, m, notional), notional), WHOLE_E18, &s.overflow))
    return asked

cdef inline bint beyond_rate(State *s, Market *m, Position *p, money_t notional) noexcept nogil:
    """An isolated position holds value / leverage, so its leverage may not be more than the venue's rate allows."""
    return rated(m) and p.mode == MODE_ISOLATED and initial_margin(s, m, p.leverage, notional) > div_ceil(notional, p.leverage)

cdef inline money_t requirement(
    State *s, Market *m, Position *p, money_t value, money_t bid_extra, money_t ask_extra
) noexcept nogil:
    """Initial margin of a position worth `value` with its open orders and, besides, orders of the given values."""
    cdef money_t bids = p.order_value[SIDE_BUY] + bid_extra
    cdef money_t asks = p.order_value[SIDE_SELL] + ask_extra
    cdef money_t held = exposure_of(m, value)
    cdef money_t exposure = max64(abs64(held), max64(abs64(held + bids), abs64(held - asks)))
    cdef money_t needed = p.open_loss
    if p.mode == MODE_ISOLATED:
        needed += div_ceil(exposure - abs64(value), p.leverage)
    else:
        needed += initial_margin(s, m, p.leverage, exposure)
    if bids + asks:
        needed += fee_of(s, bids + asks, max64(m.rules.taker_fee, m.rules.maker_fee))
    if m.rules.close_fee_reserved:
        needed += closing_fee(s, m, p, held, bids, asks)
    return needed

cdef inline money_t wallet_requirement(State *s, Wallet *w, int32_t without, money_t *pnl) noexcept nogil:
    """Initial margin of a wallet's positions and orders but `without`, and the unrealised pnl of its cross positions."""
    cdef int32_t slot = w.positions_head
    cdef money_t total = 0, value
    cdef Position *p
    cdef Market *m
    pnl[0] = 0
    while slot != NONE:
        p = &s.positions[slot]
        if slot != without and (p.lots or p.resting_orders):
            m = &s.markets[p.market]
            value = value_at(s, m, p.lots, m.mark) if p.lots else 0
            total = add_checked(total, requirement(s, m, p, value, 0, 0), &s.overflow)
            if p.mode == MODE_CROSS:
                pnl[0] = add_checked(pnl[0], value - p.cost - accrued_of(s, m, p), &s.overflow)
        slot = p.account_next
    return total

cdef inline money_t counts_for(State *s, int32_t asset, money_t amount) noexcept nogil:
    """What an amount of an asset counts for as collateral, in asset 0."""
    cdef Collateral *c = &s.collateral[asset]
    return collateral_value(amount, c.price, c.bid_buffer, c.ask_buffer, &s.haircuts[c.tier_first], c.tier_count, c.cap,
                            &s.overflow)

cdef inline money_t available_multi(State *s, Wallet *w, int32_t without, bint gains) noexcept nogil:
    """The same of a multi-asset account, as an amount of the wallet's asset at its price."""
    cdef int32_t lead = w.account * s.assets_count, a
    cdef int32_t asset = <int32_t>(w - &s.wallets[lead])
    cdef money_t total = 0, needed, pnl
    for a in range(s.assets_count):
        needed = wallet_requirement(s, &s.wallets[lead + a], without, &pnl)
        if not gains and pnl > 0:
            pnl = 0
        total = add_checked(total, counts_for(s, a, add_checked(s.wallets[lead + a].balance, pnl, &s.overflow)), &s.overflow)
        total = sub_checked(total, owed(needed, s.collateral[a].price, &s.overflow), &s.overflow)
    return mul_div_floor(total, VALUE_ONE, max64(s.collateral[asset].price, 1), &s.overflow)

cdef inline money_t available(State *s, Wallet *w, int32_t without, bint gains) noexcept nogil:
    """What a wallet may use for new orders; position `without` is left out. Unrealised gains count if `gains`."""
    cdef money_t pnl, total
    if w.flags & WALLET_MULTI:
        return available_multi(s, w, without, gains)
    total = sub_checked(w.balance, wallet_requirement(s, w, without, &pnl), &s.overflow)
    if gains or pnl < 0:
        total = add_checked(total, pnl, &s.overflow)
    return total

cdef inline money_t cross_equity(State *s, Wallet *w) noexcept nogil:
    """Balance and unrealised pnl of the cross positions."""
    cdef int32_t slot = w.positions_head
    cdef money_t total = w.balance
    cdef Position *p
    while slot != NONE:
        p = &s.positions[slot]
        if p.lots and p.mode == MODE_CROSS:
            total = add_checked(total, gain_now(s, &s.markets[p.market], p), &s.overflow)
        slot = p.account_next
    return total

cdef inline money_t position_maintenance(State *s, Market *m, Position *p) noexcept nogil:
    return held_maintenance(s, m, p, value_at(s, m, p.lots, m.mark))

cdef inline money_t orders_maintenance(State *s, Market *m, Position *p) noexcept nogil:
    """Maintenance of a cross position's open orders where the rulebook asks for it (OKX): as of a position of their value.

    They count at their own prices, so no mark moves it, and it is there without a position too.
    """
    if not m.rules.order_maintenance or p.mode != MODE_CROSS:
        return 0
    return maintenance_on(
        s, m, p, p.order_value[SIDE_BUY] + p.order_value[SIDE_SELL], p.order_lots[SIDE_BUY] + p.order_lots[SIDE_SELL])

cdef inline money_t cross_maintenance(State *s, int32_t wallet) noexcept nogil:
    """Maintenance of one wallet's cross positions, and of their orders where the rulebook asks for it."""
    cdef int32_t slot = s.wallets[wallet].positions_head
    cdef money_t total = 0
    cdef Position *p
    while slot != NONE:
        p = &s.positions[slot]
        if p.lots and p.mode == MODE_CROSS:
            total = add_checked(total, position_maintenance(s, &s.markets[p.market], p), &s.overflow)
        if p.resting_orders:
            total = add_checked(total, orders_maintenance(s, &s.markets[p.market], p), &s.overflow)
        slot = p.account_next
    return total

cdef inline money_t equity_multi(State *s, int32_t lead) noexcept nogil:
    """What balances and cross pnl of all assets count for, in asset 0."""
    cdef money_t total = 0
    cdef int32_t a
    for a in range(s.assets_count):
        total = add_checked(total, counts_for(s, a, cross_equity(s, &s.wallets[lead + a])), &s.overflow)
    return total

cdef inline money_t maintenance_multi(State *s, int32_t lead) noexcept nogil:
    """Maintenance of all cross positions of an account, asset by asset in asset 0, rounded up."""
    cdef money_t total = 0
    cdef int32_t a
    for a in range(s.assets_count):
        total = add_checked(total, owed(cross_maintenance(s, lead + a), s.collateral[a].price, &s.overflow), &s.overflow)
    return total

cdef inline money_t unit_equity(State *s, int32_t wallet, int32_t position) noexcept nogil:
    """Equity of a risk unit: of an isolated position, or of the cross pool if `position` is NONE (multi: in asset 0)."""
    cdef Position *p
    if position == NONE:
        if s.wallets[wallet].flags & WALLET_MULTI:
            return equity_multi(s, lead_of(s, wallet))
        return cross_equity(s, &s.wallets[wallet])
    p = &s.positions[position]
    return add_checked(
        p.isolated_margin, gain_now(s, &s.markets[p.market], p), &s.overflow)

cdef inline money_t unit_maintenance(State *s, int32_t wallet, int32_t position) noexcept nogil:
    cdef Position *p
    if position == NONE:
        if s.wallets[wallet].flags & WALLET_MULTI:
            return maintenance_multi(s, lead_of(s, wallet))
        return cross_maintenance(s, wallet)
    p = &s.positions[position]
    return position_maintenance(s, &s.markets[p.market], p) if p.lots else 0

cdef inline money_t in_asset_of(State *s, int32_t wallet, Market *m, money_t amount) noexcept nogil:
    """An amount in the unit's own terms as one of the market's asset, rounded down; the same but for multi-asset units."""
    if not s.wallets[wallet].flags & WALLET_MULTI:
        return amount
    return mul_div_floor(amount, VALUE_ONE, max64(s.collateral[m.asset].price, 1), &s.overflow)
