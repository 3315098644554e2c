"""Attribution: the recorded day already contains the forced orders of that day, so they must not trade a second time.

    RECORD     forced orders never meet the book. At each recorded trade those that wait on its taker's side have it, in
               order of arrival, as far as their limits allow, at its price, against the world. The trade itself passes
               through the book as it was recorded: the book is history's.
    AGAINST    the same, and it is known what the RECORD run has found in each trade. As much as that is history's. What
               is claimed beyond it goes into the book as an order of its owner; what is missing of it makes the recorded
               trade smaller, and counts as flow of the other side for the impact. The same rules find the same: nothing.

A filled claim's owner goes on at the same instant, by its liquidation timer: after the recorded trades of the instant,
before anything that comes later. So no takeover and no ADL happens inside a recorded trade.
"""

from libc.stdint cimport int32_t, uint8_t

from .book cimport crosses, matches_now
from .claims cimport claim_filled, flow_of_print
from .contract cimport trade_value
from .events cimport event_new, event_put, next_event
from .forced_fee cimport Sale, close_sale, open_sale
from .impact cimport note_flow
from .ladder cimport NONE
from .ledger cimport change_position
from .liquidation cimport schedule
from .orders cimport match_and_settle
from .records cimport (
    ATTRIBUTION_RECORD, EVENT_ATTRIBUTED, EVENT_TRADE, MODE_ISOLATED, NO_ORDER, REDUCE_TIER_FOK, STP_NONE, Event,
)
from .state cimport ACCOUNT_HOUSE, Claim, Position, lead_of
from .units cimport by_side, min64, value_t


cdef lots_t attribute(State *s, Market *m, int side, ticks_t price, lots_t lots) except -1 nogil:
    """A recorded trade at a venue price, before it comes to the book; returns how much of it does."""
    cdef lots_t known = min64(flow_of_print(s, m), lots)        # of an attribution run
    cdef bint against = m.rules.attribution != ATTRIBUTION_RECORD
    cdef lots_t history = 0, extra = 0, left = lots, take, part
    cdef int32_t slot = NONE, following
    if matches_now(m) and 1 <= price <= m.price_max:
        slot = m.claims_head[side]
    while slot != NONE and left > 0:
        following = s.claims[slot].next
        take = claimable(s, m, slot, side, price, left)
        part = min64(take, known - history) if against else take
        if part:
            fill_claim(s, m, slot, side, price, part)
            history += part
        if take > part:
            take = part + send_claim(s, m, slot, side, take - part)
            extra += take - part
        left -= take
        slot = following
    if not against:
        known = history
    if known > history and m.impact_count:
        note_flow(m, 1 - side, known - history)
    if known or extra:
        report(s, m, side, price, history, extra, known - history)
    return lots - (known - history)


cdef int report(
    State *s, Market *m, int side, ticks_t price, lots_t history, lots_t extra, lots_t missing
) except -1 nogil:
    cdef Event *e = event_new(s, EVENT_ATTRIBUTED)
    e.account = s.world
    e.market = <unsigned short>m.id
    e.side = <uint8_t>side
    e.order_id = m.prints - 1
    e.price_ticks = price
    e.size_lots = history + extra
    e.value = extra
    e.aux = missing
    m.attributed_lots += history
    m.excess_lots += extra
    m.deficit_lots += missing
    return 0


cdef lots_t claimable(State *s, Market *m, int32_t slot, int side, ticks_t price, lots_t left) noexcept nogil:
    """What a claim may have of `left` lots at a price. A fund sells no more than it has come to hold by now."""
    cdef Claim *c = &s.claims[slot]
    cdef lots_t wanted = c.left
    if c.limit <= 0 or not crosses(side, c.limit, price):
        return 0
    if slot == m.fund_position:
        wanted = min64(wanted, -by_side(side, s.positions[slot].lots))
        return min64(wanted, left) if wanted > 0 else 0
    if wanted > left and s.rules.reduce_method == REDUCE_TIER_FOK \
            and not s.accounts[s.positions[slot].account].flags & ACCOUNT_HOUSE:
        return 0                        # fill or kill: not from this trade
    return min64(wanted, left)


cdef int fill_claim(State *s, Market *m, int32_t slot, int side, ticks_t price, lots_t lots) except -1 nogil:
    """Lots of a recorded trade are a claim's. The trade is a print all the same, when it comes to the book."""
    cdef Position *p = &s.positions[slot]
    cdef int32_t wallet = p.wallet if p.mode == MODE_ISOLATED else lead_of(s, p.wallet)
    cdef int32_t position = slot if p.mode == MODE_ISOLATED else NONE
    cdef bint customer = not s.accounts[p.account].flags & ACCOUNT_HOUSE
    cdef value_t value = trade_value(s, m, lots, price)
    cdef Sale sale
    if customer:
        open_sale(s, wallet, position, slot, s.claims[slot].left, &sale)
    change_position(s, slot, by_side(side, lots), by_side(side, value))
    change_position(s, m.world_position, -by_side(side, lots), -by_side(side, value))
    event_put(next_event(s), s.sequence, s.time_ns, s.claims[slot].order_id, NO_ORDER, price, lots, 0, 0, 0, p.account,
              s.world, m.id, 0, EVENT_TRADE, s.venue, m.asset, side)
    claim_filled(s, m, slot, side, lots)
    return claim_sold(s, m, wallet, position, slot, side, lots, &sale) if customer else 0


cdef lots_t send_claim(State *s, Market *m, int32_t slot, int side, lots_t lots) except -1 nogil:
    """A part of a claim that is none of history's: an order in the book. Returns what was filled."""
    cdef Position *p = &s.positions[slot]
    cdef int32_t wallet = p.wallet if p.mode == MODE_ISOLATED else lead_of(s, p.wallet)
    cdef int32_t position = slot if p.mode == MODE_ISOLATED else NONE
    cdef bint customer = not s.accounts[p.account].flags & ACCOUNT_HOUSE
    cdef lots_t left = lots
    cdef bint expired
    cdef Sale sale
    if customer:
        open_sale(s, wallet, position, slot, s.claims[slot].left, &sale)
    s.forced = 1
    match_and_settle(s, m, slot, s.claims[slot].order_id, side, s.claims[slot].limit, &left, STP_NONE, &expired)
    s.forced = 0
    lots -= left
    if lots == 0:
        return 0
    claim_filled(s, m, slot, side, lots)
    if customer:
        claim_sold(s, m, wallet, position, slot, side, lots, &sale)
    return lots


cdef int claim_sold(
    State *s, Market *m, int32_t wallet, int32_t position, int32_t slot, int side, lots_t lots, Sale *sale
) except -1 nogil:
    """The fee of a forced order; a filled one has its owner go on at once."""
    close_sale(s, m, wallet, position, slot, side, lots, sale)
    if s.claims[slot].left == 0:
        schedule(s, wallet, position, s.time_ns)
    return 0
