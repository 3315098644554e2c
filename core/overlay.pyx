"""Recorded liquidity: how the tape's rows change the book that account orders stand in.

With no account orders a row touches one number and one bitmap. See overlay.pxd for the invariant.
"""

from libc.stdint cimport uint8_t

from .bands cimport band_limit
from .beyond cimport beyond_told
from .book cimport (
    NO_PRICE, NONE, WORLD_WALKS, Taker, book_match, crosses, eat, ladder_get, matches_now, take_order, world_at, better,
    place_of, price_of, side_of, world_lots, world_refresh, worse,
)
from .events cimport event_new
from .ladder cimport Ladder, ladder_cell, ladder_next, ladder_previous
from .queue_models cimport shrink_world
from .records cimport EVENT_TAPE_UNFILLED, SIDE_BUY, SIDE_SELL, STP_NONE, WALK_DEEPER, Event
from .resilience cimport quotes_seen
from .settle cimport settle_fills
from .stops cimport note_print
from .state cimport TOUCHED, BookSide, WorldLevel, pool_grow, world_level_free, world_level_new
from .units cimport min64, mul_div_floor


cdef inline int world_changed(
    State *s, Market *m, int side, ticks_t price, WorldLevel *w, lots_t before
) noexcept nogil:
    """A level's world lots went from `before` to what they are now: queue, mark, best price."""
    cdef lots_t after = world_lots(w)
    cdef int32_t at
    cdef BookSide *b = &m.sides[side]
    if after < before and b.best_accounts != NO_PRICE and price + m.shift >= 0:
        at = ladder_get(&b.accounts, price + m.shift)
        if at != NONE:
            shrink_world(s, m, &s.levels[at], before, before - after)
    if (after > 0) != (before > 0) or (after > 0 and b.best_world == NO_PRICE):
        world_refresh(s, m, side, price, w)
    return 0


cdef inline int apply_level(
    State *s, Market *m, int side, ticks_t price, int32_t *cell, lots_t lots
) noexcept nogil:
    """Rules 1-3 of a level update to `lots`, for a level that exists."""
    cdef WorldLevel *w = &s.world_levels[cell[0]]
    cdef lots_t before = world_lots(w)
    cdef lots_t expected = w.recorded - w.printed
    if w.consumed:
        if lots == 0:
            w.consumed = 0
        elif lots < expected:                   # the order that was cancelled may be the one that was eaten
            w.consumed = mul_div_floor(w.consumed, lots, expected, &s.overflow)
    w.recorded = lots
    w.printed = 0
    w.next_free = TOUCHED
    world_changed(s, m, side, price, w, before)
    if lots == 0:
        world_level_free(s, cell[0])
        cell[0] = NONE
    return 0


cdef int tape_level(State *s, Market *m, int side, ticks_t price, lots_t lots, bint snapshot) except -1 nogil:
    """The tape says that `lots` stand at recorded `price`."""
    cdef Ladder *ladder = &m.sides[side].world
    cdef int32_t *cell
    if m.beyond_edge[side] != NO_PRICE:
        beyond_told(m, side)
    if snapshot and not m.snapshot_open:
        m.snapshot_open = 1
        m.depth_epoch += 1
    if lots == 0 and ladder_get(ladder, price) == NONE:
        return 0
    cell = ladder_cell(ladder, price)
    if cell[0] == NONE:
        cell[0] = world_level_new(s)
        s.world_levels[cell[0]].where = place_of(m, side, price)
    s.world_levels[cell[0]].epoch = m.depth_epoch
    return apply_level(s, m, side, price, cell, lots)


cdef int reconcile_printed(State *s, Market *m) noexcept nogil:
    """Levels that were printed since the last depth message and not named in it stand as recorded."""
    cdef int32_t i, kept = 0
    cdef int64_t entry
    cdef int32_t *cell
    cdef int side
    cdef Ladder *ladder
    cdef ticks_t price
    for i in range(s.printed_count):
        entry = s.printed[i]
        if entry >> 41 != m.id:
            s.printed[kept] = entry
            kept += 1
            continue
        side = side_of(entry)
        price = price_of(entry)
        ladder = &m.sides[side].world
        if ladder_get(ladder, price) != NONE:
            cell = &ladder.pages[ladder.directory[price >> 6]].cell[price & 63]
            s.world_levels[cell[0]].in_printed = 0
            if s.world_levels[cell[0]].printed:
                apply_level(s, m, side, price, cell, s.world_levels[cell[0]].recorded)
    s.printed_count = kept
    return 0


cdef int drop_unnamed(State *s, Market *m) noexcept nogil:
    """A snapshot names every level: the others are gone."""
    cdef int side
    cdef int64_t page
    cdef int32_t i
    cdef int32_t *cell
    cdef Ladder *ladder
    for side in range(2):
        ladder = &m.sides[side].world
        for page in range(ladder.directory_size):
            if ladder.directory[page] == NONE:
                continue
            for i in range(64):
                cell = &ladder.pages[ladder.directory[page]].cell[i]
                if cell[0] != NONE and s.world_levels[cell[0]].epoch != m.depth_epoch:
                    apply_level(s, m, side, (page << 6) + i, cell, 0)
    return 0


cdef int tape_depth_end(State *s, Market *m) except -1 nogil:
    """After the last row of a depth message."""
    if s.printed_count:
        reconcile_printed(s, m)
    if m.snapshot_open:
        drop_unnamed(s, m)
        beyond_told(m, SIDE_BUY)
        beyond_told(m, SIDE_SELL)
        m.snapshot_open = 0
    if m.rules.resilience_quotes:
        quotes_seen(s, m)
    if m.sides[SIDE_BUY].best_accounts != NO_PRICE or m.sides[SIDE_SELL].best_accounts != NO_PRICE:
        trade_crossed(s, m)
    return 0


cdef lots_t fill_by_world(State *s, Market *m, int side, int32_t slot, lots_t lots) except -1 nogil:
    """A recorded taker of `side` meets an account's order; returns what the order supplied."""
    cdef lots_t supplied = min64(s.orders[slot].size_lots, lots)
    take_order(s, m, slot, supplied)
    settle_fills(s, m, side, m.world_position, 0)
    return supplied


cdef int trade_crossed(State *s, Market *m) except -1 nogil:
    """Rule 4: a recorded level that crosses an account's order trades with it, at the account's price."""
    cdef int side
    cdef BookSide *makers
    cdef BookSide *takers
    cdef WorldLevel *w
    cdef lots_t lots
    cdef ticks_t recorded
    cdef int32_t slot
    if not matches_now(m):
        return 0
    for side in range(2):                       # side of the recorded level, the taker
        makers = &m.sides[1 - side]
        takers = &m.sides[side]
        while makers.best_accounts != NO_PRICE and takers.best_world != NO_PRICE and crosses(
                side, takers.best_world + m.shift, makers.best_accounts):
            recorded = takers.best_world
            w = world_at(s, m, side, recorded + m.shift)
            slot = s.levels[ladder_get(&makers.accounts, makers.best_accounts)].head
            if s.positions[s.orders[slot].position].account == s.world:
                break                           # recorded against recorded: crossed in the recording itself
            lots = fill_by_world(s, m, side, slot, world_lots(w))
            w = world_at(s, m, side, recorded + m.shift)
            consume(s, m, side, recorded, w, lots)
    return 0


cdef int consume(State *s, Market *m, int side, ticks_t recorded, WorldLevel *w, lots_t lots) except -1 nogil:
    """Recorded lots taken by a simulated counterparty, from the head of the level's queue."""
    cdef int32_t at = NONE, slot
    cdef lots_t take, left = lots
    if recorded + m.shift >= 0:
        at = ladder_get(&m.sides[side].accounts, recorded + m.shift)
    if at != NONE:
        slot = s.levels[at].head
        while left > 0 and slot != NONE:
            take = min64(left, s.orders[slot].world_ahead)
            s.orders[slot].world_ahead -= take
            s.levels[at].world_lots -= take
            s.levels[at].next_free = TOUCHED
            left -= take
            slot = s.orders[slot].next
    eat(s, w, lots)
    world_refresh(s, m, side, recorded, w)
    return 0


cdef int fill_better(State *s, Market *m, int side, ticks_t price, lots_t *lots) except -1 nogil:
    """Account orders at better prices than a print would have been hit before it; each at its own price."""
    cdef BookSide *b = &m.sides[1 - side]
    cdef ticks_t at = b.best_accounts
    cdef int32_t slot, following
    while lots[0] > 0 and at != NO_PRICE and (at < price if side == SIDE_BUY else at > price):
        slot = s.levels[ladder_get(&b.accounts, at)].head
        while slot != NONE and lots[0] > 0:
            following = s.orders[slot].next
            if s.positions[s.orders[slot].position].account != s.world:
                lots[0] -= fill_by_world(s, m, side, slot, lots[0])
                # a fill may have ended other orders of this level: start over from its head
                if ladder_get(&b.accounts, at) == NONE:
                    break
                following = s.levels[ladder_get(&b.accounts, at)].head
                while following != NONE and s.positions[s.orders[following].position].account == s.world:
                    following = s.orders[following].next
            slot = following
        at = ladder_next(&b.accounts, at + 1) if side == SIDE_BUY else ladder_previous(&b.accounts, at - 1)
    return 0


cdef int note_printed(State *s, Market *m, int side, ticks_t recorded, WorldLevel *w) except -1 nogil:
    if w.in_printed:
        return 0
    w.in_printed = 1
    if s.printed_count == s.printed_capacity:
        s.printed = <int64_t *>pool_grow(s.printed, &s.printed_capacity, sizeof(int64_t))
    s.printed[s.printed_count] = place_of(m, side, recorded)
    s.printed_count += 1
    return 0


cdef int print_queue(
    State *s, Market *m, int maker_side, ticks_t recorded, ticks_t price, lots_t lots
) except -1 nogil:
    """Eat a level's queue from the head with a recorded trade, whoever stands there."""
    cdef BookSide *b = &m.sides[maker_side]
    cdef WorldLevel *w
    cdef int32_t at = ladder_get(&b.accounts, price) if price >= 0 else NONE
    cdef int32_t slot
    cdef lots_t take
    cdef bint meets = matches_now(m)
    while at != NONE and lots > 0:
        slot = s.levels[at].head
        while slot != NONE and (s.positions[s.orders[slot].position].account == s.world or (
                not meets and s.orders[slot].world_ahead == 0)):
            slot = s.orders[slot].next
        if slot == NONE:
            break
        take = min64(s.orders[slot].world_ahead, lots)
        if take:
            w = world_at(s, m, maker_side, price)
            w.printed += take
            w.next_free = TOUCHED
            s.orders[slot].world_ahead -= take
            s.levels[at].world_lots -= take
            s.levels[at].next_free = TOUCHED
            lots -= take
            world_refresh(s, m, maker_side, recorded, w)
            continue
        lots -= fill_by_world(s, m, 1 - maker_side, slot, lots)
        at = ladder_get(&b.accounts, price)
    if lots and recorded >= 0:
        at = ladder_get(&b.world, recorded)
        if at != NONE:
            w = &s.world_levels[at]
            w.printed += lots                   # beyond what is recorded: history knew more than its feed
            w.next_free = TOUCHED
            world_refresh(s, m, maker_side, recorded, w)
    return 0


cdef int walk_deeper(State *s, Market *m, int side, ticks_t price, lots_t lots) except -1 nogil:
    """Mode W: the part of a recorded taker that found its liquidity already eaten goes on as a real order.

    It goes on from the print's price: what is recorded at better prices was gone by then, and is not touched.
    """
    cdef Taker taker
    cdef BookSide *b = &m.sides[1 - side]
    cdef ticks_t skipped = b.best_world
    cdef ticks_t limit = band_limit(s, m, side, m.rules.band_up if side == SIDE_BUY else m.rules.band_down)
    taker.account = s.world
    taker.stp_group = s.accounts[s.world].stp_group
    taker.stp_mode = STP_NONE
    taker.is_world = WORLD_WALKS
    taker.start = price
    taker.expired = 0
    taker.checked = NONE
    b.best_world = worse(&b.world, 1 - side, price - m.shift)
    while book_match(s, m, side, limit, &lots, &taker):
        settle_fills(s, m, side, m.world_position, 0)
    settle_fills(s, m, side, m.world_position, 0)
    if skipped != NO_PRICE and better(1 - side, skipped, price - m.shift):
        b.best_world = skipped
    return unfilled(s, m, side, price, lots)


cdef int unfilled(State *s, Market *m, int side, ticks_t price, lots_t lots) except -1 nogil:
    """Say how much of a recorded trade found nothing."""
    cdef Event *e
    if lots:
        m.tape_unfilled_lots += lots
        e = event_new(s, EVENT_TAPE_UNFILLED)
        e.market = <unsigned short>m.id
        e.side = <uint8_t>side
        e.price_ticks = price
        e.size_lots = lots
        e.account = s.world
    return 0


cdef int missed(State *s, Market *m, int side, ticks_t price, lots_t lots) except -1 nogil:
    """Rule 3: a part of a recorded trade at a venue price found nothing."""
    if m.tape_walk == WALK_DEEPER and matches_now(m):
        return walk_deeper(s, m, side, price, lots)
    return unfilled(s, m, side, price, lots)


cdef int tape_trade(State *s, Market *m, int side, ticks_t price, lots_t lots) except -1 nogil:
    """A recorded trade at recorded `price`; `side` is the taker's."""
    cdef int maker_side = 1 - side
    cdef ticks_t venue_price = price + m.shift
    cdef int32_t at
    cdef WorldLevel *w
    cdef lots_t repaid = 0
    cdef bint meets = m.sides[maker_side].best_accounts != NO_PRICE and matches_now(m)
    cdef lots_t recorded = lots
    m.kept_lots = 0
    if meets:
        fill_better(s, m, side, venue_price, &lots)
    at = ladder_get(&m.sides[maker_side].world, price)
    if at != NONE:
        w = &s.world_levels[at]
        note_printed(s, m, maker_side, price, w)
        repaid = min64(w.consumed, lots)
        w.next_free = TOUCHED
        w.consumed -= repaid
        w.printed += repaid
        lots -= repaid
        if m.sides[maker_side].best_accounts == NO_PRICE:
            w.printed += lots
            world_refresh(s, m, maker_side, price, w)
            lots = 0
    if lots:
        print_queue(s, m, maker_side, price, venue_price, lots)
    if repaid:
        missed(s, m, side, venue_price, repaid)
    if 1 <= venue_price <= m.price_max:
        note_print(s, m, venue_price, recorded - m.kept_lots)    # less what accounts had of it
    return 0
