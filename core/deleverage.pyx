"""Auto-deleveraging: the contracts that the fund does not take are closed against other accounts, at the rule's price."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t
from libc.stdlib cimport realloc

from .adl cimport Face, adl_forget, adl_next, adl_skip, eligible, is_queue, look_at_face
from .adl_scores cimport offset_allowed
from .adl_share cimport is_share, share_out, weight_of
from .contract cimport shown_price
from .events cimport event_new
from .ladder cimport NONE
from .ledger cimport change_position, charge_fee
from .margin cimport cross_equity, fee_of, position_maintenance, unit_equity, unit_maintenance, value_at
from .records cimport *
from .settle cimport cancel_orders_of
from .state cimport Cut, Position, wallet_of
from .units cimport RATE_ONE, abs64, add_checked, lots_t, min64, mul_div_floor


cdef int deleverage(State *s, Market *m, int32_t slot, money_t *value, money_t *share) except -1 nogil:
    """Close a position against the accounts that the policy chooses; what finds nobody stays.

    `value` (at the mark) and `share` (of the unit's equity) are those of the whole position; what is closed takes its
    part of both along. Under the policy USER nothing is closed here: `State.adl` is open if anybody could be asked.
    """
    if is_queue(s.rules.adl_policy):
        return close_in_turn(s, m, slot, value, share)
    if s.rules.adl_policy == ADL_HEDGE_AWARE:
        close_by_shares(s, m, slot, value, share, True)
    if is_share(s.rules.adl_policy) and s.positions[slot].lots:
        close_by_shares(s, m, slot, value, share, False)
    if s.rules.adl_policy == ADL_USER:
        ask_user(s, m, slot, value[0], share[0])
    return 0


cdef int ask_user(State *s, Market *m, int32_t slot, money_t value, money_t share) except -1 nogil:
    """Leave the position to a user's decision, if there is a counterparty at all; adl_decision.pyx goes on from there."""
    cdef Position *p = &s.positions[slot]
    cdef int32_t other = m.positions_head
    cdef Event *e
    while other != NONE and not eligible(s, &s.positions[other], p.lots < 0):
        other = s.positions[other].market_next
    if other == NONE:
        return 0
    s.adl.open = 1
    s.adl.slot = slot
    s.adl.value = value
    s.adl.share = share
    e = event_new(s, EVENT_ADL_PENDING)
    e.account = p.account
    e.market = p.market
    e.asset = <uint8_t>m.asset
    e.side = SIDE_SELL if p.lots > 0 else SIDE_BUY
    e.size_lots = abs64(p.lots)
    e.value = value - share
    e.aux = share
    e.price_ticks = shown_price(m, p.lots, value - share)
    return 0


cdef int close_in_turn(State *s, Market *m, int32_t slot, money_t *value, money_t *share) except -1 nogil:
    """Against one counterparty of the queue after the other."""
    cdef Position *p = &s.positions[slot]
    cdef bint longs = p.lots < 0
    cdef int32_t other
    cdef lots_t lots
    if s.rules.adl_policy == ADL_DYDX:
        adl_forget(s)                   # lots are drawn for each position
    while p.lots:
        other = adl_next(s, m, longs)
        if other == NONE:
            return 0
        lots = next_fill(abs64(p.lots), abs64(s.positions[other].lots))
        if s.rules.adl_policy == ADL_DYDX and not match_valid(s, m, slot, other, lots, value[0], share[0]):
            adl_skip(s)
        else:
            close_against(s, m, slot, other, lots, value, share, REJECT_NONE)
    return 0


cdef int close_by_shares(
    State *s, Market *m, int32_t slot, money_t *value, money_t *share, bint unhedged
) except -1 nogil:
    """Against all accounts of the other side at once, in the order of accounts; or what they have `unhedged`."""
    cdef int64_t i, count = gather(s, m, s.positions[slot].lots < 0, unhedged)
    cdef int reason = REASON_UNHEDGED if s.rules.adl_policy == ADL_HEDGE_AWARE and not unhedged else REJECT_NONE
    cdef lots_t room = 0
    for i in range(count):
        room = add_checked(room, s.cuts[i].room, &s.overflow)
    share_out(s.rules.adl_policy, s.cuts, count, min64(room, abs64(s.positions[slot].lots)))
    for i in range(count):
        if s.cuts[i].lots:
            close_against(s, m, slot, s.cuts[i].position, s.cuts[i].lots, value, share, reason)
    return 0


cdef int64_t gather(State *s, Market *m, bint longs, bint unhedged) except -1 nogil:
    """The accounts of one side with what each can give, as `cuts`; returns how many they are."""
    cdef int32_t slot = m.positions_head
    cdef int64_t count = 0
    cdef Face face
    cdef Cut *c
    reserve_cuts(s, m.positions_count)
    while slot != NONE:
        if eligible(s, &s.positions[slot], longs):
            c = &s.cuts[count]
            c.room = unhedged_lots(s, m, slot) if unhedged else abs64(s.positions[slot].lots)
            if c.room:
                look_at_face(s, slot, m, &face)
                c.wide = weight_of(s.rules.adl_policy, &face, c.room)
                c.position = slot
                c.account = s.positions[slot].account
                count += 1
        slot = s.positions[slot].market_next
    return count


cdef int reserve_cuts(State *s, int64_t wanted) except -1 nogil:
    cdef Cut *bigger
    if s.cuts_capacity >= wanted:
        return 0
    bigger = <Cut *>realloc(s.cuts, wanted * sizeof(Cut))
    if bigger == NULL:
        with gil:
            raise MemoryError("no memory for an allocation of the ADL")
    s.cuts = bigger
    s.cuts_capacity = wanted
    return 0


cdef inline money_t exposure_of(State *s, Market *m, lots_t lots) noexcept nogil:
    """Notional at the mark, signed like the lots."""
    cdef money_t value = abs64(value_at(s, m, lots, m.mark))
    return value if lots > 0 else -value


cdef lots_t unhedged_lots(State *s, Market *m, int32_t slot) noexcept nogil:
    """How much of a position can go without that one contract of it raises the account's net exposure.

    Net exposure is |sum of signed notional| over all positions of the account in markets of the same underlying.
    """
    cdef Position *p = &s.positions[slot]
    cdef money_t own = exposure_of(s, m, p.lots), net = 0
    cdef int32_t asset, at
    cdef Market *other
    for asset in range(s.assets_count):
        at = wallet_of(s, p.account, asset).positions_head
        while at != NONE:
            other = &s.markets[s.positions[at].market]
            if s.positions[at].lots and (
                    other.id == m.id or (m.rules.underlying and other.rules.underlying == m.rules.underlying)):
                net = add_checked(net, exposure_of(s, other, s.positions[at].lots), &s.overflow)
            at = s.positions[at].account_next
    if own == 0:
        return abs64(p.lots)
    if net == 0 or (net > 0) != (own > 0):
        return 0
    return min64(abs64(p.lots), mul_div_floor(abs64(p.lots), min64(abs64(net), abs64(own)), abs64(own), &s.overflow))


cdef money_t paid_for(State *s, Market *m, lots_t lots, money_t moved, money_t at_mark) noexcept nogil:
    """What counterparties pay for signed `lots` by the rulebook: `moved`, at bankruptcy, or the value at a mark.

    At bankruptcy value they give up the difference to the mark. At a mark the fund has that difference, or pays it as
    long as it can.
    """
    cdef money_t wanted = moved
    if s.rules.adl_price == ADL_PRICE_MARK:
        wanted = at_mark
    elif s.rules.adl_price == ADL_PRICE_BANKRUPTCY_NEAR:
        if abs64(moved - at_mark) > mul_div_floor(abs64(at_mark), s.rules.adl_price_band, RATE_ONE, &s.overflow):
            wanted = at_mark
    elif s.rules.adl_price == ADL_PRICE_PREVIOUS_MARK and m.mark_before:
        wanted = value_at(s, m, lots, m.mark_before)
    if wanted < moved and cross_equity(s, wallet_of(s, m.fund_account, m.asset)) < moved - wanted:
        return moved
    return wanted


cdef bint match_valid(
    State *s, Market *m, int32_t slot, int32_t other, lots_t lots, money_t value, money_t share
) noexcept nogil:
    """dYdX: whether the counterparty is left in a valid state by closing `lots` at the rule's price."""
    cdef Position *p = &s.positions[other]
    cdef Position after = p[0]
    cdef lots_t signed_lots = lots if s.positions[slot].lots > 0 else -lots
    cdef money_t at_mark = portion(s, value, signed_lots, s.positions[slot].lots)
    cdef money_t moved = at_mark - portion(s, share, signed_lots, s.positions[slot].lots)
    cdef int32_t unit = other if p.mode == MODE_ISOLATED else NONE
    cdef money_t equity = unit_equity(s, p.wallet, unit)
    cdef money_t maintenance = unit_maintenance(s, p.wallet, unit)
    cdef money_t gained, freed
    after.lots += signed_lots
    after.cost -= portion(s, p.cost, -signed_lots, p.lots)
    gained = value_at(s, m, after.lots, m.mark) - value_at(s, m, p.lots, m.mark)
    gained -= paid_for(s, m, signed_lots, moved, at_mark)
    freed = position_maintenance(s, m, p) - (position_maintenance(s, m, &after) if after.lots else 0)
    return offset_allowed(equity, maintenance, equity + gained, maintenance - freed)


cdef int close_against(
    State *s, Market *m, int32_t slot, int32_t other, lots_t size, money_t *value, money_t *share, int reason
) except -1 nogil:
    """Close `size` lots of a bankrupt position against a counterparty, whose orders are cancelled first."""
    cdef Position *p = &s.positions[slot]
    cdef lots_t lots = size if p.lots > 0 else -size
    cdef money_t at_mark = portion(s, value[0], lots, p.lots)
    cdef money_t part_share = portion(s, share[0], lots, p.lots)
    cdef money_t moved = at_mark - part_share
    cdef money_t paid = paid_for(s, m, lots, moved, at_mark)
    cdef Event *e
    cancel_orders_of(s, other, REASON_ADL)
    value[0] -= at_mark
    share[0] -= part_share
    change_position(s, slot, -lots, -moved)
    if paid != moved:
        change_position(s, m.fund_position, lots, moved)
        change_position(s, m.fund_position, -lots, -paid)
    change_position(s, other, lots, paid)
    s.wallets[s.positions[other].wallet].adl_hits += 1
    e = event_new(s, EVENT_ADL)
    e.account = s.positions[other].account
    e.maker_account = p.account
    e.market = p.market
    e.asset = <uint8_t>m.asset
    e.side = SIDE_BUY if lots > 0 else SIDE_SELL
    e.size_lots = size
    e.value = paid
    e.aux = at_mark - paid
    e.fee = paid - moved                # what the fund gains by it; negative: what it pays
    e.price_ticks = shown_price(m, lots, paid)
    e.reason = <uint16_t>reason
    return charge_adl_fee(s, m, other, abs64(paid))


cdef int charge_adl_fee(State *s, Market *m, int32_t slot, money_t notional) except -1 nogil:
    """The maker fee on what was closed, where the rulebook asks for one; a negative fee is a rebate."""
    cdef money_t fee = fee_of(s, notional, m.rules.maker_fee) if s.rules.adl_fee == ADL_FEE_MAKER else 0
    cdef Event *e
    if fee == 0:
        return 0
    charge_fee(s, &s.wallets[s.positions[slot].wallet], m.asset, fee)
    e = event_new(s, EVENT_ADL_FEE)
    e.account = s.positions[slot].account
    e.market = <uint16_t>m.id
    e.asset = <uint8_t>m.asset
    e.value = fee
    e.aux = notional
    return 0
