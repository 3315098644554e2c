"""Opening: what gathered while nothing was matched trades at one price. Recorded orders take no part."""

from .book cimport NO_PRICE, NONE, first_order, ladder_get, take_order
from .ladder cimport ladder_next, ladder_previous
from .records cimport SIDE_BUY, SIDE_SELL
from .settle cimport release, settle_fills
from .state cimport Order
from .units cimport abs64, lots_t, min64, ticks_t


cdef lots_t account_lots(State *s, Market *m, int side, ticks_t price) noexcept nogil:
    """What accounts have at a price; recorded orders take no part in an auction."""
    cdef int32_t at = ladder_get(&m.sides[side].accounts, price)
    cdef int32_t slot = NONE if at == NONE else s.levels[at].head
    cdef lots_t total = 0
    while slot != NONE:
        if s.orders[slot].position != m.world_position:
            total += s.orders[slot].size_lots
        slot = s.orders[slot].next
    return total


cdef lots_t lots_through(State *s, Market *m, int side, ticks_t price) noexcept nogil:
    """Account lots of a side that would trade at `price`."""
    cdef ticks_t at = m.sides[side].best_accounts
    cdef lots_t total = 0
    while at != NO_PRICE and (at >= price if side == SIDE_BUY else at <= price):
        total += account_lots(s, m, side, at)
        at = ladder_previous(&m.sides[side].accounts, at - 1) if side == SIDE_BUY else ladder_next(
            &m.sides[side].accounts, at + 1)
    return total


cdef ticks_t auction_price(State *s, Market *m) noexcept nogil:
    """The price with the largest volume; then the smallest surplus; then nearest to the mark; then the lowest."""
    cdef ticks_t at = m.sides[SIDE_SELL].best_accounts, best = NO_PRICE
    cdef ticks_t top = m.sides[SIDE_BUY].best_accounts
    cdef ticks_t reference = m.mark / m.tick_value
    cdef lots_t bids, asks, volume, surplus, best_volume = 0, best_surplus = 0
    cdef ticks_t next_ask, next_bid
    while at != NO_PRICE and at <= top:
        bids = lots_through(s, m, SIDE_BUY, at)
        asks = lots_through(s, m, SIDE_SELL, at)
        volume = min64(bids, asks)
        surplus = abs64(bids - asks)
        if volume and (account_lots(s, m, SIDE_BUY, at) or account_lots(s, m, SIDE_SELL, at)) and (
                best == NO_PRICE or volume > best_volume or (volume == best_volume and (
                    surplus < best_surplus
                    or (surplus == best_surplus and abs64(at - reference) < abs64(best - reference))))):
            best = at
            best_volume = volume
            best_surplus = surplus
        next_ask = ladder_next(&m.sides[SIDE_SELL].accounts, at + 1)
        next_bid = ladder_next(&m.sides[SIDE_BUY].accounts, at + 1)
        at = next_ask if next_bid == NO_PRICE else (next_bid if next_ask == NO_PRICE else min64(next_ask, next_bid))
    return best


cdef int uncross(State *s, Market *m) except -1 nogil:
    """Open after an auction: all crossing account orders trade at one price, in price-time priority.

    Every order here is both early and late for somebody; the buyer is reported as the taker and pays the taker's fee.
    """
    cdef ticks_t price = auction_price(s, m)
    cdef int32_t buy, sell
    if price == NO_PRICE:
        return 0
    while True:
        buy = first_order(s, m, SIDE_BUY, False)
        sell = first_order(s, m, SIDE_SELL, False)
        if buy == NONE or sell == NONE or s.orders[buy].price_ticks < price or s.orders[sell].price_ticks > price:
            return 0
        uncross_pair(s, m, buy, sell, price)


cdef int uncross_pair(State *s, Market *m, int32_t buy, int32_t sell, ticks_t price) except -1 nogil:
    """Trade the first buy order with the first sell order at the auction price."""
    cdef Order b = s.orders[buy]
    cdef lots_t take = min64(s.orders[sell].size_lots, b.size_lots)
    take_order(s, m, buy, take)
    s.fills_count -= 1                  # the buyer is this pair's taker: its hold is released here
    release(s, m, b.position, SIDE_BUY, b.flags, b.price_ticks, b.premium_ticks, take)
    take_order(s, m, sell, take)
    s.fills[0].price_ticks = price
    return settle_fills(s, m, SIDE_BUY, b.position, b.id)
