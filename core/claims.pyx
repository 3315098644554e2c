"""Claims and flows: the lists that an attribution is made of. What happens at a recorded trade is in attribution.pyx.

A claim is a forced order that waits: so many lots down to a limit, in the queue of its market and side. Nothing of a
position in a liquidation changes but by its claim (and by a settlement, which ends it), so a claim of a customer never
exceeds the position. A filled claim stays with its position, out of the queue, until the liquidation has looked at it.

Flows are what the attribution run has found: lots of forced orders in the recorded trade of an ordinal. They are given
in advance, in order, and taken out one by one as the trades come.
"""

from enum import IntEnum

from libc.stdint cimport uint8_t, uint64_t

from .events cimport event_new
from .ladder cimport NONE
from .records cimport (
    ATTRIBUTION_AGAINST, ATTRIBUTION_NONE, ATTRIBUTION_RECORD, EVENT_CANCELLED, MODE_CROSS, REJECT_BAD_SIZE,
    REJECT_BAD_VALUE, REJECT_MARKET_STATE, REJECT_NONE, SIDE_BUY, SIDE_SELL, Event,
)
from .state cimport ACCOUNT_HOUSE, Claim, Flow, Position, claims_make, pool_first, pool_grow, pool_next, touch
from .units cimport mix64


class Attribution(IntEnum):
    """Where forced orders of a market trade."""

    NONE = ATTRIBUTION_NONE
    RECORD = ATTRIBUTION_RECORD
    AGAINST = ATTRIBUTION_AGAINST


cdef int open_claims(State *s, Market *m) except -1 nogil:
    """A new market's empty lists."""
    m.claims_head[0] = m.claims_head[1] = m.claims_tail[0] = m.claims_tail[1] = m.flow_head = m.flow_tail = NONE
    return claims_make(s) if m.rules.attribution else 0


cdef int claim(State *s, Market *m, int32_t slot, int64_t order_id, int side, ticks_t limit, lots_t lots) except -1 nogil:
    """Put a forced order at the tail of its queue, in the place of an earlier one of the position."""
    cdef Claim *c = &s.claims[slot]
    unlink_claim(s, slot)
    c.sent = c.left = lots
    c.limit = limit
    c.order_id = order_id
    c.next = NONE
    c.previous = m.claims_tail[side]
    if c.previous == NONE:
        m.claims_head[side] = slot
    else:
        s.claims[c.previous].next = slot
    m.claims_tail[side] = slot
    touch(s, s.positions[slot].wallet)
    return 0


cdef int unlink_claim(State *s, int32_t slot) noexcept nogil:
    """Out of its queue, where it is in one."""
    cdef Claim *c = &s.claims[slot]
    cdef Market *m = &s.markets[s.positions[slot].market]
    cdef int side = SIDE_BUY
    if c.left == 0:
        return 0
    if c.previous == NONE:              # the first of one of the two queues
        side = SIDE_BUY if m.claims_head[SIDE_BUY] == slot else SIDE_SELL
        m.claims_head[side] = c.next
    else:
        s.claims[c.previous].next = c.next
    if c.next == NONE:
        side = SIDE_BUY if m.claims_tail[SIDE_BUY] == slot else SIDE_SELL
        m.claims_tail[side] = c.previous
    else:
        s.claims[c.next].previous = c.previous
        touch(s, s.positions[c.next].wallet)        # its hash names the one before it
    return 0


cdef int32_t claim_of(State *s, int32_t wallet, int32_t position) noexcept nogil:
    """The unit's position that has a claim, waiting or filled; NONE: none has."""
    cdef int32_t slot = pool_first(s, wallet) if position == NONE else position
    if position != NONE:
        return position if s.claims[position].sent else NONE
    while slot != NONE and not (s.claims[slot].sent and s.positions[slot].mode == MODE_CROSS):
        slot = pool_next(s, slot)
    return slot


cdef lots_t end_claim(State *s, int32_t slot, int reason) except -1 nogil:
    """Forget a position's claim, if it has one; returns what was filled of it. A customer's rest is reported."""
    cdef Claim *c = &s.claims[slot]
    cdef Position *p = &s.positions[slot]
    cdef lots_t filled = c.sent - c.left
    cdef Event *e
    if c.sent == 0:
        return 0
    unlink_claim(s, slot)
    if c.left and not s.accounts[p.account].flags & ACCOUNT_HOUSE:
        e = event_new(s, EVENT_CANCELLED)
        e.account = p.account
        e.market = p.market
        e.order_id = c.order_id
        e.side = <uint8_t>(SIDE_SELL if p.lots > 0 else SIDE_BUY)
        e.size_lots = c.left
        e.price_ticks = c.limit
        e.reason = <unsigned short>reason
    c.sent = c.left = 0
    touch(s, p.wallet)
    return filled


cdef int claim_filled(State *s, Market *m, int32_t slot, int side, lots_t lots) noexcept nogil:
    """Lots of a claim were traded; a filled one leaves the queue."""
    cdef Claim *c = &s.claims[slot]
    if c.left == lots:
        unlink_claim(s, slot)
    c.left -= lots
    touch(s, s.positions[slot].wallet)
    return 0


# ---- flows ---------------------------------------------------------------------------------------------------------

cdef inline uint64_t hash_flow(Flow *f) noexcept nogil:
    return mix64(<uint64_t>f.ordinal ^ <uint64_t>0x9E3779B97F4A7C15, <uint64_t>f.lots ^ <uint64_t>0xD6E8FEB86659FD93)


cdef int refused_flow(State *s, Market *m, const Command *c) noexcept nogil:
    if m.rules.attribution != ATTRIBUTION_AGAINST:
        return REJECT_MARKET_STATE
    if c.size_lots <= 0 or c.size_lots > m.position_max:
        return REJECT_BAD_SIZE
    if c.aux < m.prints or (m.flow_tail != NONE and c.aux <= s.flows[m.flow_tail].ordinal):
        return REJECT_BAD_VALUE         # the trade was, or comes before one that is known already
    return REJECT_NONE


cdef int set_flow(State *s, const Command *c) except -1 nogil:
    """`size_lots` of recorded trade number `aux` of the market were forced orders. Returns a reject code."""
    cdef Market *m = &s.markets[c.market]
    cdef int reason = refused_flow(s, m, c)
    cdef Flow *f
    if reason:
        return reason
    if s.flows_count == s.flows_capacity:
        s.flows = <Flow *>pool_grow(s.flows, &s.flows_capacity, sizeof(Flow))
    f = &s.flows[s.flows_count]
    f.ordinal = c.aux
    f.lots = c.size_lots
    f.market = m.id
    f.next = NONE
    if m.flow_tail == NONE:
        m.flow_head = s.flows_count
    else:
        s.flows[m.flow_tail].next = s.flows_count
    m.flow_tail = s.flows_count
    s.flows_count += 1
    m.flow_hash += hash_flow(f)
    return REJECT_NONE


cdef lots_t flow_of_print(State *s, Market *m) noexcept nogil:
    """Count a recorded trade; what the attribution run has found in it."""
    cdef int64_t ordinal = m.prints
    cdef Flow *f
    m.prints += 1
    if m.flow_head == NONE or s.flows[m.flow_head].ordinal != ordinal:
        return 0
    f = &s.flows[m.flow_head]
    m.flow_hash -= hash_flow(f)
    m.flow_head = f.next
    if f.next == NONE:
        m.flow_tail = NONE
    return f.lots
