"""How many lots a forced order is for, by the rulebook's method. The formulas are in liquidation_size.pxd.

    TO_SAFE         what restores maintenance, its fee paid                          Binance
    TIER            to the next lower tier
    TIER_FOK        to the highest tier that restores maintenance                    BitMEX, Bybit
    TWO_TIERS       down by two tiers; nothing at or below `hand_over_tier`, or      OKX, Bitget (`close_rest`: the whole
                    where the equity is less than the lowest tier's rate asks        then)
    LOWEST_TIER     the same, straight to the lowest tier                            OKX 2019
    WHOLE           everything
    SLICE           a rate of what is held
    CLIPS           `clip_lots`                                                      Deribit
    SLICE_COOLDOWN  everything; above `slice_above` a slice first, and for           Hyperliquid
                    `slice_cooldown` after it everything
    BLOCK           limits of a position and of an account in one block              dYdX
    CURE            what makes the shortage good, in parts that grow with time       Drift

A wallet's `work_ns` and `work` are what the last three count by: SLICE_COOLDOWN the time of the last slice; BLOCK the time
of the block and the notional done in it; CURE the start of the liquidation and the shortage made good since.
"""

from libc.stdint cimport int64_t

from .collateral cimport owed
from .ladder cimport NONE
from .liquidation_price cimport cure_fund_fee, ramped_fee
from .liquidation_size cimport SHARE_ONE, block_lots, cure_lots, cure_share, lots_above
from .margin cimport basis_of, fee_of, in_asset_of, maintenance_of, maintenance_on, tier_held, tier_of, unit_equity, value_at
from .records cimport *
from .risk_unit cimport missing_in, unit_shortage
from .state cimport POSITION_LIMIT, WALLET_MULTI, Market, Position, Tier, Wallet, pool_first, pool_next
from .units cimport RATE_ONE, abs64, add_checked, max64, min64, money_t, mul_div_ceil, wide_mul

cdef enum:
    SECOND = 1_000_000_000


cdef lots_t reduce_size(State *s, int32_t wallet, int32_t position, int32_t slot) noexcept nogil:
    """Lots that the rulebook's reduction method sends to the book; 0: none, go on to takeover."""
    cdef Position *p = &s.positions[slot]
    cdef Market *m = &s.markets[p.market]
    cdef lots_t held = abs64(p.lots)
    cdef money_t value = abs64(value_at(s, m, p.lots, m.mark))
    cdef int64_t method = s.rules.reduce_method
    cdef money_t basis
    if method == REDUCE_TO_SAFE:
        return size_to_safe(s, wallet, position, p, m, held, value)
    if method == REDUCE_SLICE or (method == REDUCE_SLICE_COOLDOWN and takes_slice(s, wallet, value)):
        return min64(held, max64(1, mul_div_ceil(held, s.rules.reduce_slice, RATE_ONE, &s.overflow)))
    if method == REDUCE_WHOLE or method == REDUCE_SLICE_COOLDOWN:
        return held
    if method == REDUCE_TIER:
        basis = tier_basis(m, p, value)
        return lots_above(held, basis, tier_of(s, m, basis).floor, &s.overflow) if tier_of(s, m, basis).floor else 0
    if method == REDUCE_TIER_FOK:
        return size_to_tier(s, wallet, position, p, m, held, value)
    if method == REDUCE_TWO_TIERS or method == REDUCE_LOWEST_TIER:
        return size_by_tiers(s, wallet, position, m, held, tier_basis(m, p, value))
    if method == REDUCE_CLIPS:
        return min64(held, m.rules.clip_lots) if m.rules.clip_lots else held
    if method == REDUCE_BLOCK:
        return block_lots(
            held, value, s.rules.position_block_rate if s.rules.position_block_rate else RATE_ONE,
            s.rules.position_block_min, block_room(s, wallet), &s.overflow)
    return size_of_cure(s, wallet, position, p, m, held, value)


cdef lots_t size_to_safe(
    State *s, int32_t wallet, int32_t position, Position *p, Market *m, lots_t held, money_t value
) noexcept nogil:
    """The smallest size whose sale at the mark would restore maintenance, liquidation fee paid; else the whole."""
    cdef money_t missing = missing_in(s, wallet, position, m)
    cdef money_t basis = basis_of(m, p, value)
    cdef money_t tiered = tier_basis(m, p, value)
    cdef Tier *t = tier_of(s, m, tiered)
    cdef Tier *chosen = tier_held(s, m, p, tiered)
    cdef bint one_rate = p.flags & POSITION_LIMIT and not m.rules.lower_limit_first
    cdef lots_t low = 1, high
    cdef bint gains
    if m.rules.tier_method == TIERS_LINEAR and not p.flags & POSITION_LIMIT:
        high = size_that_frees_most(s, m, p, held, value)
        return smallest(s, m, p, held, value, missing, 1, high) if freed_by(s, m, p, held, value, high) >= missing else held
    if one_rate or chosen < t:
        t = chosen
    while True:                         # sizes that leave the position in one tier, from the largest tier to the first
        high = held if t.floor == 0 or one_rate else lots_above(held, tiered, t.floor, &s.overflow) - 1
        gains = wide_mul(t.rate, basis) > wide_mul(m.rules.liquidation_fee, value)
        if low <= high:                 # a lot more frees more than its fee; or else the first of the tier frees most
            if not gains:
                high = low
            if freed_by(s, m, p, held, value, high) >= missing:
                return smallest(s, m, p, held, value, missing, low, high)
        if t.floor == 0 or one_rate:
            return held
        low = max64(1, lots_above(held, tiered, t.floor, &s.overflow))
        t -= 1


cdef lots_t smallest(
    State *s, Market *m, Position *p, lots_t held, money_t value, money_t missing, lots_t low, lots_t high
) noexcept nogil:
    """The smallest size that frees so much, where more frees more: between one that may not do and one that does."""
    cdef lots_t middle
    while low < high:
        middle = low + (high - low) / 2
        if freed_by(s, m, p, held, value, middle) >= missing:
            high = middle
        else:
            low = middle + 1
    return low


cdef lots_t size_that_frees_most(State *s, Market *m, Position *p, lots_t held, money_t value) noexcept nogil:
    """Where the rate rises with the size: every further lot frees less, and from here on no more than its fee."""
    cdef lots_t low = 1, high = held, middle
    while low < high:
        middle = low + (high - low) / 2
        if freed_by(s, m, p, held, value, middle + 1) > freed_by(s, m, p, held, value, middle):
            low = middle + 1
        else:
            high = middle
    return low


cdef inline money_t freed_by(State *s, Market *m, Position *p, lots_t held, money_t value, lots_t sold) noexcept nogil:
    """Maintenance that the sale of a part at the mark frees, less its liquidation fee."""
    cdef money_t basis = basis_of(m, p, value)
    cdef money_t left = mul_div_ceil(basis, held - sold, held, &s.overflow)
    cdef money_t worth = mul_div_ceil(value, held - sold, held, &s.overflow)
    cdef money_t needed
    if p.flags & POSITION_LIMIT:
        needed = fee_of(s, left, limit_left(s, m, p, worth).rate)
    else:
        needed = maintenance_of(s, m, left, held - sold)
    return maintenance_on(s, m, p, basis, held) - needed - fee_of(s, value - worth, m.rules.liquidation_fee)


cdef inline Tier *limit_left(State *s, Market *m, Position *p, money_t worth) noexcept nogil:
    """The chosen limit of what a sale leaves: lowered to what holds it, where a liquidation does that."""
    cdef Tier *chosen = tier_held(s, m, p, worth)
    cdef Tier *t = tier_of(s, m, worth)
    return t if m.rules.lower_limit_first and t < chosen else chosen


cdef inline money_t tier_basis(Market *m, Position *p, money_t value) noexcept nogil:
    """What tells a position's tier: its maintenance's basis, or its value where a limit was chosen for that."""
    return value if p.flags & POSITION_LIMIT else basis_of(m, p, value)


cdef lots_t size_to_tier(
    State *s, int32_t wallet, int32_t position, Position *p, Market *m, lots_t held, money_t value
) noexcept nogil:
    """What is above the cap of the highest lower tier at which maintenance would be restored; 0: at none."""
    cdef money_t missing = missing_in(s, wallet, position, m)
    cdef money_t basis = tier_basis(m, p, value)
    cdef Tier *first = &s.tiers[m.tier_first]
    cdef Tier *t = tier_held(s, m, p, basis)
    cdef lots_t lots
    while t > first:
        t -= 1
        lots = lots_above(held, basis, t.cap, &s.overflow)
        if freed_by(s, m, p, held, value, lots) >= missing:
            return lots
    return 0


cdef money_t lowest_requirement(State *s, int32_t wallet, int32_t position) noexcept nogil:
    """Maintenance of a unit if all its positions lay in their lowest tiers."""
    cdef int32_t slot = position if position != NONE else pool_first(s, wallet)
    cdef money_t total = 0, part
    cdef Market *m
    cdef Position *p
    while slot != NONE:
        p = &s.positions[slot]
        if p.lots and (position != NONE or p.mode == MODE_CROSS):
            m = &s.markets[p.market]
            part = fee_of(s, basis_of(m, p, value_at(s, m, p.lots, m.mark)), s.tiers[m.tier_first].rate)
            if s.wallets[p.wallet].flags & WALLET_MULTI:
                part = owed(part, s.collateral[m.asset].price, &s.overflow)
            total = add_checked(total, part, &s.overflow)
        slot = NONE if position != NONE else pool_next(s, slot)
    return total


cdef lots_t size_by_tiers(
    State *s, int32_t wallet, int32_t position, Market *m, lots_t held, money_t basis
) noexcept nogil:
    """What is above the tier two below, or the lowest; the rest, or nothing, where it is handed over."""
    cdef Tier *first = &s.tiers[m.tier_first]
    cdef Tier *t = tier_of(s, m, basis)
    if t - first < s.rules.hand_over_tier or unit_equity(s, wallet, position) < lowest_requirement(s, wallet, position):
        return held if s.rules.close_rest else 0
    t = first if s.rules.reduce_method == REDUCE_LOWEST_TIER or t - first < 2 else t - 2
    return lots_above(held, basis, t.cap, &s.overflow)


cdef inline bint takes_slice(State *s, int32_t wallet, money_t value) noexcept nogil:
    cdef Wallet *w = &s.wallets[wallet]
    if s.rules.slice_above == 0 or value <= s.rules.slice_above:
        return False
    return w.work_ns == 0 or s.time_ns - w.work_ns >= s.rules.slice_cooldown_ns


cdef inline money_t block_room(State *s, int32_t wallet) noexcept nogil:
    """Notional that the account may still lose in the block of now."""
    cdef Wallet *w = &s.wallets[wallet]
    if s.rules.account_block_notional == 0:
        return 0x7FFFFFFFFFFFFFFF
    return s.rules.account_block_notional - (w.work if w.work_ns == s.time_ns else 0)


cdef rate_t liquidator_fee(State *s, int32_t wallet) noexcept nogil:
    """By how much the book may pay less than the mark, now."""
    return ramped_fee(
        s.rules.liquidator_fee, s.rules.liquidator_fee_max, s.time_ns - s.wallets[wallet].work_ns,
        s.rules.liquidator_fee_grace_ns, s.rules.liquidator_fee_step, SECOND)


cdef lots_t size_of_cure(
    State *s, int32_t wallet, int32_t position, Position *p, Market *m, lots_t held, money_t value
) noexcept nogil:
    """What makes the shortage good with its fees paid, or the part of it that time allows."""
    cdef money_t missing = unit_shortage(s, wallet, position)
    cdef money_t shortage = -in_asset_of(s, wallet, m, -missing)
    cdef rate_t margin = tier_of(s, m, value).rate + s.rules.liquidation_buffer
    cdef rate_t fee = liquidator_fee(s, wallet)
    cdef rate_t fund_fee = cure_fund_fee(shortage, value, margin, fee, m.rules.liquidation_fee, &s.overflow)
    cdef lots_t lots
    if value <= s.rules.cure_small or value == 0:
        return held
    lots = min64(held, cure_lots(held, value, shortage, margin, fee, fund_fee, RATE_ONE, &s.overflow))
    return mul_div_ceil(lots, share_of_cure(s, wallet, missing), SHARE_ONE, &s.overflow)


cdef inline int64_t share_of_cure(State *s, int32_t wallet, money_t shortage) noexcept nogil:
    cdef Wallet *w = &s.wallets[wallet]
    return cure_share(
        shortage, w.work, s.time_ns - w.work_ns, s.rules.cure_period_ns, s.rules.cure_start, s.rules.cure_small,
        &s.overflow)


cdef bint throttled(State *s, int32_t wallet, int32_t position) noexcept nogil:
    """Whether it is a limit in time that keeps the method from selling more."""
    if s.rules.reduce_method == REDUCE_BLOCK:
        return block_room(s, wallet) <= 0
    return s.rules.reduce_method == REDUCE_CURE and share_of_cure(
        s, wallet, unit_shortage(s, wallet, position)) < SHARE_ONE
