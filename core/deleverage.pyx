"""Auto-deleveraging: the contracts that the fund does not take are closed against other accounts, at the rule's price."""

from libc.stdint cimport int32_t, uint8_t

from .adl cimport adl_next
from .events cimport event_new
from .ladder cimport NONE
from .ledger cimport change_position
from .margin cimport cross_equity
from .records cimport ADL_PRICE_MARK, EVENT_ADL, REASON_ADL, SIDE_BUY, SIDE_SELL, Event
from .settle cimport cancel_orders_of
from .state cimport Position, Wallet, wallet_of
from .units cimport abs64, lots_t, min64


cdef int deleverage(State *s, Market *m, int32_t slot, money_t *value, money_t *share) except -1 nogil:
    """Close a position against the front of the ADL queue; what finds nobody stays.

    At bankruptcy value the counterparties give up the difference to the mark. Where the rulebook says mark, the fund
    pays that difference as long as it can.
    """
    cdef Position *p = &s.positions[slot]
    cdef Wallet *fund = wallet_of(s, m.fund_account, m.asset)
    cdef bint longs = p.lots < 0
    cdef int32_t other
    cdef lots_t lots
    cdef money_t part_value, part_share, moved, at_mark
    cdef Event *e
    while p.lots:
        other = adl_next(s, m, longs)
        if other == NONE:
            return 0
        cancel_orders_of(s, other, REASON_ADL)
        lots = min64(abs64(p.lots), abs64(s.positions[other].lots))
        if p.lots < 0:
            lots = -lots
        part_value = portion(s, value[0], lots, p.lots)
        part_share = portion(s, share[0], lots, p.lots)
        value[0] -= part_value
        share[0] -= part_share
        moved = part_value - part_share
        at_mark = moved
        if s.rules.adl_price == ADL_PRICE_MARK and (part_share >= 0 or cross_equity(s, fund) >= -part_share):
            at_mark = part_value
        change_position(s, slot, -lots, -moved)
        if at_mark != moved:
            change_position(s, m.fund_position, lots, moved)
            change_position(s, m.fund_position, -lots, -at_mark)
        change_position(s, other, lots, at_mark)
        s.wallets[s.positions[other].wallet].adl_hits += 1
        e = event_new(s, EVENT_ADL)
        e.account = s.positions[other].account
        e.maker_account = p.account
        e.market = p.market
        e.asset = <uint8_t>m.asset
        e.side = SIDE_BUY if lots > 0 else SIDE_SELL
        e.size_lots = abs64(lots)
        e.value = at_mark
        e.aux = part_value - at_mark
        e.fee = at_mark - moved         # what the fund gains by it; negative: what it pays
        e.price_ticks = at_mark / lots / m.tick_lot_money
    return 0
