"""Takeover: what is left of a unit that the book could not save leaves it, to whom the rulebook says.

Each position gets its share of the unit's equity (by maintenance weight, the last the remainder) and moves at the value
where that share is used up (the bankruptcy price), so the unit ends with exactly nothing.

    FUND       the fund as far as its capacity goes, ADL the rest
    BACKSTOP   the backstop vault, and the margin with it, as long as there is equity; ADL where it is negative
    ADL        ADL at once
    NETWORK    the fund at the mark, without limit; the share goes to it as money, or is covered where it is negative

Where no counterparty is left, what is missing is covered and the fund keeps the position at the mark. NONE does not come
here while rounds are to be had: see liquidation.pyx.
"""

from libc.stdint cimport int32_t, uint8_t

from .book cimport NONE
from .contract cimport shown_price
from .conversion cimport convert_all, settle_remainders
from .cover cimport cover_shortfall, cover_without_fund
from .deleverage cimport deleverage
from .events cimport event_new
from .fund cimport fund_capacity, move_to_fund
from .ledger cimport change_position, transfer
from .margin cimport unit_equity, value_at
from .orders cimport position_for
from .records cimport *
from .risk_unit cimport net_multi, next_position, share_of, unit_event
from .settle cimport trim_reduce_only
from .state cimport POSITION_SEEN, WALLET_MULTI, Market, Wallet, wallet_of
from .units cimport abs64, lots_t, money_t


cdef int take_over(State *s, int32_t wallet, int32_t position) except -1 nogil:
    """Move every position of the unit away, each with its share of the equity; the unit ends with nothing.

    Where a user decides about the ADL it stops: `State.adl` is open, and `go_on_with_unit` does the rest.
    """
    cdef bint multi = position == NONE and s.wallets[wallet].flags & WALLET_MULTI
    if multi:
        convert_all(s, wallet)
    return hand_on(s, wallet, position, (net_multi(s, wallet) if multi else unit_equity(s, wallet, position)) >= 0)


cdef int hand_on(State *s, int32_t wallet, int32_t position, bint solvent) except -1 nogil:
    """The positions that are left of the unit, then its debts."""
    cdef int32_t i, slot = next_position(s, wallet, position)
    while slot != NONE:
        note_liquidated(s, slot)
        if s.rules.takeover == TAKEOVER_NETWORK:
            absorb_at_mark(s, wallet, position, slot, share_of(s, wallet, position, slot))
        elif s.rules.takeover == TAKEOVER_BACKSTOP and solvent:
            move_to_backstop(s, slot, share_of(s, wallet, position, slot))
        else:
            absorb(s, wallet, position, slot, share_of(s, wallet, position, slot))
        if s.adl.open:
            return 0
        trim_reduce_only(s, slot)
        slot = next_position(s, wallet, position)
    if position == NONE and s.wallets[wallet].flags & WALLET_MULTI:
        settle_remainders(s, wallet)
    if position == NONE and s.wallets[wallet].balance < 0:
        for i in range(s.markets_count):        # nothing but a debt: the asset's first fund
            if s.markets[i].asset == wallet % s.assets_count:
                return cover_shortfall(s, &s.markets[i], wallet, NONE, -s.wallets[wallet].balance)
        return cover_without_fund(s, wallet, -s.wallets[wallet].balance)
    return 0


cdef int go_on_with_unit(State *s) except -1 nogil:
    """The user's decision is complete: what it has left of the position, then the other positions of the unit."""
    s.adl.open = 0
    keep_rest(s, s.adl.position, s.adl.slot, &s.adl.value, &s.adl.share)
    trim_reduce_only(s, s.adl.slot)
    return hand_on(s, s.adl.wallet, s.adl.position, False)      # ADL comes last: there is no equity for a vault


cdef int note_liquidated(State *s, int32_t slot) noexcept nogil:
    cdef Market *m = &s.markets[s.positions[slot].market]
    if s.positions[slot].lots > 0:
        m.liquidated_long_lots += s.positions[slot].lots
    else:
        m.liquidated_short_lots -= s.positions[slot].lots
    return 0


cdef int absorb(State *s, int32_t wallet, int32_t position, int32_t slot, money_t share) except -1 nogil:
    """One position at bankruptcy value: fund, then ADL, then cover."""
    cdef Market *m = &s.markets[s.positions[slot].market]
    cdef lots_t lots = s.positions[slot].lots, part = 0
    cdef money_t value = value_at(s, m, lots, m.mark)
    if s.rules.takeover == TAKEOVER_FUND or s.rules.takeover == TAKEOVER_NONE:
        part = fund_capacity(s, m, lots, value, share)
    if part:
        move_to_fund(s, m, slot, part if lots > 0 else -part, &value, &share)
    if s.positions[slot].lots:
        deleverage(s, m, slot, &value, &share)
    if s.adl.open:
        s.adl.wallet = wallet
        s.adl.position = position
        s.adl.of_vault = 0
        return 0
    return keep_rest(s, position, slot, &value, &share)


cdef int keep_rest(State *s, int32_t position, int32_t slot, money_t *value, money_t *share) except -1 nogil:
    """What found no counterparty: its loss is covered, and the fund keeps the position at the mark."""
    cdef Market *m = &s.markets[s.positions[slot].market]
    if s.positions[slot].lots == 0:
        return 0
    if share[0] < 0:
        cover_shortfall(s, m, s.positions[slot].wallet, slot if position != NONE else NONE, -share[0])
        share[0] = 0
    return move_to_fund(s, m, slot, s.positions[slot].lots, value, share)


cdef int absorb_at_mark(State *s, int32_t wallet, int32_t position, int32_t slot, money_t share) except -1 nogil:
    """One position at the mark, to the fund; then what it leaves, in money."""
    cdef Market *m = &s.markets[s.positions[slot].market]
    cdef Wallet *w = &s.wallets[s.positions[slot].wallet]
    cdef money_t value = value_at(s, m, s.positions[slot].lots, m.mark), nothing = 0
    cdef Event *e
    move_to_fund(s, m, slot, s.positions[slot].lots, &value, &nothing)
    if share < 0:
        return cover_shortfall(s, m, s.positions[slot].wallet, NONE, -share)
    if share == 0:
        return 0
    w.fees += share
    transfer(s, w, wallet_of(s, m.fund_account, m.asset), share)
    m.fund_result += share
    e = unit_event(s, EVENT_LIQUIDATION_FEE, s.positions[slot].wallet, slot)
    e.value = share
    e.maker_account = m.fund_account
    return 0


cdef int move_to_backstop(State *s, int32_t slot, money_t share) except -1 nogil:
    """One position to the backstop vault, at bankruptcy value: with its margin, that is."""
    cdef Market *m = &s.markets[s.positions[slot].market]
    cdef lots_t lots = s.positions[slot].lots
    cdef money_t moved = value_at(s, m, lots, m.mark) - share
    cdef int32_t vault = position_for(s, m, wallet_of(s, s.backstop, m.asset), s.backstop, LEG_BOTH)
    cdef Event *e
    change_position(s, slot, -lots, -moved)
    change_position(s, vault, lots, moved)
    e = event_new(s, EVENT_TAKEOVER)
    e.account = s.positions[slot].account
    e.maker_account = s.backstop
    e.market = s.positions[slot].market
    e.asset = <uint8_t>m.asset
    e.side = SIDE_SELL if lots > 0 else SIDE_BUY
    e.size_lots = abs64(lots)
    e.value = moved
    e.aux = share
    e.price_ticks = shown_price(m, lots, moved)
    return 0


cdef int check_backstop(State *s) except -1 nogil:
    """Below zero the vault is deleveraged like anybody: what finds a counterparty leaves it at bankruptcy value."""
    return check_from(s, 0)


cdef int check_from(State *s, int32_t first) except -1 nogil:
    """The vault's wallets from an asset on."""
    cdef int32_t asset, wallet, slot
    for asset in range(first, s.assets_count):
        wallet = s.backstop * s.assets_count + asset
        if s.wallets[wallet].positions_head == NONE or unit_equity(s, wallet, NONE) >= 0:
            continue
        slot = s.wallets[wallet].positions_head
        while slot != NONE:
            s.positions[slot].flags &= ~POSITION_SEEN
            slot = s.positions[slot].account_next
        deleverage_vault(s, wallet)
        if s.adl.open:
            return 0
    return 0


cdef int deleverage_vault(State *s, int32_t wallet) except -1 nogil:
    """The vault's positions in one asset, for as long as it is below zero; stops where a user decides."""
    cdef int32_t slot = next_position(s, wallet, NONE)
    cdef Market *m
    cdef money_t value, share
    while slot != NONE and unit_equity(s, wallet, NONE) < 0:
        m = &s.markets[s.positions[slot].market]
        value = value_at(s, m, s.positions[slot].lots, m.mark)
        share = share_of(s, wallet, NONE, slot)
        deleverage(s, m, slot, &value, &share)
        s.positions[slot].flags |= POSITION_SEEN
        if s.adl.open:
            s.adl.wallet = wallet
            s.adl.position = NONE
            s.adl.of_vault = 1
            return 0
        slot = next_position(s, wallet, NONE)
    return 0


cdef int go_on_with_vault(State *s) except -1 nogil:
    """The user's decision about one of the vault's positions is complete: the next ones, then its other assets."""
    s.adl.open = 0
    deleverage_vault(s, s.adl.wallet)
    if s.adl.open:
        return 0
    return check_from(s, s.adl.wallet % s.assets_count + 1)
