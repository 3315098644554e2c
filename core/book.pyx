"""Price-time priority over account orders and recorded liquidity; see book.pxd for the queue's layout."""

from .beyond cimport beyond_depth, beyond_price, take_beyond
from .contract cimport inverse, lot_hold, mark_worth
from .impact cimport note_flow
from .ladder cimport ladder_mark, ladder_unmark
from .records cimport FLAG_REDUCE_ONLY, NO_ORDER, STP_EXPIRE_MAKER, STP_EXPIRE_TAKER, STP_NONE
from .state cimport TOUCHED, Fill, pool_grow, push_fill
from .units cimport RATE_ONE, by_side, div_ceil, min64


cdef void world_refresh(State *s, Market *m, int side, ticks_t recorded, WorldLevel *w) noexcept nogil:
    """Bring mark and best price in line after R, P or C of a level, or the shift, changed. Its page exists.

    A level that a shift has moved off the price grid can not be traded: it is kept, but stands nowhere.
    """
    cdef BookSide *b = &m.sides[side]
    if world_lots(w) > 0 and m.rules.price_min <= recorded + m.shift <= m.price_max:
        ladder_mark(&b.world, recorded)
        if better(side, recorded, b.best_world):
            b.best_world = recorded
    else:
        ladder_unmark(&b.world, recorded)
        if recorded == b.best_world:
            b.best_world = worse(&b.world, side, recorded)


cdef int eat(State *s, WorldLevel *w, lots_t lots) except -1 nogil:
    """Recorded lots go to a simulated taker; where they come back with time, the level is listed."""
    w.consumed += lots
    w.next_free = TOUCHED
    if w.in_eaten or s.markets[w.where >> 41].rules.resilience_keep == RATE_ONE:
        return 0
    w.in_eaten = 1
    if s.eaten_count == s.eaten_capacity:
        s.eaten = <int64_t *>pool_grow(s.eaten, &s.eaten_capacity, sizeof(int64_t))
    s.eaten[s.eaten_count] = w.where
    s.eaten_count += 1
    return 0


cdef int fill_world(State *s, WorldLevel *w, ticks_t price, lots_t lots, Taker *taker) except -1 nogil:
    """A simulated taker eats recorded lots: they stay eaten until history takes them too."""
    cdef Fill *f
    eat(s, w, lots)
    if s.markets[w.where >> 41].impact_count and not taker.is_world:
        note_flow(&s.markets[w.where >> 41], 1 - side_of(w.where), lots)
    if taker.is_world:                  # history walking deeper: world against world leaves no position
        return 0
    f = push_fill(s)
    f.maker_id = NO_ORDER
    f.price_ticks = f.maker_price_ticks = price
    f.size_lots = lots
    f.maker_left_lots = 0
    f.maker_premium_ticks = 0
    f.maker_position = NONE
    f.maker_flags = 0
    f.dropped = f.beyond = 0
    return 0


cdef int fill_beyond(State *s, Market *m, int maker_side, ticks_t price, lots_t lots) except -1 nogil:
    """A simulated taker eats what is stated behind the recorded depth; the fill says so."""
    cdef Fill *f
    take_beyond(s, m, maker_side, lots)
    if m.impact_count:
        note_flow(m, 1 - maker_side, lots)
    f = push_fill(s)
    f.maker_id = NO_ORDER
    f.price_ticks = f.maker_price_ticks = price
    f.size_lots = lots
    f.maker_left_lots = 0
    f.maker_premium_ticks = 0
    f.maker_position = NONE
    f.maker_flags = 0
    f.dropped, f.beyond = 0, 1
    return 0


cdef int take_order(State *s, Market *m, int32_t slot, lots_t lots) except -1 nogil:
    """Fill `lots` of a resting order; it leaves the book when nothing is left."""
    cdef Order *o = &s.orders[slot]
    cdef Level *level = &s.levels[ladder_get(&m.sides[o.side].accounts, o.price_ticks)]
    cdef Fill *f = push_fill(s)
    f.maker_id = o.id
    f.price_ticks = f.maker_price_ticks = o.price_ticks
    f.size_lots = lots
    f.maker_premium_ticks = o.premium_ticks
    f.maker_position = o.position
    f.maker_flags = o.flags
    f.dropped = f.beyond = 0
    o.size_lots -= lots
    o.filled_lots += lots
    level.lots -= lots
    level.next_free = TOUCHED
    f.maker_left_lots = o.size_lots
    if o.size_lots == 0:
        book_remove(s, m, slot)
        order_detach(s, slot)
    return 0


cdef int eat_recorded(State *s, Market *m, int32_t slot, lots_t *lots) noexcept nogil:
    """History walking deeper: a recorded order loses lots to it, as to a simulated taker, but nobody gets a position."""
    cdef Order *o = &s.orders[slot]
    cdef Level *level = &s.levels[ladder_get(&m.sides[o.side].accounts, o.price_ticks)]
    cdef lots_t take = min64(o.size_lots, lots[0])
    lots[0] -= take
    if take == o.size_lots:
        book_remove(s, m, slot)
        order_detach(s, slot)
        return 0
    o.size_lots -= take
    o.filled_lots += take
    level.lots -= take
    level.next_free = TOUCHED
    return 0


cdef int drop_maker(State *s, Market *m, int32_t slot) except -1 nogil:
    """Remove a maker that self-trade prevention forbids; reported in its place among the fills."""
    cdef Order *o = &s.orders[slot]
    cdef Fill *f = push_fill(s)
    f.maker_id = o.id
    f.price_ticks = f.maker_price_ticks = o.price_ticks
    f.size_lots = o.size_lots
    f.maker_left_lots = 0
    f.maker_premium_ticks = o.premium_ticks
    f.maker_position = o.position
    f.maker_flags = o.flags
    f.dropped, f.beyond = 1, 0
    book_remove(s, m, slot)
    order_detach(s, slot)
    return 0


cdef int match_orders(State *s, Market *m, int maker_side, ticks_t price, lots_t *lots, Taker *t) except -1 nogil:
    """Walk the account orders of one price, with the recorded lots before each."""
    cdef BookSide *b = &m.sides[maker_side]
    cdef int32_t slot = s.levels[ladder_get(&b.accounts, price)].head
    cdef int32_t following, maker_account
    cdef Order *o
    cdef WorldLevel *w
    cdef lots_t take
    while slot != NONE and lots[0] > 0:
        o = &s.orders[slot]
        following = o.next
        if o.flags & FLAG_REDUCE_ONLY and slot != t.checked:
            t.checked = slot            # the fills so far may end it, and what is recorded around it is one segment then
            return MATCH_CHECK_MAKER
        if o.world_ahead:
            take = min64(o.world_ahead, lots[0])
            w = world_at(s, m, maker_side, price)
            fill_world(s, w, price, take, t)
            o.world_ahead -= take
            s.levels[ladder_get(&b.accounts, price)].world_lots -= take
            s.levels[ladder_get(&b.accounts, price)].next_free = TOUCHED
            world_refresh(s, m, maker_side, price - m.shift, w)
            lots[0] -= take
            if lots[0] == 0:
                return MATCH_DONE
        maker_account = s.positions[o.position].account
        if t.is_world and maker_account == s.world:
            if t.is_world == WORLD_WALKS and by_side(maker_side, price - t.start) <= 0:
                eat_recorded(s, m, slot, lots)
            slot = following            # the world never matches the world
            continue
        if t.stp_mode != STP_NONE and s.accounts[maker_account].stp_group == t.stp_group:
            if t.stp_mode != STP_EXPIRE_TAKER:
                drop_maker(s, m, slot)
            if t.stp_mode != STP_EXPIRE_MAKER:
                t.expired = 1
                return MATCH_DONE
            slot = following
            continue
        t.checked = NONE
        take = min64(o.size_lots, lots[0])
        lots[0] -= take
        take_order(s, m, slot, take)
        if maker_account == s.world and m.impact_count and not t.is_world:
            note_flow(m, 1 - maker_side, take)
        slot = following
    return MATCH_DONE


cdef int book_match(State *s, Market *m, int side, ticks_t limit, lots_t *lots, Taker *taker) except -1 nogil:
    """Match up to `lots` of a taker against the other side, price by price, down to `limit`.

    Fills are appended to `s.fills`; `lots` is left with what found nothing.
    """
    cdef int maker_side = 1 - side
    cdef BookSide *b = &m.sides[maker_side]
    cdef ticks_t price
    cdef ticks_t further
    cdef WorldLevel *w
    cdef lots_t take = 0
    while lots[0] > 0 and not taker.expired:
        price = best_price(m, maker_side)
        if b.best_world == NO_PRICE and m.rules.beyond_lots and not taker.is_world:
            further = beyond_price(s, m, maker_side, &take)
            if crosses(side, limit, further) and better(maker_side, further, price):
                take = min64(take, lots[0])
                fill_beyond(s, m, maker_side, further, take)
                lots[0] -= take
                continue
        if not crosses(side, limit, price):
            break
        if price == b.best_accounts:
            if match_orders(s, m, maker_side, price, lots, taker) == MATCH_CHECK_MAKER:
                return MATCH_CHECK_MAKER
            if lots[0] == 0 or taker.expired:
                break
        if b.best_world != NO_PRICE and price == b.best_world + m.shift:
            w = world_at(s, m, maker_side, price)
            take = min64(world_lots(w), lots[0])
            fill_world(s, w, price, take, taker)
            lots[0] -= take
            world_refresh(s, m, maker_side, price - m.shift, w)
        elif price == b.best_accounts and taker.is_world:
            while lots[0] > 0:          # only the world's own orders are left at this price: go on behind them
                price = worse(&b.accounts, maker_side, price + (1 if maker_side else -1))
                if not crosses(side, limit, price):
                    break
                if match_orders(s, m, maker_side, price, lots, taker) == MATCH_CHECK_MAKER:
                    return MATCH_CHECK_MAKER
            break
    return MATCH_DONE


cdef lots_t book_depth(
    State *s, Market *m, int side, ticks_t limit, lots_t wanted, int32_t without, bint ends
) noexcept nogil:
    """Lots that a taker of `side` could have down to `limit`, counted up to `wanted`.

    Orders of the self-trade group `without` (NONE: nobody) are left out: they would expire, not fill; where the first
    of them `ends` the taker, nothing behind it counts. Reduce-only orders are left out too: other fills of the same
    sweep may cut them.
    """
    cdef int maker_side = 1 - side
    cdef BookSide *b = &m.sides[maker_side]
    cdef ticks_t account_price = b.best_accounts, world_price = b.best_world
    cdef lots_t found = 0, ahead
    cdef int32_t slot
    while found < wanted and crosses(side, limit, account_price):
        slot = s.levels[ladder_get(&b.accounts, account_price)].head
        ahead = 0
        while slot != NONE:
            ahead += s.orders[slot].world_ahead
            if without != NONE and s.accounts[s.positions[s.orders[slot].position].account].stp_group == without:
                if ends:                # what is recorded counts at better prices, and before this order
                    limit = account_price - 1 if side == SIDE_BUY else account_price + 1
                    found += ahead
                    break
            elif not s.orders[slot].flags & FLAG_REDUCE_ONLY:
                found += s.orders[slot].size_lots
            slot = s.orders[slot].next
        account_price = worse(&b.accounts, maker_side, account_price + (1 if maker_side else -1))
    while found < wanted and world_price != NO_PRICE and crosses(side, limit, world_price + m.shift):
        found += world_lots(&s.world_levels[ladder_get(&b.world, world_price)])
        world_price = worse(&b.world, maker_side, world_price + (1 if maker_side else -1))
    if found < wanted:
        found += beyond_depth(s, m, maker_side, limit, wanted - found)
    return min64(found, wanted)


cdef int32_t first_order(State *s, Market *m, int side, bint recorded) noexcept nogil:
    """First in price-time priority among a side's `recorded` orders, or else among its accounts' orders; NONE if none."""
    cdef ticks_t price = m.sides[side].best_accounts
    cdef int32_t slot
    while price != NO_PRICE:
        slot = s.levels[ladder_get(&m.sides[side].accounts, price)].head
        while slot != NONE:
            if (s.orders[slot].position == m.world_position) == recorded:
                return slot
            slot = s.orders[slot].next
        price = worse(&m.sides[side].accounts, side, price + (1 if side else -1))
    return NONE


cdef ticks_t impact_price(State *s, Market *m, int side, int64_t notional) noexcept nogil:
    """Average price in ticks (toward the touch) at which `notional` money could be taken from a side's makers.

    NO_PRICE if the side does not hold that much.
    """
    return mean_price(s, m, side, notional, False)


cdef ticks_t price_of_lots(State *s, Market *m, int side, lots_t lots) noexcept nogil:
    """The same of so many lots."""
    return mean_price(s, m, side, lots, True)


cdef ticks_t mean_price(State *s, Market *m, int side, int64_t wanted, bint in_lots) noexcept nogil:
    """Average price in ticks of what is wanted, in lots or in money; the last level may give a lot more than the money buys."""
    cdef BookSide *b = &m.sides[side]
    cdef ticks_t account_price = b.best_accounts, world_price = b.best_world, price
    cdef lots_t lots, taken = 0
    cdef int64_t left = wanted, unit
    cdef int64_t paid = 0               # ticks, of an inverse contract money
    cdef bint from_accounts
    while left > 0 and (account_price != NO_PRICE or world_price != NO_PRICE):
        from_accounts = account_price != NO_PRICE and (
            world_price == NO_PRICE or not better(side, world_price + m.shift, account_price))
        if from_accounts:
            price = account_price
            lots = s.levels[ladder_get(&b.accounts, price)].lots
            account_price = worse(&b.accounts, side, price + (1 if side else -1))
        else:
            price = world_price + m.shift
            lots = world_lots(&s.world_levels[ladder_get(&b.world, world_price)])
            world_price = worse(&b.world, side, world_price + (1 if side else -1))
        if price <= 0:
            continue
        unit = lot_hold(s, m, price)
        lots = min64(lots, left if in_lots else left / unit + 1)
        taken += lots
        paid += lots * (unit if inverse(m) else price)
        left -= lots if in_lots else lots * unit
    if left > 0 or taken == 0:
        return NO_PRICE
    if inverse(m):                      # the mean of what a lot is worth, and the price that belongs to it
        price = mark_worth(m, taken, paid, side != SIDE_BUY, &s.overflow)
        return price / m.tick_value if side == SIDE_BUY else div_ceil(price, m.tick_value)
    return paid / taken if side == SIDE_BUY else (paid + taken - 1) / taken
