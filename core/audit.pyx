"""Invariants over the whole state, by the numbers of the specification. A breach raises `InvariantError`.

M1 money conserved per asset; M2 clearing balance = -(sum of costs); P1 lots sum to zero; P2 open interest;
O1 no crossed book; O4 levels, queues, index and lists agree; O8 world = max(0, R - P - C) and its segments;
L1 (after a mark group) nobody below maintenance outside the waterfall; risk index: no trigger is on the wrong side.
"""

from libc.stdint cimport int32_t, int64_t

from .book cimport NO_PRICE, first_order, world_lots
from .idmap cimport find_order, find_position
from .ladder cimport NONE, ladder_get, ladder_next
from .margin cimport unit_equity, unit_maintenance
from .records cimport *
from .state cimport (
    ACCOUNT_HOUSE, ACCOUNT_NOT_IN_OI, STAGE_NONE, STATE_RESTING, WALLET_DIRTY, Level, Market, Order, Position, Wallet,
    WorldLevel,
)
from .units cimport abs64, max64


class InvariantError(AssertionError):
    """The state contradicts itself: a bug of the engine. It says which invariant, where, and the two numbers."""


cdef int expect(bint holds, str what, object found=None, object wanted=None) except -1:
    if not holds:
        raise InvariantError(f"{what}: found {found}, expected {wanted}")
    return 0


cdef int check_money(State *s) except -1:
    cdef int64_t i
    cdef int32_t a
    balances = [0] * s.assets_count
    deposits = [0] * s.assets_count
    for i in range(<int64_t>s.accounts_count * s.assets_count):
        balances[i % s.assets_count] += s.wallets[i].balance
        deposits[i % s.assets_count] += s.wallets[i].deposited
    for i in range(s.positions_count):
        balances[s.positions[i].wallet % s.assets_count] += s.positions[i].isolated_margin
    for a in range(s.assets_count):
        expect(balances[a] == deposits[a], f"M1 money of asset {a}", balances[a], deposits[a])
    return 0


cdef int check_positions(State *s) except -1:
    cdef int32_t i, market
    cdef Position *p
    cdef Market *m
    n = s.markets_count
    lots, costs, longs, shorts = [0] * n, [0] * n, [0] * n, [0] * n
    for i in range(s.positions_count):
        p = &s.positions[i]
        market = p.market
        lots[market] += p.lots
        costs[market] += p.cost
        if not s.accounts[p.account].flags & ACCOUNT_NOT_IN_OI:
            longs[market] += max64(p.lots, 0)
            shorts[market] += max64(-p.lots, 0)
        expect(find_position(s, p.account, market) == i, f"position index of account {p.account}", None, i)
        expect(p.lots != 0 or (p.cost == 0 and p.isolated_margin == 0), f"a flat position of {p.account} has cost", p.cost, 0)
        expect(p.mode == MODE_ISOLATED or p.isolated_margin == 0, f"cross position of {p.account} has margin",
               p.isolated_margin, 0)
    for market in range(n):
        m = &s.markets[market]
        expect(lots[market] == 0, f"P1 lots of market {market}", lots[market], 0)
        if m.state < MARKET_SETTLING:
            expect(s.wallets[m.clearing_wallet].balance == -costs[market], f"M2 clearing of market {market}",
                   s.wallets[m.clearing_wallet].balance, -costs[market])
        expect(<int64_t>m.longs_lots == longs[market], f"P2 longs of market {market}", <int64_t>m.longs_lots, longs[market])
        expect(<int64_t>m.shorts_lots == shorts[market], f"P2 shorts of market {market}", <int64_t>m.shorts_lots,
               shorts[market])
    return 0


cdef int check_level(State *s, Market *m, int side, int64_t price, int32_t at) except -1:
    cdef Level *level = &s.levels[at]
    cdef int32_t slot = level.head, before = NONE
    cdef int64_t lots = 0, ahead = 0, count = 0, world = 0
    cdef int32_t w = NONE
    if price - m.shift >= 0:
        w = ladder_get(&m.sides[side].world, price - m.shift)
    if w != NONE:
        world = world_lots(&s.world_levels[w])
    expect(slot != NONE, f"O4 level {price} is empty")
    while slot != NONE:
        expect(s.orders[slot].previous == before and s.orders[slot].state == STATE_RESTING, f"O4 queue at {price}")
        expect(s.orders[slot].size_lots > 0 and s.orders[slot].world_ahead >= 0, f"O4 sizes at {price}")
        expect(s.orders[slot].price_ticks == price and s.orders[slot].side == side, f"O4 order at {price} is elsewhere")
        lots += s.orders[slot].size_lots
        ahead += s.orders[slot].world_ahead
        count += 1
        before = slot
        slot = s.orders[slot].next
    expect(level.tail == before and level.orders == count, f"O4 tail at {price}", level.orders, count)
    expect(level.lots == lots, f"O4 lots at {price}", level.lots, lots)
    expect(level.world_lots == ahead and ahead <= world, f"O8 recorded lots between orders at {price}", ahead, world)
    return count


cdef int check_books(State *s) except -1:
    cdef int32_t market, slot
    cdef int side
    cdef Market *m
    cdef int64_t price, best, resting = 0, live = 0, waiting = 0
    cdef WorldLevel *w
    for market in range(s.markets_count):
        m = &s.markets[market]
        for side in range(2):
            best = NO_PRICE
            price = ladder_next(&m.sides[side].accounts, 0)
            while price != NO_PRICE:
                resting += check_level(s, m, side, price, ladder_get(&m.sides[side].accounts, price))
                if best == NO_PRICE or side == SIDE_BUY:
                    best = price
                price = ladder_next(&m.sides[side].accounts, price + 1)
            expect(m.sides[side].best_accounts == best, f"O4 best of side {side}", m.sides[side].best_accounts, best)
            best = NO_PRICE
            price = ladder_next(&m.sides[side].world, 0)
            while price != NO_PRICE:
                w = &s.world_levels[ladder_get(&m.sides[side].world, price)]
                expect(world_lots(w) > 0, f"O8 an eaten level {price} is marked", world_lots(w), "more than 0")
                expect(w.consumed >= 0 and w.printed >= 0, f"O8 level {price} has a negative part")
                if best == NO_PRICE or side == SIDE_BUY:
                    best = price
                price = ladder_next(&m.sides[side].world, price + 1)
            expect(m.sides[side].best_world == best, f"O8 best recorded of side {side}", m.sides[side].best_world, best)
        if m.state == MARKET_OPEN and s.depth_market == NONE:
            for side in range(2):               # recorded orders may cross each other: nothing is repaired
                slot = first_order(s, m, side, False)
                best = NO_PRICE if slot == NONE else s.orders[slot].price_ticks
                price = m.sides[1 - side].best_accounts
                expect(best == NO_PRICE or price == NO_PRICE or (best < price if side == SIDE_BUY else best > price),
                       f"O1 market {market} is crossed", best, price)
    for slot in range(s.orders_count):
        if s.orders[slot].state:
            live += 1
            waiting += s.orders[slot].state != STATE_RESTING
            price = s.positions[s.orders[slot].position].account
            expect(find_order(s, <int32_t>price, s.orders[slot].id) == slot, f"O4 index of order {s.orders[slot].id}")
    expect(live == s.orders_live and live == resting + waiting and live == s.order_index.used, "O4 live orders",
           (live, s.order_index.used), (s.orders_live, resting + waiting))
    expect(waiting == s.waiting_orders, "O4 waiting orders", s.waiting_orders, waiting)
    return 0


cdef int check_holds(State *s) except -1:
    """What every position holds for its open orders is what its orders say."""
    cdef int32_t i, slot
    cdef Position *p
    cdef Market *m
    cdef Order *o
    for i in range(s.positions_count):
        p = &s.positions[i]
        m = &s.markets[p.market]
        bids = asks = losses = resting = waiting = reducing = room = 0
        slot = p.orders_head
        while slot != NONE:
            o = &s.orders[slot]
            if o.state != STATE_RESTING:
                waiting += 1
            else:
                resting += 1
                if o.flags & FLAG_REDUCE_ONLY:
                    reducing += 1
                    room += o.size_lots
                    expect((p.lots > 0) == (o.side == SIDE_SELL), f"P5 reduce-only order {o.id} would increase")
                elif p.account != s.world:
                    value = int(o.price_ticks) * m.tick_lot_money * o.size_lots
                    bids += value if o.side == SIDE_BUY else 0
                    asks += value if o.side == SIDE_SELL else 0
                    losses += int(o.premium_ticks) * m.tick_lot_money * o.size_lots
            slot = o.position_next
        expect((p.resting_orders, p.waiting_orders, p.reduce_only_orders) == (resting, waiting, reducing),
               f"O4 order counts of account {p.account}", (p.resting_orders, p.waiting_orders), (resting, waiting))
        held = p.order_value[SIDE_BUY], p.order_value[SIDE_SELL], p.open_loss
        expect(held == (bids, asks, losses), f"holds of account {p.account}", held, (bids, asks, losses))
        expect(room <= abs64(p.lots), f"P5 reduce-only orders of account {p.account}", room, abs64(p.lots))
    return 0


cdef int check_unit(State *s, int32_t wallet, int32_t position) except -1:
    health = unit_equity(s, wallet, position) - unit_maintenance(s, wallet, position)
    return expect(
        health >= 0, f"L1 account {s.wallets[wallet].account} (position {position}) is under maintenance", health, ">= 0")


cdef int check_risk(State *s) except -1:
    """A full scan: what the trigger index must have found is not there any more."""
    cdef int64_t i
    cdef int32_t slot
    cdef Wallet *w
    cdef Position *p
    for i in range(<int64_t>s.accounts_count * s.assets_count):
        w = &s.wallets[i]
        if s.accounts[w.account].flags & ACCOUNT_HOUSE or w.flags & WALLET_DIRTY:
            continue
        if w.stage == STAGE_NONE:
            check_unit(s, <int32_t>i, NONE)
        slot = w.positions_head
        while slot != NONE:
            p = &s.positions[slot]
            if p.lots and p.mode == MODE_ISOLATED and p.stage == STAGE_NONE:
                check_unit(s, <int32_t>i, slot)
            slot = p.account_next
    return 0


cdef int check_state(State *s, bint risk) except -1:
    """All invariants; those of risk only where no mark group is open."""
    check_money(s)
    check_positions(s)
    check_books(s)
    check_holds(s)
    if risk and s.changed_count == 0:
        check_risk(s)
    return 0
